"""Families of diagonal order parameters, each a sum over a chain that an automaton adds up.

An automaton reads a configuration from the left. It remembers where a term of a sum was begun, and
adds to a sum where a term ends. A train is an automaton too, whose terms end on the last site, so
that moments of both are found in one way, see :mod:`phasenet.insight.moments`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.spins import is_integer_spin, magnetic_numbers, pi_rotation
from phasenet.trains.train import FloatArray, IntArray, TensorTrain

FAMILIES = ("density", "profile", "two-point", "short string", "string")
"""From the simplest to the least local, the order in which one is added to another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """Sums over a chain, of terms that begin on one site and end on the same or a later one.

    Parameters
    ----------
    steps
        For each site, weights between what is remembered left and right of it, shape (local
        states, left, right); at the outer ends of the chain one memory, which is "nothing".
    ends
        For each site, weights with which a term ends there, shape (local states, left, sums).
    names, families
        Of each sum.
    """

    steps: tuple[FloatArray, ...]
    ends: tuple[FloatArray, ...]
    names: tuple[str, ...]
    families: tuple[str, ...]

    def __call__(self, spins: IntArray) -> FloatArray:
        """Sums for configurations of shape (shots, sites), shape (shots, sums)."""
        memory = np.ones((len(spins), 1))
        total = np.zeros((len(spins), len(self.names)))
        for site, (step, end) in enumerate(zip(self.steps, self.ends, strict=True)):
            local = spins[:, site]
            total += np.einsum("nl,nls->ns", memory, end[local])
            memory = np.einsum("nl,nlr->nr", memory, step[local])
        return total


def order_parameters(
    site_dim: int, length: int, *, reach: int, longest: int
) -> tuple[Automaton, ...]:
    r"""Families of order parameters that are diagonal in the z basis.

    - ``density``: :math:`\sum_i (S^z_i)^p` and :math:`\sum_i (-1)^i (S^z_i)^p`, all p below the
      number of local states;
    - ``profile``: each :math:`(S^z_i)^p` on its own, so every sum of functions of one site;
    - ``two-point``: :math:`\sum_i S^z_i S^z_{i+r}` and, beyond spin 1/2, the same of
      :math:`(S^z)^2`, uniform and staggered;
    - ``string``, of integer spins: :math:`-\sum_i S^z_i \exp(i\pi\sum_{i<k<j} S^z_k) S^z_j` at each
      distance j - i beyond the reach of the two-point functions;
    - ``short string``: the same at distances from 2 up to that reach, which are local functions of
      a few neighbours.

    Parameters
    ----------
    site_dim, length
        Of the chain.
    reach
        Largest distance of the two-point functions and of the short strings, in sites.
    longest
        Largest distance of the strings, in sites.

    >>> for part in order_parameters(3, 6, reach=1, longest=3):
    ...     print(part.families[-1], "|", part.names[-1])
    profile | Sz^2 of site 5
    two-point | Sz Sz, 1 sites, staggered
    two-point | Sz^2 Sz^2, 1 sites, staggered
    string | string, 3 sites
    """
    if not 1 <= reach < length or not 1 <= longest < length:
        raise SettingsError(
            f"two-point functions reach {reach} and strings {longest} sites; wanted 1 .. "
            f"{length - 1} in a chain of {length} sites"
        )
    weights = magnetic_numbers(site_dim)
    found = [_densities(weights, length), _two_point("Sz Sz", weights, reach, length)]
    if site_dim > 2:
        found.append(_two_point("Sz^2 Sz^2", weights**2, reach, length))
    if is_integer_spin(site_dim) and longest > 1:
        found.append(_strings(weights, reach, longest, length))
    return tuple(found)


