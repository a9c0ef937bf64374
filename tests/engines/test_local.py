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

from phasenet.engines.local import run_tasks
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


def always_killed(task):
    os.kill(os.getpid(), signal.SIGKILL)


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
    assert run_tasks(work.threads, [0], workers=2, on_done=lines.append) == []
    assert lines == ["OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_failures_are_collected_while_the_others_finish(work):
    lines = []
    failures = run_tasks(work.even_only, range(5), workers=2, on_done=lines.append)
    assert sorted(lines) == ["task 0", "task 2", "task 4"]
    assert sorted(failure.task for failure in failures) == [1, 3]
    for failure in failures:
        assert isinstance(failure.error, SettingsError)
        assert str(failure.error) == f"task {failure.task} is odd"


def test_no_tasks_start_no_workers():
    assert run_tasks(len, [], workers=2, on_done=print) == []


def test_a_killed_worker_is_replaced_and_finished_tasks_do_not_repeat(work, folder):
    names = ["a", "b", "fatal", "c", "d"]
    lines = []
    # One worker takes the tasks in their order: a and b are done when it dies.
    failures = run_tasks(
        work.killed_once, [(str(folder), name) for name in names], workers=1, on_done=lines.append
    )
    assert failures == []
    assert sorted(lines) == sorted(names)
    assert [runs_of(folder, name) for name in names] == [1, 1, 2, 1, 1]


def test_a_task_that_always_kills_its_worker_ends_in_one_error(work):
    lines = []
    with pytest.raises(PhasenetError, match=r"died 3 times .* 1 are open.*--workers") as error:
        run_tasks(work.always_killed, [0], workers=1, on_done=lines.append)
    assert "\n" not in str(error.value)
    assert lines == []


def test_a_bug_in_a_task_is_raised_as_it_is(work):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run_tasks(work.broken, [0, 1], workers=1, on_done=print)


def parent(folder: Path, *seconds: float) -> subprocess.Popen:
    """Process that hands out one task for each number of seconds, to two workers."""
    code = f"""
        from phasenet.engines.local import run_tasks
        from {MODULE} import quick_or_endless

        if __name__ == "__main__":
            tasks = [({str(folder)!r}, seconds) for seconds in {seconds!r}]
            run_tasks(quick_or_endless, tasks, workers=2, on_done=print)
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
        run_tasks(
            work.quick_or_endless,
            [(str(folder), 0.0), (str(folder), 30.0)],
            workers=2,
            on_done=stop,
        )
    assert time.monotonic() - start < 10
    wait_until(lambda: not any(is_alive(pid) for pid in pids_in(folder)), seconds=10)
