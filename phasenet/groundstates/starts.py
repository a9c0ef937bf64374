"""Models, and the states that a search starts from: a product state or the state of a neighbour."""

import math
import warnings
from typing import Any

import numpy as np
from tenpy.networks.mps import MPS

from phasenet.errors import PhasenetError, StudyError
from phasenet.groundstates.convert import tenpy_mps
from phasenet.points import ParameterPoint
from phasenet.records import GroundState
from phasenet.settings import FiniteSettings, InfiniteSettings
from phasenet.study import Boundary, Chain, Study

# Half of what a superposition of two broken states has more than either of them.
_ENTROPY_JUMP = math.log(2) / 2
# Change of <Sz> in units of the spin, root mean square over the sites.
_ORDER_JUMP = 0.25
# Squared overlaps of a whole open chain, and per site of an infinite one.
_SAME_CHAIN, _SAME_SITE = 0.95, 0.999


def chain_of(settings: FiniteSettings | InfiniteSettings) -> Chain:
    """Chain of the settings.

    >>> chain_of(InfiniteSettings(cell=4)).length
    4
    """
    if isinstance(settings, FiniteSettings):
        return Chain(
            boundary=Boundary.FINITE,
            length=settings.length,
            pinning_field=settings.pinning_field,
        )
    return Chain(boundary=Boundary.INFINITE, length=settings.cell)


def built_model(study: Study, point: ParameterPoint, chain: Chain) -> Any:
    """TeNPy model of a study, which has the study's spin and has used all its options.

    Raises
    ------
    StudyError
        It has not, or it cannot be built.
    """
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            model = study.build_model(point, chain)
    except Exception as error:
        raise StudyError(
            f"study {study.name} cannot build its model at {point}: {type(error).__name__}: {error}"
        ) from error
    for text in (str(warning.message) for warning in heard):
        # A misspelt coupling would otherwise be left out in silence.
        if text.startswith("unused option"):
            detail = " ".join(text.split())
            raise StudyError(f"study {study.name} gives its model an {detail}; look for a typo")
    spins = sorted({(site.dim - 1) / 2 for site in model.lat.mps_sites()})
    if spins != [float(study.spin)]:
        shown = " and ".join(f"{spin:g}" for spin in spins)
        raise StudyError(
            f"study {study.name} says spin {study.spin:g}, its model has sites of spin {shown}"
        )
    return model


def product_start(study: Study, point: ParameterPoint, model: Any, chain: Chain) -> Any:
    """Product state of a study as TeNPy's state.

    Raises
    ------
    StudyError
        The product state does not fit the model.
    """
    try:
        return MPS.from_product_state(
            model.lat.mps_sites(),
            study.product_state(point, chain.length),
            bc=chain.boundary.value,
            dtype=np.dtype(model.H_MPO.dtype),
            unit_cell_width=model.lat.mps_unit_cell_width,
        )
    except Exception as error:
        raise StudyError(
            f"study {study.name} cannot start from its product state: "
            f"{type(error).__name__}: {error}"
        ) from error


def state_start(state: GroundState, model: Any) -> Any:
    """State of a neighbour, or one to be gone on with, as TeNPy's state on a model's sites.

    Raises
    ------
    StudyError
        It belongs to another chain.
    """
    try:
        return tenpy_mps(state, model.lat.mps_sites())
    except PhasenetError as error:
        raise StudyError(
            f"the state at {state.point} is no start on this chain: {error}"
        ) from error


def same_sector(psi: Any, other: Any) -> bool:
    """Whether two states on the same chain have the same total charge."""
    ends = bool(psi.finite)
    charges = (s.get_total_charge(only_physical_legs=ends) for s in (psi, other))
    return bool(np.array_equal(*charges))


def same_state(psi: Any, other: Any) -> bool:
    """Whether two states are the same up to their truncation.

    Of open chains the whole overlap decides, of infinite ones the overlap of one site.
    """
    fidelity = abs(psi.overlap(other, understood_infinite=True)) ** 2
    return bool(fidelity > (_SAME_CHAIN if psi.finite else _SAME_SITE**psi.L))


def entropy_at_cut(psi: Any) -> float:
    """Entropy in nats of the middle bond of an open chain, or of the bond left of a cell."""
    return float(psi.entanglement_entropy()[psi.L // 2 - 1 if psi.finite else 0])


def changed_abruptly(before: Any, after: Any) -> bool:
    """Whether a state differs from its neighbour's more than one phase lets expect.

    The entropy of the cut has changed by half of ln 2, or <Sz> by a quarter of the spin.
    """
    jump = abs(entropy_at_cut(after) - entropy_at_cut(before))
    moved = np.asarray(after.expectation_value("Sz")) - np.asarray(before.expectation_value("Sz"))
    spin = (after.sites[0].dim - 1) / 2
    return bool(jump > _ENTROPY_JUMP or np.sqrt(np.mean(moved**2)) > _ORDER_JUMP * spin)
