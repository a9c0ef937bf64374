"""A file that a step makes, or finds made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from phasenet.card import StudyCard
from phasenet.errors import FileKindError, PhasenetError
from phasenet.storage.container import current_header, read_header
from phasenet.storage.header import Header, Kind, Parent

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Product:
    """One file and what its header must say.

    Parameters
    ----------
    path
        Where it goes.
    header
        What decides its content.
    extras
        Files that are made with it and must be there too.
    """

    path: Path
    header: Header
    extras: tuple[Path, ...] = ()

    def is_done(self) -> bool:
        """Return whether the file exists and was made from the same inputs and settings."""
        complete = all(extra.is_file() for extra in self.extras)
        return complete and current_header(self.path, self.header.key) is not None

    def make(
        self, compute: Callable[[], Value], write: Callable[[Path, Header, Value], Header]
    ) -> Value:
        """Compute the value and write the file."""
        start = time.perf_counter()
        value = compute()
        seconds = time.perf_counter() - start
        write(self.path, replace(self.header, seconds=seconds), value)
        return value


def parents_of(paths: Sequence[Path]) -> tuple[Parent, ...]:
    """Parents named by files of phasenet, in the order given."""
    headers = [(path, read_header(path)) for path in paths]
    return tuple(Parent(kind=h.kind, id=h.id, name=path.name) for path, h in headers)


def card_of(path: Path) -> StudyCard:
    """Card of the study that a file belongs to.

    Raises
    ------
    FileKindError
        The file belongs to no study.
    """
    card = read_header(path).study
    if card is None:
        raise FileKindError(f"{path} belongs to no study; name one with --study FILE.py")
    return card


def ordered_states(paths: Sequence[Path]) -> list[Path]:
    """State files by couplings and boundary: their order on a command line is irrelevant."""
    places = {path: read_header(path).settings for path in paths}
    try:
        return sorted(
            paths, key=lambda p: (sorted(places[p]["point"].items()), places[p]["boundary"])
        )
    except KeyError as error:
        raise FileKindError(f"a state file among {len(paths)} names no {error}") from None


def state_files(places: Sequence[Path]) -> list[Path]:
    """State files among files and folders, each folder in the order of names.

    Raises
    ------
    PhasenetError
        There is none.
    """
    found: list[Path] = []
    for place in places:
        found += sorted(place.glob(f"*.{Kind.STATE}.h5")) if place.is_dir() else [place]
    if not found:
        names = ", ".join(str(place) for place in places)
        raise PhasenetError(f"no *.{Kind.STATE}.h5 in {names}; make some with: phasenet simulate")
    return found
