"""TeNPy's matrix product states in phasenet's conventions.

TeNPy orders the local basis by charge, so that the order depends on ``conserve`` (spin-1/2: up
first without charges, down first with Sz or parity; spin-1: -1, 0, +1, or -1, +1, 0 with parity).
phasenet's order is always the highest weight first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import StudyError
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain

IntArray = NDArray[np.int64]


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
