"""What the states of an automaton stand for: properties of the beginnings that lead to them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from phasenet.insight.automata import Automaton
from phasenet.phases.spins import magnetic_numbers
from phasenet.trains.train import IntArray

_SAME, _MOSTLY = 0.95, 0.7
UNNAMED = ""
"""Of a state that no simple property fits."""
Bools = NDArray[np.bool_]


def local_state_names(site_dim: int) -> tuple[str, ...]:
    """Names of local states: signs of spin 1, arrows of spin 1/2, else magnetic numbers.

    >>> local_state_names(3), local_state_names(2), local_state_names(4)[0]
    (('+', '0', '−'), ('↑', '↓'), '+3/2')
    """
    if site_dim == 2:
        return "↑", "↓"
    if site_dim == 3:
        return "+", "0", "−"
    doubled = (2 * magnetic_numbers(site_dim)).astype(int)
    return tuple(f"{m // 2:+d}" if m % 2 == 0 else f"{m:+d}/2" for m in doubled.tolist())


def state_names(
    automaton: Automaton, spins: IntArray, site_dim: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Property of the beginnings that lead to each state, and how well it fits.

    Parameters
    ----------
    automaton
        Its states are named.
    spins
        Shots, all of whose beginnings count, shape (shots, sites).
    site_dim
        Number of local states of a spin, highest weight first.

    Returns
    -------
    For each state the property with the largest share of beginnings that are in the state and have
    it, among those that are or have either (Jaccard's index), and this share. It is "mostly" where
    the share is below 95 %, and none where it is below 70 %.

    >>> parity = Automaton(transitions=np.array([[1, 0], [0, 1]]), outputs=np.array([0, 1]))
    >>> state_names(parity, np.array([[0, 1, 0], [1, 0, 0]]), 2)[0]
    ('even number of ↑', 'odd number of ↑')
    """
    states = automaton.run(spins)
    known = list(_properties(spins, site_dim))
    names, shares = [], []
    for state in range(len(automaton.transitions)):
        here = states == state
        fits = [(here & has).sum() / max((here | has).sum(), 1) for _, has in known]
        best = int(np.argmax(fits))
        share = float(fits[best])
        start = state == 0 and not here[:, 1:].any()
        name = known[best][0] if share >= _SAME else f"mostly: {known[best][0]}"
        name = name if share >= _MOSTLY else UNNAMED
        names.append("start" if start else name)
        shares.append(1.0 if start else share)
    return tuple(names), tuple(shares)


def _properties(spins: IntArray, site_dim: int) -> Iterator[tuple[str, Bools]]:
    """Properties of all beginnings of all shots, each of shape (shots, sites + 1)."""
    magnetic = magnetic_numbers(site_dim)
    if site_dim % 2:
        last, broken = _signs(np.sign(magnetic)[spins])
        alive = ~broken
        yield "no sign yet", last == 0
        yield "signs alternate, last one +", alive & (last > 0)
        yield "signs alternate, last one −", alive & (last < 0)
        yield "signs alternate", alive
        yield "two equal signs in a row", broken
        yield "last sign +", last > 0
        yield "last sign −", last < 0
    for k, name in enumerate(local_state_names(site_dim)):
        here = spins == k
        count = _before(np.cumsum(here, axis=1), 0)
        yield f"even number of {name}", count % 2 == 0
        yield f"odd number of {name}", count % 2 == 1
        yield f"last site {name}", _before(here, 0) > 0
        yield f"no {name} yet", count == 0
        for most in (1, 2, 3):
            yield f"{most} or more {name}", count >= most
    charge = _before(np.cumsum(magnetic[spins], axis=1), 0)
    yield "total spin above 0", charge > 0
    yield "total spin 0", charge == 0
    yield "total spin below 0", charge < 0
    yield "any beginning", np.ones_like(charge, dtype=bool)


def _signs(signs: NDArray[np.float64]) -> tuple[NDArray[np.float64], Bools]:
    """Last sign of each beginning, 0 if it has none, and whether two equal ones met in it."""
    last = np.zeros((len(signs), signs.shape[1] + 1))
    broken = np.zeros(last.shape, dtype=bool)
    for site, sign in enumerate(signs.T):
        before = last[:, site]
        last[:, site + 1] = np.where(sign == 0, before, sign)
        broken[:, site + 1] = broken[:, site] | ((sign != 0) & (sign == before))
    return last, broken


def _before(values: NDArray[np.generic], first: int) -> NDArray[np.float64]:
    """Values after each site, with that of the empty beginning in front."""
    start = np.full((len(values), 1), float(first))
    return np.concatenate((start, values.astype(np.float64)), axis=1)
