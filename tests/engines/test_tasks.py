"""Tasks through any executor: order, windows, stopping, and executors that break for good."""

import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from phasenet.engines.tasks import WorkerDied, run_tasks
from phasenet.errors import PhasenetError, SettingsError


class Recorder(Executor):
    """Does each task at once, and remembers how many it held."""

    def __init__(self) -> None:
        self.held = 0
        self.most = 0
        self.total = 0

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_running_or_notify_cancel()
        self.held += 1
        self.total += 1
        self.most = max(self.most, self.held)
        threading.Timer(0.002, self._end, (future, fn, args)).start()
        return future

    def _end(self, future, fn, args):
        self.held -= 1
        future.set_result(fn(*args))


@pytest.mark.parametrize("window", [1, 3])
def test_an_executor_holds_no_more_than_the_window(window):
    executor = Recorder()
    lines: list[str] = []
    run_tasks(str, iter(range(20)), executor=executor, on_done=lines.append, window=window)
    assert sorted(map(int, lines)) == list(range(20))
    assert executor.most == window


def test_a_process_pool_from_outside():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        lines: list[str] = []
        assert run_tasks(str, range(5), executor=executor, on_done=lines.append) == []
    assert lines == list("01234")


def test_threads_from_outside_and_failures():
    def even_only(task: int) -> str:
        if task % 2:
            raise SettingsError(f"{task} is odd")
        return str(task)

    lines: list[str] = []
    with ThreadPoolExecutor(2) as executor:
        failures = run_tasks(even_only, range(5), executor=executor, on_done=lines.append)
    assert sorted(lines) == ["0", "2", "4"]
    assert sorted(failure.task for failure in failures) == [1, 3]


def test_a_stop_lets_the_running_tasks_end_and_begins_no_other():
    begun: list[int] = []

    def slow(task: int) -> str:
        begun.append(task)
        time.sleep(0.05)
        return str(task)

    lines: list[str] = []
    with ThreadPoolExecutor(2) as executor:
        failures = run_tasks(
            slow,
            range(50),
            executor=executor,
            on_done=lines.append,
            should_stop=lambda: bool(lines),
        )
    assert failures == []
    assert len(lines) == len(begun) <= 4


def test_a_stop_waits_no_longer_than_the_grace_time():
    wait = threading.Event()
    stop = threading.Event()

    def endless(task: int) -> str:
        stop.set()
        wait.wait()
        return "late"

    lines: list[str] = []
    start = time.monotonic()
    with ThreadPoolExecutor(1) as executor:
        run_tasks(
            endless,
            [0],
            executor=executor,
            on_done=lines.append,
            should_stop=stop.is_set,
            poll_seconds=0.01,
            grace_seconds=0.1,
        )
        assert 0.1 <= time.monotonic() - start < 5
        wait.set()
    assert lines == []


def test_on_poll_is_called_while_a_task_runs_and_at_the_end():
    polls: list[float] = []
    with ThreadPoolExecutor(1) as executor:
        run_tasks(
            lambda task: str(time.sleep(0.1)),
            [0],
            executor=executor,
            on_done=lambda line: None,
            on_poll=lambda: polls.append(time.monotonic()),
            poll_seconds=0.01,
        )
    assert len(polls) >= 3


def test_deaths_are_counted_for_each_task_alone():
    left = {"a": 2, "b": 2}

    def mortal(task: str) -> str:
        if left.get(task):
            left[task] -= 1
            raise WorkerDied("killed")
        if task == "poison":
            raise WorkerDied("killed")
        return task

    lines: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        failures = run_tasks(mortal, ["a", "poison", "b"], executor=executor, on_done=lines.append)
    assert sorted(lines) == ["a", "b"]
    assert [failure.task for failure in failures] == ["poison"]
    assert str(failures[0].error).startswith("the worker of poison died 3 times (killed)")


def test_a_long_task_is_named_by_its_beginning():
    def dead(task: str) -> str:
        raise WorkerDied

    with ThreadPoolExecutor(1) as executor:
        failure = run_tasks(dead, ["x" * 1000], executor=executor, on_done=print)[0]
    assert len(str(failure.error)) < 350


def test_an_executor_that_is_shut_down_is_one_clear_error():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(PhasenetError, match=r"the executor takes no more tasks .*new executor"):
        run_tasks(str, [0], executor=executor, on_done=print)


def test_a_bug_leaves_nothing_waiting():
    begun: list[int] = []

    def bug(task: int) -> str:
        begun.append(task)
        raise ZeroDivisionError("a bug")

    def first_slow(task: int) -> str:
        time.sleep(0.05)
        return bug(task)

    with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError, match="a bug"):
        run_tasks(first_slow, range(100), executor=executor, on_done=print)
    assert len(begun) <= 2
