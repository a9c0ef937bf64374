r"""What is left of an environment after infinitely many applications of a transfer map.

Only parts along eigenvectors with an eigenvalue of modulus one survive. They are found in the
Krylov space of the environment itself, so that a degenerate eigenvalue, as of a cat state, needs no
care. Inner products are weighted with the squared Schmidt values on the side of the bra: in them a
transfer map is a contraction (Kadison's inequality), and what survives is orthogonal to what does
not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from phasenet.trains.blocks import Environment, Groups, Key
from phasenet.trains.train import Array, FloatArray

BoolArray = NDArray[np.bool_]

_MOST_STEPS, _CHECKED_EVERY = 240, 8
_RESIDUAL_TOL, _CLOSED_TOL, _MODULUS_TOL = 1e-12, 1e-13, 1e-4
# Smaller parts are rounding errors, and their eigenvalues mean nothing.
_PART_TOL = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class Survivors:
    """Parts of a batch of environments that no number of applications makes smaller.

    Parameters
    ----------
    total
        Their sums, environments of the same bond.
    turns
        Phases that they pick up at an application, in turns, each once.
    moduli
        For each environment the largest modulus of an eigenvalue along which it has a part; 0 if
        there is none.
    residual
        How far they are from eigenvectors, relative to the environments.
    """

    total: Environment
    turns: tuple[float, ...]
    moduli: tuple[float, ...]
    residual: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ritz:
    """Parts of the first vector of a Krylov space along the eigenvectors within that space.

    Parameters
    ----------
    values
        Eigenvalues.
    parts
        Coefficients of each part, shape (basis, eigenvalues).
    residuals
        How far each part is from an eigenvector.
    """

    values: Array
    parts: Array
    residuals: FloatArray

    @property
    def there(self) -> BoolArray:
        """Which parts are more than rounding errors."""
        return np.asarray(np.linalg.norm(self.parts, axis=0) > _PART_TOL)

    @property
    def errors(self) -> FloatArray:
        """Possible error of each eigenvalue."""
        sizes = np.linalg.norm(self.parts, axis=0)
        return np.asarray(self.residuals / np.maximum(sizes, _PART_TOL))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layout:
    """Environments of one bond as vectors.

    Parameters
    ----------
    keys
        Blocks that are there.
    ket, bra
        Groups of the bond on both sides.
    """

    keys: tuple[Key, ...]
    ket: Groups
    bra: Groups

    def vectors(self, environment: Environment, batch: int) -> Array:
        """Return the entries of a batch of environments, shape (batch, size)."""
        parts = []
        for above, below in self.keys:
            found = environment.get((above, below))
            if found is None:
                found = np.zeros((len(self.ket[above]), batch, len(self.bra[below])))
            parts.append(found.swapaxes(0, 1).reshape(batch, -1))
        return np.concatenate(parts, axis=1)

    def environment(self, vectors: Array) -> dict[Key, Array]:
        """Return the environments of vectors."""
        result, place = {}, 0
        for above, below in self.keys:
            rows, columns = len(self.ket[above]), len(self.bra[below])
            block = vectors[:, place : place + rows * columns].reshape(-1, rows, columns)
            result[above, below] = np.ascontiguousarray(block.swapaxes(0, 1))
            place += rows * columns
        return result

    def weights(self, weights: FloatArray) -> FloatArray:
        """Return the weight of each entry."""
        return np.concatenate(
            [np.tile(weights[self.bra[below]], len(self.ket[above])) for above, below in self.keys]
        )


def survivors(
    image: Callable[[Environment], Environment],
    start: Environment,
    groups: tuple[Groups, Groups],
    weights: FloatArray,
    unbroken: float,
) -> Survivors:
    """Surviving parts of a batch of environments.

    Parameters
    ----------
    image
        The map, from a bond to itself.
    start
        The environments.
    groups
        Of the bond, on the sides of the ket and of the bra.
    weights
        Squared Schmidt values of the bond.
    unbroken
        Modulus from which an eigenvalue counts as one.

    >>> def turned(environment):
    ...     return {key: -values for key, values in environment.items()}
    >>> whole, one = (np.arange(1),), {(0, 0): np.ones((1, 1, 1))}
    >>> found = survivors(turned, one, (whole, whole), np.ones(1), 0.999)
    >>> print(found.total[0, 0].real.tolist(), found.turns)
    [[[1.0]]] (0.5,)
    """
    batch = next((values.shape[1] for values in start.values()), 1)
    layout = _Layout(keys=_reached(image, start, groups), ket=groups[0], bra=groups[1])
    if not layout.keys:
        return Survivors(total={}, turns=(), moduli=(0.0,) * batch, residual=0.0)
    basis, found = _krylov(
        lambda vectors: layout.vectors(image(layout.environment(vectors)), batch),
        layout.vectors(start, batch),
        layout.weights(weights),
        unbroken,
    )
    kept = [ritz.there & (np.abs(ritz.values) >= unbroken) for ritz in found]
    pairs = list(zip(found, kept, strict=True))
    sums = np.stack([ritz.parts[:, chosen].sum(axis=1) for ritz, chosen in pairs])
    angles = np.concatenate([np.angle(ritz.values[chosen]) for ritz, chosen in pairs])
    return Survivors(
        total=layout.environment((sums[:, None] @ basis)[:, 0]),
        turns=tuple(np.unique(np.round(angles / (2 * np.pi), 6) % 1.0).tolist()),
        moduli=tuple(float(np.abs(r.values[r.there]).max(initial=0.0)) for r in found),
        residual=max(float(r.residuals[k].max(initial=0.0)) for r, k in pairs),
    )


def _reached(
    image: Callable[[Environment], Environment], start: Environment, groups: tuple[Groups, Groups]
) -> tuple[Key, ...]:
    """Blocks that the map takes environments to."""
    ket, bra = groups
    keys, new = set(start), set(start)
    while new:
        full = {(a, b): np.ones((len(ket[a]), 1, len(bra[b]))) for a, b in new}
        new = set(image(full)) - keys
        keys |= new
    return tuple(sorted(keys))


def _krylov(
    apply: Callable[[Array], Array], starts: Array, weights: FloatArray, unbroken: float
) -> tuple[Array, list[_Ritz]]:
    """Orthonormal bases of Krylov spaces, large enough for what survives.

    The spaces of a batch grow together; one that is closed goes on with zeros.
    """
    norms = _norms(starts, weights)
    basis = _normalised(starts, norms, norms > 0.0)[:, None]
    H = np.zeros((len(starts), _MOST_STEPS + 1, _MOST_STEPS), dtype=np.complex128)
    for column in range(_MOST_STEPS):
        vectors = apply(basis[:, column])
        scale, known = _norms(vectors, weights), basis[:, : column + 1]
        for _ in range(2):
            shares = (known.conj() @ (weights * vectors)[:, :, None])[:, :, 0]
            vectors = vectors - (shares[:, None] @ known)[:, 0]
            H[:, : column + 1, column] += shares
        rest = _norms(vectors, weights)
        alive = rest > _CLOSED_TOL * np.maximum(1.0, scale)
        H[:, column + 1, column] = np.where(alive, rest, 0.0)
        last = not alive.any() or column + 1 == _MOST_STEPS
        if last or column % _CHECKED_EVERY == _CHECKED_EVERY - 1:
            pairs = zip(H[:, : column + 2, : column + 1], norms, strict=True)
            found = [_ritz(part, norm) for part, norm in pairs]
            if last or all(map(_is_converged, found, norms, [unbroken] * len(found))):
                break
        if column + 1 == basis.shape[1]:
            basis = np.concatenate([basis, np.zeros_like(basis, dtype=vectors.dtype)], axis=1)
        basis[:, column + 1] = _normalised(vectors, rest, alive)
    return basis[:, : column + 1], found


def _norms(vectors: Array, weights: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.sum(weights * np.abs(vectors) ** 2, axis=1)))


def _normalised(vectors: Array, norms: FloatArray, alive: BoolArray) -> Array:
    """Vectors of norm one, or zero where there is none."""
    return np.where(alive[:, None], vectors / np.where(alive, norms, 1.0)[:, None], 0.0)


def _ritz(H: Array, norm: float) -> _Ritz:
    values, lefts, rights = scipy.linalg.eig(H[:-1], left=True)
    overlaps = np.sum(lefts.conj() * rights, axis=0)
    # A nilpotent map has no parts, and what survives is never defective.
    whole = np.abs(overlaps) > _CLOSED_TOL
    parts = rights * np.where(whole, norm * lefts[0].conj() / np.where(whole, overlaps, 1.0), 0.0)
    return _Ritz(values=values, parts=parts, residuals=np.abs(H[-1, -1] * parts[-1]))


def _is_converged(ritz: _Ritz, norm: float, unbroken: float) -> bool:
    """Whether what may survive is made of eigenvectors, and the largest eigenvalue is known."""
    moduli, errors = np.abs(ritz.values), ritz.errors
    small = (ritz.residuals <= _RESIDUAL_TOL * norm) | ~ritz.there
    leading = np.argmax(np.where(ritz.there, moduli, 0.0))
    return bool(np.all(small | (moduli + errors < unbroken)) and errors[leading] < _MODULUS_TOL)
