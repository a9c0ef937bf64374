"""How a symmetry acts on a bond: the matrices that spt.py makes invariants of."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from phasenet.phases.symmetry_maps import (
    Sector,
    SymmetryMap,
    by_weight,
    leading_eigen,
    leading_singular,
    sectors_of,
)
from phasenet.trains.blocks import BlockCore, Environment, Groups, Key, diagonal_environment
from phasenet.trains.correlation import UNIQUE_TOL
from phasenet.trains.form import StateForm, state_form
from phasenet.trains.train import Array, FloatArray, TensorTrain

_SHORTEST = 8
_MAX_CORRELATION = 0.75
# A correlation length of so many chains is long-range order, or belongs to the ends.
_LONG_RANGE = 4.0
_MAX_SPLITS = 2
# Probability of a branch that is there by rounding alone.
_NO_WEIGHT = 1e-12
# Singular values below it have vectors of rounding noise.
_NOISE = 1e-10
_EQUAL = 1.01
# Sectors of less weight hold neither a symmetry nor the longest correlations.
_LEAST_WEIGHT = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Action:
    """How a symmetry acts on the cut.

    Parameters
    ----------
    matrix
        Its unitary part X.
    eta
        How much of the state two sites at the cut, or a cell, leave unchanged: 1 for a symmetry.
    eta_around
        The same for all of a window, less where the ends of a chain break the symmetry.
    """

    matrix: Array
    eta: float
    eta_around: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Stretch of a state around a cut, in the symmetric gauge S^(1/2) B S^(-1/2).

    There a map of a stretch is a contraction in the plain norm: its leading singular value is the
    largest correlation that a symmetry leaves between the two sides, and its leading vector
    S^(1/2) X S^(1/2) is not polluted by small Schmidt values. The transpose of the gauge is that of
    the mirror image.

    Parameters
    ----------
    cores
        Of the bulk of a chain, with the cut in the middle, or of a cell, with the cut on its left.
    sites
        Their sites.
    weights
        Squared Schmidt values on the cut.
    ends
        The same on the first and the last bond.
    cut
        The bond, in words.
    length
        Sites of the chain; infinite for an infinite state.
    span
        Sites on each side of the cut that eta is measured over.
    correlation_length
        Longest one, in sites.
    correlation
        Largest correlation of the two sides of the window, or modulus of the second eigenvalue.
    """

    cores: tuple[BlockCore, ...]
    sites: tuple[int, ...]
    weights: FloatArray
    ends: tuple[FloatArray, FloatArray]
    cut: str
    length: float
    span: int
    correlation_length: float
    correlation: float

    @property
    def infinite(self) -> bool:
        """Whether the window is a cell of an infinite state."""
        return math.isinf(self.length)

    @property
    def sole(self) -> bool:
        """Whether the two sides are uncorrelated, so that a symmetry has only one matrix X."""
        largest = 1.0 - UNIQUE_TOL if self.infinite else _MAX_CORRELATION
        return self.correlation < largest


def shortest(cell: int) -> int:
    """Sites of the shortest open chain with a bulk.

    >>> shortest(2)
    8
    """
    return max(_SHORTEST, 2 * cell)


def windows_of(form: StateForm, cut: int | None = None, cell: int = 1) -> tuple[Window, ...]:
    """Surroundings of a cut; none in a chain that is too short.

    A superposition of states that differ at the ends of a chain, or of the branches of a cat
    state, has one window for each.

    Parameters
    ----------
    form
        State, by default cut in the middle of the chain or on the left of the cell.
    cut, cell
        Site of the cell that the bond lies left of, and sites after which an open chain repeats.

    >>> from phasenet.phases.exact import aklt_chain
    >>> (window,) = windows_of(state_form(aklt_chain(16)))
    >>> print(window.cut, f"{window.correlation_length:.2f}")
    bond between sites 7 and 8 0.91
    """
    if form.infinite:
        return (_cell_window(form, cut or 0),)
    if form.length < shortest(cell):
        return ()
    middle = form.length // 2
    middle = middle if cut is None else nearest_bond(middle, cut, cell)
    span = (max(cell, 2) + 1) // 2
    return _chain_windows(form, middle, span)


# Every invariant of a state asks for the same few windows.
@lru_cache(maxsize=2)
def _chain_windows(form: StateForm, middle: int, span: int) -> tuple[Window, ...]:
    return tuple(_branches(form, middle, span, _MAX_SPLITS))


def nearest_bond(middle: int, cut: int, cell: int) -> int:
    """Bond of a chain nearest to another one that lies left of a site ``cut`` of a cell.

    >>> nearest_bond(8, 1, 2), nearest_bond(8, 0, 2)
    (9, 8)
    """
    above = middle + (cut - middle) % cell
    return above - cell if above - middle > cell - (above - middle) else above


