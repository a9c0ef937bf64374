"""Step 5: observables of states, by exact contraction; one row of the table after the other."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.engines.local import local_pool
from phasenet.engines.tasks import run_tasks
from phasenet.errors import PhasenetError
from phasenet.pipeline.chart import write_csv
from phasenet.pipeline.intake import Intake, LostFile, StateFile, take_in
from phasenet.pipeline.observing import observed_row
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.rows import Row, RowJournal, table_of
from phasenet.pipeline.selection import Group, Selection
from phasenet.pipeline.spreadsheet import curves_path, write_curves
from phasenet.pipeline.tasks import Context, Task
from phasenet.points import ParameterPoint
from phasenet.records import Table
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.tables import write_table
from phasenet.storage.trains import read_train
from phasenet.study import Boundary

# A worker takes about a second to start.
_FEWEST_FOR_WORKERS = 3
_SHOWN = 3


class FailedFilesError(PhasenetError):
    """Some files could not be measured; the table has all others."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of a plan.

    Parameters
    ----------
    table
        A row for each task that went well, in the order of the tasks.
    header
        Of the table; its parents are the files behind the rows, and the classifier.
    lost
        Files that could not be measured.
    asked
        All files.
    complete
        Whether every task went well; then nothing is left for the same command to do.
    """

    table: Table
    header: Header
    lost: tuple[LostFile, ...]
    asked: int
    complete: bool

    def check(self) -> None:
        """Raise FailedFilesError if a file is lost."""
        if self.lost:
            raise FailedFilesError(_told(self.lost, self.asked))


@dataclass(frozen=True, kw_only=True)
class MeasurePlan:
    """Rows that some files lead to, before any state is read.

    Parameters
    ----------
    tasks
        One for each row.
    lost
        Files that cannot be read.
    context
        What is the same for all rows.
    """

    tasks: tuple[Task, ...]
    lost: tuple[LostFile, ...]
    context: Context

    @classmethod
    def of(
        cls,
        places: Sequence[Path],
        *,
        card: StudyCard | None = None,
        train: Path | None = None,
        selection: Selection | None = None,
    ) -> "MeasurePlan":
        """Plan for files, folders and patterns.

        Parameters
        ----------
        places
            Of states, ours and TeNPy's.
        card
            Study to take instead of the one that our files name.
        train
            Tensorized classifier, measured in every open chain.
        selection
            What is to be measured; the usual by default.

        Raises
        ------
        PhasenetError
            There is nothing to measure, or two files hold the same state.
        """
        found = take_in(places, card)
        context = Context(
            card=found.card,
            selection=selection or Selection(),
            train=train,
            train_id=read_train(train)[0].id if train else "",
        )
        return cls(tasks=_tasks(found, context), lost=found.lost, context=context)

    def product(self, out: Path) -> Product:
        """Table of the rows at a path."""
        return Product(path=out, header=self._header(_parents(self.tasks, ())))

    def carry_out(
        self, journal: RowJournal | None, *, workers: int, reporter: Reporter
    ) -> Measured:
        """Measure every row that the journal does not have.

        Parameters
        ----------
        journal
            Takes each row as soon as it is done; without one an interruption loses them.
        workers
            Worker processes; they change no result.
        reporter
            Hears of each row.

        Raises
        ------
        FailedFilesError
            No file could be measured.
        KeyboardInterrupt
            A signal stopped the work; the same call goes on.
        """
        known = journal.read() if journal else {}
        rows = {task.key: known[task.key] for task in self.tasks if task.key in known}
        todo = [task for task in self.tasks if task.key not in rows]
        title = f"measuring ({len(rows)} are there)" if rows else "measuring"
        there = len(rows)

        def keep(line: str) -> None:
            row = Row.of(line)
            if journal and not row.lost:
                journal.append(line)
            rows[row.key] = row
            reporter.advance(len(rows) - there, row.name)

        with stage(reporter, title, len(todo)):
            failed = _work(todo, keep, workers)
        found = [(task, rows[task.key]) for task in self.tasks if task.key in rows]
        failed |= {Path(path): why for _, row in found for path, why in row.lost}
        lost = (*self.lost, *(LostFile(path=p, reason=why) for p, why in failed.items()))
        if not found:
            raise FailedFilesError(_told(lost, self._count))
        parents = _parents([task for task, _ in found], failed)
        return Measured(
            table=table_of([row for _, row in found]),
            header=self._header(parents),
            lost=lost,
            asked=self._count,
            complete=not failed,
        )

    def check(self) -> None:
        """Raise FailedFilesError if a file is known to be lost before anything is measured."""
        if self.lost:
            raise FailedFilesError(_told(self.lost, self._count))

    @property
    def _count(self) -> int:
        return sum(len(task.files) for task in self.tasks) + len(self.lost)

    def _header(self, parents: tuple[Parent, ...]) -> Header:
        context = self.context
        if context.train is not None:
            train = Parent(kind=Kind.TRAIN, id=context.train_id, name=context.train.name)
            parents = (*parents, train)
        return Header(
            kind=Kind.TABLE,
            settings=context.settings(),
            seed=0,
            parents=parents,
            study=context.card,
        )


def table_product(
    states: Sequence[Path], train: Path | None, out: Path, card: StudyCard
) -> Product:
    """Table that these states, and a tensorized classifier if there is one, lead to."""
    return MeasurePlan.of(states, card=card, train=train).product(out)


def measure(
    states: Sequence[Path],
    train: Path | None,
    product: Product,
    card: StudyCard,
    *,
    reporter: Reporter,
    workers: int = 1,
) -> Table:
    """Measure all states of a study: one row a point.

    Parameters
    ----------
    states
        State files; each point may have an infinite state, an open chain, or both.
    train
        Tensorized classifier, measured in every open chain.
    product
        From :func:`table_product`.
    card
        Phases, what they are recognised by, and settings.
    reporter
        Hears of each point.
    workers
        Worker processes; they change no result.

    Raises
    ------
    FailedFilesError
        Some files could not be measured; the table has all others.
    """
    plan = MeasurePlan.of(states, card=card, train=train)
    measured = make_table(plan, product.path, workers=workers, reporter=reporter)
    measured.check()
    return measured.table


def make_table(plan: MeasurePlan, out: Path, *, workers: int, reporter: Reporter) -> Measured:
    """Carry out a plan with a journal beside its table, and write the table.

    Parameters
    ----------
    plan, workers, reporter
        As of :meth:`MeasurePlan.carry_out`.
    out
        Path of the table: HDF5, or CSV by its suffix.
    """
    start = time.perf_counter()
    journal = RowJournal.beside(out)
    measured = plan.carry_out(journal, workers=workers, reporter=reporter)
    if out.suffix == ".csv":
        write_csv(measured.table, out)
        write_curves(measured.table, curves_path(out))
    else:
        seconds = time.perf_counter() - start
        write_table(out, replace(measured.header, seconds=seconds), measured.table)
    if measured.complete:
        journal.remove()
    return measured


def _work(todo: Sequence[Task], keep: Callable[[str], None], workers: int) -> dict[Path, str]:
    """Measure tasks, hand over their lines, and return the files that failed, with the reasons."""
    failures: list[tuple[Task, PhasenetError]] = []
    if workers > 1 and len(todo) >= _FEWEST_FOR_WORKERS:
        with local_pool(workers) as executor:
            found = run_tasks(observed_row, todo, executor=executor, on_done=keep)
        failures = [(failure.task, failure.error) for failure in found]
    else:
        for task in todo:
            try:
                line = observed_row(task)
            except PhasenetError as error:
                failures.append((task, error))
            else:
                keep(line)
    return {file.path: str(error) for task, error in failures for file in task.files}


def _tasks(found: Intake, context: Context) -> tuple[Task, ...]:
    slots: dict[ParameterPoint, dict[Boundary, StateFile]] = {}
    for file in found.files:
        if file.point is None or file.boundary is None:
            continue
        slot = slots.setdefault(file.point, {})
        if file.boundary in slot:
            raise PhasenetError(
                f"{file.path} holds the {file.boundary} state at {file.point} a second time; "
                "name each state once"
            )
        slot[file.boundary] = file
    next_along = _next_along(list(slots)) if Group.FIDELITY in context.selection.groups else {}
    ours = [
        Task(
            name=str(point) or next(iter(slot.values())).path.name,
            files=tuple(slot.values()),
            neighbours={
                name: tuple(slots[near].values())
                for name, near in next_along.get(point, {}).items()
            },
            context=context,
        )
        for point, slot in slots.items()
    ]
    foreign = [file for file in found.files if not file.is_ours]
    names = Counter(file.path.name for file in foreign)
    return (
        *ours,
        *(
            Task(
                name=file.path.name if names[file.path.name] == 1 else str(file.path),
                files=(file,),
                neighbours={},
                context=context,
            )
            for file in foreign
        ),
    )


def _next_along(
    points: Sequence[ParameterPoint],
) -> dict[ParameterPoint, dict[str, ParameterPoint]]:
    """For each point and each coupling the next point that differs in this coupling alone."""
    found: dict[ParameterPoint, dict[str, ParameterPoint]] = {point: {} for point in points}
    for name in {name for point in points for name, _ in point.couplings}:
        lines: dict[tuple[tuple[str, float], ...], list[ParameterPoint]] = {}
        for point in points:
            if name in point.as_dict():
                others = tuple(pair for pair in point.couplings if pair[0] != name)
                lines.setdefault(others, []).append(point)
        for line in lines.values():
            for point, after in pairwise(sorted(line, key=lambda p: p[name])):
                found[point][name] = after
    return found


def _parents(tasks: Iterable[Task], without: Collection[Path]) -> tuple[Parent, ...]:
    files = (file for task in tasks for file in task.files)
    return tuple(file.parent() for file in files if file.path not in without)


def _told(lost: Sequence[LostFile], count: int) -> str:
    if count == 1:
        return lost[0].reason
    shown = ", ".join(str(file.path) for file in lost[:_SHOWN])
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return (
        f"{len(lost)} of {count} files could not be measured ({shown}{more}), the others are; the "
        f"first: {lost[0].reason}"
    )
