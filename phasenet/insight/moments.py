r"""Means and second moments of diagonal sums in ground states, exact.

All are of the form :math:`\langle A_a B_b\rangle` for sums of two automata. Which of two terms ends
first decides how it is found: up to there the left environment carries the memories of both, from
there on the right environment that of the other alone. So an environment for each sum and each
memory of the other automaton is never formed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from phasenet.errors import ShapeError
from phasenet.insight.families import Automaton, function_automaton
from phasenet.trains.blocks import through
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray, TensorTrain

_Blocks = dict[int, Array]
"""For each group of a bond, an array of shape (ket, memories .., bra); ket and bra are of one
group, because nothing here changes a charge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Moments of some quantities in a state or in a mixture of states.

    Parameters
    ----------
    mean
        Shape (quantities,).
    second
        Mean of each product of two, shape (quantities, quantities).
    """

    mean: FloatArray
    second: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Shape (quantities, quantities)."""
        return np.asarray(self.second - np.outer(self.mean, self.mean))


def mixture(parts: Sequence[Moments], weights: Sequence[float] | FloatArray) -> Moments:
    """Moments in a mixture of states; weights are normalised here.

    >>> up, down = (Moments(mean=np.array([m]), second=np.ones((1, 1))) for m in (1.0, -1.0))
    >>> mixture([up, down], [3.0, 1.0]).covariance.tolist()
    [[0.75]]
    """
    share = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    return Moments(
        mean=np.tensordot(share, [part.mean for part in parts], axes=1),
        second=np.tensordot(share, [part.second for part in parts], axes=1),
    )


def state_moments(form: StateForm, automata: Sequence[Automaton]) -> Moments:
    """Moments of all sums of some automata in an open chain, in the order of the automata.

    Parameters
    ----------
    form
        The state.
    automata
        On the same sites.

    >>> from phasenet.insight.families import order_parameters
    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> parts = order_parameters(3, 8, reach=1, longest=2)
    >>> found = state_moments(state_form(aklt_chain(8)), parts)
    >>> print(f"zeros: {8 - found.mean[1]:.3f} +- {found.covariance[1, 1] ** 0.5:.3f}")
    zeros: 2.665 +- 1.339
    """
    _check(form, automata)
    one = TensorTrain(cores=tuple(np.ones((1, dim, 1)) for dim in form.site_dims))
    everything = [function_automaton(one, "1"), *automata]
    rights = [_right_environments(form, automaton) for automaton in everything]
    starts = np.cumsum([0, *(len(automaton.names) for automaton in everything)])
    second = np.zeros((starts[-1], starts[-1]))
    for i, j in combinations_with_replacement(range(len(everything)), 2):
        found = _products(form, (everything[i], everything[j]), (rights[i], rights[j]))
        rows, columns = (slice(starts[k], starts[k + 1]) for k in (i, j))
        second[rows, columns] = found
        second[columns, rows] = found.T
    return Moments(mean=second[0, 1:], second=second[1:, 1:])


def _products(
    form: StateForm,
    pair: tuple[Automaton, Automaton],
    rights: tuple[Sequence[_Blocks], Sequence[_Blocks]],
) -> FloatArray:
    """Mean products of the sums of two automata, shape (sums of one, sums of the other)."""
    one, two = pair
    total = np.zeros((len(one.names), len(two.names)))
    left: _Blocks = {0: np.ones((1, 1, 1, 1))}
    for site in range(form.length):
        following: _Blocks = {}
        for state in range(form.site_dims[site]):
            steps = one.steps[site][state], two.steps[site][state]
            ends = one.ends[site][state], two.ends[site][state]
            for group, values in _through(form, left, site, state).items():
                beyond = [right[site + 1].get(group) for right in rights]
                _end(total, values, steps, ends, beyond)
                if steps[0].any() and steps[1].any():
                    both = _applied(_applied(values, steps[0], 1), steps[1], 2)
                    following[group] = following.get(group, 0.0) + both
        left = following
    return total


