"""Worker processes: one thread each, failures collected, deaths survived, none left behind."""

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from phasenet.engines import local
from phasenet.engines.local import local_pool
from phasenet.engines.memory import free_bytes
from phasenet.engines.tasks import WorkerDied, run_tasks
from phasenet.errors import PhasenetError, SettingsError

MODULE = "phasenet_test_work"
# Workers import their function by name, so it must lie in a module that they can find.
SOURCE = '''
import os
import signal
import time
from pathlib import Path

from phasenet.errors import SettingsError


def note(folder, name):
    """Leave one file for each call."""
    (Path(folder) / f"{name}.{os.getpid()}.{time.monotonic_ns()}").touch()


def threads(task):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return " ".join(f"{name}={os.environ.get(name)}" for name in names)


def even_only(task):
    if task % 2:
        raise SettingsError(f"task {task} is odd")
    return f"task {task}"


def killed_once(task):
    folder, name = task
    note(folder, name)
    mark = Path(folder) / "killed"
    if name == "fatal" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def killed_by_poison(task):
    if task == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def leaves(task):
    raise SystemExit(3)


def cannot_be_sent(task):
    return open(os.devnull)


def dies_of_a_signal(task):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    return "alive"


class Dear(SettingsError):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def badly_made_error(task):
    raise Dear(1, 2)


def crowd(task):
    folder, seconds = task
    note(folder, "began")
    time.sleep(seconds)
    note(folder, "ended")
    return "done"


def broken(task):
    raise ZeroDivisionError("a bug")


def quick_or_endless(task):
    folder, seconds = task
    note(folder, "started")
    time.sleep(seconds)
    return "woke"
'''


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Module of functions for workers, importable here and in every child."""
    code = tmp_path / "code"
    code.mkdir()
    (code / f"{MODULE}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(code))
    monkeypatch.setenv("PYTHONPATH", str(code), prepend=os.pathsep)
    yield importlib.import_module(MODULE)
    sys.modules.pop(MODULE, None)


def run(function, tasks, *, workers, on_done=print, **options):
    with local_pool(workers) as executor:
        return run_tasks(function, tasks, executor=executor, on_done=on_done, **options)


def runs_of(folder: Path, name: str) -> int:
    return len(list(folder.glob(f"{name}.*.*")))


def pids_in(folder: Path) -> set[int]:
    return {int(path.name.split(".")[1]) for path in folder.glob("started.*.*")}


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # nobody may be there to collect an orphan's exit status


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "notes"
    path.mkdir()
    return path


def test_workers_have_one_thread_and_the_parent_keeps_its_own(work, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    lines = []
    assert run(work.threads, [0], workers=2, on_done=lines.append) == []
    assert lines == ["OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_failures_are_collected_while_the_others_finish(work):
    lines = []
    failures = run(work.even_only, range(5), workers=2, on_done=lines.append)
    assert sorted(lines) == ["task 0", "task 2", "task 4"]
    assert sorted(failure.task for failure in failures) == [1, 3]
    for failure in failures:
        assert isinstance(failure.error, SettingsError)
        assert str(failure.error) == f"task {failure.task} is odd"


def test_no_tasks_start_no_workers():
    assert run(len, [], workers=2) == []


def test_a_killed_worker_is_replaced_and_finished_tasks_do_not_repeat(work, folder):
    names = ["a", "b", "fatal", "c", "d"]
    lines = []
    # One worker takes the tasks in their order: a and b are done when it dies.
    failures = run(
        work.killed_once, [(str(folder), name) for name in names], workers=1, on_done=lines.append
    )
    assert failures == []
    assert sorted(lines) == sorted(names)
    assert [runs_of(folder, name) for name in names] == [1, 1, 2, 1, 1]


def test_a_task_that_kills_its_worker_each_time_does_not_stop_the_others(work):
    lines = []
    failures = run(
        work.killed_by_poison, ["a", "poison", "b", "c"], workers=1, on_done=lines.append
    )
    assert lines == ["a", "b", "c"]
    assert [failure.task for failure in failures] == ["poison"]
    told = r"the worker of poison died 3 times \(worker process \d+ was killed by SIGKILL\)"
    with pytest.raises(PhasenetError, match=told):
        raise failures[0].error


def test_the_number_of_deaths_can_be_chosen(work):
    failures = run(work.killed_by_poison, ["poison"], workers=1, max_deaths=1)
    assert "died 1 times" in str(failures[0].error)


@pytest.mark.slow
def test_only_the_task_of_the_dead_worker_sees_its_death(work, folder):
    with local_pool(2) as executor:
        long = executor.submit(work.quick_or_endless, (str(folder), 0.5))
        poison = executor.submit(work.killed_by_poison, "poison")
        with pytest.raises(WorkerDied, match="SIGKILL"):
            poison.result()
        assert executor.submit(work.killed_by_poison, "fine").result() == "fine"
        assert long.result() == "woke"


@pytest.mark.parametrize(
    ("function", "kind", "told"),
    [
        ("leaves", RuntimeError, r"a task raised SystemExit\(3\)"),
        ("cannot_be_sent", TypeError, "cannot be sent to another process"),
        ("badly_made_error", TypeError, r"Dear\('1 2'\) cannot be sent"),
    ],
)
def test_odd_ends_of_a_task_are_told(work, function, kind, told):
    with pytest.raises(kind, match=told):
        run(getattr(work, function), [0], workers=1)


def test_workers_ignore_signals_to_the_group(work):
    lines = []
    run(work.dies_of_a_signal, [0], workers=1, on_done=lines.append)
    assert lines == ["alive"]


def test_an_error_tells_where_in_the_worker_it_was_raised(work):
    with pytest.raises(ZeroDivisionError) as error:
        run(work.broken, [0], workers=1)
    assert f"{MODULE}.py" in error.value.__notes__[0]


def test_while_memory_is_short_tasks_run_one_by_one(work, folder, monkeypatch):
    monkeypatch.setattr(local, "free_bytes", lambda: 0)
    monkeypatch.setattr(local, "_MEMORY_PAUSE_SECONDS", 0.01)
    run(work.crowd, [(str(folder), 0.05)] * 3, workers=3)
    notes = sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:]))
    assert [path.name.split(".")[0] for path in notes] == ["began", "ended"] * 3


def test_free_memory_is_the_least_of_the_machine_and_the_groups(tmp_path):
    def put(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    assert free_bytes(tmp_path) is None
    put("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    8 kB\n")
    assert free_bytes(tmp_path) == 8192
    put("proc/self/cgroup", "4:cpu:/job\n3:memory:/job/step\n0::/job\n")
    put("sys/fs/cgroup/memory/job/step/memory.limit_in_bytes", "9223372036854771712\n")
    put("sys/fs/cgroup/memory/job/step/memory.usage_in_bytes", "700\n")
    assert free_bytes(tmp_path) == 8192
    put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000\n")
    put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1000\n")
    put("sys/fs/cgroup/memory/job/memory.stat", "cache 9\ntotal_inactive_file 300\n")
    assert free_bytes(tmp_path) == 4300
    put("sys/fs/cgroup/job/memory.max", "2000\n")
    put("sys/fs/cgroup/job/memory.current", "500\n")
    assert free_bytes(tmp_path) == 1500
    put("sys/fs/cgroup/job/memory.max", "max\n")
    assert free_bytes(tmp_path) == 4300


def test_a_bug_in_a_task_is_raised_as_it_is(work):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(work.broken, [0, 1], workers=1, on_done=print)


def parent(folder: Path, *seconds: float) -> subprocess.Popen:
    """Process that hands out one task for each number of seconds, to two workers."""
    code = f"""
        from phasenet.engines.local import local_pool
        from phasenet.engines.tasks import run_tasks
        from {MODULE} import quick_or_endless

        if __name__ == "__main__":
            tasks = [({str(folder)!r}, seconds) for seconds in {seconds!r}]
            with local_pool(2) as executor:
                run_tasks(quick_or_endless, tasks, executor=executor, on_done=print)
    """
    script = folder.parent / "parent.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, str(script)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.usefixtures("work")
def test_workers_vanish_with_a_killed_parent(folder):
    process = parent(folder, 30, 30, 30)
    try:
        wait_until(lambda: len(pids_in(folder)) == 2)
        workers = pids_in(folder)
        assert all(is_alive(pid) for pid in workers)
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not any(is_alive(pid) for pid in workers), seconds=10)
    assert pids_in(folder) == workers


@pytest.mark.slow
@pytest.mark.usefixtures("work")
def test_an_interrupt_stops_the_workers_at_once(folder):
    process = parent(folder, 30, 0.5)
    try:
        wait_until(lambda: len(pids_in(folder)) == 2)
        workers = pids_in(folder)
        time.sleep(0.8)  # one worker is idle now, the other is busy
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does: parent and workers
        _, stderr = process.communicate(timeout=20)
        assert time.monotonic() - start < 5
        assert process.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in stderr
        assert stderr.count("Traceback") == 1  # workers say nothing
    finally:
        process.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in workers), seconds=10)
    assert pids_in(folder) == workers


def test_an_error_in_the_parent_stops_the_workers_at_once(work, folder):
    def stop(line):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(
            work.quick_or_endless,
            [(str(folder), 0.0), (str(folder), 30.0)],
            workers=2,
            on_done=stop,
        )
    assert time.monotonic() - start < 10
    wait_until(lambda: not any(is_alive(pid) for pid in pids_in(folder)), seconds=10)
