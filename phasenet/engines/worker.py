"""A worker process: answers one call after the other through a socket, until its parent leaves."""

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

# A terminal or a batch system sends these to a whole group; only the parent acts on them.
IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

Answer = tuple[bool, Any]  # whether it went well, and the result or the error


def serve(socket: int) -> None:
    """Answer calls from a socket until it is closed at the other end."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(socket)
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, calls), daemon=True).start()
    while True:
        connection.send_bytes(_packed(_answer(calls.get())))


def _listen(connection: Connection, calls: SimpleQueue[bytes]) -> None:
    # The socket closes when the parent has enough or dies, also while a call is at work.
    try:
        while True:
            calls.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def _answer(call: bytes) -> Answer:
    try:
        function: Callable[[Any], str]
        function, task = pickle.loads(call)
        return True, function(task)
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        return False, error
    except BaseException as error:  # such as SystemExit, which must not end the parent
        return False, RuntimeError(f"a task raised {error!r}")


def _packed(answer: Answer) -> bytes:
    try:
        packed = pickle.dumps(answer)
        pickle.loads(packed)
    except Exception as error:
        told = f"{answer[1]!r} cannot be sent to another process ({error})"
        return pickle.dumps((False, TypeError(told)))
    return packed
