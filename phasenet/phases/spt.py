r"""Invariants of symmetry-protected phases: how a symmetry acts on the bond of a state.

Infinite states: Pollmann, Turner, PRB 86, 125441 (2012), arXiv:1204.0704. Finite states: the same
matrices :math:`X_g` from the leading singular pair of the symmetry's transfer map over a window of
the bulk. An invariant belongs to a cut: the bond left of the first site of the cell, or the middle
bond of a chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.phases.spins import pi_rotation
from phasenet.seeds import stream
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import apply_operator, contract_site, leading_eigenpairs

DETERMINED = 0.999
"""Smallest modulus of eta, per cell (two sites of a finite chain), of a symmetric state."""

_RAW_ATOL = 0.05
_UNIQUE_TOL = 1e-6
_MAX_CORRELATION = 0.75
_BLOCK = 3
_SINGULAR_TOL = 1e-12
_SECOND_TOL = 1e-5
_MAX_ROUNDS = 200
_SHORTEST = 8


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One invariant of a state at one cut.

    Parameters
    ----------
    name
        Which symmetry: ``Z2xZ2``, ``time reversal``, ``bond inversion``.
    cut
        The bond it belongs to, in words.
    value
        +1 or -1, or 0 if undetermined.
    eta
        Smallest modulus of a leading eigenvalue among the symmetries involved, per cell of an
        infinite state and per two sites of a finite one; 1 if the state is symmetric.
    raw
        The trace that is rounded to the value.
    reason
        Why the value is, or is not, determined.

    >>> print(Invariant(name="Z2xZ2", cut="bond", value=-1, eta=1.0, raw=-1.0, reason="determined"))
    Z2xZ2 -1 (eta=1.000000, raw=-1.0000, bond): determined
    """

    name: str
    cut: str
    value: int
    eta: float
    raw: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+d} (eta={self.eta:.6f}, raw={self.raw:.4f}, {self.cut}): "
            f"{self.reason}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Action:
    """Matrix of a symmetry on the cut, with tr(S^2 X X^+) = 1, and its eta."""

    matrix: Array
    eta: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Window:
    """Stretch of a state: right-canonical cell, or bulk window in the symmetric gauge.

    The symmetric gauge S^(1/2) B S^(-1/2) makes the transfer map a contraction in the plain norm:
    its leading singular value is the largest correlation that the symmetry leaves between the two
    sides, and its leading vector S^(1/2) X S^(1/2) is not polluted by small Schmidt values.
    """

    cores: tuple[Array, ...]
    weights: FloatArray
    cut: str
    infinite: bool
    sole: bool
    """Whether the two sides are uncorrelated, so that a symmetry has only one matrix X."""


def invariants(train: TensorTrain | InfiniteTrain) -> tuple[Invariant, ...]:
    """Invariants under pi rotations about x and z, time reversal and, if infinite, bond inversion.

    Parameters
    ----------
    train
        State of spins in the z basis. A finite chain has 8 sites or more, better several
        correlation lengths.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> [invariant.value for invariant in invariants(zeros)]
    [1, 1, 1]
    """
    rotations = {axis: [pi_rotation(axis, dim) for dim in train.site_dims] for axis in ("x", "z")}
    found = (
        commutation_invariant(train, rotations["x"], rotations["z"], name="Z2xZ2"),
        time_reversal_invariant(train),
    )
    if isinstance(train, InfiniteTrain):
        return (*found, inversion_invariant(train))
    return found


def commutation_invariant(
    train: TensorTrain | InfiniteTrain,
    first: Sequence[Array],
    second: Sequence[Array],
    name: str = "commutation",
) -> Invariant:
    r"""Whether two commuting on-site symmetries still commute on the bond.

    .. math:: \mathrm{tr}\,(S^2 X_g X_h X_g^\dagger X_h^\dagger) = \pm 1

    Parameters
    ----------
    train
        Infinite or finite state.
    first, second
        On-site unitaries of g and h, one matrix per site of the cell or of the chain.
    name
        Name of the result.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> rotations = [[pi_rotation(axis, 3)] for axis in ("x", "z")]
    >>> print(commutation_invariant(zeros, *rotations).value)
    1
    """
    window = _window(train)
    if window is None:
        return _too_short(train, name)
    sites = _window_sites(train)
    actions = [
        _action(
            window,
            [
                apply_operator(core, operators[site])
                for core, site in zip(window.cores, sites, strict=True)
            ],
        )
        for operators in (first, second)
    ]
    X, Z = (action.matrix for action in actions)
    raw = np.einsum("a,aa->", window.weights, X @ Z @ X.conj().T @ Z.conj().T)
    return _judged(name, window, actions, float(raw.real))


