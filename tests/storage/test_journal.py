"""Journals and locks: half lines, dead writers, forgiven failures, one driver at a time."""

import os
import time
from pathlib import Path

import pytest

from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.points import Grid
from phasenet.storage.heartbeat import SILENT_SECONDS, Owner, beating, file_time, is_alive
from phasenet.storage.journal import Event, EventKind, open_journal
from phasenet.storage.ledger import WORKER_DIED, Ledger
from phasenet.storage.locks import Shard, driver_lock
from phasenet.storage.plans import SweepPlan, read_plan, write_plan
from phasenet.study import Boundary

KEY = "1f"
DEAD = 2**22 + 1  # more than any pid of Linux


def event(kind: EventKind, state: str = "D=0.finite", **values) -> Event:
    return Event(kind=kind, state=state, key=values.pop("key", KEY), **values)


def ledger_of(folder: Path, **options) -> Ledger:
    ledger = Ledger(folder=folder, keys=[KEY], **options)
    ledger.read()
    return ledger


def write(folder: Path, *events: Event) -> Path:
    with open_journal(folder) as journal:
        for one in events:
            journal.write(one)
    return journal.path


def write_as(folder: Path, owner: str, *events: Event) -> Path:
    path = folder / f"{owner}.jsonl"
    with path.open("a") as file:
        file.writelines(f"{one.line()}\n" for one in events)
    return path


def dead_owner(token: str = "aa") -> str:
    return str(Owner(host=os.uname().nodename, pid=DEAD, token=token))


def test_what_is_written_is_read(tmp_path):
    write(
        tmp_path,
        event(EventKind.STARTED),
        event(EventKind.DONE, energy=-1.4, truncation=1e-9, seconds=3.0, outcome="CONVERGED"),
        event(EventKind.STARTED, "D=1.finite"),
        event(EventKind.FAILED, "D=1.finite", error="no luck"),
    )
    ledger = ledger_of(tmp_path)
    assert ledger.done["D=0.finite"].energy == -1.4
    assert ledger.done["D=0.finite"].seconds == 3.0
    failures = ledger.failures(ledger.living())
    assert {name: (t.failures, t.error) for name, t in failures.items()} == {
        "D=1.finite": (1, "no luck")
    }


def test_reading_again_takes_in_what_is_new(tmp_path):
    write(tmp_path, event(EventKind.STARTED))
    ledger = ledger_of(tmp_path)
    assert ledger.done == {}
    assert list(ledger.begun()) == ["D=0.finite"]
    write(tmp_path, event(EventKind.DONE))
    ledger.read()
    assert list(ledger.done) == ["D=0.finite"]
    assert ledger.begun() == {}


def test_half_a_line_costs_that_line_alone(tmp_path):
    path = write(tmp_path, event(EventKind.DONE))
    with path.open("a") as file:
        file.write('{"event":"done","state":"D=1.fin')
    ledger = ledger_of(tmp_path)
    assert list(ledger.done) == ["D=0.finite"]
    write(tmp_path, event(EventKind.DONE, "D=2.finite"))
    ledger.read()
    assert list(ledger.done) == ["D=0.finite", "D=2.finite"]


def test_a_line_of_nonsense_is_no_event(tmp_path):
    write_as(tmp_path, "node-1-aa", event(EventKind.DONE))
    with (tmp_path / "node-1-aa.jsonl").open("ab") as file:
        file.write(b'\xff\xfe\n[1]\n3\n{"event":"done"}\n')
    assert list(ledger_of(tmp_path).done) == ["D=0.finite"]


def test_dead_writer_counts_as_a_failure_and_a_living_one_as_running(tmp_path):
    write(tmp_path, event(EventKind.STARTED, "D=1.finite"))
    write_as(tmp_path, dead_owner(), event(EventKind.STARTED))
    ledger = ledger_of(tmp_path)
    lives = ledger.living()
    failures = ledger.failures(lives)
    assert {n: (t.failures, t.error) for n, t in failures.items()} == {
        "D=0.finite": (1, WORKER_DIED)
    }
    assert {name for name, path in ledger.begun().items() if lives(path)} == {"D=1.finite"}
    assert set(ledger.failures(lambda path: False)) == {"D=0.finite", "D=1.finite"}


def test_released_states_are_no_failures(tmp_path):
    write_as(tmp_path, dead_owner(), event(EventKind.STARTED))
    write(tmp_path, event(EventKind.RELEASED))
    ledger = ledger_of(tmp_path)
    assert ledger.failures(ledger.living()) == {}


def test_interrupted_states_are_no_failures(tmp_path):
    write_as(tmp_path, dead_owner(), event(EventKind.STARTED), event(EventKind.INTERRUPTED))
    ledger = ledger_of(tmp_path)
    assert ledger.failures(ledger.living()) == {}


