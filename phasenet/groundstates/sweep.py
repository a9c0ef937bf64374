"""A unit of work as a worker process does it: each state is written as soon as it is found."""

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError, PhasenetError, StudyError
from phasenet.groundstates.units import (
    Sweep,
    Unit,
    boundaries,
    state_header,
    state_name,
    state_path,
    sweep_key,
)
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.container import current_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.journal import Event, EventKind, Journal, open_journal
from phasenet.storage.ledger import ATTEMPTS, Ledger
from phasenet.storage.states import read_state, write_state
from phasenet.study import Study, load_study

_ENERGY_ATOL = 1e-6
_ENTROPY_ATOL = 1e-2
_LEDGER_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class UnitReport:
    """What a worker tells about a unit.

    Parameters
    ----------
    done, failed
        Points that it finished, and that it gave up.
    error
        Of the last state that was given up.
    fatal
        Why no other unit would go better, such as a full disk; empty if nothing is wrong.
    """

    done: int = 0
    failed: int = 0
    error: str = ""
    fatal: str = ""

    def line(self) -> str:
        """Return the report as one line, for :meth:`of`."""
        return json.dumps(vars(self))

    @classmethod
    def of(cls, line: str) -> "UnitReport":
        """Report from its line.

        >>> UnitReport.of(UnitReport(done=3).line()).done
        3
        """
        return cls(**json.loads(line))


def solve_unit(unit: Unit) -> str:
    """Find the ground states of a unit that are not there yet; returns a :class:`UnitReport`.

    A point that fails is tried again at once, so that what its neighbours start from does not
    depend on a passing trouble; after three attempts it is given up.
    """
    try:
        study = _loaded(unit.sweep.study_path, unit.sweep.code_digest)
        study = replace(study, settings=unit.sweep.card.run_settings())
        folder = journal_folder(unit.sweep.folder)
        with open_journal(folder) as journal, _notice_of_the_end() as ending:
            return _Worker(unit, study, journal, ending).work().line()
    except PhasenetError as error:
        return UnitReport(fatal=str(error)).line()


def states_folder(folder: Path) -> Path:
    """Folder of the states of a run."""
    return folder / "states"


def journal_folder(folder: Path) -> Path:
    """Folder of the journals of a run."""
    return folder / "journal"


def sweep_keys(sweep: Sweep) -> tuple[str, ...]:
    """Keys of a sweep, one for each of its boundaries."""
    return tuple(
        sweep_key(sweep.card, sweep.spin, sweep.code_digest, boundary)
        for boundary in boundaries(sweep.card)
    )


def header_of(unit: Unit, point: ParameterPoint) -> Header:
    """Header of one state of a unit."""
    sweep = unit.sweep
    return state_header(sweep.card, sweep.spin, sweep.code_digest, point, unit.boundary)


