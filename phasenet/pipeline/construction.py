"""What all steps that call the tensorizer share: progress, curves, interruption."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from phasenet.errors import FileKindError
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.settings import Method
from phasenet.storage.container import current_header
from phasenet.storage.header import Header
from phasenet.tensorizer import BatchFunction, Outcome, Tensorization
from phasenet.tensorizer import tensorize as tensorize_function
from phasenet.tensorizer.result import HalfSweep
from phasenet.trains.train import FloatArray, IntArray

Value = TypeVar("Value")

_MARK = "interrupted"


@dataclass(frozen=True, kw_only=True)
class Construction:
    """How to tensorize one function.

    Parameters
    ----------
    title
        What it is called while it is under way.
    tol, max_rank, max_evaluations, method, seed
        As in :func:`phasenet.tensorize`.
    """

    title: str
    tol: float
    max_rank: int
    max_evaluations: int
    method: Method
    seed: int

    def run(
        self, function: BatchFunction, samples: IntArray, site_dim: int, reporter: Reporter
    ) -> Tensorization:
        """Return the train of a function; the reporter hears of the rank of each half sweep."""

        def tell(sweep: HalfSweep) -> None:
            reporter.advance(min(max(sweep.ranks, default=1), self.max_rank), str(sweep))

        with stage(reporter, f"tensorizing {self.title}", self.max_rank):
            return tensorize_function(
                function,
                samples=samples,
                site_dims=(site_dim,) * samples.shape[1],
                tol=self.tol,
                max_rank=self.max_rank,
                max_evaluations=self.max_evaluations,
                seed=self.seed,
                method=self.method,
                progress=tell,
            )


def curves(history: Iterable[HalfSweep]) -> dict[str, FloatArray]:
    """Curves of a construction by name, one entry for each half sweep."""
    records = tuple(history)
    return {
        "rank": np.asarray([max(sweep.ranks, default=1) for sweep in records], float),
        "probe_error": np.asarray([sweep.probe_error for sweep in records], float),
        "data_error": np.asarray([sweep.data_error for sweep in records], float),
        "uniform_error": np.asarray([sweep.uniform_error for sweep in records], float),
        "evaluations": np.asarray([sweep.evaluations for sweep in records], float),
    }


def was_interrupted(outcome: str) -> bool:
    """Return whether a stored outcome says that the construction was interrupted."""
    return outcome == Outcome.INTERRUPTED.value


@dataclass(frozen=True, kw_only=True)
class TrainFile(Generic[Value]):
    """A file of trains that may hold what was found until an interruption.

    Its header is then marked, so that it never counts as done; and it gives way only to something
    better, or to a finished construction.

    Parameters
    ----------
    write, read
        Of the storage.
    outcome, error
        How a construction ended, and the error by which it is judged.
    """

    write: Callable[[Path, Header, Value], Header]
    read: Callable[[Path], tuple[Header, Value]]
    outcome: Callable[[Value], str]
    error: Callable[[Value], float]

    def make(self, product: Product, compute: Callable[[], Value], reporter: Reporter) -> Value:
        """Compute and write; an interrupted construction ends in KeyboardInterrupt all the same."""
        value = product.make(compute, self._keep)
        if was_interrupted(self.outcome(value)):
            reporter.say(
                f"interrupted: {product.path} holds the best so far (relative error "
                f"{self._stored_error(product.path):.1e} on held-out samples); "
                "the same command starts again and keeps the better one"
            )
            raise KeyboardInterrupt
        return value

    def _keep(self, path: Path, header: Header, value: Value) -> Header:
        if not was_interrupted(self.outcome(value)):
            return self.write(path, header, value)
        marked = replace(header, settings={**header.settings, _MARK: True})
        before = current_header(path, marked.key)
        if before is not None and self._stored_error(path) <= self.error(value):
            return before
        return self.write(path, marked, value)

    def _stored_error(self, path: Path) -> float:
        try:
            return self.error(self.read(path)[1])
        except FileKindError:
            return float("inf")
