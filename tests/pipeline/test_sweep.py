"""Sweeps with a fake solver: warm starts, attempts, shards, status, merge, stop and resume."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import types
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import phasenet.groundstates
from phasenet.errors import PhasenetError, SettingsError
from phasenet.pipeline.driver import FailedStatesError
from phasenet.pipeline.engine import Engine, EngineKind
from phasenet.pipeline.merge import merge, merge_lines
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.simulate import find_states, plan_of, simulate
from phasenet.pipeline.status import status_lines, sweep_status
from phasenet.storage.container import read_header
from phasenet.storage.ledger import Ledger
from phasenet.storage.locks import Shard, driver_lock
from phasenet.storage.states import read_state
from phasenet.study import load_study

SOURCE = Path(__file__).parents[1] / "groundstates" / "toy_study.py"
SOLVER = "phasenet.groundstates.solve"


class Toy:
    """A toy study in a folder of its own, run by threads of this process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "toy.py"
        shutil.copy(SOURCE, self.path)
        self.out = folder / "run"

    def trouble(self, **states: dict[str, float]) -> None:
        (self.path.parent / "trouble.json").write_text(json.dumps(states))

    def calls(self) -> list[str]:
        path = self.path.parent / "calls.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def simulate(self, out: Path | None = None, *, shard: str = "1/1", retry: bool = False):
        with ThreadPoolExecutor(2) as threads:
            return simulate(self.path, out or self.out, executor=threads, shard=shard, retry=retry)

    def status(self, out: Path | None = None) -> str:
        out = out or self.out
        plan = plan_of(load_study(self.path), self.path, out)
        return "\n".join(status_lines(sweep_status(plan, out)))

    def ids(self, out: Path | None = None) -> dict[str, str]:
        files = sorted(((out or self.out) / "states").glob("*.state.h5"))
        return {path.name: read_header(path).id for path in files}

    def file(self, name: str) -> Path:
        return self.out / "states" / f"{name}.state.h5"

    def events(self) -> list[str]:
        lines = [
            line
            for path in sorted((self.out / "journal").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        return [f"{json.loads(line)['event']} {json.loads(line)['state']}" for line in lines]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    # The study puts its fake in the place of the solver; afterwards the solver is back.
    monkeypatch.setitem(sys.modules, SOLVER, types.ModuleType(SOLVER))
    monkeypatch.setattr(phasenet.groundstates, "solve", None, raising=False)
    return Toy(tmp_path)


@pytest.fixture
def undisturbed(toy, tmp_path):
    """Ids of the states of a run without trouble."""
    toy.simulate(tmp_path / "undisturbed")
    toy.calls()
    return toy.ids(tmp_path / "undisturbed")


def test_each_point_starts_from_the_one_before_it_in_its_chain(toy):
    paths = toy.simulate()
    assert len(paths) == len(toy.ids()) == 12
    assert sorted(toy.calls()) == sorted(
        start
        for boundary in ("finite", "infinite")
        for start in (
            f"D=0.{boundary}, product state",
            f"D=0.1.{boundary}, neighbour D=0, second start",
            f"D=0.2.{boundary}, neighbour D=0.1",
            f"D=0.3.{boundary}, product state",
            f"D=0.4.{boundary}, neighbour D=0.3, second start",
            f"D=0.5.{boundary}, neighbour D=0.4",
        )
    )


def test_finished_states_are_left_alone(toy):
    toy.simulate()
    before = {path: path.stat().st_mtime_ns for path in (toy.out / "states").iterdir()}
    toy.calls()
    toy.simulate()
    assert toy.calls() == []
    assert {path: path.stat().st_mtime_ns for path in (toy.out / "states").iterdir()} == before


def test_state_file_that_was_deleted_or_cut_is_made_again_alike(toy, undisturbed):
    toy.simulate()
    toy.file("D=0.1.finite").unlink()
    os.truncate(toy.file("D=0.4.infinite"), 1000)
    toy.calls()
    said = []
    reporter = SilentReporter()
    reporter.say = said.append
    study = load_study(toy.path)
    with ThreadPoolExecutor(1) as threads:
        engine = Engine(executor=threads)
        found = find_states(study, toy.path, toy.out, engine=engine, reporter=reporter)
    assert found.new == 2
    assert len(said) == 1
    assert "D=0.4.infinite.state.h5 cannot be read and is made again" in said[0]
    assert toy.ids() == undisturbed


def test_journals_are_not_needed(toy, undisturbed):
    toy.simulate()
    shutil.rmtree(toy.out / "journal")
    toy.file("D=0.1.finite").unlink()
    toy.calls()
    toy.simulate()
    assert len(toy.calls()) == 1
    assert toy.ids() == undisturbed
    assert "11 states are in no journal here" in toy.status()


def test_files_decide_where_journals_come_late(toy, monkeypatch):
    monkeypatch.setattr(Ledger, "read", lambda self: None)
    toy.simulate()
    assert len(toy.ids()) == 12


def test_passing_trouble_changes_no_state(toy, undisturbed):
    toy.trouble(**{"D=0.1.finite": {"raise": 2}})
    toy.simulate()
    assert sum("D=0.1.finite" in call for call in toy.calls()) == 3
    assert toy.ids() == undisturbed


def test_point_that_always_fails_costs_only_itself(toy):
    toy.trouble(**{"D=0.1.finite": {"raise": 99}})
    wanted = r"1 of 12 .* failed \(D=0.1.finite\).*ValueError: no luck at D=0.1 \(toy.py, line"
    with pytest.raises(FailedStatesError, match=wanted):
        toy.simulate()
    calls = toy.calls()
    assert sum("D=0.1.finite" in call for call in calls) == 3
    assert "D=0.2.finite, neighbour D=0" in calls
    assert len(toy.ids()) == 11
    with pytest.raises(FailedStatesError, match="1 of 12"):
        toy.simulate()
    assert toy.calls() == []
    text = toy.status()
    assert "failed         1" in text
    assert "D=0.1.finite: 3 attempts, ValueError: no luck" in text


def test_retry_forgives_failures(toy):
    toy.trouble(**{"D=0.1.finite": {"raise": 5}})
    with pytest.raises(FailedStatesError):
        toy.simulate()
    toy.calls()
    toy.simulate(retry=True)
    assert sum("D=0.1.finite" in call for call in toy.calls()) == 3
    assert len(toy.ids()) == 12
    assert "failed         0" in toy.status()


def test_any_number_of_workers_and_any_shards_give_the_same_states(toy, undisturbed, tmp_path):
    toy.simulate(shard="1/3")
    assert len(toy.ids()) == 6
    with pytest.raises(PhasenetError, match="no sweep has begun"):
        merge([toy.out, tmp_path / "elsewhere"], tmp_path / "all")
    toy.simulate(shard="2/3")
    toy.simulate(tmp_path / "other", shard="3/3")
    simulate(toy.path, tmp_path / "single", executor=ThreadPoolExecutor(1))
    assert toy.ids(tmp_path / "single") == undisturbed
    merged = merge([toy.out, tmp_path / "other"], tmp_path / "all")
    assert merged.missing == ()
    assert toy.ids(tmp_path / "all") == undisturbed
    assert "done          12  6/6 infinite, 6/6 finite" in toy.status(tmp_path / "all")
    again = merge([toy.out, tmp_path / "other"], tmp_path / "all")
    assert (again.copied, again.there) == (0, 12)
    toy.calls()
    toy.simulate(tmp_path / "all")
    assert toy.calls() == []


def test_merge_says_what_is_missing_and_refuses_what_does_not_belong(toy, tmp_path):
    toy.simulate(shard="1/2")
    lines = merge_lines(merge([toy.out], tmp_path / "all"), tmp_path / "all")
    assert lines[0].startswith("6 of 12 ground states of toy in")
    assert lines[1].startswith("missing: D=0.3.infinite, D=0.4.infinite, D=0.5.infinite and 3")
    source = toy.path.read_text()
    toy.path.write_text(source.replace('{"sweep"', '{"finite": {"max_bond": 7}, "sweep"'))
    toy.simulate(tmp_path / "changed", shard="2/2")
    with pytest.raises(PhasenetError, match="different models or settings of DMRG"):
        merge([toy.out, tmp_path / "changed"], tmp_path / "all")
    toy.path.write_text(source.replace('"chain": 3', '"chain": 2'))
    toy.simulate(tmp_path / "differently")
    with pytest.raises(PhasenetError, match="different states of one point"):
        merge([toy.out, tmp_path / "differently"], tmp_path / "all2")


def test_stopped_sweep_goes_on_from_its_checkpoint(toy, undisturbed):
    toy.trouble(**{"D=0.1.finite": {"steps": 1000, "seconds": 0.01}})
    stopper = Stopper("D=0.1.finite", toy)
    study = load_study(toy.path)
    with ThreadPoolExecutor(2) as threads, pytest.raises(KeyboardInterrupt):
        find_states(study, toy.path, toy.out, engine=Engine(executor=threads), reporter=stopper)
    assert list((toy.out / "states").glob("*.checkpoint.h5"))
    assert not list((toy.out / "journal").glob("stop*"))
    _, state = read_state(toy.out / "states" / "D=0.1.finite.checkpoint.h5")
    assert state.outcome.name == "INTERRUPTED"
    assert "interrupted D=0.1.finite" in toy.events()
    toy.trouble()
    toy.calls()
    toy.simulate()
    assert "D=0.1.finite, neighbour D=0, second start, resumed" in toy.calls()
    assert toy.ids() == undisturbed
    assert not list((toy.out / "states").glob("*.checkpoint.h5"))


class Stopper(SilentReporter):
    """Sends a signal to whoever is at a state: an interrupt goes to this process, the driver."""

    def __init__(self, name: str, toy: Toy, number: int = signal.SIGINT) -> None:
        self.name, self.toy, self.number = name, toy, number
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            for path in (self.toy.out / "journal").glob("*.jsonl"):
                if f'"event":"started","state":"{self.name}"' in path.read_text():
                    worker = int(path.name.rsplit("-", 2)[1])
                    os.kill(os.getpid() if self.number == signal.SIGINT else worker, self.number)
                    return
            time.sleep(0.02)


def test_second_driver_is_told_in_one_line(toy):
    journal = toy.out / "journal"
    with driver_lock(journal, Shard()):
        for shard in ("1/1", "1/2"):
            with pytest.raises(PhasenetError, match=f"worked on by process {os.getpid()} on"):
                toy.simulate(shard=shard)
    with driver_lock(journal, Shard.of("1/2")):
        toy.simulate(shard="2/2")
        with pytest.raises(PhasenetError, match=r"\(shard 1/2\); wait for it"):
            toy.simulate()
    toy.simulate()
    assert not list(journal.glob("*.lock"))


def test_study_that_changes_during_the_sweep_stops_it(toy, monkeypatch):
    study = load_study(toy.path)
    toy.path.write_text(toy.path.read_text().replace("return object()", "return list()"))
    with ThreadPoolExecutor(1) as threads, pytest.raises(PhasenetError, match="was changed"):
        find_states(
            study,
            toy.path,
            toy.out,
            engine=Engine(executor=threads),
            reporter=SilentReporter(),
        )
    assert toy.ids() == {}


def test_changed_setting_makes_states_stale(toy):
    toy.simulate()
    source = toy.path.read_text()
    toy.path.write_text(source.replace('{"sweep"', '{"finite": {"max_bond": 7}, "sweep"'))
    text = toy.status()
    assert "done           6  6/6 infinite, 0/6 finite" in text
    assert "6 made with other settings" in text
    toy.calls()
    toy.simulate()
    assert len(toy.calls()) == 6
    assert "done          12" in toy.status()


def test_status_tells_of_running_states_and_the_time_left(toy):
    toy.simulate(shard="1/2")
    journal = toy.out / "journal"
    ledger = Ledger(folder=journal, keys=())
    key = json.loads((journal / "plan.json").read_text())["keys"]["finite"]
    alive = journal / f"{os.uname().nodename}-{os.getpid()}-aa.jsonl"
    alive.write_text(json.dumps({"event": "started", "state": "D=0.3.finite", "key": key}) + "\n")
    dead = journal / f"{os.uname().nodename}-{2**22 + 1}-bb.jsonl"
    dead.write_text(json.dumps({"event": "started", "state": "D=0.4.finite", "key": key}) + "\n")
    text = toy.status()
    assert "running        1  D=0.3.finite" in text
    assert "waiting        5" in text
    assert "with 1 worker" in text
    ledger.read()
    assert ledger.done_otherwise


def test_status_names_the_worst_convergence(toy):
    toy.trouble(**{"D=0.2.finite": {"rival": 1e-5}, "D=0.3.finite": {"rival": 1e-7}})
    toy.simulate()
    lines = toy.status().splitlines()
    assert lines[-2] == "  infinite: truncation up to 1.5e-09 (D=0.5)"
    assert lines[-1] == "  finite: truncation up to 1.5e-09 (D=0.5), 1 with hysteresis (D=0.2)"


def test_worker_that_is_ended_by_its_batch_system_leaves_a_checkpoint(toy, undisturbed):
    toy.trouble(**{"D=0.1.finite": {"steps": 3000, "seconds": 0.01}})
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as processes:
        ender = Stopper("D=0.1.finite", toy, signal.SIGTERM)
        # This executor does not replace its workers.
        with pytest.raises(PhasenetError, match=r"takes no more tasks .*finished work is kept"):
            find_states(
                load_study(toy.path),
                toy.path,
                toy.out,
                engine=Engine(executor=processes),
                reporter=ender,
            )
    assert (toy.out / "states" / "D=0.1.finite.checkpoint.h5").exists()
    assert "interrupted D=0.1.finite" in toy.events()
    toy.trouble()
    toy.simulate()
    assert "D=0.1.finite, neighbour D=0, second start, resumed" in toy.calls()
    assert toy.ids() == undisturbed


def test_engines_say_what_they_need():
    with pytest.raises(SettingsError, match="parsl needs --site"):
        Engine(kind=EngineKind.PARSL)
    with pytest.raises(SettingsError, match="--site slurm belongs to --engine parsl"):
        Engine(site="slurm")


def test_bad_shards_and_workers_are_one_line(toy):
    for text in ("0/2", "3/2", "2", "a/b"):
        with pytest.raises(SettingsError, match="wanted I/N"):
            toy.simulate(shard=text)
    with pytest.raises(SettingsError, match="wanted at least 1"):
        simulate(toy.path, toy.out, workers=0)


def test_folder_that_cannot_be_written_is_one_line(toy):
    toy.out.write_text("a file where a folder should be")
    with pytest.raises(PhasenetError, match=r"cannot write .*choose --out"):
        toy.simulate()
