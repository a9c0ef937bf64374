"""Progress on a terminal as a bar with an ETA, elsewhere as a few lines."""

import sys
from typing import Any

_LINES_PER_STAGE = 8


class TerminalReporter:
    """Writes progress to the standard error stream."""

    def __init__(self) -> None:
        self._interactive = sys.stderr.isatty()
        self._bar: Any = None
        self._total, self._done, self._shown = 0, 0, 0

    def begin(self, title: str, total: int) -> None:
        """Open a stage."""
        self._total, self._done, self._shown = total, 0, 0
        if self._interactive:
            from tqdm import tqdm  # only needed on a terminal

            self._bar = tqdm(total=total, desc=title, leave=False, dynamic_ncols=True)
        else:
            self.say(f"{title} ...")

    def advance(self, done: int, text: str) -> None:
        """Move the bar, or say a line now and then."""
        step, self._done = done - self._done, done
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(step)
        elif self._total > 1 and done * _LINES_PER_STAGE >= (self._shown + 1) * self._total:
            self._shown = done * _LINES_PER_STAGE // self._total
            self.say(f"  {done}/{self._total} {text}")

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