def shows_hysteresis(state: GroundState) -> bool:
    """Return whether two starts of the search led to different results."""
    # Comparisons with NaN, where there was no second start, are false.
    return state.rival > _ENERGY_ATOL or abs(state.rival_entropy) > _ENTROPY_ATOL


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A point of a unit, the name of its state and its files."""

    position: int
    point: ParameterPoint
    name: str
    path: Path
    checkpoint: Path
    header: Header


class _Worker:
    """One unit under way."""

    def __init__(self, unit: Unit, study: Study, journal: Journal, ending: threading.Event) -> None:
        self._unit, self._sweep = unit, unit.sweep
        self._study, self._journal, self._ending = study, journal, ending
        self._key = sweep_key(
            unit.sweep.card, unit.sweep.spin, unit.sweep.code_digest, unit.boundary
        )
        self._failures = _past_failures(unit, journal)
        self._error = ""

    def work(self) -> UnitReport:
        """Go along the chain, as far as the signal to stop allows."""
        done, failed, last_good = 0, 0, self._unit.neighbour
        for position in range(len(self._unit.points)):
            place = self._place(position)
            if self._should_stop():
                break
            if current_header(place.path, place.header.key) is None:
                ended = self._solve(place, last_good)
                if ended is None:
                    break
                done, failed = done + ended, failed + (not ended)
                if not ended:
                    continue
            last_good = place.path
        return UnitReport(done=done, failed=failed, error=self._error)

    def _place(self, position: int) -> _Place:
        unit, point = self._unit, self._unit.points[position]
        path = state_path(states_folder(self._sweep.folder), point, unit.boundary)
        return _Place(
            position=position,
            point=point,
            name=state_name(point, unit.boundary),
            path=path,
            checkpoint=path.with_name(path.name.replace(f".{Kind.STATE}.", ".checkpoint.")),
            header=header_of(unit, point),
        )

    def _should_stop(self) -> bool:
        return self._ending.is_set() or self._sweep.stop_file.exists()

    def _solve(self, place: _Place, neighbour: Path | None) -> bool | None:
        """Find one state and write it; False if it was given up, None if work has to stop."""
        while self._failures.get(place.name, 0) < ATTEMPTS:
            self._note(EventKind.STARTED, place.name)
            try:
                found = self._attempt(place, neighbour)
                if found is not None:
                    return self._keep(place, *found)
            except PhasenetError:
                # Nothing can be written: no fault of the point.
                with suppress(PhasenetError):
                    self._note(EventKind.INTERRUPTED, place.name)
                raise
        return False

    def _attempt(self, place: _Place, neighbour: Path | None) -> tuple[GroundState, float] | None:
        """State of one attempt and the seconds it took, or None if it failed."""
        from phasenet.groundstates.solve import solve  # drivers need no TeNPy

        seconds, resume = _usable(place.checkpoint, place.header.key)
        begin = time.perf_counter()
        try:
            state = solve(
                self._study,
                place.point,
                self._unit.boundary,
                neighbour=_usable(neighbour)[1],
                second_start=self._has_second_start(place.position),
                resume=resume,
                should_stop=self._should_stop,
            )
        except Exception as error:
            # Whatever a model or a library raises is the trouble of this point alone.
            self._fail(place, _sentence(error))
            return None
        return state, seconds + time.perf_counter() - begin

    def _keep(self, place: _Place, state: GroundState, seconds: float) -> bool | None:
        """Write a state; True if it is finished, None if it was interrupted."""
        header = replace(place.header, seconds=seconds)
        interrupted = state.outcome == DmrgOutcome.INTERRUPTED
        write_state(place.checkpoint if interrupted else place.path, header, state)
        if interrupted:
            self._note(EventKind.INTERRUPTED, place.name)
            return None
        place.checkpoint.unlink(missing_ok=True)
        self._journal.write(_finished(place.name, self._key, self._sweep.retry, state, seconds))
        return True

    def _fail(self, place: _Place, sentence: str) -> None:
        self._failures[place.name] = self._failures.get(place.name, 0) + 1
        self._note(EventKind.FAILED, place.name, error=sentence)
        if self._failures[place.name] == ATTEMPTS:
            self._error = f"{place.name}: {sentence}"
        place.checkpoint.unlink(missing_ok=True)

    def _has_second_start(self, position: int) -> bool:
        every = int(self._sweep.card.settings["sweep"]["second_start"])
        return self._unit.second_start or (position + 1) % every == 0

    def _note(self, kind: EventKind, name: str, *, error: str = "") -> None:
        self._journal.write(
            Event(kind=kind, state=name, key=self._key, retry=self._sweep.retry, error=error)
        )


@contextmanager
def _notice_of_the_end() -> Iterator[threading.Event]:
    """Whether a batch system is about to end this process, which then ends after the block.

    The driver gives the unit to another worker, which goes on from the checkpoint.
    """
    ending = threading.Event()
    free = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if free:
        signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    try:
        yield ending
    finally:
        if free:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if ending.is_set():
            os.kill(os.getpid(), signal.SIGTERM)


def _past_failures(unit: Unit, journal: Journal) -> dict[str, int]:
    """Failed attempts at the points of a unit, by whichever worker; those that died count too."""
    sweep = unit.sweep
    names = [state_name(point, unit.boundary) for point in unit.points]
    with _LEDGER_LOCK:
        ledger = _ledger(journal_folder(sweep.folder), sweep_keys(sweep), sweep.stop_file)
        ledger.read()
        # Its states were given to this worker alone: whoever else began one of them is dead.
        troubles = ledger.failures(lambda path: path == journal.path)
    return {
        name: troubles[name].failures
        for name in names
        if name in troubles and troubles[name].retry == sweep.retry
    }


@functools.lru_cache(maxsize=4)
def _ledger(folder: Path, keys: tuple[str, ...], stop_file: Path) -> Ledger:
    # One for each driver, which has a stop file of its own: another may start a folder afresh.
    return Ledger(folder=folder, keys=keys, keeps_done=False)


def _finished(name: str, key: str, retry: int, state: GroundState, seconds: float) -> Event:
    return Event(
        kind=EventKind.DONE,
        state=name,
        key=key,
        retry=retry,
        energy=state.energy,
        truncation=state.truncation,
        seconds=round(seconds, 3),
        outcome=state.outcome.name,
        hysteresis=shows_hysteresis(state),
    )


def _usable(path: Path | None, key: str | None = None) -> tuple[float, GroundState | None]:
    """Seconds that went into a state, and the state; none if its file is missing or damaged.

    With a key, the file must have been made for the same work.
    """
    if path is None or (key is not None and current_header(path, key) is None):
        return 0.0, None
    try:
        header, state = read_state(path)
    except (MissingInputError, FileKindError):
        return 0.0, None
    return header.seconds, state


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PhasenetError):
        return text
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {text}{place}"


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, code_digest: str) -> Study:
    study = load_study(path)
    if study.code_digest != code_digest:
        raise StudyError(f"{path} was changed during the sweep; run it again")
    return study
