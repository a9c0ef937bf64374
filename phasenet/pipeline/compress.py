"""Step beside the others: a trained network made smaller, and what that costs in accuracy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet.compression import (
    Candidate,
    Compressed,
    CompressionCurve,
    CompressSettings,
    Method,
    Starts,
    candidates,
)
from phasenet.pipeline.compress_lines import row_line
from phasenet.pipeline.construction import Construction, was_interrupted
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.storage.compression import read_compression, write_compression
from phasenet.storage.container import current_header
from phasenet.trained import Score
from phasenet.trains.train import TensorTrain

if TYPE_CHECKING:
    from phasenet.networks.compression.curve import Bench
    from phasenet.networks.compression.task import Subject, Task

# The train is fitted as well as its rank allows.
_TRAIN_TOL = 1e-6
_START_METHOD: Method = "cross"


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """What is compressed, read into memory.

    Parameters
    ----------
    subject
        The network.
    task
        Its shots.
    classes
        Labels in the order of the outputs.
    nulls
        What else can tell the classes apart.
    """

    subject: "Subject"
    task: "Task"
    classes: tuple[str, ...]
    nulls: tuple[Score, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Compression:
    """One network that is to be compressed.

    Parameters
    ----------
    name
        What it is called in the figure.
    product
        File of the candidates.
    settings
        Candidates, and how they are tuned.
    seed
        Of all random choices.
    load
        Reads the network and its shots.
    caution
        What the user must know of the shots; a sentence or empty.
    """

    name: str
    product: Product
    settings: CompressSettings
    seed: int
    load: Callable[[], Loaded]
    caution: str = ""

    @property
    def part(self) -> Path:
        """File of the candidates that are done, until all are."""
        return self.product.path.with_name(f"{self.product.path.name}.part")

    def done(self) -> CompressionCurve | None:
        """Candidates that an earlier run of the same command has finished."""
        if current_header(self.part, self.product.header.key) is None:
            return None
        return read_compression(self.part)[1]

    def open(self) -> tuple[Candidate, ...]:
        """Candidates that are still to be tried."""
        before = self.done()
        tried = {row.candidate for row in before.rows} if before else set()
        return tuple(c for c in candidates(self.settings) if c not in tried)


def compress(work: Compression, *, reporter: Reporter) -> CompressionCurve:
    """Try all candidates that are not done, and write them; each is kept as soon as it is done.

    Parameters
    ----------
    work
        The network.
    reporter
        Hears of each candidate.

    Raises
    ------
    SettingsError
        The network and its shots do not fit.
    """
    from phasenet.networks.training import one_thread

    if work.caution:
        reporter.say(work.caution)

    def compute() -> CompressionCurve:
        with one_thread():
            return _curve(work, reporter)

    curve = work.product.make(compute, write_compression)
    work.part.unlink(missing_ok=True)
    return curve


def _curve(work: Compression, reporter: Reporter) -> CompressionCurve:
    from phasenet.networks.compression.curve import Bench

    loaded = work.load()
    bench = Bench(loaded.subject, loaded.task, work.settings, seed=work.seed)
    curve = work.done() or CompressionCurve(
        name=work.name,
        classes=loaded.classes,
        original=bench.original(),
        rows=(),
        nulls=loaded.nulls,
        shots=loaded.task.shots,
    )
    for candidate in work.open():
        row = _row(bench, candidate, reporter)
        curve = replace(curve, rows=(*curve.rows, row))
        write_compression(work.part, work.product.header, curve)
        reporter.say(row_line(curve, row))
    if work.settings.start_epochs and curve.starts is None:
        curve = replace(curve, starts=_starts(bench, reporter))
    return curve


def _row(bench: "Bench", candidate: Candidate, reporter: Reporter) -> Compressed:
    if candidate.method:
        return _one_train(bench, candidate, reporter)
    from phasenet.networks.compression.curve import compressed

    every = candidates(bench.settings)
    place = f"{every.index(candidate) + 1} of {len(every)}"
    with stage(reporter, f"candidate {place}, {candidate}", bench.settings.seeds):
        return compressed(bench, candidate, tell=reporter.advance)


def _one_train(bench: "Bench", candidate: Candidate, reporter: Reporter) -> Compressed:
    from phasenet.networks.compression.whole import scored_train, takes_local_states

    if not takes_local_states(bench.task):
        return Compressed(candidate=candidate, note="inputs are no chains of local states")
    trains = [
        _tensorized(bench, candidate, repeat, reporter) for repeat in range(bench.settings.seeds)
    ]
    with stage(reporter, f"tuning {candidate}", bench.settings.seeds):
        return scored_train(bench, candidate, trains, tell=reporter.advance)


def _tensorized(
    bench: "Bench", candidate: Candidate, repeat: int, reporter: Reporter
) -> TensorTrain:
    from phasenet.networks.compression.whole import logits_of, samples_of

    seed = bench.seed_of(candidate, repeat, "train")
    samples, site_dim = samples_of(bench, seed)
    construction = Construction(
        title=f"{candidate}, seed {repeat + 1} of {bench.settings.seeds}",
        tol=_TRAIN_TOL,
        max_rank=int(candidate.size),
        max_evaluations=bench.settings.max_evaluations,
        method=candidate.method or "auto",
        seed=seed,
    )
    found = construction.run(logits_of(bench.subject), samples, site_dim, reporter)
    if was_interrupted(found.outcome.value):
        raise KeyboardInterrupt
    return found.train


def _starts(bench: "Bench", reporter: Reporter) -> Starts | None:
    """Learning curves of a tensor-train classifier; None where there is no train."""
    from phasenet.networks.compression.starts import STARTED, learning_curves
    from phasenet.networks.compression.whole import takes_local_states

    if not takes_local_states(bench.task):
        return None
    candidate = Candidate.of_train(_START_METHOD, bench.settings.start_rank)
    train = _tensorized(bench, candidate, 0, reporter)
    with stage(reporter, "training of one train", len(STARTED) * bench.settings.seeds):
        return learning_curves(bench, train, tell=reporter.advance)
