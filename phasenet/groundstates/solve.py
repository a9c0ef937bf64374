"""The ground state of one point, by TeNPy's two-site DMRG."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.networks.mps import MPS

from phasenet.errors import StudyError
from phasenet.groundstates.convert import bond_charges, charge_name, schmidt_values, to_train
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.settings import FiniteSettings, InfiniteSettings
from phasenet.study import Boundary, Chain, Study

_MIXER_AMPLITUDE = 1e-4
_MIXER_SWEEPS = {Boundary.FINITE: 3, Boundary.INFINITE: 10}
_SWEEPS_PER_CHECK = {Boundary.FINITE: 1, Boundary.INFINITE: 10}


def solve(study: Study, point: ParameterPoint, boundary: Boundary) -> GroundState:
    """Ground state of one point of a study, with the study's own settings.

    Parameters
    ----------
    study
        Model, starting state and settings.
    point
        Couplings.
    boundary
        Open chain or infinite.

    Raises
    ------
    StudyError
        The model or its starting state cannot be built, or its energy is not a number.
    """
    settings = study.settings.finite if boundary == Boundary.FINITE else study.settings.infinite
    chain = _chain(settings)
    with _quiet_tenpy():
        model = _model(study, point, chain)
        psi = _start(study, point, model, chain)
        engine = TwoSiteDMRGEngine(psi, model, _options(settings, boundary))
        energy, psi = engine.run()
        if not math.isfinite(energy):
            raise StudyError(f"DMRG of {study.name} at {point} gave the energy {energy}")
        return _ground_state(study, point, model, psi, engine, energy)


def _ground_state(
    study: Study, point: ParameterPoint, model: Any, psi: Any, engine: Any, energy: float
) -> GroundState:
    finite = psi.bc == "finite"
    converged = engine.is_converged()
    return GroundState(
        point=point,
        spin=float(study.spin),
        train=to_train(psi),
        schmidt_values=schmidt_values(psi),
        charge=charge_name(psi),
        bond_charges=bond_charges(psi),
        energy=float(energy / psi.L if finite else energy),
        variance=float(model.H_MPO.variance(psi) / psi.L) if finite else math.nan,
        truncation=float(max(engine.sweep_stats["max_trunc_err"][-1:], default=0.0)),
        outcome=DmrgOutcome.CONVERGED if converged else DmrgOutcome.SWEEP_LIMIT,
        sweeps=int(engine.sweeps),
    )


def _chain(settings: FiniteSettings | InfiniteSettings) -> Chain:
    if isinstance(settings, FiniteSettings):
        return Chain(
            boundary=Boundary.FINITE,
            length=settings.length,
            pinning_field=settings.pinning_field,
        )
    return Chain(boundary=Boundary.INFINITE, length=settings.cell)


def _model(study: Study, point: ParameterPoint, chain: Chain) -> Any:
    try:
        return study.build_model(point, chain)
    except Exception as error:
        raise StudyError(
            f"study {study.name} cannot build its model at {point}: {type(error).__name__}: {error}"
        ) from error


def _start(study: Study, point: ParameterPoint, model: Any, chain: Chain) -> Any:
    sites = model.lat.mps_sites()
    spins = sorted({(site.dim - 1) / 2 for site in sites})
    if spins != [float(study.spin)]:
        shown = " and ".join(f"{spin:g}" for spin in spins)
        raise StudyError(
            f"study {study.name} says spin {study.spin:g}, its model has sites of spin {shown}"
        )
    try:
        return MPS.from_product_state(
            sites, study.product_state(point, chain.length), bc=chain.boundary.value
        )
    except Exception as error:
        raise StudyError(
            f"study {study.name} cannot start from its product state: "
            f"{type(error).__name__}: {error}"
        ) from error


def _options(settings: FiniteSettings | InfiniteSettings, boundary: Boundary) -> dict[str, Any]:
    # For negative energies TeNPy's max_E_err is absolute, and of the total energy of an open chain.
    sites = settings.length if isinstance(settings, FiniteSettings) else 1
    return {
        "mixer": True,
        "mixer_params": {
            "amplitude": _MIXER_AMPLITUDE,
            "decay": 2.0,
            "disable_after": _MIXER_SWEEPS[boundary],
        },
        "trunc_params": {"chi_max": settings.max_bond, "svd_min": settings.cutoff},
        "max_E_err": settings.energy_atol * sites,
        "max_S_err": settings.entropy_atol,
        "max_sweeps": settings.max_sweeps - 1,  # TeNPy stops when it has done more than this
        "min_sweeps": _MIXER_SWEEPS[boundary] + _SWEEPS_PER_CHECK[boundary] - 1,
        "N_sweeps_check": _SWEEPS_PER_CHECK[boundary],
    }


@contextmanager
def _quiet_tenpy() -> Iterator[None]:
    # TeNPy warns at every critical point that the state is not canonical, and then mends it; what
    # matters to the user is in the outcome.
    logger = logging.getLogger("tenpy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
