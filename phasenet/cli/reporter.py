"""Progress on a terminal as a bar with an ETA, elsewhere as a few lines."""

import sys
import time
from typing import Any

_LINES_PER_STAGE = 8
_SECONDS_PER_LINE = 5.0


class TerminalReporter:
    """Writes progress to the standard error stream."""

    def __init__(self) -> None:
        self._interactive = sys.stderr.isatty()
        self._bar: Any = None
        self._total, self._done, self._shown = 0, 0, 0
        self._said = 0.0

    def begin(self, title: str, total: int) -> None:
        """Open a stage."""
        self._total, self._done, self._shown = total, 0, 0
        self._said = time.monotonic()
        if self._interactive:
            from tqdm import tqdm  # only needed on a terminal

            # miniters=0: the words beside the bar change even where the bar does not move.
            self._bar = tqdm(
                total=total or None, desc=title, leave=False, dynamic_ncols=True, miniters=0
            )
        else:
            self.say(f"{title} ...")

    def advance(self, done: int, text: str) -> None:
        """Move the bar, or say a line: at eighths of the work, and every few seconds."""
        step, self._done = done - self._done, done
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(step)
            return
        eighth = self._total > 1 and done * _LINES_PER_STAGE >= (self._shown + 1) * self._total
        if eighth or time.monotonic() - self._said >= _SECONDS_PER_LINE:
            self._shown = done * _LINES_PER_STAGE // max(self._total, 1)
            self._said = time.monotonic()
            self.say(f"  {done}/{self._total} {text}" if self._total else f"  {text}")

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)
