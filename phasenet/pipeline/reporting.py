"""How a step tells what it is doing; the command line decides how it looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of steps."""

    def begin(self, title: str, total: int) -> None:
        """Open a stage of ``total`` pieces of work; 0 where nobody knows how many."""

    def advance(self, done: int, text: str) -> None:
        """Say that ``done`` pieces are finished, with a few words on the latest."""

    def end(self) -> None:
        """Close the stage."""

    def say(self, line: str) -> None:
        """Say one line."""


class SilentReporter:
    """Says nothing: for use as a library."""

    def begin(self, title: str, total: int) -> None:
        """Do nothing."""

    def advance(self, done: int, text: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""


@contextmanager
def stage(reporter: Reporter, title: str, total: int) -> Iterator[None]:
    """One stage of a step, closed however it ends."""
    reporter.begin(title, total)
    try:
        yield
    finally:
        reporter.end()
