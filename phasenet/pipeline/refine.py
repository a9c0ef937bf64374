"""Refinement of a sweep: new points where phases meet, until every boundary is known well enough.

What comes next follows from the grid and from the states of the rounds before, so that a call that
was interrupted repeats its rounds from the files and goes on.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import PhasenetError, SettingsError
from phasenet.groundstates.sweep import journal_folder, states_folder
from phasenet.groundstates.units import Sweep, Unit, boundaries, state_name, state_path
from phasenet.phases.boundaries import PEAK_METHOD
from phasenet.phases.refinement import (
    OPEN_METHOD,
    Bracket,
    Finding,
    Line,
    Probe,
    Refinement,
    lines_of,
    refine,
)
from phasenet.pipeline.driver import FailedStatesError
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.simulate import (
    FoundStates,
    find_states,
    find_units,
    planned_units,
)
from phasenet.pipeline.sources import labelled
from phasenet.pipeline.survey import survey
from phasenet.points import Grid, ParameterPoint
from phasenet.storage.atomic import atomic_path
from phasenet.storage.locks import Shard
from phasenet.storage.states import read_state
from phasenet.study import Boundary, Study
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain


@dataclass(frozen=True, kw_only=True)
class RefinedSweep:
    """What a refinement has found.

    Parameters
    ----------
    refinement
        Brackets, and stretches of which nothing is known.
    coarse, points
        Points of the grid, and all points.
    uniform
        Points of a grid with the same resolution along the same lines.
    resolution
        Largest width of a bracket.
    new
        Ground states found by this call.
    file
        All points as CSV, for ``--points``.
    failure
        What kept some points from being found, if any.
    """

    refinement: Refinement
    coarse: int
    points: tuple[ParameterPoint, ...]
    uniform: int
    resolution: float
    new: int
    file: Path
    failure: PhasenetError | None = None


def refine_study(
    study: Study,
    study_path: Path,
    root: Path,
    *,
    resolution: float,
    engine: Engine,
    reporter: Reporter,
    retry: bool = False,
) -> RefinedSweep:
    """Find the ground states of a grid, and of more points until each boundary is bracketed.

    Infinite states come first, since they carry the labels; open chains of all points, where the
    study asks for them, at the end.

    Parameters
    ----------
    study, study_path
        The study, perhaps changed, and the file that it was loaded from.
    root
        Folder of the run.
    resolution
        Largest width of a bracket, in units of the couplings.
    engine, reporter
        What works, and who hears of it.
    retry
        Whether to try again what failed three times.

    Raises
    ------
    SettingsError
        The study has no infinite states, or its grid no line of points.
    PhasenetError
        Nothing could be found, or the folder cannot be used.
    KeyboardInterrupt
        A signal stopped the work; the same call goes on.
    """
    lines = _checked_lines(study, resolution)
    work = _Work(study, study_path, root, engine=engine, reporter=reporter, retry=retry)
    planned = planned_units(study, study_path, root, Shard())
    work.solve([unit for unit in planned if unit.boundary == Boundary.INFINITE])
    if work.failure is not None and all(math.isnan(f.correlation_length) for f in work.findings):
        raise work.failure
    while True:
        found = refine(work.findings, lines, resolution=resolution)
        if not found.probes:
            break
        reporter.say(f"{len(work.findings)} points; {len(found.probes)} more near boundaries")
        work.solve(work.units(found.probes))
    file = write_points(work.points(), root / f"{study.name}.points.csv")
    if boundaries(study.card()) != (Boundary.INFINITE,):
        work.solve_everything()
    return RefinedSweep(
        refinement=found,
        coarse=len(study.grid),
        points=work.points(),
        uniform=sum(line.uniform(resolution) for line in lines),
        resolution=resolution,
        new=work.new,
        file=file,
        failure=work.failure,
    )


def write_points(points: Sequence[ParameterPoint], path: Path) -> Path:
    """CSV file of points, as ``--points`` takes it; returns its path."""
    names = [name for name, _ in points[0].couplings]
    rows = [",".join(f"{value:.12g}" for _, value in point.couplings) for point in points]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([",".join(names), *rows, ""]), encoding="utf-8")
    return path


def refinement_lines(found: RefinedSweep, card: StudyCard) -> list[str]:
    """Each bracket beside the literature, what stays open, and the points that it took."""
    titles = {phase.label: phase.title for phase in card.phases}
    brackets = found.refinement.brackets
    lines = [_bracket_line(bracket, brackets, titles, card) for bracket in brackets]
    for stretch in found.refinement.stretches:
        lines.append(
            f"undetermined{_place(stretch.line)} from {stretch.line.coupling} = "
            f"{stretch.lower:g} to {stretch.upper:g}: no peak of the correlation length to go by"
        )
    if not brackets:
        lines.append("no boundary on this grid: no two points carry different labels")
    share = len(found.points) / found.uniform
    return [
        *lines,
        f"{len(found.points)} points ({found.coarse} of the grid); a uniform grid of resolution "
        f"{found.resolution:g} along the same lines has {found.uniform}: {share:.0%} of it",
        f"all points: {found.file} (for --points)",
    ]


def _bracket_line(
    bracket: Bracket, brackets: Sequence[Bracket], titles: Mapping[str, str], card: StudyCard
) -> str:
    below, above = (titles.get(side, "undetermined") for side in (bracket.below, bracket.above))
    coupling = bracket.line.coupling
    middle, half = (bracket.lower + bracket.upper) / 2, bracket.width / 2
    digits = max(0, 2 - math.floor(math.log10(half)))
    near = card.known_beside(
        coupling,
        dict(bracket.line.at),
        (bracket.lower, bracket.upper),
        [(b.lower, b.upper) for b in brackets if b.line == bracket.line],
    )
    where = f"{coupling} = {middle:.{digits}f} +- {half:.{digits}f}"
    lower, upper = (f"{value:.{digits}f}" for value in bracket.window)
    note = ""
    if bracket.method == OPEN_METHOD:
        where = f"{coupling} from {lower} to {upper}"
        note = ", no peak of the correlation length"
    elif bracket.method == PEAK_METHOD:
        note = f", undetermined from {lower} to {upper}"
    beside = f"; literature {near.value:.5f} ({near.citation})" if near else ""
    return (
        f"boundary {below} to {above}{_place(bracket.line)}: {where} "
        f"({bracket.method}{note}){beside}"
    )


def _place(line: Line) -> str:
    return f" at {', '.join(f'{n} = {v:g}' for n, v in line.at)}" if line.at else ""


def _checked_lines(study: Study, resolution: float) -> tuple[Line, ...]:
    refine([], [], resolution=resolution)  # whether it is a positive number
    if Boundary.INFINITE not in boundaries(study.card()):
        raise SettingsError(
            f"refinement needs the labels of infinite states; add 'infinite' to sweep.boundaries "
            f"of {study.name}"
        )
    lines = lines_of(study.grid)
    if not lines:
        raise SettingsError(
            f"the grid of {study.name} has no two points that differ in one coupling only; "
            "refinement goes along such lines"
        )
    return lines


class _Work:
    """A refinement in progress."""

    def __init__(
        self,
        study: Study,
        study_path: Path,
        root: Path,
        *,
        engine: Engine,
        reporter: Reporter,
        retry: bool,
    ) -> None:
        self._study, self._study_path, self._root = study, study_path, root
        self._engine, self._reporter, self._retry = engine, reporter, retry
        self._card = study.card()
        self.findings: list[Finding] = []
        self.new = 0
        self.failure: PhasenetError | None = None

    def points(self) -> tuple[ParameterPoint, ...]:
        """All points, in the order of their couplings."""
        return tuple(sorted((f.point for f in self.findings), key=lambda p: p.couplings))

    def units(self, probes: Sequence[Probe]) -> tuple[Unit, ...]:
        """One unit for each new point, from the end of its bracket that is closer to critical."""
        sweep = Sweep.of(
            self._study, self._study_path, self._root, stop_file=journal_folder(self._root) / "stop"
        )
        lengths = {f.point: f.correlation_length for f in self.findings}
        return tuple(
            Unit(
                sweep=sweep,
                boundary=Boundary.INFINITE,
                points=(probe.point,),
                index=index,
                neighbour=self._path(max(probe.neighbours, key=lambda p: _or_zero(lengths[p]))),
                # New points lie near a boundary, where one start does not tell.
                second_start=True,
            )
            for index, probe in enumerate(probes)
        )

    def solve(self, units: Sequence[Unit]) -> None:
        """Find the states of units that are not there yet, and label all of them."""
        points = [point for unit in units for point in unit.points]
        study = self._with((*self.points(), *points))
        self._find(
            lambda: find_units(
                study,
                self._study_path,
                self._root,
                tuple(units),
                engine=self._engine,
                reporter=self._reporter,
                retry=self._retry,
            )
        )
        missing = survey(tuple(units)).missing
        with stage(self._reporter, "labels", len(points)):
            for done, point in enumerate(points, start=1):
                lost = state_name(point, Boundary.INFINITE) in missing
                finding = _unknown(point) if lost else self._label(point)
                self.findings.append(finding)
                text = f"{point}: {finding.label or 'undetermined'}"
                if len(points) > 1:
                    self._reporter.advance(done, text)
                else:
                    self._reporter.say(text)

    def solve_everything(self) -> None:
        """Find all states of all points that are not there yet."""
        study = self._with(self.points())
        self._find(
            lambda: find_states(
                study,
                self._study_path,
                self._root,
                engine=self._engine,
                reporter=self._reporter,
                retry=self._retry,
            )
        )

    def _with(self, points: Sequence[ParameterPoint]) -> Study:
        return replace(self._study, grid=Grid.of_points(points))

    def _find(self, work: Callable[[], FoundStates]) -> None:
        try:
            self.new += work().new
        except FailedStatesError as error:
            self.failure = self.failure or error

    def _path(self, point: ParameterPoint) -> Path:
        return state_path(states_folder(self._root), point, Boundary.INFINITE)

    def _label(self, point: ParameterPoint) -> Finding:
        _, state = read_state(self._path(point))
        assert isinstance(state.train, InfiniteTrain)
        return Finding(
            point=point,
            label=labelled(state, self._card, longest=math.inf).label.label or "",
            correlation_length=correlation_length(state.train),
        )


def _unknown(point: ParameterPoint) -> Finding:
    return Finding(point=point, label="", correlation_length=math.nan)


def _or_zero(length: float) -> float:
    return 0.0 if math.isnan(length) else length
