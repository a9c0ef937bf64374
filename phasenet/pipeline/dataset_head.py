"""The head of a dataset: label, split and targets of each point, from its states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.pipeline.dataset_plan import ChainOfDataset, DatasetPlan, StatePair
from phasenet.pipeline.features import features_of, joined_features
from phasenet.pipeline.matching import matched_pairs
from phasenet.pipeline.parallel import Answers
from phasenet.pipeline.sources import labelled
from phasenet.pipeline.targets import joined_targets, targets_of
from phasenet.recipes import Region
from phasenet.records import Column, Curve, PointLabel
from phasenet.settings import FeatureSettings, SampleSettings
from phasenet.shots import MatchedPair, SampledPoint, SnapshotsHead, Source
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.soft_labels import with_soft_labels
from phasenet.snapshots.splits import assign_splits
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """Head of a dataset, and the state that each of its points was measured in.

    Parameters
    ----------
    head
        As in the file.
    states
        One pair for each entry of ``head.points``.
    """

    head: SnapshotsHead
    states: tuple[StatePair, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """One point whose states are to be read."""

    pair: StatePair
    card: StudyCard
    sample: SampleSettings
    features: FeatureSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class _Surveyed:
    """What the states of one point show."""

    label: PointLabel
    sites: int
    site_dim: int
    correlation_length: float
    targets: tuple[Column, ...]
    features: tuple[Curve, ...]


def dataset_head(plan: DatasetPlan, answers: Answers) -> Head:
    """Head of a dataset.

    Parameters
    ----------
    plan
        Chains, settings and rules.
    answers
        How tasks are worked on.

    Raises
    ------
    PhasenetError
        A point lacks a state, a class has too few points, or the chains do not fit together.
    """
    settings = plan.settings
    window = settings.sample.window
    places = [
        (k, p) for k, chain in enumerate(plan.chains) for p in chain.pairs(settings.sample).items()
    ]
    tasks = [
        _Task(
            pair=pair,
            card=plan.chains[k].card,
            sample=settings.sample,
            features=settings.features,
        )
        for k, (_, pair) in places
    ]
    found = answers.of("labels", _surveyed, tasks, lambda one: _told(one.label))
    origin = [k for k, _ in places]
    site_dim = _one_site_dim(found)
    sources = tuple(
        _source(chain, [one for o, one in zip(origin, found, strict=True) if o == k], window)
        for k, chain in enumerate(plan.chains)
    )
    sampled = _points(plan, origin, found)
    classes = tuple(c for c in plan.classes if any(p.label == c for p in sampled))
    sampled = _softened(plan, sampled, found, classes)
    pairs = tuple(pair for _, (_, pair) in places)
    basis = basis_of(settings.sample.basis, site_dim)
    head = SnapshotsHead(
        site_dim=site_dim,
        basis=settings.sample.basis,
        basis_names=basis.names if basis.drawn else (),
        transform=settings.sample.transform,
        classes=classes,
        sources=sources,
        points=sampled,
        labelled_by=settings.sample.label,
        targets=joined_targets([one.targets for one in found]),
        features=joined_features([one.features for one in found]),
        pairs=_pairs(plan, pairs, sampled),
        datasheet=plan.datasheet,
    )
    return _with_controls(Head(head=head, states=pairs), settings.controls.copies)


def _surveyed(task: _Task) -> _Surveyed:
    _, measured = read_state(task.pair.sampled)
    chain = measured if isinstance(measured.train, TensorTrain) else None
    sites = task.sample.window or len(measured.train.cores)
    features: tuple[Curve, ...] = ()
    if task.features != FeatureSettings():
        form = state_form(measured.train)
        features = features_of([form], task.features, start=0, sites=sites)
    bare = _Surveyed(
        label=PointLabel(
            point=measured.point, label=None, split="unlabelled", reason="no label was asked for"
        ),
        sites=sites,
        site_dim=measured.train.cores[0].shape[1],
        correlation_length=math.nan,
        targets=(),
        features=features,
    )
    if task.pair.infinite is None:
        return bare
    _, infinite = read_state(task.pair.infinite)
    found = labelled(infinite, task.card, longest=sites / task.sample.xi_per_length)
    return replace(
        bare,
        label=found.label,
        correlation_length=found.correlation_length,
        targets=targets_of([found], [chain], task.card),
    )


def _points(
    plan: DatasetPlan, origin: Sequence[int], found: Sequence[_Surveyed]
) -> tuple[SampledPoint, ...]:
    """Points with their classes and splits."""
    points = []
    for k, one in zip(origin, found, strict=True):
        label, chain = one.label, plan.chains[k]
        if plan.settings.sample.label == "coordinate":
            label = _by_coordinate(label, plan.labels)
        points.append(
            SampledPoint(
                point=label.point,
                label=chain.renamed(label.label),
                split=label.split,
                reason=label.reason,
                source=k,
            )
        )
    return assign_splits(
        points,
        plan.settings.sample,
        plan.settings.seed,
        of_source=[chain.split for chain in plan.chains],
        regions=plan.regions,
    )


def _by_coordinate(label: PointLabel, regions: Sequence[Region]) -> PointLabel:
    """Label of the first region that holds the point, and what its state would have said.

    The author answers for it: a long correlation length keeps no point from being trained on.
    """
    region = next((region for region in regions if region.contains(label.point)), None)
    if region is None:
        reason = f"by coordinate: in no region; its state: {label.reason}"
        return replace(label, label=None, split="unlabelled", reason=reason)
    return replace(
        label,
        label=region.name,
        split="train",
        reason=f"by coordinate: {region}; its state: {label.reason}",
    )


def _softened(
    plan: DatasetPlan,
    points: tuple[SampledPoint, ...],
    found: Sequence[_Surveyed],
    classes: Sequence[str],
) -> tuple[SampledPoint, ...]:
    gapless = [
        {chain.renamed(p.label) for p in chain.card.phases if p.central_charge is not None}
        for chain in plan.chains
    ]
    by_state = plan.settings.sample.label == "state"
    return with_soft_labels(
        points,
        [one.correlation_length if by_state else math.nan for one in found],
        [p.label in gapless[p.source] for p in points],
        [one.sites for one in found],
        classes,
    )


def _source(chain: ChainOfDataset, found: Sequence[_Surveyed], window: int) -> Source:
    sites = sorted({one.sites for one in found})
    if len(sites) > 1:
        raise SettingsError(
            f"the chains of {chain.card.name} have {', '.join(map(str, sites))} sites; wanted one "
            "length: give each length a [[source]] of its own in a recipe"
        )
    return Source(
        study=chain.card.name,
        title=chain.card.title,
        hamiltonian=chain.card.hamiltonian,
        sites=sites[0],
        boundary="infinite" if window else "finite",
    )


def _one_site_dim(found: Sequence[_Surveyed]) -> int:
    dims = {one.site_dim for one in found}
    if len(dims) > 1:
        raise SettingsError(
            f"the states have {', '.join(map(str, sorted(dims)))} local states; wanted one number"
        )
    return dims.pop()


def _pairs(
    plan: DatasetPlan, states: Sequence[StatePair], points: Sequence[SampledPoint]
) -> tuple[MatchedPair, ...]:
    controls = plan.settings.controls
    if not controls.matched:
        return ()
    forms = (state_form(read_state(pair.sampled)[1].train) for pair in states)
    return matched_pairs(forms, points, controls)


def _with_controls(found: Head, copies: Sequence[str]) -> Head:
    """Add an entry for each control of each test point; it shares the targets of the point."""
    head = found.head
    tests = [int(k) for k in head.points_in("test")]
    entries = [(k, name) for name in copies for k in tests]
    if not entries:
        return found
    origin = [*range(len(head.points)), *(k for k, _ in entries)]
    points = (
        *head.points,
        *(replace(head.points[k], split="control", control=name) for k, name in entries),
    )
    targets = tuple(
        replace(column, values=column.values[origin], errors=column.errors[origin])
        for column in head.targets
    )
    features = tuple(
        replace(curve, values=tuple(curve.values[k] for k in origin)) for curve in head.features
    )
    return Head(
        head=replace(head, points=points, targets=targets, features=features),
        states=tuple(found.states[k] for k in origin),
    )


def _told(label: PointLabel) -> str:
    return f"{label.point}: {label.label or 'undetermined'}"
