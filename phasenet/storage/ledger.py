"""All journals of a sweep, folded into what is known of each state."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phasenet.storage.heartbeat import file_time, is_alive
from phasenet.storage.journal import SUFFIX, EventKind, owner_of

ATTEMPTS = 3
WORKER_DIED = "its worker process died"
_STARTED = '{"event":"started"'


@dataclass(frozen=True, slots=True)
class Finished:
    """What a journal says of a finished state."""

    energy: float
    truncation: float
    seconds: float
    outcome: str
    hysteresis: bool


@dataclass(slots=True)
class Trouble:
    """Failures of one state in the latest round of attempts."""

    retry: int
    failures: int = 0
    released: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A state that was begun and, so far, not ended."""

    state: str
    retry: int


@dataclass(slots=True)
class _Tail:
    """How far a journal was read, and what it was at."""

    offset: int = 0
    begun: Begun | None = None


@dataclass(kw_only=True)
class Ledger:
    """Journals of a folder; :meth:`read` takes in what was written since the last time.

    ``done`` holds the finished states of this sweep, ``done_otherwise`` the names of those that
    were finished with other settings.

    Parameters
    ----------
    folder
        Folder of the journals.
    keys
        Digests of the sweep, one for each boundary; events of other sweeps are ignored.
    keeps_done
        Whether to remember finished states.
    """

    folder: Path
    keys: Collection[str]
    keeps_done: bool = True
    done: dict[str, Finished] = field(default_factory=dict)
    done_otherwise: set[str] = field(default_factory=set)
    latest: str = ""
    retry: int = 0
    _troubles: dict[str, Trouble] = field(default_factory=dict)
    _tails: dict[Path, _Tail] = field(default_factory=dict)

    def read(self) -> None:
        """Take in all complete lines that are new."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            tail = self._tails.setdefault(path, _Tail())
            if path.stat().st_size > tail.offset:
                with path.open("rb") as file:
                    file.seek(tail.offset)
                    text = file.read()
                end = text.rfind(b"\n") + 1
                tail.offset += end
                self._take(text[:end].decode(errors="replace"), tail)

    def living(self) -> Callable[[Path], bool]:
        """Return a test that tells from its journal whether a writer lives."""
        now = file_time(self.folder)

        def lives(path: Path) -> bool:
            owner = owner_of(path)
            return owner is not None and is_alive(path, owner, now)

        return lives

    def begun(self) -> dict[str, Path]:
        """States that were begun and not ended, with the journal that says so."""
        return {tail.begun.state: path for path, tail in self._tails.items() if tail.begun}

    def failures(self, lives: Callable[[Path], bool]) -> dict[str, Trouble]:
        """States that failed in the latest round, with those whose worker died.

        Parameters
        ----------
        lives
            Whether the writer of a journal lives: from :meth:`living`, or by better knowledge.
        """
        found = {
            state: Trouble(t.retry, t.failures - t.released, 0, t.error)
            for state, t in self._troubles.items()
            if t.retry == self.retry
        }
        for path, tail in self._tails.items():
            if tail.begun and tail.begun.retry == self.retry and not lives(path):
                trouble = found.setdefault(tail.begun.state, Trouble(self.retry))
                trouble.failures += 1
                trouble.error = trouble.error or WORKER_DIED
        return {state: trouble for state, trouble in found.items() if trouble.failures > 0}

    def _take(self, text: str, tail: _Tail) -> None:
        lines = text.splitlines()
        # What was begun and ended needs no second look.
        told = [line for line in lines[:-1] if not line.startswith(_STARTED)]
        for event in _events(told + lines[-1:]):
            if event["key"] in self.keys:
                self._fold(event, tail)
            else:
                tail.begun = None
                if self.keeps_done and event["event"] == EventKind.DONE:
                    self.done_otherwise.add(event["state"])

    def _fold(self, event: dict[str, Any], tail: _Tail) -> None:
        kind, state, retry = event["event"], event["state"], event.get("retry", 0)
        self.retry = max(self.retry, retry)
        if kind == EventKind.STARTED:
            tail.begun = Begun(state, retry)
            return
        if kind == EventKind.RELEASED:
            trouble = self._trouble(state, retry)
            trouble.released += trouble.retry == retry
            return
        tail.begun = None
        if kind == EventKind.DONE:
            self.latest = state
            self._troubles.pop(state, None)
            if self.keeps_done:
                self.done[state] = Finished(
                    energy=event.get("energy", 0.0),
                    truncation=event.get("truncation", 0.0),
                    seconds=event.get("seconds", 0.0),
                    outcome=event.get("outcome", ""),
                    hysteresis=event.get("hysteresis", False),
                )
        elif kind == EventKind.FAILED:
            trouble = self._trouble(state, retry)
            if trouble.retry == retry:
                trouble.failures += 1
                trouble.error = event.get("error", "")

    def _trouble(self, state: str, retry: int) -> Trouble:
        trouble = self._troubles.get(state)
        if trouble is None or trouble.retry < retry:
            trouble = self._troubles[state] = Trouble(retry)
        return trouble


def _events(lines: list[str]) -> list[dict[str, Any]]:
    """Events of lines, without those that a writer left half written."""
    try:
        found = json.loads(f"[{','.join(lines)}]")
    except ValueError:
        found = [value for line in lines for value in _value(line)]
    return [
        event
        for event in found
        if isinstance(event, dict) and "event" in event and "state" in event and "key" in event
    ]


def _value(line: str) -> list[Any]:
    try:
        return [json.loads(line)]
    except ValueError:
        return []
