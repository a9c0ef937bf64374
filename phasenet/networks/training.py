"""A trained classifier: networks of one or more seeds, their scores and their calibration."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import softmax
from torch import nn

from phasenet.networks.architectures.costs import cost_of
from phasenet.networks.calibration import calibrated
from phasenet.networks.fitting import (
    FitJob,
    Fitter,
    Progress,
    architecture_for,
    fit,
    network_of,
)
from phasenet.networks.fitting import one_thread as one_thread
from phasenet.networks.functions import logits_function
from phasenet.networks.functions import stored_functions as stored_functions
from phasenet.networks.held_out import SCORED, sites_of_points
from phasenet.networks.nulls import fit_local_classifier
from phasenet.networks.readings import Readings, readings_of
from phasenet.networks.scoring import Decide, labelled, split_scores, values_of
from phasenet.networks.search import Trial, candidate_of, chosen_of
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.shots import Snapshots
from phasenet.trained import Calibration, Candidate, Member, TrainedNetwork
from phasenet.trains.train import Array, FloatArray

NETWORK, ENSEMBLE = "network", "ensemble"
"""Names of a network, and of the mean probability of several, in scores and calibrations."""


def train_classifier(
    snapshots: Snapshots,
    settings: TrainSettings,
    *,
    seed: int,
    progress: Progress,
    fitter: Fitter = fit,
) -> TrainedNetwork:
    """Train on the split ``train``, stop by the split ``validation``, score on held-out points.

    Parameters
    ----------
    snapshots
        At least two classes in both splits; chains of one length in each of them. Where sites are
        lost or bases drawn, the network sees that too.
    settings
        Architecture, optimiser and number of networks.
    seed
        Seed of the run.
    progress
        Receives the number of the epoch, counted over all networks, and one line about it.
    fitter
        What trains each network.

    Raises
    ------
    SettingsError
        The chain is shorter than the network's window, or a split lacks a class.
    """
    readings, architecture = readings_of(snapshots), architecture_for(snapshots, settings)
    members = [
        fitter(snapshots, job, within(progress, k * settings.max_epochs, _title(k, settings)))
        for k, job in enumerate(seeded_jobs(settings, seed))
    ]
    with one_thread():
        networks = [network_of(architecture, member) for member in members]
        decide: dict[str, Decide] = dict(zip(_names(members), map(_logits, networks), strict=True))
        nulls: dict[str, Decide] = {"local features": fit_local_classifier(snapshots, readings)}
        if len(members) > 1:
            nulls = {ENSEMBLE: mean_probability(list(decide.values())), **nulls}
        scores = tuple(
            score
            for split in SCORED
            for score in split_scores(snapshots, readings, split, decide, nulls)
        )
        first, length = members[0], _length(snapshots)
        return TrainedNetwork(
            architecture=architecture,
            weights=first.weights,
            classes=snapshots.head.classes,
            history=first.history,
            scores=scores,
            outcome=first.outcome,
            members=tuple(members[1:]),
            calibrations=_calibrations(snapshots, readings, list(decide.values())),
            settings=settings.as_dict(),
            flops=float(cost_of(networks[0], length).flops),
        )


def search_settings(
    snapshots: Snapshots,
    trials: Sequence[Trial],
    *,
    seed: int,
    progress: Progress,
    fitter: Fitter = fit,
) -> tuple[TrainSettings, tuple[Candidate, ...]]:
    """Settings of the least validation loss among some, and what became of each.

    Parameters
    ----------
    snapshots
        As in :func:`train_classifier`.
    trials
        From :func:`phasenet.networks.search.trials_of`.
    seed
        Seed of the run; the network of each trial is the first that :func:`train_classifier` trains
        with its settings.
    progress
        Receives the number of the epoch, counted over all trials, and one line about it.
    fitter
        What trains each network.

    Raises
    ------
    SettingsError
        Some settings do not fit the chains, or a split lacks a class.
    """
    for trial in trials:
        architecture_for(snapshots, trial.settings)
    candidates: list[Candidate] = []
    before = 0
    for trial in trials:
        job = FitJob(settings=trial.settings, seed=seed)
        member = fitter(snapshots, job, within(progress, before, trial.title))
        candidates.append(candidate_of(trial, member))
        before += trial.settings.max_epochs
    return trials[chosen_of(candidates)].settings, tuple(candidates)


def seeded_jobs(settings: TrainSettings, seed: int) -> list[FitJob]:
    """Jobs of all networks of an ensemble; the first is that of a single network.

    >>> jobs = seeded_jobs(TrainSettings(seeds=3), 0)
    >>> len({job.seed for job in jobs}), jobs[0].seed
    (3, 0)
    """
    seeds = [derived_seed(seed, "network", f"member {k}") for k in range(1, settings.seeds)]
    return [FitJob(settings=settings, seed=value) for value in (seed, *seeds)]


def within(progress: Progress, before: int, title: str) -> Progress:
    """Progress of one of several networks, told with what was done before it."""
    return lambda epoch, line: progress(before + epoch, f"{title}: {line}" if title else line)


def mean_probability(functions: Sequence[Decide]) -> Decide:
    """Mean over networks of their class probabilities, from functions that give logits.

    >>> sure, unsure = (lambda x, v=v: np.array([[v, 0.0]]) for v in (100.0, 0.0))
    >>> mean_probability([sure, unsure])(np.zeros((1, 4))).round(3).tolist()
    [[0.75, 0.25]]
    """

    def probabilities(shots: Array) -> FloatArray:
        values = [softmax(function(shots).astype(np.float64), axis=1) for function in functions]
        return np.asarray(np.mean(values, axis=0))

    return probabilities


def _names(members: Sequence[Member]) -> list[str]:
    if len(members) == 1:
        return [NETWORK]
    return [f"{NETWORK} {k + 1}" for k in range(len(members))]


def _title(index: int, settings: TrainSettings) -> str:
    return f"seed {index + 1} of {settings.seeds}" if settings.seeds > 1 else ""


def _calibrations(
    snapshots: Snapshots, readings: Readings, networks: Sequence[Decide]
) -> dict[str, Calibration]:
    """Of the first network and, where there are several, of the ensemble."""
    splits = {split: labelled(snapshots, split) for split in ("validation", "test")}
    found: dict[str, Callable[[Array], FloatArray]] = {NETWORK: networks[0]}
    if len(networks) > 1:
        mean, least = mean_probability(networks), np.finfo(np.float64).tiny
        found[ENSEMBLE] = lambda shots: np.log(np.maximum(mean(shots), least))
    result = {}
    for name, function in found.items():
        pairs = {
            split: (values_of(snapshots, readings, chosen, function), snapshots.label_index[chosen])
            for split, chosen in splits.items()
        }
        result[name] = calibrated(pairs["validation"], pairs["test"])
    return result


def _logits(network: nn.Module) -> Decide:
    return logits_function(network)


def _length(snapshots: Snapshots) -> int:
    """Number of sites of the chains that are trained on."""
    return int(sites_of_points(snapshots.head)[snapshots.head.points_in("train")].max())
