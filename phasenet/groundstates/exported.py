"""Ground states in the files of TeNPy, and states from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenpy.networks.mps import MPS
from tenpy.tools import hdf5_io

from phasenet.groundstates.convert import (
    bond_charges,
    schmidt_values,
    spin_site,
    tenpy_mps,
    to_mps,
    to_train,
)
from phasenet.groundstates.graded import IntArray
from phasenet.records import GroundState
from phasenet.storage.container import write_hdf5
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray, TensorTrain


def save_as_tenpy(path: Path, state: GroundState, origin: Mapping[str, str | float]) -> None:
    """Write a file that ``tenpy.tools.hdf5_io.load`` reads, as a dictionary.

    Parameters
    ----------
    path
        Where it goes.
    state
        Becomes ``psi``; its couplings become ``couplings``, and its energy, as TeNPy has it,
        ``energy``: of the whole open chain or, if infinite, per site.
    origin
        Becomes ``phasenet``.
    """
    sites = len(state.train.cores) if state.boundary is Boundary.FINITE else 1
    document = {
        "psi": exported_mps(state),
        "energy": state.energy * sites,
        "couplings": state.point.as_dict(),
        "phasenet": dict(origin),
    }

    def fill(file: Any) -> None:
        hdf5_io.save_to_hdf5(file, document)

    write_hdf5(path, fill)


def exported_mps(state: GroundState) -> MPS:
    """TeNPy MPS of a ground state; its charges are found out where its file has none."""
    if state.charge and not all(len(bond) for bond in state.bond_charges):
        return _graded_mps(state.train, state.spin, state.charge)
    return tenpy_mps(state)


def regraded(
    train: TensorTrain | InfiniteTrain, spin: float, charge: str
) -> tuple[TensorTrain | InfiniteTrain, tuple[FloatArray, ...], tuple[IntArray, ...]]:
    """Train of the same state whose bonds have charges, its Schmidt values, and the charges."""
    psi = _graded_mps(train, spin, charge)
    return to_train(psi), schmidt_values(psi), bond_charges(psi)


def _graded_mps(train: TensorTrain | InfiniteTrain, spin: float, charge: str) -> MPS:
    return to_mps(train, [spin_site(spin, charge)] * len(train.cores))
