"""Neural wavefunctions in files: ``*.wavefunction.h5``, plain arrays and JSON."""

import json
from pathlib import Path

from phasenet.points import ParameterPoint
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.wavefunctions import FittedWavefunction, Overlap


def write_wavefunction(path: Path, header: Header, found: FittedWavefunction) -> Header:
    """Write a wavefunction; return the header as written."""
    arrays = {f"weights/{name}": array for name, array in found.weights.items()}
    arrays |= {f"history/{name}": curve for name, curve in found.history.items()}
    values: dict[str, Scalar] = {
        "architecture": json.dumps(dict(found.architecture)),
        "couplings": json.dumps(found.point.as_dict()),
        "state": found.state,
        "outcome": found.outcome,
        **{f"overlap.{name}": value for name, value in vars(found.overlap).items()},
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_wavefunction(path: Path | str) -> tuple[Header, FittedWavefunction]:
    """Header and wavefunction of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.WAVEFUNCTION)
    values = content.values
    return header, FittedWavefunction(
        architecture=json.loads(str(values["architecture"])),
        weights=content.below("weights"),
        point=ParameterPoint.of(json.loads(str(values["couplings"]))),
        state=str(values["state"]),
        overlap=Overlap(
            fidelity=float(values["overlap.fidelity"]),
            error=float(values["overlap.error"]),
            sign_agreement=float(values["overlap.sign_agreement"]),
            shots=int(values["overlap.shots"]),
        ),
        history=content.below("history"),
        outcome=str(values["outcome"]),
    )