def _branches(form: StateForm, middle: int, span: int, splits: int) -> Iterator[Window]:
    window, correlated = _chain_window(form, middle, span)
    if window.sole or not splits or window.correlation_length < _LONG_RANGE * form.length:
        yield window
        return
    # What correlates the far sides lives beyond the window: a projection there leaves the bulk.
    last = window.sites[-1] + 1
    weights = form.left_weights(last)
    for side in _sides(correlated, window.cores[-1].right):
        if (weights[:, None] * np.abs(side) ** 2).sum() < _NO_WEIGHT:
            continue
        core = np.tensordot(side, form.cores[last], axes=(1, 0))
        cores = (*form.cores[:last], core, *form.cores[last + 1 :])
        yield from _branches(state_form(TensorTrain(cores=cores)), middle, span, splits - 1)


def _chain_window(form: StateForm, middle: int, span: int) -> tuple[Window, Environment]:
    """3/8 of a chain around a bond, and what on its last bond is correlated most with the first."""
    reach = max(span, 3 * form.length // 16)
    reach = min(reach, middle, form.length - middle - 1)
    sites = range(middle - reach, middle + reach)
    cores = _symmetric(form, sites)
    ends = form.left_weights(sites[0]), form.left_weights(sites[-1] + 1)
    smap = SymmetryMap(kets=cores, bras=cores, operators=(None,) * len(cores))
    largest, longest, best = 0.0, 0.0, dict[Key, Array]()
    for weight, sector, trivial in _correlated(smap, ends[1], closed=False):
        if weight < largest:
            break
        value, right = leading_singular(smap, sector, trivial)
        eta, _, _ = _carried(smap, sector, value, right, min(span, reach))
        longest = max(longest, _length(eta, 2))
        # Of equals the first one, which keeps the charge.
        if value > _EQUAL * largest:
            best = sector.unpacked(right[:, None])
        largest = max(largest, value)
    window = Window(
        cores=cores,
        sites=tuple(sites),
        weights=form.left_weights(middle),
        ends=ends,
        cut=f"bond between sites {middle - 1} and {middle}",
        length=form.length,
        span=min(span, reach),
        correlation_length=longest,
        correlation=largest,
    )
    return window, best


@lru_cache(maxsize=2)
def _cell_window(form: StateForm, cut: int) -> Window:
    """The cell of an infinite state from one of its sites on."""
    sites = tuple((cut + k) % form.length for k in range(form.length))
    cores = _symmetric(form, range(cut, cut + form.length))
    weights = form.left_weights(cut)
    smap = SymmetryMap(kets=cores, bras=cores, operators=(None,) * len(cores))
    second = 0.0
    for _, sector, trivial in _correlated(smap, weights, closed=True):
        second = max(second, leading_eigen(smap, sector, trivial)[0])
    place = f"site {cut}" if cut else "the first site"
    return Window(
        cores=cores,
        sites=sites,
        weights=weights,
        ends=(weights, weights),
        cut=f"bond left of {place} of the cell",
        length=math.inf,
        span=form.length,
        correlation_length=_length(second, form.length),
        correlation=second,
    )


def _symmetric(form: StateForm, sites: range) -> tuple[BlockCore, ...]:
    roots = [np.sqrt(np.sqrt(form.left_weights(site))) for site in sites]
    beyond = sites[-1] + 1
    last = np.ones(1) if beyond == form.length and not form.infinite else form.left_weights(beyond)
    roots.append(np.sqrt(np.sqrt(last)))
    return tuple(
        form.site(site).scaled(before, 1.0 / after)
        for site, before, after in zip(sites, roots, roots[1:], strict=False)
    )


def _correlated(
    smap: SymmetryMap, weights: FloatArray, *, closed: bool
) -> Iterator[tuple[float, Sector, Array | None]]:
    """Weights and sectors of the identity that may hold correlations, and the vector of none."""
    seen = set()
    grouped = _grouped(smap, (weights, weights))
    for weight, sector in by_weight(sectors_of(smap, closed=closed), *grouped):
        # The adjoint of an operator is correlated just as it is.
        if weight < _LEAST_WEIGHT or frozenset((b, k) for k, b in sector.keys) in seen:
            continue
        seen.add(frozenset(sector.keys))
        diagonal = diagonal_environment(smap.bras[-1].right, np.sqrt(weights))
        trivial = set(diagonal) <= set(sector.keys)
        if sector.size > trivial:
            yield weight, sector, sector.packed(diagonal)[:, 0] if trivial else None


def action_of(
    window: Window,
    kets: Sequence[BlockCore],
    operators: Sequence[Array | None],
    *,
    mirrored: bool = False,
) -> Action:
    """Action on the cut of a symmetry with these kets and on-site operators.

    Parameters
    ----------
    window
        Surroundings of the cut.
    kets
        In the gauge of the window.
    operators
        What acts on each of them, None for nothing.
    mirrored
        Whether the kets are those of the mirror image.

    >>> from phasenet.phases.exact import aklt_cell
    >>> (window,) = windows_of(state_form(aklt_cell()))
    >>> print(f"{action_of(window, window.cores, [np.diag([-1.0, 1.0, -1.0])]).eta:.3f}")
    1.000
    """
    smap = SymmetryMap(kets=tuple(kets), bras=window.cores, operators=tuple(operators))
    grouped = _grouped(smap, (window.ends[0 if mirrored else 1], window.ends[1]))
    largest, best = 0.0, None
    leading = leading_eigen if window.infinite else leading_singular
    for weight, sector in by_weight(sectors_of(smap, closed=window.infinite), *grouped):
        if weight < max(largest, _LEAST_WEIGHT):
            break
        value, right = leading(smap, sector)
        if value > largest:
            largest, best = value, (sector, right)
    groups = window.cores[0 if window.infinite else len(window.cores) // 2].left
    if best is None:
        return Action(matrix=_unitary({}, groups), eta=0.0, eta_around=0.0)
    if window.infinite:
        matrix = _unitary(best[0].unpacked(best[1][:, None]), groups)
        return Action(matrix=matrix, eta=largest, eta_around=largest)
    eta, around, at_cut = _carried(smap, best[0], largest, best[1], window.span)
    return Action(matrix=_unitary(at_cut, groups), eta=eta, eta_around=around)


def _carried(
    smap: SymmetryMap, sector: Sector, value: float, right: Array, span: int
) -> tuple[float, float, Environment]:
    r"""What two sites keep of a pair of singular vectors, near the cut and all over the window.

    Carried to the bonds m - k and m + k around the cut, left and right vector have the overlap
    :math:`\sigma`, so that :math:`(\sigma / |l| |r|)^{1/k}` is what two sites between them keep,
    undisturbed by the ends of the window. Third, the operator on the cut.
    """
    middle = len(smap.bras) // 2
    if value < _NOISE:
        return value ** (1 / middle), value ** (1 / middle), {}
    start = sector.unpacked(right[:, None])
    near = smap.pulled(start, middle + span)
    other = smap.pulled(near, 0, middle + span)
    left = smap.pushed(other, 0, middle - span)
    eta = (value**2 / (_norm(near) * _norm(left))) ** (1 / span)
    parts = smap.pulled(near, middle, middle + span), smap.pushed(left, middle - span, middle)
    norms = [_norm(part) for part in parts]
    at_cut = {
        key: parts[0][key] / norms[0] + parts[1][key] / norms[1]
        for key in parts[0].keys() & parts[1].keys()
    }
    return min(float(eta), 1.0), value ** (1 / middle), at_cut


def _norm(values: Environment) -> float:
    return float(np.sqrt(sum(np.vdot(block, block).real for block in values.values())))


def _grouped(
    smap: SymmetryMap, weights: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Weights of the groups of ket and bra on the last bond."""
    groups = smap.kets[-1].right, smap.bras[-1].right
    above, below = (
        np.array([w[members].sum() for members in g]) for g, w in zip(groups, weights, strict=True)
    )
    return above, below


def _unitary(values: Environment, groups: Groups) -> Array:
    """Unitary part of an operator on a bond, which bounds the noise in small Schmidt states."""
    size = sum(map(len, groups))
    single = all(len({key[side] for key in values}) == len(values) for side in (0, 1))
    blocks = [((groups[k], groups[b]), block[:, 0]) for (k, b), block in values.items()]
    dtype = np.result_type(np.float64, *(block for _, block in blocks))
    matrix = np.zeros((size, size), dtype=dtype)
    for (rows, columns), block in blocks:
        matrix[np.ix_(rows, columns)] = _polar(block) if single else block
    return matrix if single else _polar(matrix)


def _polar(matrix: Array) -> Array:
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(left @ right)


def _sides(values: Environment, groups: Groups) -> tuple[Array, Array]:
    """Projectors on the positive and the negative part of an operator on a bond."""
    size = sum(map(len, groups))
    matrix = np.zeros((size, size), dtype=np.result_type(np.float64, *values.values()))
    for (ket, bra), block in values.items():
        matrix[np.ix_(groups[ket], groups[bra])] = block[:, 0]
    parts = matrix + matrix.conj().T, 1j * (matrix - matrix.conj().T)
    part = max(parts, key=lambda p: float(np.linalg.norm(p)))
    levels, vectors = np.linalg.eigh(part)
    positive = vectors[:, levels > 0.0]
    above = positive @ positive.conj().T
    return above, np.eye(size) - above


def _length(modulus: float, sites: int) -> float:
    """Correlation length in sites of a decay by ``modulus`` over so many sites."""
    if modulus >= 1.0:
        return math.inf
    return -sites / math.log(modulus) if modulus > 0.0 else 0.0
