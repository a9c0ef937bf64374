"""Any MPS of TeNPy as a train, or one sentence why not."""

from typing import Any

import numpy as np
from tenpy.networks.mps import MPS
from tenpy.networks.purification_mps import PurificationMPS
from tenpy.networks.uniform_mps import UniformMPS

from phasenet.errors import StudyError
from phasenet.groundstates.convert import highest_weight_first, to_train
from phasenet.trains.cells import canonical_cell
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, TensorTrain


def train_of_tenpy(psi: Any) -> TensorTrain | InfiniteTrain:
    """Train of a TeNPy MPS in any of its forms, even in none.

    Parameters
    ----------
    psi
        Finite or infinite MPS whose sites have an operator Sz.

    Raises
    ------
    StudyError
        It is a segment, grouped, a purification or a UniformMPS, its sites have no Sz, or only
        some of its tensors have a canonical form.

    >>> from tenpy.networks.site import SpinHalfSite
    >>> psi = MPS.from_product_state([SpinHalfSite()] * 3, ["up", "down", "up"], unit_cell_width=3)
    >>> print(train_of_tenpy(psi).cores[1][0, :, 0].tolist())
    [0.0, 1.0]
    """
    kind = type(psi).__name__
    if isinstance(psi, UniformMPS):
        raise StudyError(f"the state is a {kind}; give psi.to_MPS()")
    if not isinstance(psi, MPS) or isinstance(psi, PurificationMPS):
        raise StudyError(f"the state is a {kind}; wanted an MPS, finite or infinite")
    if psi.bc not in ("finite", "infinite"):
        raise StudyError(
            f"the state has boundary conditions {psi.bc!r}; wanted finite or infinite: give the "
            "state that it was cut from"
        )
    if psi.grouped != 1:
        raise StudyError(
            f"{psi.grouped} sites of the state are grouped into one; call psi.group_split() first"
        )
    lost = [site for site, form in enumerate(psi.form) if form is None]
    if not lost:
        return to_train(psi)
    if len(lost) < psi.L:
        raise StudyError(
            f"the tensor of site {lost[0]} has no canonical form, others have; "
            "call psi.canonical_form() first"
        )
    cores = tuple(_core(psi, site) for site in range(psi.L))
    if psi.bc == "infinite":
        return canonical_cell(cores)
    return TensorTrain(cores=(psi.norm * cores[0], *cores[1:]))


def _core(psi: Any, site: int) -> Array:
    tensor = psi.get_B(site, form=None).copy().itranspose(["vL", "p", "vR"]).to_ndarray()
    core = tensor[:, highest_weight_first(psi.sites[site]), :]
    return np.ascontiguousarray(core if np.any(np.imag(core)) else np.real(core))
