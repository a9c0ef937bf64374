"""How a symmetry acts on a bond: the matrices that spt.py makes invariants of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.seeds import stream
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.correlation import UNIQUE_TOL
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import contract_site, leading_eigenpairs

SHORTEST = 8
"""Sites of the shortest open chain with a bulk."""

_MAX_CORRELATION = 0.75
_BLOCK = 3
_SINGULAR_TOL = 1e-12
_SECOND_TOL = 1e-5
_MAX_ROUNDS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Action:
    """Matrix of a symmetry on the cut, with tr(S^2 X X^+) = 1, and its eta."""

    matrix: Array
    eta: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Stretch of a state: right-canonical cell, or bulk window in the symmetric gauge.

    The symmetric gauge S^(1/2) B S^(-1/2) makes the transfer map a contraction in the plain norm:
    its leading singular value is the largest correlation that the symmetry leaves between the two
    sides, and its leading vector S^(1/2) X S^(1/2) is not polluted by small Schmidt values.
    """

    cores: tuple[Array, ...]
    sites: tuple[int, ...]
    weights: FloatArray
    cut: str
    infinite: bool
    sole: bool
    """Whether the two sides are uncorrelated, so that a symmetry has only one matrix X."""


def window_of(
    train: TensorTrain | InfiniteTrain, cut: int | None = None, cell: int = 1
) -> Window | None:
    """Surroundings of a cut; None in a chain that is too short."""
    if isinstance(train, InfiniteTrain):
        return infinite_window(train, cut or 0)
    if train.length < max(SHORTEST, 2 * cell):
        return None
    form, values = schmidt_form(train)
    cores = form.cores
    roots = [np.sqrt(s) for s in (*values, np.ones(1))]
    middle = train.length // 2 if cut is None else _nearest(train.length // 2, cut, cell)
    sites = _window_sites(train.length, middle)
    window = tuple(roots[i][:, None, None] * cores[i] / roots[i + 1] for i in sites)
    _, singular = _leading_right_vector(window, window)
    return Window(
        cores=window,
        sites=tuple(sites),
        weights=values[middle] ** 2,
        cut=f"bond between sites {middle - 1} and {middle}",
        infinite=False,
        sole=len(singular) < 2 or bool(singular[1] < _MAX_CORRELATION * singular[0]),
    )


def infinite_window(train: InfiniteTrain, cut: int = 0) -> Window:
    """Surroundings of the bond left of one site of the cell: the cell from there on."""
    sites = tuple((cut + k) % train.cell for k in range(train.cell))
    cores = tuple(train.cores[site] for site in sites)
    moduli = np.abs(leading_eigenpairs(cores, cores, 2)[0])
    place = f"site {cut}" if cut else "the first site"
    return Window(
        cores=cores,
        sites=sites,
        weights=np.asarray(train.schmidt_values[cut]) ** 2,
        cut=f"bond left of {place} of the cell",
        infinite=True,
        sole=len(moduli) < 2 or bool(moduli[1] < (1.0 - UNIQUE_TOL) * moduli[0]),
    )


def _nearest(middle: int, cut: int, cell: int) -> int:
    """Bond of the chain nearest to the middle that lies left of a site ``cut`` of a cell."""
    above = middle + (cut - middle) % cell
    return above - cell if above - middle > cell - (above - middle) else above


def _window_sites(length: int, middle: int) -> range:
    """Sites of 3/8 of a chain around a bond."""
    reach = max(1, 3 * length // 16)
    return range(middle - reach, middle + reach)


def action_of(window: Window, kets: Sequence[Array]) -> Action:
    """Matrix that a symmetry with these kets has on the cut."""
    return _eigen_action(window, kets) if window.infinite else _segment_action(window, kets)


def _eigen_action(window: Window, kets: Sequence[Array]) -> Action:
    values, vectors = leading_eigenpairs(kets, window.cores, 1)
    norm = np.linalg.norm(np.sqrt(window.weights)[:, None] * vectors[0])
    return Action(matrix=vectors[0] / norm, eta=float(np.abs(values[0])))


def _segment_action(window: Window, kets: Sequence[Array]) -> Action:
    """Leading singular vector of the window, carried to the cut; beyond it, its norm falls by eta.

    X on the cut is the unitary part of the vector, which bounds the noise in small Schmidt states.
    """
    matrix, _ = _leading_right_vector(window.cores, kets)
    middle = len(kets) // 2
    at_cut = _carried(matrix, kets[middle:], window.cores[middle:])
    at_end = _carried(at_cut, kets[:middle], window.cores[:middle])
    norm = np.linalg.norm(at_cut)
    eta = (np.linalg.norm(at_end) / norm) ** (2 / middle) if norm > 0.0 else 0.0
    left, _, right = np.linalg.svd(at_cut[0], full_matrices=False)
    return Action(matrix=left @ right, eta=float(eta))


def _leading_right_vector(
    cores: Sequence[Array], kets: Sequence[Array]
) -> tuple[Array, FloatArray]:
    """Right singular vector of shape (1, ket bond, bra bond), and the first singular values.

    Alternates the map with its adjoint on a small block, because close to a transition one vector
    converges as slowly as the first two singular values are close.
    """
    shape = (kets[-1].shape[2], cores[-1].shape[2])
    start = stream(0, "segment", "start vectors").normal(size=(shape[0] * shape[1], _BLOCK))
    block, _ = np.linalg.qr(start)
    sizes = np.zeros(block.shape[1])
    for _ in range(_MAX_ROUNDS):
        values = _carried(block.T.reshape(-1, *shape), kets, cores)
        for ket, bra in zip(kets, cores, strict=True):
            values = contract_site(values, ket.conj(), bra.conj())
        image = values.reshape(len(values), -1).T
        previous, (sizes, mixing) = sizes, np.linalg.eigh(block.conj().T @ image)
        change = np.abs(sizes - previous)
        if change[-1] <= _SINGULAR_TOL * sizes[-1] and change.max() <= _SECOND_TOL * sizes[-1]:
            break
        last, (block, _) = block, np.linalg.qr(image)
    else:
        block = last
    # The alternation squares the map, and its eigenvalues are squares of singular values.
    singular = np.sqrt(np.maximum(sizes[::-1], 0.0))
    return (block @ mixing[:, -1]).reshape(1, *shape), singular


def _carried(values: Array, kets: Sequence[Array], bras: Sequence[Array]) -> Array:
    """Right environments, taken to the left through a stretch of sites."""
    for ket, bra in zip(reversed(kets), reversed(bras), strict=True):
        values = contract_site(values, ket.swapaxes(0, 2), bra.swapaxes(0, 2))
    return values
