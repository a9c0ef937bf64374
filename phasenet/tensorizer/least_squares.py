"""Least-squares problem of one local state of one core, and its solution without its matrix."""

from dataclasses import dataclass

import numpy as np

from phasenet.trains.train import Array, FloatArray

# The gradients stop early: the next sweep solves the same problem again from a better place.
_STEPS = 8
_STEP_TOL = 1e-2


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalProblem:
    """Least-squares problem of one local state of one core X, linear in X.

    The value at a point is ``sum_ab near[a] X[a, b] far[b]``, for each output: either the far
    environment has outputs, shape (points, outputs, b), or X has, shape (a, b, outputs), or the
    near one, shape (points, outputs, a).
    """

    near: Array
    far: Array
    targets: Array
    weights: FloatArray

    def mirrored(self) -> "LocalProblem":
        """Problem of the transposed core."""
        return LocalProblem(
            near=self.far, far=self.near, targets=self.targets, weights=self.weights
        )

    def forward(self, core: Array) -> Array:
        """Values (points, outputs) of a core; the near environment has no outputs."""
        product = self.near[:, 0] @ core.reshape(len(core), -1)
        if core.ndim == 2:
            return np.asarray(np.einsum("pb,pob->po", product, self.far))
        product = product.reshape(len(product), *core.shape[1:])
        return np.asarray(np.einsum("pbo,pb->po", product, self.far[:, 0]))

    def adjoint(self, residuals: Array, axes: int) -> Array:
        """Gradient by a core of 2 or 3 axes."""
        far = self.far.conj()
        if axes == 3:
            spread = far[:, 0, :, None] * residuals[:, None, :]
        elif far.shape[1] == 1:
            spread = far[:, 0] * residuals
        else:
            spread = np.einsum("po,pob->pb", residuals, far)
        return np.asarray(np.tensordot(self.near[:, 0].conj(), spread, axes=(0, 0)))


def solved(local: LocalProblem, core: Array, pull: Array, strength: float) -> Array:
    r"""Core close to the minimum of a local problem, by a few conjugate gradients.

    The minimum is that of :math:`\sum_p w_p |N_p X F_p^T - t_p|^2 + \rho |X - B|^2`. In the
    eigenbases of the Gram matrices of N and F the normal matrix is nearly diagonal (it is their
    Kronecker product if both environments are independent), so its diagonal there is the
    preconditioner.

    Parameters
    ----------
    local
        Environments N and F, targets t and weights w.
    core
        Where to start, shape (a, b) or (a, b, outputs).
    pull
        Core B to stay close to.
    strength
        Strength of the pull, positive.

    >>> rng = np.random.default_rng(0)
    >>> near, far, core = rng.normal(size=(50, 1, 2)), rng.normal(size=(50, 1, 2)), np.eye(2)
    >>> targets = np.einsum("poa,pob,ab->po", near, far, core)
    >>> problem = LocalProblem(near=near, far=far, targets=targets, weights=np.ones(50))
    >>> found = solved(problem, np.zeros((2, 2)), np.zeros((2, 2)), 1e-9)
    >>> print(f"{np.abs(found - core).max() < 0.02}")
    True
    """
    if local.near.shape[1] > 1:
        return np.asarray(solved(local.mirrored(), core.T, pull.T, strength).T)
    roots = np.sqrt(local.weights)
    residuals = (local.targets - local.forward(core)) * roots[:, None]
    near = local.near[:, 0] * roots[:, None]
    outputs, far_bond = local.far.shape[1:]
    far = local.far.reshape(-1, far_bond)
    near_basis = np.linalg.eigh(near.conj().T @ near)[1]
    spread = far * np.repeat(local.weights, outputs)[:, None]
    far_basis = np.linalg.eigh(far.conj().T @ spread)[1]
    turned = LocalProblem(
        near=(near @ near_basis)[:, None],
        far=(far @ far_basis).reshape(local.far.shape),
        targets=residuals,
        weights=local.weights,
    )
    # The change is near_basis Y far_basis^T.
    offset = _rotated(near_basis.conj().T, pull - core, far_basis.conj())
    change = _conjugate_gradients(turned, offset, strength)
    return np.asarray(core + _rotated(near_basis, change, far_basis.T))


def _rotated(left: Array, core: Array, right: Array) -> Array:
    half = np.tensordot(left, core, axes=(1, 0))
    return np.asarray(np.moveaxis(np.tensordot(half, right, axes=(1, 0)), -1, 1))


def _conjugate_gradients(local: LocalProblem, offset: Array, strength: float) -> Array:
    """Change that fits the targets of a problem in its eigenbases, pulled towards an offset."""
    far = np.einsum("pob,pob->pb", local.far.conj(), local.far).real
    sizes = (np.abs(local.near[:, 0]) ** 2).T @ far
    diagonal = (sizes + strength).reshape(*sizes.shape, *[1] * (offset.ndim - 2))
    residual = local.adjoint(local.targets, offset.ndim) + strength * offset
    direction = residual / diagonal
    change = np.zeros_like(direction)
    square = first = float(np.vdot(residual, direction).real)
    for _ in range(_STEPS):
        if not square > _STEP_TOL**2 * first:
            break
        image = local.adjoint(local.forward(direction), offset.ndim) + strength * direction
        step = square / float(np.vdot(direction, image).real)
        change = change + step * direction
        residual = residual - step * image
        scaled = residual / diagonal
        square, last = float(np.vdot(residual, scaled).real), square
        direction = scaled + (square / last) * direction
    return np.asarray(change)
