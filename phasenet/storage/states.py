"""Ground states in files: ``*.state.h5``, and ``*.checkpoint.h5`` of a search that was stopped.

Of a state that conserves a charge, the dataset ``entries`` has the numbers that the charge allows,
core after core: those where charge(left) + ``site_charges``(site) = charge(right), all with the
``bond_charges``, in C order; any other state has whole ``cores``. Lists of arrays are one flat
dataset and one of ``_shapes``. Nothing is compressed: random digits hardly shrink, and a sweep
waits for the processor, not for the disk.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.blocks import allowed_entries, cores_of, local_charges, modulus
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain


def write_state(path: Path, header: Header, state: GroundState) -> Header:
    """Write a ground state; return the header as written."""
    values: dict[str, Scalar] = {
        "couplings": json.dumps(state.point.as_dict()),
        "boundary": state.boundary.value,
        "charge": state.charge,
        "spin": state.spin,
        "energy": state.energy,
        "variance": state.variance,
        "truncation": state.truncation,
        "outcome": state.outcome.name,
        "sweeps": state.sweeps,
        "start": state.start,
        "rival": state.rival,
        "rival_entropy": state.rival_entropy,
        "history": json.dumps(list(state.history)),
    }
    if isinstance(state.train, TensorTrain):
        values["log_scale"] = state.train.log_scale
    dtypes = [core.dtype.str for core in state.train.cores]
    if len(set(dtypes)) > 1:
        values["core_dtypes"] = json.dumps(dtypes)
    arrays = {
        **_packed_cores(state),
        **pack("schmidt_values", state.schmidt_values),
        **pack("bond_charges", state.bond_charges),
    }
    if state.history:
        arrays["history"] = np.stack([np.asarray(v, np.float64) for v in state.history.values()])
    return write_file(path, header, Content(arrays=arrays, values=values), compress=False)


def read_state(path: Path | str) -> tuple[Header, GroundState]:
    """Header and ground state of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.STATE)
    arrays, values = content.arrays, content.values
    schmidt = unpack("schmidt_values", arrays)
    bonds = unpack("bond_charges", arrays)
    cores = _cores(arrays, values, bonds)
    train: TensorTrain | InfiniteTrain
    if values["boundary"] == Boundary.FINITE:
        train = TensorTrain(cores=cores, log_scale=float(values["log_scale"]))
    else:
        train = InfiniteTrain(cores=cores, schmidt_values=schmidt)
    # Older files do not name the charge, but had charges of no other.
    default = "2*Sz" if all(len(bond) for bond in bonds) else ""
    return header, GroundState(
        point=ParameterPoint.of(json.loads(str(values["couplings"]))),
        spin=float(values["spin"]),
        train=train,
        schmidt_values=schmidt,
        charge=str(values.get("charge", default)),
        bond_charges=bonds,
        energy=float(values["energy"]),
        variance=float(values["variance"]),
        truncation=float(values["truncation"]),
        outcome=DmrgOutcome[str(values["outcome"])],
        sweeps=int(values["sweeps"]),
        start=str(values.get("start", "product state")),
        rival=float(values.get("rival", "nan")),
        rival_entropy=float(values.get("rival_entropy", "nan")),
        history=_history(arrays, values),
    )


def _packed_cores(state: GroundState) -> dict[str, Array]:
    """``entries`` and the ``site_charges`` that say where they belong, or ``cores`` as they are."""
    dtype = np.result_type(*state.train.cores)
    cores = [np.asarray(core, dtype=dtype) for core in state.train.cores]
    local = local_charges(state.charge, cores[0].shape[1])
    entries = allowed_entries(cores, state.bond_charges, local, modulus(state.charge))
    if entries is None:
        return pack("cores", cores)
    return {"entries": entries, "site_charges": local}


def _cores(
    arrays: Mapping[str, Array], values: Mapping[str, Scalar], bonds: tuple[Array, ...]
) -> tuple[Array, ...]:
    if "entries" in arrays:
        mod = modulus(str(values["charge"]))
        cores = cores_of(arrays["entries"], bonds, arrays["site_charges"], mod)
    else:
        cores = unpack("cores", arrays)
    if "core_dtypes" not in values:
        return cores
    dtypes = json.loads(str(values["core_dtypes"]))
    return tuple(_narrowed(core, np.dtype(name)) for core, name in zip(cores, dtypes, strict=True))


def _narrowed(core: Array, dtype: np.dtype[Any]) -> Array:
    """Core in the type that it had before one type was found for all."""
    real = dtype.kind != "c" and np.iscomplexobj(core)
    return (core.real if real else core).astype(dtype, order="C", copy=False)


def _history(arrays: Mapping[str, Array], values: Mapping[str, Scalar]) -> dict[str, FloatArray]:
    names = json.loads(str(values.get("history", "[]")))
    return dict(zip(names, arrays["history"], strict=True)) if names else {}
