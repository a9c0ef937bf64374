"""TeNPy's matrix product states in phasenet's conventions, and the way back.

TeNPy orders the local basis by charge, so that the order depends on ``conserve`` (spin-1/2: up
first without charges, down first with Sz or parity; spin-1: -1, 0, +1, or -1, +1, 0 with parity).
phasenet's order is always the highest weight first.

A ground state keeps the charges of its bonds, and goes back to TeNPy tensor by tensor; of a bare
train they are found out first.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tenpy.linalg.np_conserved as npc
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfSite, SpinSite

from phasenet.errors import SettingsError, ShapeError, StudyError
from phasenet.groundstates.graded import (
    Conserved,
    Graded,
    IntArray,
    all_graded,
    in_sector,
    repeating,
)
from phasenet.records import GroundState
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain

# TeNPy's word for each charge that a site of one spin can conserve.
_CONSERVE = {"": "None", "2*Sz": "Sz", "parity_Sz": "parity"}


def highest_weight_first(site: Any) -> IntArray:
    """Indices of TeNPy's local basis in phasenet's order, read off the site's own Sz."""
    if "Sz" not in site.opnames:
        raise StudyError(f"{site!r} has no operator Sz, by which phasenet orders the local basis")
    weights = np.diag(site.get_op("Sz").to_ndarray()).real
    return np.argsort(-weights, kind="stable").astype(np.int64)


def right_canonical_cores(psi: Any) -> tuple[Array, ...]:
    """Cores (left, site, right) of a TeNPy MPS, right-canonical; real if all are real."""
    cores = []
    for index in range(psi.L):
        tensor = psi.get_B(index, form="B").copy().itranspose(["vL", "p", "vR"]).to_ndarray()
        cores.append(tensor[:, highest_weight_first(psi.sites[index]), :])
    is_complex = any(np.any(np.imag(core)) for core in cores)
    return tuple(np.ascontiguousarray(core if is_complex else np.real(core)) for core in cores)


def schmidt_values(psi: Any) -> tuple[FloatArray, ...]:
    """Schmidt values on the bond left of each site."""
    return tuple(np.asarray(psi.get_SL(index), dtype=np.float64) for index in range(int(psi.L)))


def charge_name(psi: Any) -> str:
    """Name of the conserved charge, as TeNPy has it; empty without one."""
    if psi.chinfo.qnumber > 1:
        raise StudyError(
            f"the state conserves {' and '.join(psi.chinfo.names)}; wanted at most one charge"
        )
    return str(psi.chinfo.names[0]) if psi.chinfo.qnumber else ""


