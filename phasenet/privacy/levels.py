"""One level of imbalance: networks of both sides, their trains, and what attackers get of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.privacy.attackers import Attacker
from phasenet.privacy.attacks import attribute_inference
from phasenet.privacy.batched_networks import (
    StackedNetworks,
    Start,
    fresh_networks,
    margins,
    raw_parameters,
    trained_networks,
    unit_free_parameters,
)
from phasenet.privacy.problems import Cases, Problem, probes, training_set
from phasenet.privacy.stacked_gauges import (
    canonical_trains,
    data_gauge,
    slice_invariants,
    turned_trains,
)
from phasenet.privacy.stacked_trains import StackedTrains, retrained_trains, sketched_networks
from phasenet.seeds import derived_seed, stream
from phasenet.trains.train import Array, FloatArray, IntArray

NETWORK, OWN_START = "network, common start", "network, own start"
TRAIN, RETRAINED = "train as sketched", "train, retrained"
ROTATED, PUBLISHED_ROTATED = "retrained, rotated only", "canonical, then rotated"
PUBLISHED = "canonical, then general gauge"
EQUAL, EQUAL_ROTATED = "equal function, gauge of the data", "equal function, rotated only"
EQUAL_PUBLISHED = "equal function, canonical, general gauge"
PARAMETERS, UNIT_FREE = "parameters", "parameters without order"
BITS, LOGITS = "right or wrong on probes", "logits on probes"
SLICES, CANONICAL = "slice invariants", "canonical form"

ROWS: tuple[tuple[str, str, Attacker], ...] = (
    (NETWORK, PARAMETERS, "logistic"),
    (NETWORK, PARAMETERS, "boosted"),
    (NETWORK, BITS, "logistic"),
    (NETWORK, LOGITS, "logistic"),
    (OWN_START, PARAMETERS, "logistic"),
    (OWN_START, PARAMETERS, "neural"),
    (OWN_START, UNIT_FREE, "logistic"),
    (TRAIN, PARAMETERS, "logistic"),
    (TRAIN, BITS, "logistic"),
    (TRAIN, LOGITS, "logistic"),
    (RETRAINED, PARAMETERS, "logistic"),
    (RETRAINED, BITS, "logistic"),
    (RETRAINED, LOGITS, "logistic"),
    (ROTATED, PARAMETERS, "logistic"),
    (ROTATED, SLICES, "logistic"),
    (ROTATED, SLICES, "boosted"),
    (PUBLISHED_ROTATED, PARAMETERS, "logistic"),
    (PUBLISHED_ROTATED, SLICES, "logistic"),
    (PUBLISHED, PARAMETERS, "logistic"),
    (PUBLISHED, PARAMETERS, "boosted"),
    (PUBLISHED, PARAMETERS, "neural"),
    (PUBLISHED, CANONICAL, "logistic"),
    (PUBLISHED, CANONICAL, "boosted"),
    (EQUAL, PARAMETERS, "logistic"),
    (EQUAL_ROTATED, PARAMETERS, "logistic"),
    (EQUAL_ROTATED, SLICES, "logistic"),
    (EQUAL_PUBLISHED, PARAMETERS, "logistic"),
    (EQUAL_PUBLISHED, SLICES, "logistic"),
    (EQUAL_PUBLISHED, CANONICAL, "logistic"),
    (EQUAL_PUBLISHED, LOGITS, "logistic"),
)
"""Form in which a model is published, what is looked at, and who looks."""

UTILITY = (NETWORK, OWN_START, TRAIN, RETRAINED, PUBLISHED)
"""Forms whose accuracy is measured; gauges do not change it."""

_HIDDEN = 50
_PER_SUBGROUP = 25
_FOLDS = 10
_CONDITION = 10.0
_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much work one level is.

    Parameters
    ----------
    models
        Networks of both sides together: a multiple of twice the subsets.
    subsets
        Data subsets, each with networks of both sides.
    rank, pivots, columns
        Of the sketch: bond dimension, cases, suffixes of a block.
    epochs, rate
        Of the retraining.
    """

    models: int
    subsets: int
    rank: int = 5
    pivots: int = 100
    columns: int = 15
    epochs: int = 10
    rate: float = 1e-4

    @classmethod
    def of(cls, models: int) -> "Sizes":
        """Sizes for about as many networks: twenty subsets, or as many as give four to each.

        >>> Sizes.of(150).models, Sizes.of(16).subsets
        (160, 4)
        """
        if models < 16:
            raise SettingsError(
                f"models is {models}; wanted at least 16 for each level: four subsets of the data, "
                "two networks of either side on each"
            )
        subsets = min(20, models // 4)
        seeds = max(1, round(models / (2 * subsets)))
        return cls(models=2 * subsets * seeds, subsets=subsets)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cohort:
    """Training sets of both sides, and which network has which."""

    sets: tuple[Cases, ...]
    owners: IntArray
    secret: IntArray
    groups: IntArray


def level_arrays(
    problem: Problem,
    share: float,
    *,
    sizes: Sizes,
    seed: int,
    heard: Callable[[str], None],
) -> dict[str, Array]:
    """Accuracies of all attacks at one level, and of the models themselves.

    Parameters
    ----------
    problem
        What is learned, and the secret.
    share
        Fraction p of group 1; on the other side it is 1 - p.
    sizes
        How many networks, and how large their trains.
    seed
        Of all random choices.
    heard
        Hears a word for each stage.

    Returns
    -------
    ``attack`` of shape (ROWS, 3), accuracy and its 95 % interval; ``area`` (ROWS,), below the
    receiver operating curve; ``utility`` and ``on_pivots`` (UTILITY, models), accuracy of each
    model on test cases and on the pivots; ``function_change``, the largest relative deviation of a
    published train from the retrained one on test cases.
    """
    cohort = _cohort(problem, share, sizes, seed)
    heard("networks")
    networks = {
        NETWORK: _networks(problem, cohort, "common", seed),
        OWN_START: _networks(problem, cohort, "independent", seed),
    }
    pivots = problem.public.take(np.arange(min(sizes.pivots, len(problem.public.labels))))
    heard("trains")
    sketched = sketched_networks(
        networks[NETWORK], pivots, rank=sizes.rank, columns=sizes.columns, seed=seed
    )
    heard("retraining")
    retrained = retrained_trains(
        sketched,
        problem.public,
        rate=sizes.rate,
        epochs=sizes.epochs,
        batch=_BATCH,
        seed=seed,
        heard=lambda epoch: heard(f"retraining, {epoch} of {sizes.epochs} epochs"),
    )
    heard("gauges")
    rng = stream(seed, "privacy", "gauges", f"{share:.4f}")
    published = turned_trains(canonical_trains(retrained), condition=_CONDITION, rng=rng)
    trains = {TRAIN: sketched, RETRAINED: retrained, PUBLISHED: published}
    answers = {name: margins(part, problem.test.inputs) for name, part in networks.items()}
    answers |= {name: part.margins(problem.test.inputs) for name, part in trains.items()}
    found = _utilities(networks, trains, answers, problem, pivots)
    found |= _attacks(_views(problem, cohort, networks, trains, rng, seed), cohort, seed, heard)
    change = np.abs(answers[PUBLISHED] - answers[RETRAINED]).max(axis=1)
    scale = np.abs(answers[RETRAINED]).max(axis=1)
    return found | {"function_change": np.asarray((change / scale).max())}


def _cohort(problem: Problem, share: float, sizes: Sizes, seed: int) -> _Cohort:
    each = sizes.models // (2 * sizes.subsets)
    sets = tuple(
        training_set(problem, subset=subset, share=side, seed=seed)
        for side in (share, 1.0 - share)
        for subset in range(sizes.subsets)
    )
    owners = np.repeat(np.arange(len(sets)), each)
    return _Cohort(
        sets=sets, owners=owners, secret=owners // sizes.subsets, groups=owners % sizes.subsets
    )


def _networks(problem: Problem, cohort: _Cohort, start: Start, seed: int) -> StackedNetworks:
    inputs = problem.test.inputs[0].size
    fresh = fresh_networks(
        len(cohort.owners), inputs=inputs, hidden=_HIDDEN, start=start, seed=seed
    )
    return trained_networks(
        fresh, cohort.sets, cohort.owners, rate=problem.rate, epochs=problem.epochs, seed=seed
    )


def _utilities(
    networks: Mapping[str, StackedNetworks],
    trains: Mapping[str, StackedTrains],
    answers: Mapping[str, FloatArray],
    problem: Problem,
    pivots: Cases,
) -> dict[str, Array]:
    at_pivots = {name: margins(part, pivots.inputs) for name, part in networks.items()}
    at_pivots |= {name: part.margins(pivots.inputs) for name, part in trains.items()}
    return {
        "utility": np.stack([_right(answers[f], problem.test.labels).mean(1) for f in UTILITY]),
        "on_pivots": np.stack([_right(at_pivots[f], pivots.labels).mean(1) for f in UTILITY]),
    }


def _right(values: FloatArray, labels: IntArray) -> Array:
    return np.asarray((values > 0) == (labels == 1))


_View = tuple[str, str, Array, IntArray, IntArray]


def _views(
    problem: Problem,
    cohort: _Cohort,
    networks: Mapping[str, StackedNetworks],
    trains: Mapping[str, StackedTrains],
    rng: np.random.Generator,
    seed: int,
) -> Iterator[_View]:
    """Form, view and features of all models, one after the other, with secrets and groups."""
    asked = probes(problem.test, per_subgroup=_PER_SUBGROUP, seed=seed)
    secret, groups = cohort.secret, cohort.groups

    def answered(form: str, values: FloatArray) -> Iterator[_View]:
        yield form, BITS, _right(values, asked.labels).astype(np.float64), secret, groups
        yield form, LOGITS, values, secret, groups

    yield NETWORK, PARAMETERS, raw_parameters(networks[NETWORK]), secret, groups
    yield from answered(NETWORK, margins(networks[NETWORK], asked.inputs))
    own = networks[OWN_START]
    yield OWN_START, PARAMETERS, raw_parameters(own), secret, groups
    yield OWN_START, UNIT_FREE, unit_free_parameters(own), secret, groups
    for form in (TRAIN, RETRAINED):
        yield form, PARAMETERS, trains[form].parameters, secret, groups
        yield from answered(form, trains[form].margins(asked.inputs))
    rotated = turned_trains(trains[RETRAINED], condition=1.0, rng=rng)
    yield ROTATED, PARAMETERS, rotated.parameters, secret, groups
    yield ROTATED, SLICES, slice_invariants(rotated), secret, groups
    canonical = canonical_trains(trains[PUBLISHED])
    turned = turned_trains(canonical, condition=1.0, rng=rng)
    yield PUBLISHED_ROTATED, PARAMETERS, turned.parameters, secret, groups
    yield PUBLISHED_ROTATED, SLICES, slice_invariants(turned), secret, groups
    yield PUBLISHED, PARAMETERS, trains[PUBLISHED].parameters, secret, groups
    yield PUBLISHED, CANONICAL, canonical.parameters, secret, groups
    yield from _equal_views(cohort, trains[RETRAINED], asked, rng)


def _equal_views(
    cohort: _Cohort, trains: StackedTrains, asked: Cases, rng: np.random.Generator
) -> Iterator[_View]:
    """Each function of one side twice, in gauges that the training sets of the two sides leave."""
    half = len(trains) // 2
    secret, groups = cohort.secret, cohort.groups
    functions = trains.part(slice(0, half))
    sides = [
        data_gauge(functions, tuple(cohort.sets[owner] for owner in owners))
        for owners in np.split(cohort.owners, 2)
    ]
    left = StackedTrains(
        cores=tuple(np.concatenate(pair) for pair in zip(*(s.cores for s in sides), strict=True))
    )
    yield EQUAL, PARAMETERS, left.parameters, secret, groups
    rotated = turned_trains(left, condition=1.0, rng=rng)
    yield EQUAL_ROTATED, PARAMETERS, rotated.parameters, secret, groups
    yield EQUAL_ROTATED, SLICES, slice_invariants(rotated), secret, groups
    published = turned_trains(canonical_trains(left), condition=_CONDITION, rng=rng)
    canonical = canonical_trains(published)
    yield EQUAL_PUBLISHED, PARAMETERS, published.parameters, secret, groups
    yield EQUAL_PUBLISHED, SLICES, slice_invariants(canonical), secret, groups
    yield EQUAL_PUBLISHED, CANONICAL, canonical.parameters, secret, groups
    yield EQUAL_PUBLISHED, LOGITS, published.margins(asked.inputs), secret, groups


def _attacks(
    views: Iterator[_View], cohort: _Cohort, seed: int, heard: Callable[[str], None]
) -> dict[str, Array]:
    attack = np.full((len(ROWS), 3), np.nan)
    area = np.full(len(ROWS), np.nan)
    for form, view, features, secret, groups in views:
        for row, (row_form, row_view, attacker) in enumerate(ROWS):
            if (row_form, row_view) != (form, view):
                continue
            heard(f"attack: {form}, {view}, {attacker}")
            result = attribute_inference(
                features.astype(np.float64),
                secret,
                groups,
                attacker=attacker,
                folds=_FOLDS,
                seed=derived_seed(seed, "privacy", "attack", attacker),
            )
            found = result.accuracy
            attack[row] = found.value, found.low, found.high
            area[row] = result.auc.value
    return {"attack": attack, "area": area}
