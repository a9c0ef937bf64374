"""A file for HDF5 whose disk never seems full, and signals that wait until it is at rest.

HDF5 crashes the process where a write fails. Here it is told that all is well; the error is kept,
and so is what could not be written, in memory, until the file has been closed in good order. An
exception that a signal raises amid a write would crash it as well.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Sink:
    """A new file that HDF5 reads and writes through h5py's driver for Python objects.

    Parameters
    ----------
    path
        File to be made.

    Attributes
    ----------
    error
        The first thing that went wrong; None while the disk has everything.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sink = Sink(Path(folder) / "a")
    ...     _ = sink.write(b"abcd"), sink.seek(2), sink.write(b"C"), sink.seek(1)
    ...     sink.read(3), sink.close()
    (b'bCd', None)
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._stream: BinaryIO = path.open("wb+", buffering=0)
        self._position = 0
        self._size = 0
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the first thing that went wrong."""
        if self.error is not None:
            raise self.error

    def write(self, data: bytes | memoryview) -> int:
        """Write at the position, to the disk or, once that has failed, to memory."""
        view = memoryview(data).cast("B")
        start, self._position = self._position, self._position + len(view)
        self._size = max(self._size, self._position)
        if self.error is None:
            try:
                self._to_disk(view, start)
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._kept.append((start, bytes(view)))
        return len(view)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from the position on, with zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        start, self._position = self._position, self._position + len(view)
        found = os.pread(self._stream.fileno(), len(view), start)
        view[:] = found + bytes(len(view) - len(found))
        for place, data in self._kept:
            low, high = max(start, place), min(start + len(view), place + len(data))
            if low < high:
                view[low - start : high - start] = data[low - place : high - place]
        return len(view)

    def read(self, count: int) -> bytes:
        """Return some bytes from the position on."""
        found = bytearray(count)
        self.readinto(memoryview(found))
        return bytes(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, counted from the start or from the end."""
        self._position = offset + (self._size if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def truncate(self, size: int) -> int:
        """Set the size."""
        self._size = size
        try:
            self._stream.truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size

    def flush(self) -> None:
        """Do nothing: nothing waits."""

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _to_disk(self, view: memoryview, start: int) -> None:
        while view:
            written = os.pwrite(self._stream.fileno(), view, start)
            view, start = view[written:], start + written


@contextmanager
def waiting_signals() -> Iterator[Callable[[], None]]:
    """Hold signals back until the block ends, or until the value is called.

    Only those that Python would handle: others end the process or are ignored, as before.

    >>> before = signal.signal(signal.SIGUSR1, lambda number, frame: print("handled"))
    >>> with waiting_signals() as handle:
    ...     signal.raise_signal(signal.SIGUSR1)
    ...     print("waiting")
    ...     handle()
    waiting
    handled
    >>> _ = signal.signal(signal.SIGUSR1, before)
    """
    came: list[tuple[int, FrameType | None]] = []
    in_main = threading.current_thread() is threading.main_thread()
    found = {number: signal.getsignal(number) for number in _SIGNALS if in_main}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}

    def handle() -> None:
        while came:
            number, frame = came.pop(0)
            handlers[signal.Signals(number)](number, frame)

    for number in handlers:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield handle
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        handle()
