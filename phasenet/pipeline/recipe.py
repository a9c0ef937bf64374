"""A recipe becomes the plan of a dataset, once its ground states are found."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from phasenet.pipeline.dataset_plan import ChainOfDataset, DatasetPlan
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.sample import check_measurement
from phasenet.pipeline.simulate import find_states, planned_units
from phasenet.pipeline.survey import survey
from phasenet.recipes import Recipe
from phasenet.settings import RunSettings
from phasenet.storage.locks import Shard
from phasenet.study import Study


def plan_of_recipe(
    recipe: Recipe, root: Path, *, engine: Engine, reporter: Reporter, retry: bool = False
) -> DatasetPlan:
    """Plan of a recipe; ground states that are missing are found first.

    Parameters
    ----------
    recipe
        Chains and rules.
    root
        Folder of the states: those of each chain go to a folder named by its study.
    engine, reporter, retry
        As of :func:`phasenet.pipeline.simulate.find_states`.

    Raises
    ------
    PhasenetError
        The settings do not fit the chains, or some states failed; all others are written.
    KeyboardInterrupt
        A signal stopped the work; the same call goes on.
    """
    first = recipe.sources[0].study
    check_measurement(first.settings, round(2 * first.spin) + 1)
    chains = []
    for source, folder in zip(recipe.sources, _folders(recipe, root), strict=True):
        study = _needed(source.study)
        found = find_states(
            study, source.path, folder, engine=engine, reporter=reporter, retry=retry
        )
        chains.append(
            ChainOfDataset(
                card=source.study.card(),
                states=found.paths,
                split=source.split,
                classes=source.classes,
            )
        )
    return DatasetPlan(
        chains=tuple(chains),
        regions=recipe.regions,
        labels=recipe.labels,
        datasheet=recipe.datasheet,
    )


def missing_states(recipe: Recipe, root: Path) -> tuple[int, int]:
    """Number of ground states that are not there yet, and of all, in a folder as above."""
    found = [
        survey(planned_units(_needed(source.study), source.path, folder, Shard()))
        for source, folder in zip(recipe.sources, _folders(recipe, root), strict=True)
    ]
    return sum(len(one.missing) for one in found), sum(len(one.paths) for one in found)


def _needed(study: Study) -> Study:
    """Study with the states that its snapshots and labels need."""
    boundaries = ["infinite"] if study.settings.sample.window else ["infinite", "finite"]
    settings = study.settings.as_dict()
    settings["sweep"] = {**settings["sweep"], "boundaries": boundaries}
    return replace(study, settings=RunSettings.checked(settings))


def _folders(recipe: Recipe, root: Path) -> list[Path]:
    """Folder of each chain; chains of one study are numbered."""
    names = [source.study.name for source in recipe.sources]
    seen: Counter[str] = Counter()
    folders = []
    for name in names:
        seen[name] += 1
        folders.append(root / (f"{name}-{seen[name]}" if names.count(name) > 1 else name))
    return folders