def bond_charges(psi: Any) -> tuple[IntArray, ...]:
    """Charge of each index of the bond left of each site and, last, right of the last site.

    Without a conserved charge the arrays are empty.
    """
    if not charge_name(psi):
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(int(psi.L) + 1))
    tensors = [psi.get_B(index) for index in range(psi.L)]
    legs = [tensor.get_leg("vL") for tensor in tensors] + [tensors[-1].get_leg("vR").conj()]
    # A cell of an infinite state keeps its own charge as the total charge of its tensors.
    before = np.cumsum([0, *(int(tensor.qtotal[0]) for tensor in tensors)])
    return tuple(
        psi.chinfo.make_valid(leg.to_qflat() * leg.qconj + carried)[:, 0].astype(np.int64)
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


def tenpy_mps(state: GroundState, sites: Sequence[Any] | None = None) -> MPS:
    """TeNPy MPS of a ground state: the very tensors, blocks and Schmidt values of its search.

    Parameters
    ----------
    state
        As read from its file, or as it was found.
    sites
        TeNPy's site for each core; by default spins that conserve the charge of the state.

    Returns
    -------
    MPS in TeNPy's form B.

    Raises
    ------
    SettingsError
        The sites conserve another charge than the state, or there are none for its charge.
    ShapeError
        Sites or bond charges do not fit the cores; :func:`to_mps` finds charges of any train.

    >>> from phasenet.storage.states import read_state
    >>> _, state = read_state("datasets/sample/states/D=0,Delta=1.infinite.state.h5")
    >>> psi = tenpy_mps(state)
    >>> print(psi.bc, psi.chinfo.names, psi.chi == list(state.train.bond_dims))
    infinite ['2*Sz'] True
    """
    if sites is None:
        sites = [spin_site(state.spin, state.charge)] * len(state.train.cores)
    conserved = _conserved(state.train, sites)
    if (conserved.name or "") != state.charge:
        raise SettingsError(
            f"the sites conserve {conserved.name or 'nothing'}, the state at {state.point} "
            f"conserves {state.charge or 'nothing'}; wanted the same"
        )
    cores, charges = _in_order(state.train.cores, sites), state.bond_charges
    bonds = [core.shape[0] for core in cores] + [cores[-1].shape[2]]
    if not state.charge:
        charges = tuple(np.zeros(bond, dtype=np.int64) for bond in bonds)
    if [len(bond) for bond in charges] != bonds:
        raise ShapeError(
            f"the state at {state.point} has {[len(bond) for bond in charges]} charges on bonds "
            f"{bonds}; make it again"
        )
    total = None
    if isinstance(state.train, InfiniteTrain):
        total = int(conserved.valid(charges[-1] - charges[0])[0])
        charges = (*charges[:-1], charges[0])
    graded = Graded(cores=cores, values=state.schmidt_values, bonds=charges)
    psi = _assembled(graded, total, sites)
    if isinstance(state.train, TensorTrain):
        psi.norm = math.exp(state.train.log_scale)
    return psi


def spin_site(spin: float, charge: str) -> Any:
    """TeNPy's site of one spin that conserves a charge of this name, nothing if it is empty.

    >>> print(spin_site(1.0, "parity_Sz").leg.chinfo.names)
    ['parity_Sz']
    """
    if charge not in _CONSERVE:
        raise SettingsError(
            f"phasenet knows no site of spin {spin:g} that conserves {charge!r}; wanted "
            f"{', '.join(name for name in _CONSERVE if name)}, or give the sites of the model"
        )
    conserve = _CONSERVE[charge]
    return SpinHalfSite(conserve=conserve) if spin == 0.5 else SpinSite(spin, conserve=conserve)


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
        graded = repeating(_in_order(train.cores, sites), train.schmidt_values, conserved)
    else:
        form, values = schmidt_form(train)
        end = np.zeros(1, dtype=np.int64)
        graded = Graded(cores=_in_order(form.cores, sites), values=values, bonds=(end,))
    graded, total = in_sector(all_graded(graded, conserved), conserved, charge_tol)
    ends = graded.bonds[-1]
    bonds = (ends, *graded.bonds[:-1], ends)
    if isinstance(train, InfiniteTrain):
        return _assembled(replace(graded, bonds=bonds), total, sites)
    return _assembled(replace(graded, bonds=(*bonds[:-1], ends + total)), None, sites)


def _conserved(train: TensorTrain | InfiniteTrain, sites: Sequence[Any]) -> Conserved:
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
        return Conserved(name=None, charges=nothing, modulus=1)
    charges = tuple(
        np.asarray(site.leg.to_qflat()[:, 0] * site.leg.qconj, dtype=np.int64) for site in sites
    )
    return Conserved(name=info.names[0], charges=charges, modulus=int(info.mod[0]))


def _in_order(cores: Sequence[Array], sites: Sequence[Any]) -> tuple[Array, ...]:
    """Cores of at least double precision in TeNPy's local basis."""
    return tuple(
        core[:, np.argsort(highest_weight_first(site))].astype(np.result_type(core, np.float64))
        for core, site in zip(cores, sites, strict=True)
    )


def _assembled(graded: Graded, total: int | None, sites: Sequence[Any]) -> MPS:
    """TeNPy's state; an infinite one keeps the charge of its cell, ``total``, in the last tensor.

    ``graded.bonds`` has the bond left of the first core as well; ``total`` is None of an open
    chain.
    """
    info = sites[0].leg.chinfo
    legs = [
        npc.LegCharge.from_qflat(info, charges[:, None][:, : info.qnumber]).bunch()[1]
        for charges in graded.bonds
    ]
    totals = [[0] * info.qnumber] * len(sites)
    if total is not None:
        totals[-1] = [total] * info.qnumber
    tensors = [
        _blocks(core, [left, site.leg, right.conj()], qtotal)
        for core, site, left, right, qtotal in zip(
            graded.cores, sites, legs, legs[1:], totals, strict=False
        )
    ]
    return MPS(
        sites,
        tensors,
        [*graded.values, np.ones(1)],
        bc="finite" if total is None else "infinite",
        unit_cell_width=len(sites),
    )


def _blocks(core: Array, legs: list[Any], total: list[int]) -> Any:
    """TeNPy's tensor of a core, with the blocks that are not zero, to the last bit."""
    try:
        tensor = npc.Array.from_ndarray(
            core, legs, qtotal=total, cutoff=0.0, labels=["vL", "p", "vR"]
        )
    except ValueError as error:
        raise ShapeError(
            f"a core of shape {core.shape} differs from zero where its charges forbid it; "
            "to_mps finds the charges of any train"
        ) from error
    kept = np.array([block.any() for block in tensor._data], dtype=bool)
    tensor._data = list(itertools.compress(tensor._data, kept))
    tensor._qdata = tensor._qdata[kept]
    return tensor
