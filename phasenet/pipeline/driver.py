"""The driver of a sweep: hands out units of work, hears of them, and says what came of them."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from phasenet.engines.tasks import Failure, run_tasks
from phasenet.errors import PhasenetError
from phasenet.groundstates.sweep import UnitReport, journal_folder, solve_unit, sweep_keys
from phasenet.groundstates.units import Sweep, Unit, boundaries, state_name
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.signals import StopRequest
from phasenet.pipeline.survey import Survey, survey
from phasenet.records import DmrgOutcome
from phasenet.storage.journal import Event, EventKind, open_journal
from phasenet.storage.ledger import ATTEMPTS, Ledger

_SAID_FAILURES = 3


class FailedStatesError(PhasenetError):
    """Some ground states were given up; all others are there."""


@dataclass(kw_only=True)
class Driver:
    """Hands out units until all their states are there or given up."""

    units: tuple[Unit, ...]
    there: Survey
    sweep: Sweep
    ledger: Ledger
    stop: StopRequest
    reporter: Reporter
    begun_before: Set[tuple[str, Path]]
    fatal: str = ""
    shown: int = 0
    said: int = 0
    failures: list[Failure[Unit]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        units: tuple[Unit, ...],
        there: Survey,
        stop: StopRequest,
        *,
        retry: bool,
        reporter: Reporter,
    ) -> "Driver":
        """Driver with what the journals tell of earlier attempts."""
        sweep = units[0].sweep
        ledger = Ledger(folder=journal_folder(sweep.folder), keys=sweep_keys(sweep))
        ledger.read()
        ledger.done.clear()  # the files decide what was done before
        ledger.retry += retry
        sweep = replace(sweep, stop_file=stop.file.resolve(), retry=ledger.retry)
        return cls(
            units=tuple(replace(unit, sweep=sweep) for unit in units),
            there=there,
            sweep=sweep,
            ledger=ledger,
            stop=stop,
            reporter=reporter,
            begun_before=frozenset(ledger.begun().items()),
        )

    def drive(self, engine: Engine) -> None:
        """Work until all is done or given up, or something asks to stop."""
        folder = journal_folder(self.sweep.folder)
        waiting = self._waiting()
        settings = self.sweep.card.run_settings()
        try:
            with (
                stage(self.reporter, self._title(), len(self.there.missing)),
                engine.open(settings.cluster, folder) as executor,
            ):
                self.failures = run_tasks(
                    solve_unit,
                    waiting,
                    executor=executor,
                    on_done=self._unit_done,
                    should_stop=lambda: self.stop.asked,
                    on_poll=self._poll,
                    # Points are given up one by one; this only ends what never begins one.
                    max_deaths=ATTEMPTS * (settings.sweep.chain + 1),
                )
        except BaseException:
            self._release()
            raise
        if self.stop.asked:
            self._release()

    def _waiting(self) -> list[Unit]:
        """Units with work left, those with most of it first, so that workers end together."""
        given_up = {
            name
            for name, trouble in self.ledger.failures(self.ledger.living()).items()
            if trouble.failures >= ATTEMPTS
        }
        todo = self.there.missing - given_up
        left = {unit.index: sum(name in todo for name in _names(unit)) for unit in self.units}
        some = (unit for unit in self.units if left[unit.index])
        return sorted(some, key=lambda unit: -left[unit.index])

    def _title(self) -> str:
        there = len(self.there.paths) - len(self.there.missing)
        return f"ground states ({there} are there)" if there else "ground states"

    def _poll(self) -> None:
        self.ledger.read()
        done = len(self.there.missing & self.ledger.done.keys())
        if done > self.shown:
            self.shown = done
            self.reporter.advance(done, self._latest())
        if self.stop.is_over():
            raise KeyboardInterrupt

    def _latest(self) -> str:
        name = self.ledger.latest
        state = self.ledger.done[name]
        note = ""
        if state.outcome != DmrgOutcome.CONVERGED.name:
            note = f", {state.outcome.lower().replace('_', ' ')}"
        return f"{name}: e = {state.energy:.8f}{note}, {state.seconds:.1f} s"

    def _unit_done(self, line: str) -> None:
        report = UnitReport.of(line)
        if report.error and self.said < _SAID_FAILURES:
            self.said += 1
            self.reporter.say(f"given up after {ATTEMPTS} attempts: {report.error}")
        if report.fatal and not self.fatal:
            self.fatal = report.fatal
            self.stop.ask()

    def _left(self) -> list[str]:
        untold = self.there.missing - self.ledger.done.keys()
        units = (unit for unit in self.units if not untold.isdisjoint(_names(unit)))
        # What journals of other machines say may come late; the files decide.
        left = untold & survey(tuple(units)).missing
        return [name for name in self.there.paths if name in left]

    def _release(self) -> None:
        """Say of states that were under way when their workers were ended that it was not they."""
        self.ledger.read()
        under_way = [name for name, _ in self.ledger.begun().items() - self.begun_before]
        keys = dict(zip(boundaries(self.sweep.card), sweep_keys(self.sweep), strict=True))
        if under_way:
            with open_journal(journal_folder(self.sweep.folder)) as journal:
                for name in under_way:
                    key = next(k for b, k in keys.items() if name.endswith(f".{b}"))
                    journal.write(
                        Event(kind=EventKind.RELEASED, state=name, key=key, retry=self.sweep.retry)
                    )

    def settle(self, folder: Path) -> None:
        """Raise what has to be said at the end."""
        left = self._left()
        if not left:
            return
        if self.fatal:
            raise PhasenetError(
                f"{self.fatal} ({len(left)} ground states left; the same command goes on)"
            )
        if self.stop.asked:
            raise KeyboardInterrupt
        errors = {name: t.error for name, t in self.ledger.failures(lambda path: False).items()}
        for failure in self.failures:
            for name in _names(failure.task):
                errors.setdefault(name, str(failure.error))
        raise FailedStatesError(_failed(left, errors, len(self.there.paths), folder))


def _names(unit: Unit) -> list[str]:
    return [state_name(point, unit.boundary) for point in unit.points]


def _failed(left: Collection[str], errors: Mapping[str, str], total: int, folder: Path) -> str:
    shown = ", ".join(list(left)[:3])
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    first = next((errors[name] for name in left if name in errors), "not reached")
    return (
        f"{len(left)} of {total} ground states failed ({shown}{more}), the others are in "
        f"{folder}; the first: {first}; --retry tries them again"
    )
