"""Step 2: labelled datasets of snapshots of ground states."""

from pathlib import Path

from phasenet.errors import SettingsError
from phasenet.pipeline.dataset_facts import read_facts
from phasenet.pipeline.dataset_head import dataset_head
from phasenet.pipeline.dataset_plan import DatasetPlan
from phasenet.pipeline.parallel import Answers
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.sampling_tasks import block_tasks, draw_block
from phasenet.settings import RunSettings
from phasenet.shots import SnapshotsHead
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.noise import check_noise
from phasenet.snapshots.repeats import Configurations
from phasenet.snapshots.transforms import check_control
from phasenet.storage.shot_parts import ShotParts, join_parts
from phasenet.storage.states import read_state


def sample(
    plan: DatasetPlan,
    product: Product,
    *,
    reporter: Reporter,
    workers: int = 1,
    device: str = "cpu",
) -> SnapshotsHead:
    """Label every point by what its infinite state shows, and draw snapshots of it.

    Finished blocks of shots are kept in a folder beside the file, from which the same call goes on
    after an interruption of any kind; afterwards the folder is removed.

    Parameters
    ----------
    plan
        What the dataset is made of.
    product
        From :meth:`DatasetPlan.product`.
    reporter
        Hears of each point and each block.
    workers
        Worker processes; they change no result.
    device
        Where states are contracted; on another one than ``cpu`` shots may differ by rounding.

    Raises
    ------
    PhasenetError
        A point lacks one of its states, a class has too few points, or the disk is full.
    """
    settings = plan.settings
    _, first = read_state(plan.chains[0].states[0])
    check_measurement(settings, first.train.cores[0].shape[1])
    answers = Answers(workers=workers if device == "cpu" else 1, reporter=reporter)
    found = dataset_head(plan, answers)
    lacking = [name for name in plan.classes if name not in found.head.classes]
    if lacking and settings.sample.label != "none":
        reporter.say(f"no point is labelled {' or '.join(lacking)}: the dataset lacks that")
    parts = ShotParts.beside(product.path)
    tasks = block_tasks(plan, found, product.header.key, parts, device)
    keys = [task.key for task in tasks]
    missing = [task for task in tasks if not parts.has(task.key)]
    there = len(tasks) - len(missing)
    title = f"snapshots ({there} of {len(tasks)} blocks are there)" if there else "snapshots"
    answers.of(title, draw_block, missing, str)
    training = Configurations()
    for task in tasks:
        if found.head.points[task.point].split == "train":
            training.add(parts.read(task.key))
    join_parts(parts, keys, product.path, product.header, found.head, mark=training.marked)
    parts.remove()
    for picture in product.extras:
        _draw(product.path, picture)
    return found.head


def _draw(dataset: Path, picture: Path) -> None:
    from phasenet.plots import save_figure  # loads matplotlib
    from phasenet.plots.snapshots import dataset_figure

    facts = read_facts(dataset)
    accuracy, errors = facts.point_accuracies()
    card = facts.header.study
    save_figure(dataset_figure(facts.head, facts.examples, accuracy, errors, card), picture)


def check_measurement(settings: RunSettings, site_dim: int) -> None:
    """Raise SettingsError unless chains with this number of local states can be measured so.

    >>> check_measurement(RunSettings.checked({"sample": {"basis": "unbiased"}}), 3)
    """
    sample = settings.sample
    basis_of(sample.basis, site_dim)
    check_noise(settings.noise, site_dim)
    for name in settings.controls.copies:
        check_control(name, site_dim)
    if sample.transform != "none":
        if sample.basis != "Sz" or site_dim % 2 == 0:
            raise SettingsError(
                f"sample.transform is {sample.transform} of {site_dim} local states in the basis "
                f"{sample.basis}; it is for integer spins in the basis Sz"
            )
        if settings.noise.lost:
            raise SettingsError(
                f"sample.transform is {sample.transform}, and noise.lost is "
                f"{settings.noise.lost:g}; a lost site has no sign: leave out one of the two"
            )
    if sample.phases and sample.window:
        raise SettingsError(
            "sample.phases asks for phases of amplitudes, and a window of an infinite state has "
            "none; set sample.window = 0"
        )
