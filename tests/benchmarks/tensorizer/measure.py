"""One run of one peer on one target, in a process of its own, as a row of plain values."""

import multiprocessing
import signal
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import numpy as np
from counting import BudgetSpentError, Counted
from judge import agreement, is_right, true_errors
from peers import Adapter
from problem import Target

BUDGET = 1_000_000
_WALL_OVER_CPU = 10.0  # on a machine that is shared with others

Row = dict[str, Any]


class OutOfTimeError(Exception):
    """The clock of a run has run out."""


def measured(target: Target, adapter: Adapter, seed: int, limit_seconds: float) -> Row:
    """Row of a run: status, counts, seconds, errors. A failure of the peer is a row too.

    Parameters
    ----------
    target, adapter, seed
        What is run.
    limit_seconds
        CPU time after which the run is stopped.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, target, adapter, seed, limit_seconds))
    process.start()
    sender.close()
    row: Row = {"status": "killed"}
    if receiver.poll(limit_seconds * _WALL_OVER_CPU):
        try:
            row = receiver.recv()
        except EOFError:
            row = {"status": "crashed"}
    process.kill()
    process.join()
    return row


def _child(
    sender: Connection, target: Target, adapter: Adapter, seed: int, limit_seconds: float
) -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    sender.send(run_here(target, adapter, seed, limit_seconds))


def run_here(target: Target, adapter: Adapter, seed: int, limit_seconds: float) -> Row:
    """Row of a run in this process; only its main thread can be stopped by the clock."""
    counted = Counted(target, BUDGET)
    row: Row = {"status": "done"}
    built = None
    signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, limit_seconds)
    wall, start = time.perf_counter(), time.process_time()
    try:
        built = adapter(target, counted, seed)
    except OutOfTimeError:
        row["status"] = "timeout"
    except BudgetSpentError:
        row["status"] = "budget"
    # Whatever a peer raises is a result of the benchmark.
    except BaseException as error:
        row["status"] = _reason(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    row |= {
        "cpu_seconds": time.process_time() - start - counted.own_seconds,
        "wall_seconds": time.perf_counter() - wall,
        "function_seconds": counted.function_seconds,
        "requested": counted.requested,
        "calls": counted.calls,
        "evaluations": counted.distinct(),
    }
    if built is not None:
        row["claim"] = built.claim
        row["rank"] = max(built.train.bond_dims)
        row["errors"] = true_errors(target, built.train)
        row["agreement"] = agreement(target, built.train)
        row["right"] = is_right(target.limits, row["errors"])
    return row


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfTimeError


def _reason(error: BaseException) -> str:
    """Name of an error; the cause, if a peer caught the clock or the budget and raised its own."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None:
        chain.append(current)
        current = current.__cause__ or current.__context__
    for known, name in ((OutOfTimeError, "timeout"), (BudgetSpentError, "budget")):
        if any(isinstance(each, known) for each in chain):
            return name
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" in {last[0].name}" if last else ""
    return f"{type(error).__name__}{where}: {str(error)[:80]}"
