"""TeNPy's matrix product states in phasenet's conventions, and the way back.

TeNPy orders the local basis by charge, so that the order depends on ``conserve`` (spin-1/2: up
first without charges, down first with Sz or parity; spin-1: -1, 0, +1, or -1, +1, 0 with parity).
phasenet's order is always the highest weight first.

A train knows nothing of charges, and may have any basis on its bonds; TeNPy's tensors are blocks
between bond states of definite charge. The way back looks for such bond states.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tenpy.linalg.np_conserved as npc
from numpy.typing import NDArray
from tenpy.networks.mps import MPS

from phasenet.errors import SettingsError, ShapeError, StudyError
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import leading_eigenpairs

IntArray = NDArray[np.int64]

# Angle of the probe, in turns: integer charges of one bond may differ by less than a quarter of it.
_PROBE_STEPS = 256
_REAL_TOL = 1e-8


def highest_weight_first(site: Any) -> IntArray:
    """Indices of TeNPy's local basis in phasenet's order, read off the site's own Sz."""
    if "Sz" not in site.opnames:
        raise StudyError(f"{site!r} has no operator Sz, by which phasenet orders the local basis")
    weights = np.diag(site.get_op("Sz").to_ndarray()).real
    return np.argsort(-weights, kind="stable").astype(np.int64)


def right_canonical_cores(psi: Any) -> tuple[Array, ...]:
    """Cores (left, site, right) of a TeNPy MPS, right-canonical, real where they are real."""
    cores = []
    for index in range(psi.L):
        tensor = psi.get_B(index, form="B").copy().itranspose(["vL", "p", "vR"]).to_ndarray()
        core = tensor[:, highest_weight_first(psi.sites[index]), :]
        cores.append(np.ascontiguousarray(core if np.any(np.imag(core)) else np.real(core)))
    return tuple(cores)


def schmidt_values(psi: Any) -> tuple[FloatArray, ...]:
    """Schmidt values on the bond left of each site."""
    return tuple(np.asarray(psi.get_SL(index), dtype=np.float64) for index in range(int(psi.L)))


def charge_name(psi: Any) -> str:
    """Name of the conserved charge, as TeNPy has it; empty without one."""
    return str(psi.chinfo.names[0]) if psi.chinfo.qnumber else ""


def bond_charges(psi: Any) -> tuple[IntArray, ...]:
    """2 Sz of each index of the bond left of each site and, last, right of the last site.

    Without a conserved Sz the arrays are empty.
    """
    if list(psi.chinfo.names) != ["2*Sz"]:
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(int(psi.L) + 1))
    tensors = [psi.get_B(index) for index in range(psi.L)]
    legs = [tensor.get_leg("vL") for tensor in tensors] + [tensors[-1].get_leg("vR").conj()]
    # A cell of an infinite state keeps its own charge as the total charge of its tensors.
    before = np.cumsum([0, *(int(tensor.qtotal[0]) for tensor in tensors)])
    return tuple(
        np.asarray(leg.to_qflat()[:, 0] * leg.qconj + carried, dtype=np.int64)
        for leg, carried in zip(legs, before, strict=True)
    )


def to_train(psi: Any) -> TensorTrain | InfiniteTrain:
    """Train of a finite or infinite TeNPy MPS."""
    cores = right_canonical_cores(psi)
    if psi.bc == "infinite":
        return InfiniteTrain(cores=cores, schmidt_values=schmidt_values(psi))
    if psi.bc != "finite":
        raise StudyError(f"the state has boundary conditions {psi.bc!r}; wanted finite or infinite")
    return TensorTrain(cores=(psi.norm * cores[0], *cores[1:]))


def to_mps(
    train: TensorTrain | InfiniteTrain, sites: Sequence[Any], *, charge_tol: float = 1e-8
) -> MPS:
    """Finite or infinite TeNPy MPS of a train; the way back from :func:`to_train`.

    Parameters
    ----------
    train
        Scalar train in any gauge and of any scale, or an infinite train.
    sites
        TeNPy's site for each core, whose charges the MPS conserves: at most one kind of charge.
    charge_tol
        Largest part of the train, relative to its norm (of one cell, if infinite), that may lie
        outside the sector of the charge; it is dropped, and the MPS is canonical up to its square.

    Returns
    -------
    MPS in TeNPy's form B with its Schmidt values, bond states grouped by charge. Its norm is 1 and
    it keeps the phase of the train; the norm of a finite train is
    ``exp(phasenet.trains.inner.log_norm(train))``. Complex where the train is, and where an
    infinite train has no real bond states of definite charge. The outer bond of an infinite MPS
    has charges up to a constant.

    Raises
    ------
    ShapeError
        The train has an output leg or is zero, or the sites do not fit it.
    SettingsError
        The train does not conserve the charge of the sites, or they have several charges.

    >>> from tenpy.networks.site import SpinHalfSite
    >>> train = TensorTrain(cores=(np.array([[[1.0], [0.0]]]),) * 4)
    >>> psi = to_mps(train, [SpinHalfSite(conserve="Sz")] * 4)
    >>> print(psi.bc, psi.chi, f"{psi.expectation_value('Sz')[0]:.3f}")
    finite [1, 1, 1] 0.500
    """
    conserved = _conserved(train, sites)
    if isinstance(train, InfiniteTrain):
        graded = _repeating(_in_order(train.cores, sites), train.schmidt_values, conserved)
    else:
        form, values = schmidt_form(train)
        end = np.zeros(1, dtype=np.int64)
        graded = _Graded(cores=_in_order(form.cores, sites), values=values, bonds=(end,))
    graded, total = _in_sector(_all_graded(graded, conserved), conserved, charge_tol)
    return _assembled(graded, total, sites, infinite=isinstance(train, InfiniteTrain))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Conserved:
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
class _Graded:
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


