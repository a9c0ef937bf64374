"""All steps of a study, one after the other; whatever is up to date is left alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.pipeline.chart import chart, chart_product
from phasenet.pipeline.dataset_plan import plan_of_states
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.folder import RunFolder
from phasenet.pipeline.measure import measure, table_product
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter, SilentReporter
from phasenet.pipeline.sample import sample
from phasenet.pipeline.simulate import find_states, planned_units
from phasenet.pipeline.survey import survey
from phasenet.pipeline.tensorize import tensorize, train_product
from phasenet.pipeline.train import network_product, train
from phasenet.storage.header import Kind
from phasenet.storage.locks import Shard
from phasenet.study import Study


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run made.

    Parameters
    ----------
    folder
        Where its files lie.
    new_states
        Ground states found by this call.
    made
        Files made by this call, beside the states.
    """

    folder: RunFolder
    new_states: int
    made: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One file of a run; the product can be known only when the steps before are done."""

    path: Path
    product: Callable[[], Product]
    make: Callable[[Product], object]


def run(
    study: Study,
    study_path: Path,
    root: Path,
    *,
    engine: Engine,
    reporter: Reporter,
    retry: bool = False,
) -> RunResult:
    """Carry a study from its grid to its phase diagram.

    Parameters
    ----------
    study, study_path
        The study and the file that it was loaded from.
    root
        Folder for all files.
    engine
        What finds the ground states.
    reporter
        Hears of every stage.
    retry
        Whether to try ground states again that failed three times.
    """
    _check_basis(study)
    folder = RunFolder(root=root, name=study.name)
    found = find_states(study, study_path, root, engine=engine, reporter=reporter, retry=retry)
    made: list[Path] = []
    for step in _steps(found.paths, folder, study.card(), reporter, engine.workers):
        product = step.product()
        if not product.is_done():
            step.make(product)
            made.append(step.path)
    return RunResult(folder=folder, new_states=found.new, made=tuple(made))


def plan(study: Study, study_path: Path, root: Path) -> list[str]:
    """Say in a few lines what a run would do, and do nothing."""
    _check_basis(study)
    folder = RunFolder(root=root, name=study.name)
    there = survey(planned_units(study, study_path, root, Shard()))
    missing, paths = len(there.missing), tuple(there.paths.values())
    lines = [f"{missing} of {len(paths)} ground states to find in {folder.states}"]
    stale = missing > 0
    for step in _steps(paths, folder, study.card(), SilentReporter()):
        stale = stale or not step.product().is_done()
        lines.append(f"{'to make' if stale else 'up to date'}: {step.path}")
    return lines


def _check_basis(study: Study) -> None:
    """Raise SettingsError unless the classifier of the run will be an observable of its states."""
    sample = study.settings.sample
    if (sample.basis, sample.transform) != ("Sz", "none"):
        raise SettingsError(
            f"sample.basis is {sample.basis} and sample.transform {sample.transform}; a run ends "
            "with the classifier measured in the states in the basis Sz: for other snapshots, call "
            "phasenet sample and phasenet train"
        )


def _steps(
    states: Sequence[Path],
    folder: RunFolder,
    card: StudyCard,
    reporter: Reporter,
    workers: int = 1,
) -> list[_Step]:
    snapshots, network = folder.file(Kind.SNAPSHOTS), folder.file(Kind.NETWORK)
    trains, table = folder.file(Kind.TRAIN), folder.file(Kind.TABLE)
    diagram, dataset = folder.file(Kind.CHART), plan_of_states(states, card)
    return [
        _Step(
            path=snapshots,
            product=lambda: dataset.product(snapshots),
            make=lambda product: sample(dataset, product, reporter=reporter, workers=workers),
        ),
        _Step(
            path=network,
            product=lambda: network_product(snapshots, network, card),
            make=lambda product: train(snapshots, product, card, reporter=reporter),
        ),
        _Step(
            path=trains,
            product=lambda: train_product(network, snapshots, trains, card),
            make=lambda product: tensorize(network, snapshots, product, card, reporter=reporter),
        ),
        _Step(
            path=table,
            product=lambda: table_product(states, trains, table, card),
            make=lambda product: measure(
                states, trains, product, card, reporter=reporter, workers=workers
            ),
        ),
        _Step(
            path=diagram,
            product=lambda: chart_product(table, diagram, card),
            make=lambda product: chart(table, product, card),
        ),
    ]
