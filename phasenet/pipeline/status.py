"""How far a sweep is, from its journals and one listing: no state file is opened."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phasenet.groundstates.sweep import journal_folder, states_folder
from phasenet.pipeline.survey import listing
from phasenet.records import DmrgOutcome
from phasenet.storage.header import Kind
from phasenet.storage.ledger import ATTEMPTS, Finished, Ledger
from phasenet.storage.plans import SweepPlan
from phasenet.study import Boundary

_SHOWN_FAILURES = 10


@dataclass(frozen=True, kw_only=True)
class FailedState:
    """A state that failed, how often, and why."""

    name: str
    attempts: int
    error: str


@dataclass(frozen=True, kw_only=True)
class SweepStatus:
    """States of a sweep, sorted by how far they are.

    Parameters
    ----------
    plan
        All that was asked for.
    done
        Names of the finished ones, with what the journals tell of them; None where they are
        silent.
    running
        Names of those that a living worker is at.
    waiting
        Number of the others that will be tried.
    failed
        Those that were given up.
    stale
        Number of those waiting whose file was made with other settings.
    """

    plan: SweepPlan
    done: Mapping[str, Finished | None]
    running: tuple[str, ...]
    waiting: int
    failed: tuple[FailedState, ...]
    stale: int

    def seconds_left(self) -> float:
        """Return the expected seconds until the end with as many workers as now, NaN if unknown.

        A state that runs is taken to be half done.
        """
        known = [found.seconds for found in self.done.values() if found is not None]
        if not known:
            return math.nan
        mean = sum(known) / len(known)
        return mean * (self.waiting + len(self.running) / 2) / max(len(self.running), 1)


def sweep_status(plan: SweepPlan, root: Path) -> SweepStatus:
    """How far a sweep is.

    Parameters
    ----------
    plan
        What is asked for.
    root
        Folder of the run.
    """
    ledger = Ledger(folder=journal_folder(root), keys=frozenset(plan.keys.values()))
    ledger.read()
    lives = ledger.living()
    failures = ledger.failures(lives)
    begun = ledger.begun()
    there = listing(states_folder(root))
    done: dict[str, Finished | None] = {}
    running, failed, stale, waiting = [], [], 0, 0
    for name in plan.states():
        if f"{name}.{Kind.STATE}.h5" in there:
            found = ledger.done.get(name)
            if found is not None or name not in ledger.done_otherwise:
                done[name] = found
                continue
            stale += 1
        if name in begun and lives(begun[name]):
            running.append(name)
        elif name in failures and failures[name].failures >= ATTEMPTS:
            trouble = failures[name]
            failed.append(FailedState(name=name, attempts=trouble.failures, error=trouble.error))
        else:
            waiting += 1
    return SweepStatus(
        plan=plan,
        done=done,
        running=tuple(running),
        waiting=waiting,
        failed=tuple(failed),
        stale=stale,
    )


def status_lines(status: SweepStatus) -> list[str]:
    """Table of a status."""
    plan = status.plan
    total = len(plan.points) * len(plan.keys)
    lines = [f"{plan.name}: {total} ground states of {len(plan.points)} points"]
    rows = [
        ("done", len(status.done), _of_each_boundary(status)),
        ("running", len(status.running), ", ".join(status.running[:3])),
        ("waiting", status.waiting, _waiting_words(status)),
        ("failed", len(status.failed), "simulate --retry tries them again" * bool(status.failed)),
    ]
    lines += [f"  {word:8}{number:>8}  {text}".rstrip() for word, number, text in rows]
    lines += _convergence_lines(status)
    for failure in status.failed[:_SHOWN_FAILURES]:
        lines.append(f"  {failure.name}: {failure.attempts} attempts, {failure.error}")
    if len(status.failed) > _SHOWN_FAILURES:
        lines.append(f"  and {len(status.failed) - _SHOWN_FAILURES} more failed")
    return lines


def duration(seconds: float) -> str:
    """Seconds in words that fit their size.

    >>> duration(42), duration(7300), duration(200000)
    ('42 s', '2 h 1 min', '2 d 7 h')
    """
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 2:
        return f"{seconds:.0f} s"
    if hours < 2:
        return f"{minutes:.0f} min"
    if days < 2:
        return f"{int(hours)} h {int(minutes) % 60} min"
    return f"{int(days)} d {int(hours) % 24} h"


def _of_each_boundary(status: SweepStatus) -> str:
    count = Counter(name.rpartition(".")[2] for name in status.done)
    points = len(status.plan.points)
    return ", ".join(f"{count[boundary]}/{points} {boundary}" for boundary in status.plan.keys)


def _waiting_words(status: SweepStatus) -> str:
    words = [f"{status.stale} made with other settings"] if status.stale else []
    left = status.seconds_left()
    if status.waiting + len(status.running) and math.isfinite(left):
        workers = len(status.running)
        several = "s" if workers > 1 else ""
        how = f"with {workers} worker{several}" if workers else "of one worker; none is at work"
        words.append(f"about {duration(left)} {how}")
    return "; ".join(words)


def _convergence_lines(status: SweepStatus) -> list[str]:
    """Worst convergence of the finished states, for each boundary: their settings differ."""
    lines = []
    for boundary in status.plan.keys:
        known = {
            name: found
            for name, found in status.done.items()
            if found is not None and name.endswith(f".{boundary}")
        }
        if known:
            lines.append(_convergence_line(boundary, known))
    silent = sum(found is None for found in status.done.values())
    if silent:
        lines.append(f"  {silent} states are in no journal here: nothing is known of their search")
    return lines


def _convergence_line(boundary: Boundary, known: Mapping[str, Finished]) -> str:
    outcomes = Counter(found.outcome for found in known.values())
    worst = max(known, key=lambda name: known[name].truncation)
    hysteresis = [name for name, found in known.items() if found.hysteresis]
    words = [f"truncation up to {known[worst].truncation:.1e} ({worst.rpartition('.')[0]})"]
    for outcome in (DmrgOutcome.SWEEP_LIMIT, DmrgOutcome.BOND_LIMIT):
        if outcomes[outcome.name]:
            words.append(
                f"{outcomes[outcome.name]} at the {outcome.name.lower().replace('_', ' ')}"
            )
    if hysteresis:
        words.append(f"{len(hysteresis)} with hysteresis ({hysteresis[0].rpartition('.')[0]})")
    return f"  {boundary}: {', '.join(words)}"
