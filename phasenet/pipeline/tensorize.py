"""Step 4: the classifier as tensor trains."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.networks.readings import without_lost_sites
from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.phases.spins import is_integer_spin
from phasenet.pipeline.construction import Construction, TrainFile, curves, was_interrupted
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter
from phasenet.records import TensorizedClassifier, TensorizedFunction, TrainedNetwork
from phasenet.seeds import derived_seed, stream
from phasenet.settings import RunSettings, TensorizeOptions, TensorizeSettings
from phasenet.shots import Snapshots, SnapshotsHead
from phasenet.statistics import binomial_error
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.trains import read_train, write_train
from phasenet.trains.train import Array, FloatArray, IntArray

_Function = Callable[[Array], FloatArray]

# The functions of a classifier, and the setting that holds the largest rank of each.
_RANKS = {"logits": "max_rank", "probabilities": "probability_rank"}

_FILE = TrainFile(
    write=write_train,
    read=read_train,
    outcome=lambda found: found.probabilities.outcome,
    error=lambda found: found.probabilities.data_error,
)


def card_with(card: StudyCard, options: TensorizeOptions) -> StudyCard:
    """Card of a study whose settings are changed by what was asked for."""
    settings = card.run_settings()
    changed = {
        **settings.as_dict(),
        "tensorize": settings.tensorize.changed(options).as_dict(),
        "seed": settings.seed if options.seed is None else options.seed,
    }
    return replace(card, settings=changed)


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
    network: Path,
    snapshots: Path,
    product: Product,
    card: StudyCard,
    *,
    reporter: Reporter,
    device: str = "cpu",
) -> TensorizedClassifier:
    """Turn the logits and the probabilities of a classifier into trains, and measure the error.

    Both are functions of whole configurations in the basis Sz: shots with lost sites are left out,
    and so are controls and chains of another length than those trained on. An interruption keeps
    the best so far once the logits are done.

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
    device
        Where the network is evaluated.

    Raises
    ------
    SettingsError
        The snapshots are of another basis, or transformed, or no shot was read on all sites.
    """

    def compute() -> TensorizedClassifier:
        _, data = read_snapshots(snapshots)
        _, record = read_network(network)
        return _tensorized_classifier(record, data, card.run_settings(), device, reporter)

    return _FILE.make(product, compute, reporter)


def _tensorized_classifier(
    record: TrainedNetwork, data: Snapshots, run: RunSettings, device: str, reporter: Reporter
) -> TensorizedClassifier:
    # Without it, torch refuses to be deterministic on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from phasenet.networks.functions import stored_functions  # loads torch
    from phasenet.networks.training import one_thread

    site_dim = data.head.site_dim
    points = _points(data.head)
    build, held_out = _choose(data, points, run.tensorize, run.seed)
    samples = data.configurations(build).astype(np.int64)
    fresh = data.configurations(held_out).astype(np.int64)
    with one_thread():
        functions = dict(zip(_RANKS, stored_functions(record, device), strict=True))
        trains = {
            name: _tensorized(
                _construction(name, run), function, samples, fresh, site_dim, device, reporter
            )
            for name, function in functions.items()
        }
        exact = functions["probabilities"](fresh)
    deviation = trains["probabilities"].train(fresh) - exact
    string = (
        bulk_string_of_snapshots(fresh, site_dim)
        if is_integer_spin(site_dim)
        else np.full(len(fresh), np.nan)
    )
    groups = {k: data.shots.point_index[held_out] == k for k in points}
    groups = {k: members for k, members in groups.items() if members.any()}
    return TensorizedClassifier(
        classes=record.classes,
        logits=trains["logits"],
        probabilities=trains["probabilities"],
        points=tuple(data.head.points[k].point for k in groups),
        probability_errors=_mean_errors(deviation, list(groups.values())),
        string_errors=_mean_errors(deviation * string[:, None], list(groups.values())),
        held_out=len(held_out),
    )


def _mean_errors(deviation: FloatArray, groups: Sequence[Array]) -> FloatArray:
    """Modulus of the mean plus its standard error, for each group of shots and each class."""
    rows = []
    for group in groups:
        chosen = deviation[group]
        rows.append(np.abs(chosen.mean(axis=0)) + chosen.std(axis=0) / np.sqrt(len(chosen)))
    return np.asarray(rows)


def _points(head: SnapshotsHead) -> list[int]:
    """Points whose shots the trains are for: measured, of chains as long as those trained on."""
    if (head.basis, head.transform) != ("Sz", "none"):
        transformed = "" if head.transform == "none" else f", transformed by {head.transform}"
        raise SettingsError(
            f"the snapshots are of the basis {head.basis}{transformed}, but the trains of a "
            "classifier are functions of the configurations in the basis Sz; train on a dataset of "
            "sample.basis = Sz without a transform"
        )
    sites = {head.sources[head.points[k].source].sites for k in head.points_in("train")}
    return [
        k
        for k, point in enumerate(head.points)
        if not point.control and head.sources[point.source].sites in sites
    ]


def _choose(
    data: Snapshots, points: Sequence[int], settings: TensorizeSettings, seed: int
) -> tuple[IntArray, IntArray]:
    """Shots to build from and shots to test on, without overlap, from all points alike."""
    rng = stream(seed, "tensorize", "shots")
    build, held_out = [], []
    per_point = -(-settings.samples // len(points))
    for point in points:
        whole = without_lost_sites(data, np.flatnonzero(data.shots.point_index == point))
        shots = rng.permutation(whole)
        fresh = min(settings.held_out_per_point, len(shots) // 2)
        held_out.append(shots[:fresh])
        build.append(shots[fresh : fresh + per_point])
    tested = np.concatenate(held_out)
    if len(tested) == 0:
        raise SettingsError(
            f"no two of the {len(data.shots)} snapshots of a point were read on all sites; trains "
            "are built from whole configurations: lower noise.lost"
        )
    # The first samples are those that pivots are chosen from: they must not be of one point.
    return rng.permutation(np.concatenate(build)), tested


def _construction(name: str, run: RunSettings) -> Construction:
    settings = run.tensorize
    return Construction(
        title=name,
        tol=settings.tol,
        max_rank=getattr(settings, _RANKS[name]),
        max_evaluations=settings.max_evaluations,
        method=settings.method,
        seed=derived_seed(run.seed, "tensorize", name),
    )


def _tensorized(
    construction: Construction,
    function: _Function,
    samples: IntArray,
    fresh: IntArray,
    site_dim: int,
    device: str,
    reporter: Reporter,
) -> TensorizedFunction:
    found = construction.run(function, samples, site_dim, reporter)
    if was_interrupted(found.outcome.value) and construction.title == "logits":
        # The other function is missing: there is nothing whole to keep.
        raise KeyboardInterrupt
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
        history=curves(found.history),
        tol=found.tol,
        steps=(*found.steps, *([] if device == "cpu" else [f"evaluated on {device}"])),
    )