def _end(
    total: FloatArray,
    values: Array,
    steps: tuple[Array, Array],
    ends: tuple[Array, Array],
    beyond: Sequence[Array | None],
) -> None:
    """Add terms of which the first of two ends on a site, to sums of shape (one, two)."""
    first, second = (np.flatnonzero(end.any(axis=0)) for end in ends)
    if len(first):
        ended = _applied(values, ends[0][:, first], 1)
        # Right of a canonical site lies the identity.
        rest = np.einsum("kavk->av", ended).real @ ends[1]
        total[first] += rest
        if beyond[1] is not None and steps[1].any():
            total[first] += _closed(_applied(ended, steps[1], 2), beyond[1])
    if len(second) and beyond[0] is not None and steps[0].any():
        ended = _applied(values, ends[1][:, second], 2)
        onward = _applied(ended, steps[0], 1).swapaxes(1, 2)
        total[:, second] += _closed(onward, beyond[0]).T


def _closed(left: Array, right: Array) -> FloatArray:
    """Sums (a, b) of left blocks (ket, a, memory, bra) and right ones (ket, memory, b, bra)."""
    rows = np.moveaxis(left, 1, 0).reshape(left.shape[1], -1)
    columns = right.swapaxes(2, 3).reshape(rows.shape[1], -1)
    return np.asarray((rows @ columns).real)


def _right_environments(form: StateForm, automaton: Automaton) -> list[_Blocks]:
    """For each bond, terms yet to end right of it: blocks of shape (ket, memory, sums, bra)."""
    found: list[_Blocks] = [{}]
    for site in range(form.length - 1, -1, -1):
        here: _Blocks = {}
        # Right of a canonical site lies the identity.
        nothing = {
            group: np.eye(len(members))[:, None, None, :]
            for group, members in enumerate(form.site(site).right)
        }
        for state in range(form.site_dims[site]):
            step, end = automaton.steps[site][state], automaton.ends[site][state]
            if step.any():
                for group, part in _through(form, found[-1], site, state, mirrored=True).items():
                    here[group] = here.get(group, 0.0) + _applied(part, step.T, 1)
            if end.any():
                for group, part in _through(form, nothing, site, state, mirrored=True).items():
                    here[group] = here.get(group, 0.0) + part * end[:, :, None]
        found.append(here)
    return found[::-1]


def _through(
    form: StateForm, blocks: _Blocks, site: int, state: int, *, mirrored: bool = False
) -> _Blocks:
    """Environment through one site that is in one local state."""
    core = form.site(site).mirrored if mirrored else form.site(site)
    flat = {(g, g): v.reshape(len(v), -1, v.shape[-1]) for g, v in blocks.items()}
    shape = next(iter(blocks.values())).shape[1:-1] if blocks else ()
    passed = through(flat, core, core, np.eye(core.site_dim)[state])
    return {g: v.reshape(len(v), *shape, v.shape[-1]) for (g, _), v in passed.items()}


def _applied(values: Array, weights: Array, axis: int) -> Array:
    """Blocks after the weights between two memories, on one of the two inner axes."""
    if axis == 2:
        return np.asarray(np.matmul(weights.T, values))
    flat = values.reshape(*values.shape[:2], -1)
    return np.asarray(np.matmul(weights.T, flat)).reshape(len(values), -1, *values.shape[2:])


def _check(form: StateForm, automata: Sequence[Automaton]) -> None:
    for automaton in automata:
        dims = tuple(len(step) for step in automaton.steps)
        if dims != form.site_dims or form.infinite:
            raise ShapeError(
                f"the sums {automaton.names[0]}, .. are of {len(dims)} sites of dimension "
                f"{max(dims)}; the state has {form.length} of {max(form.site_dims)}, "
                f"{'infinite' if form.infinite else 'open'}: wanted an open chain of those sites"
            )