def test_failures_of_an_earlier_round_are_forgiven(tmp_path):
    for _ in range(3):
        write(tmp_path, event(EventKind.FAILED, error="old"))
    write_as(tmp_path, dead_owner("aa"), event(EventKind.STARTED))
    write_as(tmp_path, dead_owner("bb"), event(EventKind.STARTED, retry=1))
    ledger = ledger_of(tmp_path)
    assert ledger.retry == 1
    assert ledger.failures(ledger.living())["D=0.finite"].failures == 1


def test_events_of_other_settings_are_told_apart(tmp_path):
    write(tmp_path, event(EventKind.DONE, key="other"), event(EventKind.STARTED, key="other"))
    ledger = ledger_of(tmp_path)
    assert ledger.done == {}
    assert ledger.done_otherwise == {"D=0.finite"}
    assert ledger.begun() == {}


def test_worker_remembers_failures_only(tmp_path):
    write(tmp_path, event(EventKind.DONE), event(EventKind.FAILED, "D=1.finite"))
    ledger = ledger_of(tmp_path, keeps_done=False)
    assert ledger.done == {}
    assert list(ledger.failures(lambda path: True)) == ["D=1.finite"]


def test_threads_have_journals_of_their_own(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(write, tmp_path, event(EventKind.DONE)).result()
    assert write(tmp_path, event(EventKind.DONE)) != other


def test_silence_is_death_by_the_time_of_the_file_system(tmp_path):
    path = write(tmp_path, event(EventKind.STARTED))
    elsewhere = Owner(host="elsewhere", pid=1, token="aa")
    now = file_time(tmp_path)
    assert is_alive(path, elsewhere, now)
    assert not is_alive(path, elsewhere, now + SILENT_SECONDS + 1)
    assert not is_alive(tmp_path / "gone", elsewhere, now)
    assert Owner.here().is_gone() is False


def test_beating_keeps_a_file_fresh(tmp_path, monkeypatch):
    monkeypatch.setattr("phasenet.storage.heartbeat._BEAT_SECONDS", 0.02)
    path = tmp_path / "file"
    path.touch()
    os.utime(path, (0, 0))
    with beating(path):
        limit = time.monotonic() + 10
        while path.stat().st_mtime == 0:
            assert time.monotonic() < limit
            time.sleep(0.01)


def test_lock_of_a_dead_driver_is_taken_over(tmp_path):
    lock = tmp_path / "driver.1-of-1.lock"
    lock.write_text(dead_owner())
    with driver_lock(tmp_path, Shard()) as owner:
        assert lock.read_text() == str(owner)
    assert not lock.exists()


def test_lock_of_a_silent_driver_elsewhere_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr("phasenet.storage.heartbeat._BEAT_SECONDS", 0.05)
    monkeypatch.setattr("phasenet.storage.locks._LOOK_SECONDS", 0.05)
    lock = tmp_path / "driver.1-of-1.lock"
    lock.write_text("elsewhere-1-aa")
    with (
        beating(lock),
        pytest.raises(PhasenetError, match=r"worked on by process 1 on elsewhere; wait"),
        driver_lock(tmp_path, Shard()),
    ):
        pass
    assert lock.exists()
    monkeypatch.setattr("phasenet.storage.heartbeat.SILENT_SECONDS", 0.3)
    with driver_lock(tmp_path, Shard()):
        pass
    assert not lock.exists()


def test_shards_of_one_division_work_side_by_side(tmp_path):
    with driver_lock(tmp_path, Shard.of("1/3")), driver_lock(tmp_path, Shard.of("2/3")):
        for text in ("1/1", "2/3", "1/2"):
            with pytest.raises(PhasenetError), driver_lock(tmp_path, Shard.of(text)):
                pass
    assert list(tmp_path.iterdir()) == []


def test_plan_is_read_as_written(tmp_path):
    plan = SweepPlan(
        name="toy",
        keys={Boundary.INFINITE: "a", Boundary.FINITE: "b"},
        points=tuple(Grid.product(D=[0.1, 0.2], Delta=[1.0])),
    )
    assert list(plan.states())[:3] == [
        "D=0.1,Delta=1.infinite",
        "D=0.2,Delta=1.infinite",
        "D=0.1,Delta=1.finite",
    ]
    with pytest.raises(MissingInputError, match="no sweep has begun"):
        read_plan(tmp_path)
    write_plan(tmp_path, plan)
    before = (tmp_path / "plan.json").stat().st_mtime_ns
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    assert (tmp_path / "plan.json").stat().st_mtime_ns == before
    (tmp_path / "plan.json").write_text('{"name": "toy"')
    with pytest.raises(FileKindError, match="is damaged"):
        read_plan(tmp_path)