def _conserved(train: TensorTrain | InfiniteTrain, sites: Sequence[Any]) -> _Conserved:
    dims = tuple(int(site.dim) for site in sites)
    if dims != train.site_dims:
        raise ShapeError(
            f"{len(dims)} sites have dimensions {sorted(set(dims))}, {len(train.cores)} cores have "
            f"{sorted(set(train.site_dims))}; wanted one site for each core, of its dimension"
        )
    info = sites[0].leg.chinfo
    if info.qnumber > 1 or any(site.leg.chinfo != info for site in sites):
        kinds = sorted({" and ".join(site.leg.chinfo.names) or "nothing" for site in sites})
        raise SettingsError(
            f"the sites conserve {' or '.join(kinds)}; wanted the same on all, at most one charge"
        )
    if info.qnumber == 0:
        nothing = tuple(np.zeros(dim, dtype=np.int64) for dim in dims)
        return _Conserved(name=None, charges=nothing, modulus=1)
    charges = tuple(
        np.asarray(site.leg.to_qflat()[:, 0] * site.leg.qconj, dtype=np.int64) for site in sites
    )
    return _Conserved(name=info.names[0], charges=charges, modulus=int(info.mod[0]))


def _in_order(cores: Sequence[Array], sites: Sequence[Any]) -> tuple[Array, ...]:
    """Cores of at least double precision in TeNPy's local basis."""
    return tuple(
        core[:, np.argsort(highest_weight_first(site))].astype(np.result_type(core, np.float64))
        for core, site in zip(cores, sites, strict=True)
    )


def _repeating(
    cores: tuple[Array, ...], values: tuple[FloatArray, ...], conserved: _Conserved
) -> _Graded:
    """Infinite train with definite charges on the bond where its cell repeats."""
    if conserved.name is None:
        nothing = np.zeros(len(values[0]), dtype=np.int64)
        return _Graded(cores=cores, values=values, bonds=(nothing,))
    basis, charges = _outer_charges(cores, conserved)
    rows, schmidt, outer, lost = _block_svd(values[0][:, None] * basis, charges, len(basis))
    basis = basis @ rows.conj().T
    turned = list(cores)
    turned[-1] = turned[-1] @ basis
    turned[0] = np.tensordot(basis.conj().T, turned[0], axes=(1, 0))
    return _Graded(cores=tuple(turned), values=(schmidt, *values[1:]), bonds=(outer,), lost=lost)


def _outer_charges(cores: tuple[Array, ...], conserved: _Conserved) -> tuple[Array, IntArray]:
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


def _all_graded(graded: _Graded, conserved: _Conserved) -> _Graded:
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
    return _Graded(cores=tuple(cores), values=tuple(values), bonds=tuple(bonds), lost=lost)


def _in_sector(graded: _Graded, conserved: _Conserved, charge_tol: float) -> tuple[_Graded, int]:
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
    return _Graded(cores=cores, values=graded.values, bonds=bonds), total


def _assembled(graded: _Graded, total: int, sites: Sequence[Any], *, infinite: bool) -> MPS:
    """TeNPy's state; an infinite one keeps its charge in the last tensor, as TeNPy has it."""
    info = sites[0].leg.chinfo
    ends = graded.bonds[-1]
    bonds = [ends, *graded.bonds[:-1], ends if infinite else ends + total]
    legs = [
        npc.LegCharge.from_qflat(info, charges[:, None][:, : info.qnumber]).bunch()[1]
        for charges in bonds
    ]
    totals = [[0] * info.qnumber] * len(sites)
    if infinite:
        totals[-1] = [total] * info.qnumber
    tensors = [
        npc.Array.from_ndarray(
            core, [left, site.leg, right.conj()], qtotal=qtotal, labels=["vL", "p", "vR"]
        )
        for core, site, left, right, qtotal in zip(
            graded.cores, sites, legs, legs[1:], totals, strict=False
        )
    ]
    return MPS(
        sites,
        tensors,
        [*graded.values, np.ones(1)],
        bc="infinite" if infinite else "finite",
        unit_cell_width=len(sites),
    )


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
