"""Ground states to and from the files of TeNPy."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.pipeline.product import Product
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state, write_state
from phasenet.storage.tenpy_files import (
    TenpyNotes,
    TenpyState,
    read_tenpy_notes,
    read_tenpy_state,
)
from phasenet.study import Study
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

_SUFFIX = ".tenpy.h5"


@dataclass(frozen=True, kw_only=True)
class Export:
    """A state file and the file of TeNPy that it becomes."""

    source: Path
    target: Path

    def is_done(self) -> bool:
        """Return whether the target was made of this very state."""
        try:
            made_of = read_tenpy_notes(self.target).phasenet.get("id")
        except (MissingInputError, FileKindError):
            return False
        return made_of == read_header(self.source).id


@dataclass(frozen=True, kw_only=True)
class Import:
    """A file of TeNPy, what is known of its state, and the state file that it becomes."""

    source: Path
    product: Product
    state: GroundState

    def make(self) -> GroundState:
        """Write the state file."""
        return self.product.make(lambda: self.state, write_state)


def exports(states: Sequence[Path], folder: Path | None) -> list[Export]:
    """Files of TeNPy that these states become, in a folder or each beside its state.

    Raises
    ------
    SettingsError
        Two states would go to one file.
    """
    found = []
    for path in states:
        stem = path.name.removesuffix(".h5").removesuffix(f".{Kind.STATE}")
        found.append(Export(source=path, target=(folder or path.parent) / f"{stem}{_SUFFIX}"))
    _all_different([export.target for export in found])
    return found


def export_state(export: Export) -> None:
    """Write one state in TeNPy's own format.

    Raises
    ------
    PhasenetError
        The source cannot be read, or the target not written.
    """
    from phasenet.groundstates.exported import save_as_tenpy  # only where there is work for TeNPy

    header, state = read_state(export.source)
    origin: dict[str, str | float] = {
        "id": header.id,
        "energy": state.energy,
        "version": header.version,
        "outcome": state.outcome.name,
        "variance": state.variance,
        "truncation": state.truncation,
        "sweeps": float(state.sweeps),
    }
    save_as_tenpy(export.target, state, origin)


def imports(
    sources: Sequence[Path],
    *,
    couplings: Mapping[str, float],
    energy: float | None = None,
    converged: bool = False,
    study: Study | None = None,
    folder: Path | None = None,
) -> Iterator[Import]:
    """State files that files of TeNPy become, each read when its turn comes.

    Parameters
    ----------
    sources
        Saved with ``tenpy.tools.hdf5_io``; nothing that they name is ever executed.
    couplings
        Of the model; they complete and overrule those in the files.
    energy
        Per site; by default what the file says, else NaN.
    converged
        Whether the search had converged; points of other states get no label.
    study
        The states become those of this study.
    folder
        Where the state files go; by default each beside its source.

    Raises
    ------
    MissingInputError, FileKindError
        No file, or none with a matrix product state of equal spins.
    SettingsError
        The couplings or the spin are not those of the study, or two files would become one.
    """
    made: list[Path] = []
    for source in sources:
        found, notes = read_tenpy_state(source), read_tenpy_notes(source)
        if found.spin is None:
            raise FileKindError(f"the sites of {source} are no spins, all of them the same")
        point = ParameterPoint.of({**notes.couplings, **couplings})
        _check_study(study, point, found.spin)
        state = _ground_state(found, notes, point, energy)
        if converged:
            state = replace(state, outcome=DmrgOutcome.CONVERGED)
        stem = f"{point}.{state.boundary}" if point.couplings else source.name.removesuffix(".h5")
        path = (folder or source.parent) / f"{stem}.{Kind.STATE}.h5"
        made.append(path)
        _all_different(made)
        header = _header(source, state, study)
        yield Import(source=source, product=Product(path=path, header=header), state=state)


def _header(source: Path, state: GroundState, study: Study | None) -> Header:
    settings = {
        "point": state.point.as_dict(),
        "boundary": state.boundary.value,
        "spin": state.spin,
        "energy": repr(state.energy),
        "outcome": state.outcome.name,
        "imported": {"name": source.name, "id": _digest(source)},
    }
    card = study.card() if study else None
    return Header(kind=Kind.STATE, settings=settings, seed=0, parents=(), study=card)


def _ground_state(
    found: TenpyState, notes: TenpyNotes, point: ParameterPoint, energy: float | None
) -> GroundState:
    assert found.spin is not None
    if found.charge and not found.bond_charges:
        from phasenet.groundstates.exported import regraded  # only where there is work for TeNPy

        train, schmidt, bonds = regraded(found.train, found.spin, found.charge)
    else:
        train, schmidt, bonds = found.train, found.schmidt_values, found.bond_charges
    if isinstance(train, TensorTrain):
        train = replace(train, log_scale=0.0)
    nothing = (np.zeros(0, dtype=np.int64),) * (len(train.cores) + 1)
    outcome = str(notes.phasenet.get("outcome"))
    return GroundState(
        point=point,
        spin=found.spin,
        train=train,
        schmidt_values=schmidt,
        charge=found.charge,
        bond_charges=bonds or nothing,
        energy=_energy(notes, train) if energy is None else energy,
        variance=_number(notes, "variance"),
        truncation=_number(notes, "truncation"),
        outcome=DmrgOutcome.__members__.get(outcome, DmrgOutcome.IMPORTED),
        sweeps=int(np.nan_to_num(_number(notes, "sweeps"))),
        start="a file of TeNPy",
    )


def _energy(notes: TenpyNotes, train: TensorTrain | InfiniteTrain) -> float:
    """Energy per site; NaN where the file has none."""
    if "energy" in notes.phasenet:
        return _number(notes, "energy")
    sites = 1 if isinstance(train, InfiniteTrain) else len(train.cores)
    return math.nan if notes.energy is None else notes.energy / sites


def _number(notes: TenpyNotes, name: str) -> float:
    value = notes.phasenet.get(name)
    return value if isinstance(value, float) else math.nan


def _check_study(study: Study | None, point: ParameterPoint, spin: float) -> None:
    if study is None:
        return
    if spin != float(study.spin):
        raise SettingsError(
            f"the state has spins {spin:g}, those of study {study.name} are {study.spin:g}"
        )
    wanted = list(next(iter(study.grid)).as_dict())
    if list(point.as_dict()) != wanted:
        raise SettingsError(
            f"the state has the couplings {str(point) or 'none'}, study {study.name} has "
            f"{', '.join(wanted)}; give them with --coupling NAME=VALUE"
        )


def _all_different(paths: Sequence[Path]) -> None:
    for path in paths:
        if paths.count(path) > 1:
            raise SettingsError(f"several files would become {path}; convert them one by one")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
