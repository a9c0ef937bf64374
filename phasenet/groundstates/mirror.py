r"""Superpositions of a state with its mirror image in spin space.

An open chain may carry free spins at its ends. Sweeps that start from a product state find one
orientation of them and reach the superposition, which is the ground state, only over many sweeps:
its two parts differ at both ends at once. Where the spins inside point somewhere too, the state is
a broken one, and is left alone.
"""

import math
from typing import Any

import numpy as np
from tenpy.networks.mpo import MPOEnvironment

from phasenet.groundstates.convert import bond_charges, charge_name, tenpy_mps, to_train
from phasenet.groundstates.convert import schmidt_values as schmidt_values_of
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.trains.train import TensorTrain

# Below it a spin points nowhere, and the state is its own mirror image.
_POINTS_NOWHERE = 1e-3
# Of the largest <Sz>: what the middle of a chain may have that is not broken.
_MIDDLE_SHARE = 0.5


def mirrored(psi: Any, model: Any, gain_atol: float) -> Any | None:
    r"""Lower one of :math:`|\psi\rangle \pm R|\psi\rangle`, R a turn by pi that reverses Sz.

    :math:`E_\pm = (E \pm \langle\psi|HR|\psi\rangle) / (1 \pm \langle\psi|R|\psi\rangle)` where
    the mirror image has the energy E too.

    Parameters
    ----------
    psi, model
        TeNPy's, of an open chain; the state is left as it is.
    gain_atol
        By how much the total energy has to lie lower.

    Returns
    -------
    TeNPy's state, of at most twice the bond dimension. None where no spin points anywhere or those
    in the middle do too, where R is no symmetry or does not go with the conserved charge, and where
    neither lies lower.
    """
    if charge_name(psi) not in ("", "2*Sz") or np.any(bond_charges(psi)[-1]):
        return None
    spins = np.abs(psi.expectation_value("Sz"))
    middle = spins[psi.L // 2 - 1 : psi.L // 2 + 1]
    if spins.max() < _POINTS_NOWHERE or middle.max() > _MIDDLE_SHARE * spins.max():
        return None
    image = _image(psi)
    energy, other = (float(np.real(model.H_MPO.expectation_value(s))) for s in (psi, image))
    if not math.isclose(energy, other, rel_tol=1e-10, abs_tol=1e-10):
        return None
    overlap = float(np.real(psi.overlap(image)))
    between = float(np.real(MPOEnvironment(psi, model.H_MPO, image).full_contraction(0)))
    found = [
        ((energy + sign * between) / (1 + sign * overlap), sign)
        for sign in (1, -1)
        if 1 + sign * overlap > 0.5
    ]
    lowest, sign = min(found)
    if energy - lowest <= gain_atol:
        return None
    superposition = psi.add(image, 1.0, sign)
    superposition.norm = 1.0
    return superposition


def _image(psi: Any) -> Any:
    """State with all spins reversed."""
    train = to_train(psi)
    assert isinstance(train, TensorTrain)
    state = GroundState(
        point=ParameterPoint.of({}),
        spin=(psi.sites[0].dim - 1) / 2,
        train=TensorTrain(cores=tuple(core[:, ::-1] for core in train.cores)),
        schmidt_values=schmidt_values_of(psi),
        charge=charge_name(psi),
        bond_charges=tuple(-charges for charges in bond_charges(psi)),
        energy=math.nan,
        variance=math.nan,
        truncation=math.nan,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=0,
    )
    return tenpy_mps(state, psi.sites)
