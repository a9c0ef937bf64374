"""Units of work: fixed chains of neighbouring points, cut from the grid alone.

What a warm start leads to then depends neither on the number of workers nor on who was first.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasenet.card import StudyCard
from phasenet.identity import digest
from phasenet.points import ParameterPoint
from phasenet.storage.header import Header, Kind
from phasenet.study import Boundary, Study

Points = tuple[ParameterPoint, ...]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What all states of a sweep have in common, as a worker process needs to know it.

    Parameters
    ----------
    study_path
        File of the study, which each worker loads again.
    card
        Study as this sweep changed it, settings included.
    spin, code_digest
        Of the study.
    folder
        Folder of the run.
    stop_file
        Workers end as soon as they can once it is there.
    retry
        How often failures were forgiven before.
    """

    study_path: Path
    card: StudyCard
    spin: float
    code_digest: str
    folder: Path
    stop_file: Path
    retry: int = 0

    @classmethod
    def of(
        cls, study: Study, study_path: Path, folder: Path, *, stop_file: Path, retry: int = 0
    ) -> "Sweep":
        """Sweep over a study."""
        return cls(
            study_path=study_path.resolve(),
            card=study.card(),
            spin=float(study.spin),
            code_digest=study.code_digest,
            folder=folder.resolve(),
            stop_file=stop_file.resolve(),
            retry=retry,
        )


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A chain of neighbouring points; each starts from the state of the one before it.

    Parameters
    ----------
    sweep
        What it shares with all others.
    boundary
        Open or infinite chains.
    points
        In the order of the work.
    index
        Place among all units of the sweep.
    neighbour
        File of the state that the first point starts from, or None for a cold start.
    second_start
        Whether each point starts from its product state as well, and not only every so many.
    """

    sweep: Sweep
    boundary: Boundary
    points: Points
    index: int
    neighbour: Path | None = None
    second_start: bool = False

    def __str__(self) -> str:
        last = f" to {self.points[-1]}" if len(self.points) > 1 else ""
        return f"the {self.boundary} states {self.points[0]}{last}"


def state_name(point: ParameterPoint, boundary: Boundary) -> str:
    """Name of a state in journals, and of its file up to the suffix.

    >>> state_name(ParameterPoint.of(D=0.5, Delta=1), Boundary.FINITE)
    'D=0.5,Delta=1.finite'
    """
    return f"{point}.{boundary}"


def state_path(states: Path, point: ParameterPoint, boundary: Boundary) -> Path:
    """Path of the file of a state in a folder of states."""
    return states / f"{state_name(point, boundary)}.{Kind.STATE}.h5"


def boundaries(card: StudyCard) -> tuple[Boundary, ...]:
    """Boundaries that a study asks for."""
    return tuple(Boundary(name) for name in card.settings["sweep"]["boundaries"])


def state_header(
    card: StudyCard, spin: float, code_digest: str, point: ParameterPoint, boundary: Boundary
) -> Header:
    """Header of a state: all that decides it, and the card of its study.

    The start of the search is no part of it: a finished state is not found again because it was
    reached another way.
    """
    settings = {
        "point": point.as_dict(),
        **_shared_settings(card, spin, code_digest, boundary),
    }
    # Nothing in DMRG is drawn at random, so the seed of the run must not make states stale.
    return Header(kind=Kind.STATE, settings=settings, seed=0, parents=(), study=card)


def sweep_key(card: StudyCard, spin: float, code_digest: str, boundary: Boundary) -> str:
    """Digest of all that decides the states of one boundary, beside the point."""
    return digest(_shared_settings(card, spin, code_digest, boundary))


def cut(sweep: Sweep, points: Iterable[ParameterPoint]) -> tuple[Unit, ...]:
    """Units of a sweep over points, for each boundary in turn.

    Parameters
    ----------
    sweep
        Its settings say how long a chain may be.
    points
        All points of the grid.
    """
    pieces = chains(tuple(points), int(sweep.card.settings["sweep"]["chain"]))
    asked = [(boundary, piece) for boundary in boundaries(sweep.card) for piece in pieces]
    return tuple(
        Unit(sweep=sweep, boundary=boundary, points=piece, index=index)
        for index, (boundary, piece) in enumerate(asked)
    )


def chains(points: Sequence[ParameterPoint], longest: int) -> tuple[Points, ...]:
    """Points cut into chains of neighbours.

    Points that differ in one coupling alone form lines, along the coupling that gives the fewest;
    lines are cut into pieces of nearly equal length. All other points are halved along the
    coupling with the widest spread, until the pieces are short enough.

    Parameters
    ----------
    points
        Points with the same couplings.
    longest
        Points in a chain at most.

    >>> grid = [ParameterPoint.of(a=a, b=b) for a in (0, 1) for b in (0, 1, 2)]
    >>> [" ".join(map(str, chain)) for chain in chains(grid, 2)]
    ['a=0,b=0 a=0,b=1', 'a=0,b=2', 'a=1,b=0 a=1,b=1', 'a=1,b=2']
    """
    rows = [tuple(value for _, value in point.couplings) for point in points]
    axis = _direction(rows)
    lines: dict[tuple[float, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        lines[row[:axis] + row[axis + 1 :]].append(number)
    pieces: list[list[int]] = []
    for line in lines.values():
        if len(line) > 1:
            pieces += _equal_pieces(sorted(line, key=lambda n: rows[n][axis]), longest)
    singles = [line[0] for line in lines.values() if len(line) == 1]
    if singles:
        pieces += _halved(singles, _scaled(rows), longest)
    return tuple(tuple(points[number] for number in piece) for piece in pieces)


def _shared_settings(
    card: StudyCard, spin: float, code_digest: str, boundary: Boundary
) -> dict[str, Any]:
    return {
        "boundary": boundary.value,
        "spin": float(spin),
        "model_code": code_digest,
        "dmrg": card.settings[boundary.value],
    }


def _direction(rows: Sequence[tuple[float, ...]]) -> int:
    """Coupling along which the points form the fewest lines; of equals, the fastest in order."""
    axes = range(len(rows[0]) if rows else 0)
    lines = [len({row[:axis] + row[axis + 1 :] for row in rows}) for axis in axes]
    changes = [sum(a[x] != b[x] for a, b in itertools.pairwise(rows)) for x in axes]
    return min(axes, key=lambda axis: (lines[axis], -changes[axis], axis), default=0)


def _equal_pieces(line: Sequence[int], longest: int) -> list[list[int]]:
    count = -(-len(line) // longest)
    short, extra = divmod(len(line), count)
    ends = [(k + 1) * short + min(k + 1, extra) for k in range(count)]
    return [list(line[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def _scaled(rows: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Couplings from 0 to 1."""
    columns = list(zip(*rows, strict=True))
    low = [min(column) for column in columns]
    spread = [max(column) - least or 1.0 for column, least in zip(columns, low, strict=True)]
    return [tuple((v - a) / s for v, a, s in zip(row, low, spread, strict=True)) for row in rows]


def _halved(
    numbers: list[int], places: Sequence[tuple[float, ...]], longest: int
) -> list[list[int]]:
    widest = _widest(numbers, places)
    numbers = sorted(numbers, key=lambda n: (places[n][widest], places[n]))
    if len(numbers) <= longest:
        return [_walk(numbers, places)]
    pieces = -(-len(numbers) // longest)
    middle = len(numbers) * (pieces // 2) // pieces
    return [
        piece
        for half in (numbers[:middle], numbers[middle:])
        for piece in _halved(half, places, longest)
    ]


def _widest(numbers: Sequence[int], places: Sequence[tuple[float, ...]]) -> int:
    columns = list(zip(*(places[n] for n in numbers), strict=True))
    return max(range(len(columns)), key=lambda axis: max(columns[axis]) - min(columns[axis]))


def _walk(numbers: Sequence[int], places: Sequence[tuple[float, ...]]) -> list[int]:
    """Points from the first on, each time the nearest of those left."""
    left, path = list(numbers[1:]), [numbers[0]]
    while left:
        here = places[path[-1]]
        nearest = min(
            left, key=lambda n: sum((a - b) ** 2 for a, b in zip(here, places[n], strict=True))
        )
        left.remove(nearest)
        path.append(nearest)
    return path
