"""Step 4: the classifier as tensor trains."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.phases.spins import is_integer_spin
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.records import Snapshots, TensorizedClassifier, TensorizedFunction
from phasenet.seeds import derived_seed, stream
from phasenet.settings import TensorizeSettings
from phasenet.statistics import binomial_error
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.trains import write_train
from phasenet.study import StudyCard
from phasenet.tensorizer import tensorize as tensorize_function
from phasenet.trains.train import Array, FloatArray, IntArray

_Function = Callable[[Array], FloatArray]


def train_product(network: Path, snapshots: Path, out: Path, card: StudyCard) -> Product:
    """File of the trains that a classifier and its snapshots lead to."""
    settings = card.run_settings()
    header = Header(
        kind=Kind.TRAIN,
        settings={"tensorize": settings.tensorize.as_dict()},
        seed=settings.seed,
        parents=parents_of([network, snapshots]),
        study=card,
    )
    return Product(path=out, header=header)


def tensorize(
    network: Path, snapshots: Path, product: Product, card: StudyCard, *, reporter: Reporter
) -> TensorizedClassifier:
    """Turn the logits and the probabilities of a classifier into trains, and measure the error.

    Parameters
    ----------
    network, snapshots
        Files of the classifier and of the snapshots whose distribution matters.
    product
        From :func:`train_product`.
    card
        Settings.
    reporter
        Hears of each half sweep.
    """
    from phasenet.networks.training import one_thread, stored_functions  # loads torch

    settings, seed = card.run_settings().tensorize, card.run_settings().seed

    def compute() -> TensorizedClassifier:
        _, data = read_snapshots(snapshots)
        _, record = read_network(network)
        build, held_out = _choose(data, settings, seed)
        samples, fresh = data.spins[build].astype(np.int64), data.spins[held_out].astype(np.int64)
        logits, probabilities = stored_functions(record)
        with one_thread():
            trains = {
                name: _tensorized(
                    name, function, rank, samples, fresh, data.site_dim, settings, seed, reporter
                )
                for name, function, rank in (
                    ("logits", logits, settings.max_rank),
                    ("probabilities", probabilities, settings.probability_rank),
                )
            }
            deviation = trains["probabilities"].train(fresh) - probabilities(fresh)
        string = (
            bulk_string_of_snapshots(fresh, data.site_dim)
            if is_integer_spin(data.site_dim)
            else np.full(len(fresh), np.nan)
        )
        groups = [data.point_index[held_out] == point for point in range(len(data.points))]
        return TensorizedClassifier(
            classes=record.classes,
            logits=trains["logits"],
            probabilities=trains["probabilities"],
            points=tuple(label.point for label in data.points),
            probability_errors=_mean_errors(deviation, groups),
            string_errors=_mean_errors(deviation * string[:, None], groups),
            held_out=len(held_out),
        )

    return product.make(compute, write_train)


def _mean_errors(deviation: FloatArray, groups: Sequence[Array]) -> FloatArray:
    """Modulus of the mean plus its standard error, for each group of shots and each class."""
    rows = []
    for group in groups:
        chosen = deviation[group]
        rows.append(np.abs(chosen.mean(axis=0)) + chosen.std(axis=0) / np.sqrt(len(chosen)))
    return np.asarray(rows)


def _choose(data: Snapshots, settings: TensorizeSettings, seed: int) -> tuple[IntArray, IntArray]:
    """Shots to build from and shots to test on, without overlap, from all points alike."""
    rng = stream(seed, "tensorize", "shots")
    build, held_out = [], []
    per_point = -(-settings.samples // len(data.points))
    for point in range(len(data.points)):
        shots = rng.permutation(np.flatnonzero(data.point_index == point))
        fresh = min(settings.held_out_per_point, len(shots) // 2)
        held_out.append(shots[:fresh])
        build.append(shots[fresh : fresh + per_point])
    return np.concatenate(build), np.concatenate(held_out)


def _tensorized(
    name: str,
    function: _Function,
    max_rank: int,
    samples: IntArray,
    fresh: IntArray,
    site_dim: int,
    settings: TensorizeSettings,
    seed: int,
    reporter: Reporter,
) -> TensorizedFunction:
    with stage(reporter, f"tensorizing {name}", 1):
        found = tensorize_function(
            function,
            samples=samples,
            site_dims=(site_dim,) * samples.shape[1],
            tol=settings.tol,
            max_rank=max_rank,
            max_evaluations=settings.max_evaluations,
            seed=derived_seed(seed, "tensorize", name),
            progress=lambda sweep: reporter.advance(0, str(sweep)),
        )
    wanted, got = function(fresh), found.train(fresh)
    agreement = float((wanted.argmax(axis=1) == got.argmax(axis=1)).mean())
    return TensorizedFunction(
        train=found.train,
        data_error=float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted)),
        agreement=agreement,
        agreement_error=binomial_error(agreement, len(fresh)),
        uniform_error=found.uniform_error,
        evaluations=found.evaluations,
        outcome=found.outcome.value,
        history={
            "rank": np.asarray([max(sweep.ranks, default=1) for sweep in found.history], float),
            "probe_error": np.asarray([sweep.probe_error for sweep in found.history]),
            "evaluations": np.asarray([sweep.evaluations for sweep in found.history], float),
        },
    )
