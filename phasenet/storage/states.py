"""Ground states in files: ``*.state.h5``."""

import json
from pathlib import Path

from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.container import Content, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain


def write_state(path: Path, header: Header, state: GroundState) -> Header:
    """Write a ground state; return the header as written."""
    values = {
        "couplings": json.dumps(state.point.as_dict()),
        "boundary": state.boundary.value,
        "charge": state.charge,
        "spin": state.spin,
        "energy": state.energy,
        "variance": state.variance,
        "truncation": state.truncation,
        "outcome": state.outcome.name,
        "sweeps": state.sweeps,
    }
    if isinstance(state.train, TensorTrain):
        values["log_scale"] = state.train.log_scale
    arrays = {
        **pack("cores", state.train.cores),
        **pack("schmidt_values", state.schmidt_values),
        **pack("bond_charges", state.bond_charges),
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_state(path: Path | str) -> tuple[Header, GroundState]:
    """Header and ground state of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.STATE)
    arrays, values = content.arrays, content.values
    cores = unpack("cores", arrays)
    schmidt = unpack("schmidt_values", arrays)
    train: TensorTrain | InfiniteTrain
    if values["boundary"] == Boundary.FINITE:
        train = TensorTrain(cores=cores, log_scale=float(values["log_scale"]))
    else:
        train = InfiniteTrain(cores=cores, schmidt_values=schmidt)
    return header, GroundState(
        point=ParameterPoint.of(json.loads(str(values["couplings"]))),
        spin=float(values["spin"]),
        train=train,
        schmidt_values=schmidt,
        charge=str(values.get("charge", "2*Sz")),
        bond_charges=unpack("bond_charges", arrays),
        energy=float(values["energy"]),
        variance=float(values["variance"]),
        truncation=float(values["truncation"]),
        outcome=DmrgOutcome[str(values["outcome"])],
        sweeps=int(values["sweeps"]),
    )