def function_automaton(function: TensorTrain, name: str) -> Automaton:
    """Real scalar train as an automaton of one sum.

    >>> train = TensorTrain(cores=(np.full((1, 2, 1), 2.0),) * 3)
    >>> function_automaton(train, "f")(np.array([[0, 1, 1]])).tolist()
    [[8.0]]
    """
    if function.output_site is not None or any(map(np.iscomplexobj, function.cores)):
        raise ShapeError(
            f"the train of {name} has an output leg or complex cores; wanted a real scalar one"
        )
    # Spread over all sites, the scale overflows nowhere.
    scale = np.exp(function.log_scale / function.length)
    cores = [np.ascontiguousarray(core.swapaxes(0, 1)) * scale for core in function.cores]
    nothing = [np.zeros((*core.shape[:2], 1)) for core in cores[:-1]]
    return Automaton(
        steps=(*cores[:-1], np.zeros((*cores[-1].shape[:2], 1))),
        ends=(*nothing, cores[-1]),
        names=(name,),
        families=("function",),
    )


def family_names(automata: Sequence[Automaton]) -> tuple[str, ...]:
    """Families that occur, in the order of :data:`FAMILIES`.

    >>> family_names(order_parameters(2, 6, reach=2, longest=3))
    ('density', 'profile', 'two-point')
    """
    found = {family for automaton in automata for family in automaton.families}
    return tuple(family for family in FAMILIES if family in found)


def _densities(weights: FloatArray, length: int) -> Automaton:
    powers = weights[:, None] ** np.arange(1, len(weights))
    names = ["Sz" if p == 1 else f"Sz^{p}" for p in range(1, len(weights))]
    ends = []
    for site in range(length):
        alone = np.zeros((len(weights), length, len(names)))
        alone[:, site] = powers
        parts = (powers, (-1.0) ** site * powers, alone.reshape(len(weights), -1))
        ends.append(np.concatenate(parts, axis=1)[:, None, :])
    return Automaton(
        steps=(np.ones((len(weights), 1, 1)),) * length,
        ends=tuple(ends),
        names=(
            *names,
            *(f"{name}, staggered" for name in names),
            *(f"{name} of site {site}" for site in range(length) for name in names),
        ),
        families=("density",) * (2 * len(names)) + ("profile",) * (length * len(names)),
    )


def _two_point(name: str, tip: FloatArray, reach: int, length: int) -> Automaton:
    """Products of two sites, uniform and staggered by the right one."""
    even, odd = (
        _ends([(r, t) for r in range(1, reach + 1) for t in (tip, sign * tip)], reach)
        for sign in (1.0, -1.0)
    )
    return Automaton(
        steps=_memory(tip, np.ones(len(tip)), reach, length),
        ends=(even[:, :1], *((odd, even)[site % 2 == 0] for site in range(1, length))),
        names=tuple(
            f"{name}, {r} sites{suffix}"
            for r in range(1, reach + 1)
            for suffix in ("", ", staggered")
        ),
        families=("two-point",) * (2 * reach),
    )


def _strings(weights: FloatArray, reach: int, longest: int, length: int) -> Automaton:
    turn = np.diagonal(pi_rotation("z", len(weights))).real
    distances = range(2, longest + 1)
    end = _ends([(r, -weights) for r in distances], longest)
    return Automaton(
        steps=_memory(weights, turn, longest, length),
        ends=(end[:, :1], *(end,) * (length - 1)),
        names=tuple(f"string, {r} sites" for r in distances),
        families=tuple("short string" if r <= reach else "string" for r in distances),
    )


def _memory(
    tip: FloatArray, inside: FloatArray, longest: int, length: int
) -> tuple[FloatArray, ...]:
    """Steps that remember in state k a tip k sites ago, times what lies between."""
    step = np.zeros((len(tip), longest + 1, longest + 1))
    step[:, 0, 0] = 1.0
    step[:, 0, 1] = tip
    for k in range(1, longest):
        step[:, k, k + 1] = inside
    return (step[:, :1], *(step,) * (length - 2), np.zeros((len(tip), longest + 1, 1)))


def _ends(terms: Sequence[tuple[int, FloatArray]], longest: int) -> FloatArray:
    """Weights of sums that end at some distance from where they began, each in a column."""
    end = np.zeros((len(terms[0][1]), longest + 1, len(terms)))
    for index, (distance, tip) in enumerate(terms):
        end[:, distance, index] = tip
    return end
