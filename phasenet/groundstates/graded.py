"""Bond states of definite charge: what a train needs before TeNPy can hold it in blocks.

A train knows nothing of charges, and may have any basis on its bonds; TeNPy's tensors are blocks
between bond states of definite charge. This module looks for such bond states.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.trains.train import Array, FloatArray
from phasenet.trains.transfer import leading_eigenpairs

IntArray = NDArray[np.int64]

# Angle of the probe, in turns: integer charges of one bond may differ by less than a quarter of it.
_PROBE_STEPS = 256
_REAL_TOL = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class Conserved:
    """Charge of each local state of each site, in TeNPy's order; zeros where none is conserved.

    Parameters
    ----------
    name
        TeNPy's name of the charge; None where none is conserved.
    charges
        For each site an array of shape (site,).
    modulus
        1 for integers, as in TeNPy.
    """

    name: str | None
    charges: tuple[IntArray, ...]
    modulus: int

    def valid(self, charges: IntArray) -> IntArray:
        """Return the charges modulo the modulus."""
        return charges if self.modulus == 1 else charges % self.modulus


@dataclass(frozen=True, kw_only=True, eq=False)
class Graded:
    """Right-canonical train in TeNPy's local basis, whose last bonds have definite charges.

    Parameters
    ----------
    cores, values
        Cores and the Schmidt values left of each.
    bonds
        Charge of each bond state right of the last cores: left + site = right in each entry. The
        last bond and the bond left of the first core have the same ones.
    lost
        Squared norm of what was dropped.
    """

    cores: tuple[Array, ...]
    values: tuple[FloatArray, ...]
    bonds: tuple[IntArray, ...]
    lost: float = 0.0


def repeating(
    cores: tuple[Array, ...], values: tuple[FloatArray, ...], conserved: Conserved
) -> Graded:
    """Infinite train with definite charges on the bond where its cell repeats."""
    if conserved.name is None:
        nothing = np.zeros(len(values[0]), dtype=np.int64)
        return Graded(cores=cores, values=values, bonds=(nothing,))
    basis, charges = _outer_charges(cores, conserved)
    rows, schmidt, outer, lost = _block_svd(values[0][:, None] * basis, charges, len(basis))
    basis = basis @ rows.conj().T
    turned = list(cores)
    turned[-1] = turned[-1] @ basis
    turned[0] = np.tensordot(basis.conj().T, turned[0], axes=(1, 0))
    return Graded(cores=tuple(turned), values=(schmidt, *values[1:]), bonds=(outer,), lost=lost)


def _outer_charges(cores: tuple[Array, ...], conserved: Conserved) -> tuple[Array, IntArray]:
    r"""Bond states of definite charge, as columns, where a cell repeats; charges up to a constant.

    In every gauge :math:`\sum_s e^{i\theta q_s} B_s V B_s^\dagger \propto V`, over a cell, has a
    unitary solution V that commutes with the Schmidt values, with phases :math:`-\theta` times the
    charges of the bond states (Perez-Garcia et al., PRL 100, 167202, 2008).
    """
    theta = 2 * math.pi / (_PROBE_STEPS if conserved.modulus == 1 else conserved.modulus)
    turned = [
        np.exp(1j * theta * charges)[:, None] * core
        for core, charges in zip(cores, conserved.charges, strict=True)
    ]
    probe = leading_eigenpairs(turned, cores, 1)[1][0]
    # Now the phases lie around 0 or, for a parity, at 0 and half a turn; the cosines of what they
    # are an eighth of a turn on tell them apart.
    probe = probe * np.exp(-0.5j * np.angle(np.trace(probe @ probe)))
    cosines = np.exp(-0.25j * math.pi) * probe
    cosines = cosines + cosines.conj().T
    if not any(np.iscomplexobj(core) for core in cores) and np.allclose(
        cosines.imag, 0.0, atol=_REAL_TOL * float(np.abs(cosines).max())
    ):
        cosines = cosines.real
    basis = np.linalg.eigh(cosines)[1]
    phases = np.einsum("kj,kl,lj->j", basis.conj(), probe, basis, optimize=True)
    steps = np.rint(np.angle(phases * phases[0].conj()) / theta)
    return basis, conserved.valid(-steps.astype(np.int64))


def all_graded(graded: Graded, conserved: Conserved) -> Graded:
    """Definite charges on all bonds.

    Schmidt states of equal weight come out of one decomposition in any mixture, whatever their
    charges; so there is one decomposition for each charge.
    """
    cores, values, bonds = list(graded.cores), list(graded.values), list(graded.bonds)
    lost = graded.lost
    for site in range(len(cores) - 1, 0, -1):
        core = cores[site]
        flat = core.reshape(len(core), -1)
        columns = conserved.valid(bonds[0] - conserved.charges[site][:, None]).ravel()
        centre = values[site][:, None] * flat
        rows, values[site], bond, dropped = _block_svd(centre, columns, len(core))
        cores[site] = rows.reshape(-1, *core.shape[1:])
        cores[site - 1] = cores[site - 1] @ (flat @ rows.conj().T)
        bonds.insert(0, bond)
        lost += dropped
    return Graded(cores=tuple(cores), values=tuple(values), bonds=tuple(bonds), lost=lost)


def in_sector(graded: Graded, conserved: Conserved, charge_tol: float) -> tuple[Graded, int]:
    """Train without what lies outside its sector, and its total charge, carried by the last site.

    Raises
    ------
    SettingsError
        More than ``charge_tol`` lies outside.
    """
    core, (*inner, last) = graded.cores[0], graded.bonds
    carried = conserved.valid(last[:, None, None] + conserved.charges[0][:, None] - graded.bonds[0])
    weights = np.abs(graded.values[0][:, None, None] * core) ** 2
    found, which = np.unique(carried, return_inverse=True)
    shares = np.bincount(which.ravel(), weights.ravel())
    heaviest = int(np.argmax(shares))
    total = int(found[heaviest])
    outside = math.sqrt(graded.lost + float(np.delete(shares, heaviest).sum()))
    if not outside <= charge_tol:
        raise SettingsError(
            f"a part {outside:.1e} of the train lies outside the sector {conserved.name} = "
            f"{total}, at most {charge_tol:g} may; give sites that do not conserve this charge, "
            "or raise charge_tol"
        )
    first = np.where(carried == total, core, 0.0) / math.sqrt(shares[heaviest])
    bonds = (*(conserved.valid(charges + total) for charges in inner), last)
    cores = (first, *graded.cores[1:])
    return Graded(cores=cores, values=graded.values, bonds=bonds), total


def _block_svd(
    matrix: Array, columns: IntArray, count: int
) -> tuple[Array, FloatArray, IntArray, float]:
    """Largest right singular vectors within the columns of one charge, sorted by charge.

    Parameters
    ----------
    matrix
        Array of shape (rows, columns).
    columns
        Charge of each column.
    count
        How many vectors are wanted.

    Returns
    -------
    Orthonormal rows of shape (count, columns), their singular values with squares that sum to 1,
    their charges, and the sum of the squares of the others.
    """
    vectors, values, charges = [], [], []
    for charge in np.unique(columns):
        block = np.flatnonzero(columns == charge)
        _, s, vh = np.linalg.svd(matrix[:, block], full_matrices=False)
        rows = np.zeros((len(s), len(columns)), dtype=matrix.dtype)
        rows[:, block] = vh
        vectors.append(rows)
        values.append(s)
        charges.append(np.full(len(s), charge))
    singular = np.concatenate(values)
    order = np.argsort(-singular, kind="stable")
    kept = np.sort(order[:count])
    largest = singular[kept] / np.linalg.norm(singular[kept])
    lost = float(np.sum(singular[order[count:]] ** 2))
    return np.concatenate(vectors)[kept], largest, np.concatenate(charges)[kept], lost
