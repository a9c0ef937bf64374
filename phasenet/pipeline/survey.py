"""Which states of a sweep are there: one listing, and the headers of the files in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError
from phasenet.groundstates.sweep import header_of, states_folder
from phasenet.groundstates.units import Unit, state_name, state_path
from phasenet.storage.container import read_header


@dataclass(frozen=True, kw_only=True)
class Survey:
    """States of some units, sorted by what has to be done.

    Parameters
    ----------
    paths
        File of each state by its name, in the order of the units.
    missing
        Names of the states that are to be found, stale and damaged ones among them.
    stale
        Files made with other settings.
    damaged
        Files that cannot be read.
    """

    paths: dict[str, Path]
    missing: frozenset[str]
    stale: tuple[Path, ...]
    damaged: tuple[Path, ...]


def survey(units: tuple[Unit, ...]) -> Survey:
    """Look for the states of units of one sweep."""
    paths: dict[str, Path] = {}
    missing: list[str] = []
    stale: list[Path] = []
    damaged: list[Path] = []
    states = states_folder(units[0].sweep.folder) if units else Path()
    there = listing(states)
    for unit in units:
        for point in unit.points:
            path = state_path(states, point, unit.boundary)
            name = state_name(point, unit.boundary)
            paths[name] = path
            if path.name not in there:
                missing.append(name)
                continue
            try:
                if read_header(path).key == header_of(unit, point).key:
                    continue
                stale.append(path)
            except MissingInputError:
                pass  # removed since the listing
            except FileKindError:
                damaged.append(path)
            missing.append(name)
    return Survey(
        paths=paths, missing=frozenset(missing), stale=tuple(stale), damaged=tuple(damaged)
    )


def listing(folder: Path) -> set[str]:
    """Names in a folder; none if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()
