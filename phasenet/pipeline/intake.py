"""Files with states, ours and TeNPy's, among files, folders and patterns, by their headers."""

import glob
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import FileKindError, MissingInputError, PhasenetError, SettingsError
from phasenet.points import ParameterPoint
from phasenet.storage.container import read_header
from phasenet.storage.header import Kind, Parent
from phasenet.storage.tenpy_files import is_tenpy_file
from phasenet.study import Boundary

_CHECKPOINT = ".checkpoint.h5"


@dataclass(frozen=True, kw_only=True)
class StateFile:
    """A file with a state, not read yet.

    Parameters
    ----------
    path
        Where it lies.
    id
        Of its content; of a file of TeNPy the digest of its bytes.
    point, boundary
        As its header tells; None for a file of TeNPy.
    """

    path: Path
    id: str
    point: ParameterPoint | None = None
    boundary: Boundary | None = None

    @property
    def is_ours(self) -> bool:
        """Whether phasenet has written it."""
        return self.point is not None

    def parent(self) -> Parent:
        """Return how the header of a table names the file."""
        return Parent(kind=Kind.STATE, id=self.id, name=self.path.name)


@dataclass(frozen=True, kw_only=True)
class LostFile:
    """A file that cannot be measured, and why, in one sentence."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What lies at the places that a command names.

    Parameters
    ----------
    files
        Those with states: ours by couplings and boundary, then TeNPy's as they were named.
    lost
        Those that cannot be read.
    card
        Study of our files; None where they have none.
    """

    files: tuple[StateFile, ...]
    lost: tuple[LostFile, ...]
    card: StudyCard | None


def take_in(places: Sequence[Path], study: StudyCard | None = None) -> Intake:
    """Files with states among files, folders with all below them, and patterns such as ``a/*.h5``.

    What a folder or a pattern holds beside states is left out; a file that was named must be one.

    Parameters
    ----------
    places
        In any order; the same file counts once.
    study
        Taken for all of them, whatever their own headers say.

    Raises
    ------
    PhasenetError
        There is no state, a named file is of another kind, or our files are of several studies.
    """
    files: list[StateFile] = []
    lost: list[LostFile] = []
    cards: dict[str, StudyCard | None] = {}
    for path, named in _paths(places):
        try:
            found = _state_file(path, cards, named)
        except _WrongKindError:
            raise
        except (FileKindError, MissingInputError) as error:
            lost.append(LostFile(path=path, reason=str(error)))
        else:
            files += [found] if found else []
    if not files and not lost:
        shown = ", ".join(str(place) for place in places)
        raise PhasenetError(f"no *.{Kind.STATE}.h5 in {shown}; make some with: phasenet simulate")
    if len(cards) > 1 and study is None:
        raise SettingsError(
            f"the states are of the studies {', '.join(sorted(cards))}; measure them one study "
            "after the other, or name one with --study FILE.py"
        )
    ours = sorted((f for f in files if f.is_ours), key=_place)
    card = study or next(iter(cards.values()), None)
    return Intake(files=(*ours, *(f for f in files if not f.is_ours)), lost=tuple(lost), card=card)


class _WrongKindError(FileKindError):
    """A file of phasenet without a state."""


def _paths(places: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each was named itself; the same file once, however it is spelled."""
    found: dict[Path, tuple[Path, bool]] = {}
    for place in places:
        named = False
        if place.is_dir():
            inside = [path for path in sorted(place.rglob("*.h5")) if _is_shown(path, place)]
        elif not place.exists() and glob.has_magic(str(place)):
            matches = sorted(map(Path, glob.glob(str(place), recursive=True)))  # noqa: PTH207
            inside = [path for path in matches if path.is_file()]
        else:
            inside, named = [place], True
        for path in inside:
            known = found.setdefault(path.resolve(), (path, named))
            found[path.resolve()] = known[0], known[1] or named
    yield from found.values()


def _is_shown(path: Path, folder: Path) -> bool:
    """Whether a file in a folder is neither hidden nor the checkpoint of a search."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and not path.name.endswith(_CHECKPOINT)


def _state_file(path: Path, cards: dict[str, StudyCard | None], named: bool) -> StateFile | None:
    """File with a state; None for one that was not named and is of another kind."""
    try:
        header = read_header(path)
    except FileKindError as error:
        if is_tenpy_file(path):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            return StateFile(path=path, id=content[:16])
        if named or path.name.endswith(f".{Kind.STATE}.h5") or "truncated" in str(error):
            raise
        return None
    if header.kind != Kind.STATE:
        if named:
            raise _WrongKindError(f"{path} is a {header.kind} file; measure needs states")
        return None
    try:
        point = ParameterPoint.of(header.settings["point"])
        boundary = Boundary(header.settings["boundary"])
    except KeyError as error:
        raise FileKindError(f"{path} names no {error}; make it again") from None
    cards.setdefault(header.study.name if header.study else "", header.study)
    return StateFile(path=path, id=header.id, point=point, boundary=boundary)


def _place(file: StateFile) -> tuple[tuple[tuple[str, float], ...], str]:
    assert file.point is not None and file.boundary is not None
    return file.point.couplings, file.boundary.value