def time_reversal_invariant(train: TensorTrain | InfiniteTrain) -> Invariant:
    r"""Sign of time reversal on the bond, :math:`\mathrm{tr}(S^2 X X^*)`, with kets R^y B^*.

    Parameters
    ----------
    train
        Infinite or finite state of spins in the z basis.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> print(time_reversal_invariant(zeros).value)
    1
    """
    name = "time reversal"
    window = _window(train)
    if window is None:
        return _too_short(train, name)
    kets = [apply_operator(core.conj(), pi_rotation("y", core.shape[1])) for core in window.cores]
    action = _action(window, kets)
    raw = np.einsum("a,ab,ba->", window.weights, action.matrix, action.matrix.conj())
    return _judged(name, window, [action], float(raw.real))


def inversion_invariant(train: InfiniteTrain) -> Invariant:
    r"""Sign of the inversion about the left bond of the cell, :math:`\mathrm{tr}(S^2 X X^*)`.

    With left-canonical kets :math:`A_L^T \dots A_1^T`; they are never formed, because
    :math:`Y = S X` is the eigenvector for kets :math:`B_L^T \dots B_1^T`, free of inverse Schmidt
    values.

    Parameters
    ----------
    train
        Infinite state.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> print(inversion_invariant(zeros).value)
    1
    """
    window = _infinite_window(train)
    kets = [core.swapaxes(0, 2) for core in reversed(train.cores)]
    values, vectors = leading_eigenpairs(kets, train.cores, 1)
    Y = vectors[0]
    raw = np.einsum("ab,ba->", Y, Y.conj()) / np.sum(np.abs(Y) ** 2)
    action = _Action(matrix=Y, eta=float(np.abs(values[0])))
    return _judged("bond inversion", window, [action], float(raw.real))


def _action(window: _Window, kets: Sequence[Array]) -> _Action:
    return _eigen_action(window, kets) if window.infinite else _segment_action(window, kets)


def _eigen_action(window: _Window, kets: Sequence[Array]) -> _Action:
    values, vectors = leading_eigenpairs(kets, window.cores, 1)
    norm = np.linalg.norm(np.sqrt(window.weights)[:, None] * vectors[0])
    return _Action(matrix=vectors[0] / norm, eta=float(np.abs(values[0])))


def _segment_action(window: _Window, kets: Sequence[Array]) -> _Action:
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
    return _Action(matrix=left @ right, eta=float(eta))


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


def _judged(name: str, window: _Window, actions: Sequence[_Action], raw: float) -> Invariant:
    eta = min(action.eta for action in actions)
    if eta < DETERMINED:
        cause = "symmetry broken" if window.infinite else "symmetry broken, perhaps by the ends"
        value, reason = 0, f"undetermined: |eta| = {eta:.6f} < {DETERMINED}, {cause}"
    elif not window.sole:
        cause = "a cat state" if window.infinite else "a cat state, entangled ends or a short chain"
        value, reason = 0, f"undetermined: both sides of the cut stay correlated, {cause}"
    elif abs(abs(raw) - 1.0) > _RAW_ATOL:
        value, reason = 0, f"undetermined: the trace {raw:.4f} is not close to +1 or -1"
    else:
        value, reason = int(np.sign(raw)), "determined"
    return Invariant(name=name, cut=window.cut, value=value, eta=eta, raw=raw, reason=reason)


def _window(train: TensorTrain | InfiniteTrain) -> _Window | None:
    if isinstance(train, InfiniteTrain):
        return _infinite_window(train)
    if train.length < _SHORTEST:
        return None
    form, values = schmidt_form(train)
    cores = form.cores
    roots = [np.sqrt(s) for s in (*values, np.ones(1))]
    sites, middle = _window_sites(train), train.length // 2
    window = tuple(roots[i][:, None, None] * cores[i] / roots[i + 1] for i in sites)
    _, singular = _leading_right_vector(window, window)
    return _Window(
        cores=window,
        weights=values[middle] ** 2,
        cut=f"bond between sites {middle - 1} and {middle}",
        infinite=False,
        sole=len(singular) < 2 or bool(singular[1] < _MAX_CORRELATION * singular[0]),
    )


def _infinite_window(train: InfiniteTrain) -> _Window:
    moduli = np.abs(leading_eigenpairs(train.cores, train.cores, 2)[0])
    return _Window(
        cores=train.cores,
        weights=np.asarray(train.schmidt_values[0]) ** 2,
        cut="bond left of the first site of the cell",
        infinite=True,
        sole=len(moduli) < 2 or bool(moduli[1] < (1.0 - _UNIQUE_TOL) * moduli[0]),
    )


def _window_sites(train: TensorTrain | InfiniteTrain) -> range:
    """Sites of the cell, or the middle 3/8 of a finite chain."""
    if isinstance(train, InfiniteTrain):
        return range(train.cell)
    middle, reach = train.length // 2, max(1, 3 * train.length // 16)
    return range(middle - reach, middle + reach)


def _too_short(train: TensorTrain | InfiniteTrain, name: str) -> Invariant:
    reason = f"undetermined: {len(train.cores)} sites are too few; wanted {_SHORTEST} or more"
    return Invariant(name=name, cut="none", value=0, eta=0.0, raw=0.0, reason=reason)
