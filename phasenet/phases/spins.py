"""Spin matrices in the package's basis, highest weight first."""

from typing import Literal

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.operators import NAMES, Operator
from phasenet.trains.train import Array, FloatArray

Axis = Literal["x", "y", "z"]
_AXES: tuple[Axis, ...] = ("x", "y", "z")


def magnetic_numbers(site_dim: int) -> FloatArray:
    """Eigenvalues of the z component, highest first.

    >>> magnetic_numbers(3).tolist()
    [1.0, 0.0, -1.0]
    """
    if site_dim < 2:
        raise SettingsError(f"a spin has at least 2 local states; got {site_dim}")
    return (site_dim - 1) / 2 - np.arange(site_dim, dtype=np.float64)


def spin_matrix(axis: Axis, site_dim: int) -> Array:
    r"""Matrix of one spin component, with :math:`[S^x, S^y] = i S^z`.

    Parameters
    ----------
    axis
        Component.
    site_dim
        Number of local states, 2S + 1.

    Returns
    -------
    Array of shape (site_dim, site_dim), complex for y only.

    >>> print(spin_matrix("x", 2).tolist())
    [[0.0, 0.5], [0.5, 0.0]]
    """
    m = magnetic_numbers(site_dim)
    spin = m[0]
    raising = np.diag(np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1)), k=1)
    if axis == "z":
        return np.diag(m)
    if axis == "x":
        return np.asarray((raising + raising.T) / 2)
    if axis == "y":
        return np.asarray((raising - raising.T) / 2j)
    raise SettingsError(f"axis is {axis!r}; it must be x, y or z")


def pi_rotation(axis: Axis, site_dim: int) -> Array:
    r"""Rotation by pi, :math:`R^a = \exp(i \pi S^a)`, without rounding errors.

    Parameters
    ----------
    axis
        Axis of the rotation.
    site_dim
        Number of local states, 2S + 1.

    Returns
    -------
    Array of shape (site_dim, site_dim); real for integer spins and for y.

    >>> print(pi_rotation("x", 3).tolist())
    [[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]
    """
    m = magnetic_numbers(site_dim)
    flip = np.eye(site_dim)[::-1]
    if axis == "y":
        # Only R^y is real for every spin: R^y |m> = (-1)^(S+m) |-m>.
        return np.asarray(flip * (-1.0) ** np.rint(m + m[0]) + 0.0)
    if axis == "z":
        return np.diag((-1.0) ** np.rint(m) if is_integer_spin(site_dim) else _quarter_turns(2 * m))
    if axis == "x":
        phase = (-1.0) ** np.rint(m[0]) if is_integer_spin(site_dim) else _quarter_turns(2 * m[0])
        return np.asarray(phase * flip + 0.0)
    raise SettingsError(f"axis is {axis!r}; it must be x, y or z")


def on_site(operator: Operator, site_dim: int) -> Array:
    """Matrix of an operator on one site.

    Parameters
    ----------
    operator
        Name or matrix, see :data:`phasenet.operators.Operator`.
    site_dim
        Number of local states; Pauli matrices need two.

    >>> print(on_site("Sz", 2).tolist())
    [[0.5, 0.0], [0.0, -0.5]]
    """
    if not isinstance(operator, str):
        matrix = np.asarray(operator)
        if matrix.shape != (site_dim, site_dim):
            raise ShapeError(
                f"a matrix of shape {matrix.shape} acts on a site of {site_dim} states; wanted "
                f"({site_dim}, {site_dim})"
            )
        return matrix if np.any(matrix.imag) else np.ascontiguousarray(matrix.real)
    if operator == "1":
        return np.eye(site_dim)
    if operator not in NAMES:
        raise SettingsError(f"operator {operator!r} is unknown; wanted {', '.join(NAMES)}")
    kind, axis = operator[0], operator[-1].lower()
    if operator in ("Sp", "Sm"):
        raising = spin_matrix("x", site_dim) + (1j * spin_matrix("y", site_dim)).real
        return raising if operator == "Sp" else np.ascontiguousarray(raising.T)
    component = _AXES["xyz".index(axis)]
    if kind == "R":
        return pi_rotation(component, site_dim)
    if kind == "S":
        return spin_matrix(component, site_dim)
    if site_dim != 2:
        raise SettingsError(
            f"the Pauli matrix {operator} acts on 2 local states; the site has {site_dim}: "
            f"use R{axis} or S{axis}"
        )
    return 2 * spin_matrix(component, 2)


def is_integer_spin(site_dim: int) -> bool:
    """Whether a site with this many local states carries an integer spin.

    >>> is_integer_spin(3), is_integer_spin(2)
    (True, False)
    """
    return site_dim % 2 == 1


def _quarter_turns(count: FloatArray | float) -> Array:
    """Powers of i, exact."""
    powers: Array = np.array([1.0, 1j, -1.0, -1j])
    return np.asarray(powers[np.rint(count).astype(int) % 4])
