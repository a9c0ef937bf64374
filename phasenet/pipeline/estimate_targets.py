"""What is estimated from shots: strings, expectation values, two-point functions, purities."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from phasenet.card import StudyCard
from phasenet.criteria import StringOrder
from phasenet.errors import SettingsError
from phasenet.operators import NAMES, Operator, frozen
from phasenet.phases.observables import Profile, profile, slug
from phasenet.phases.spins import on_site
from phasenet.phases.strings import bulk_blocks
from phasenet.pipeline.exact_values import (
    exact_correlation,
    exact_local,
    exact_purity,
    exact_string,
)
from phasenet.pipeline.selection import AXES, Selection, strings_of
from phasenet.pipeline.tasks import Context
from phasenet.snapshots.readouts import Readout
from phasenet.snapshots.shadow_purity import purity_estimate, renyi_estimate
from phasenet.snapshots.shadow_strings import (
    measured_pairs,
    pairs_at,
    readable_pairs,
    string_distances,
    string_estimate,
)
from phasenet.snapshots.shadows import (
    ShotEstimate,
    correlated_sites,
    correlation_estimates,
    local_average,
    local_estimates,
)
from phasenet.trains.form import StateForm


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be estimated; without anything, what the basis of the shots measures.

    Parameters
    ----------
    strings
        Axes of spins, or texts such as ``Sz [Rz] Sz``.
    local
        Names of operators on one site.
    correlations
        Two names each, such as ``Sz Sz``.
    purity
        Number of sites in the middle whose purity is estimated; 0: none.
    distances
        Of strings and two-point functions, averaged over all pairs at each. By default strings are
        averaged over pairs of the bulk, or in random bases taken at the least distance with
        something inside, and two-point functions are of neighbours.
    split
        Points of this split alone; empty: all.

    >>> Asked(strings=("z", "Sz [Rz] Sz"), correlations=("Sz Sz",)).is_nothing
    False
    """

    strings: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    correlations: tuple[str, ...] = ()
    purity: int = 0
    distances: tuple[int, ...] = ()
    split: str = ""

    def __post_init__(self) -> None:
        strings_of(self.strings)
        for text in (*self.local, *self.correlations):
            names, wanted = text.split(), 1 if text in self.local else 2
            if len(names) != wanted or any(name not in NAMES for name in names):
                raise SettingsError(
                    f"{text!r} is no {'operator' if wanted == 1 else 'pair of operators'}; wanted "
                    f"{'one' if wanted == 1 else 'two'} of {', '.join(NAMES)}"
                )

    @property
    def is_nothing(self) -> bool:
        """Whether no observable is named."""
        return not (self.strings or self.local or self.correlations or self.purity)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True, kw_only=True)
class Target:
    """One observable: how it is estimated, and how it is contracted.

    Parameters
    ----------
    name, unit, meaning
        As in :class:`phasenet.records.Column`.
    estimate
        From shots.
    exact
        From the state that they were taken of.
    """

    name: str
    meaning: str
    estimate: Callable[[Readout], ShotEstimate]
    exact: Callable[[StateForm], float]
    unit: str = "1"


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A string of matrices with the pairs of sites that it is averaged over."""

    name: str
    meaning: str
    matrices: StringOrder
    pairs: tuple[tuple[int, int], ...]


def shot_estimates(readout: Readout, asked: Asked) -> dict[str, ShotEstimate]:
    """Estimates from shots by the names of the observables.

    Parameters
    ----------
    readout
        The shots.
    asked
        What is estimated.

    Raises
    ------
    SettingsError
        The basis does not measure it, or it does not fit the sites.

    >>> import numpy as np
    >>> from phasenet.snapshots.bases import basis_of
    >>> neel = Readout(spins=np.array([[0, 2, 0, 2]] * 9, dtype=np.uint8), basis=basis_of("Sz", 3))
    >>> for name, found in shot_estimates(neel, Asked(strings=("z",), local=("Sz",))).items():
    ...     print(name, found.value)
    string_z 1.0
    local_sz 0.0
    """
    return {target.name: target.estimate(readout) for target in targets_of(asked, readout, None)}


def targets_of(asked: Asked, readout: Readout, card: StudyCard | None) -> list[Target]:
    """Observables that are estimated from some shots.

    Parameters
    ----------
    asked
        What the user wants.
    readout
        The shots: their number of sites and their basis.
    card
        Study, whose own strings are taken where nothing is asked for.

    Raises
    ------
    SettingsError
        The basis does not measure what is asked for, or it does not fit the sites.
    """
    found = _usual_targets if asked.is_nothing else _asked_targets
    return list(found(asked, readout, card))


def profiles_of(asked: Asked, readout: Readout) -> tuple[Profile, ...]:
    """Expectation values of the operators of one site along the chain, and their errors."""
    names = asked.local or (_measured_axes(readout)[:1] if asked.is_nothing else ())
    found: list[Profile] = []
    for name in names:
        local = local_estimates(readout, _matrix(name, readout))
        meaning = f"<{name}> of each site, from shots"
        key = f"profile_{slug(name)}"
        found.append(profile(key, meaning, ["site"], local.values))
        found.append(
            profile(f"{key}_errors", f"standard errors of {meaning}", ["site"], local.errors)
        )
    return tuple(found)


def _usual_targets(asked: Asked, readout: Readout, card: StudyCard | None) -> Iterator[Target]:
    """What the basis measures of the strings, of <Sz> and of <Sz Sz>, or of another axis."""
    for string in _strings((), readout.site_dim, card):
        if _is_readable(string, asked, readout):
            yield from _string_targets([string], asked, readout)
    for axis in _measured_axes(readout)[:1]:
        yield _local_target(axis, readout)
        places = readout.measured(_matrix(axis, readout))
        near = (r for r in range(1, readout.sites) if np.any(places[:-r] & places[r:]))
        for distance in asked.distances or tuple(near)[:1]:
            yield _correlation_target(f"{axis} {axis}", distance, readout)


def _is_readable(string: StringOrder, asked: Asked, readout: Readout) -> bool:
    candidates = _candidates(string, asked, readout)
    return all(readable_pairs(readout, one.matrices, one.pairs) for one in candidates)


def _asked_targets(asked: Asked, readout: Readout, card: StudyCard | None) -> Iterator[Target]:
    if asked.strings:
        strings = _strings(strings_of(asked.strings), readout.site_dim, None)
        yield from _string_targets(strings, asked, readout)
    for name in asked.local:
        yield _local_target(name, readout)
    for text in asked.correlations:
        for distance in asked.distances or (1,):
            yield _correlation_target(text, distance, readout)
    if asked.purity:
        yield from _purity_targets(asked.purity, readout)


def _strings(
    texts: Sequence[str], site_dim: int, card: StudyCard | None
) -> tuple[StringOrder, ...]:
    context = Context(card=card, selection=Selection(strings=tuple(texts)))
    return context.strings((site_dim,), (site_dim - 1) / 2)


def _string_targets(
    strings: Sequence[StringOrder], asked: Asked, readout: Readout
) -> Iterator[Target]:
    for string in strings:
        for one in _candidates(string, asked, readout):
            pairs = measured_pairs(readout, one.matrices, one.pairs)
            yield Target(
                name=one.name,
                meaning=one.meaning,
                estimate=partial(string_estimate, string=one.matrices, pairs=pairs),
                exact=partial(exact_string, string=string, pairs=pairs),
            )


def _candidates(string: StringOrder, asked: Asked, readout: Readout) -> Iterator[_Candidate]:
    """Pairs of the bulk, or at the distances asked for, or at the least one with an inside."""
    matrices, name = _of_matrices(string, readout), f"string_{slug(string.name)}"
    bulk = () if readout.basis.drawn or asked.distances else _bulk_pairs(string, readout)
    if bulk:
        meaning = f"{string} averaged over pairs of sites in two blocks of the bulk"
        yield _Candidate(name=name, meaning=meaning, matrices=matrices, pairs=bulk)
        return
    least = len(string.left) + len(string.inside)
    for distance in asked.distances or (least,):
        yield _Candidate(
            name=f"{name}_r{distance}",
            meaning=f"{string} at distance {distance}, averaged over all pairs of sites",
            matrices=matrices,
            pairs=pairs_at(readout.sites, string, distance),
        )


def _bulk_pairs(string: StringOrder, readout: Readout) -> tuple[tuple[int, int], ...]:
    """Pairs between two blocks of the bulk between which a string fits; none of a tiny chain."""
    if readout.sites < 3:
        return ()
    starts, ends = bulk_blocks(readout.sites)
    fitting = string_distances(readout.sites, string)
    return tuple(
        (i, j)
        for i in starts
        for j in ends
        if j - i in fitting
        and j + len(string.right) <= readout.sites
        and (i - string.start) % string.period == 0
    )


def _local_target(name: str, readout: Readout) -> Target:
    matrix = _matrix(name, readout)
    places = readout.measured(matrix).nonzero()[0]
    return Target(
        name=f"local_{slug(name)}",
        meaning=f"<{name}> averaged over the sites",
        estimate=partial(local_average, operator=matrix),
        exact=partial(exact_local, operator=name, places=places),
    )


def _correlation_target(text: str, distance: int, readout: Readout) -> Target:
    first, second = text.split()
    a, b = _matrix(first, readout), _matrix(second, readout)
    starts = correlated_sites(readout, a, b, distance)
    return Target(
        name=f"correlation_{slug(text)}_r{distance}",
        meaning=f"<{first} {second}> at distance {distance}, averaged over all pairs of sites",
        estimate=partial(_correlation, first=a, second=b, distance=distance),
        exact=partial(
            exact_correlation, first=first, second=second, starts=starts, distance=distance
        ),
    )


def _correlation(
    readout: Readout, first: Operator, second: Operator, distance: int
) -> ShotEstimate:
    return correlation_estimates(readout, first, second, [distance])[0]


def _purity_targets(count: int, readout: Readout) -> Iterator[Target]:
    first = max(0, (readout.sites - count) // 2)
    window = range(first, first + count)
    where = f"{count} sites in the middle"
    yield Target(
        name=f"purity_{count}",
        meaning=f"tr rho^2 of {where}",
        estimate=partial(purity_estimate, window=window),
        exact=partial(exact_purity, window=window),
    )
    yield Target(
        name=f"renyi_{count}",
        meaning=f"second Renyi entropy of {where}",
        estimate=partial(renyi_estimate, window=window),
        exact=partial(_exact_renyi, window=window),
        unit="nat",
    )


def _exact_renyi(form: StateForm, window: range) -> float:
    return -math.log(exact_purity(form, window))


def _measured_axes(readout: Readout) -> tuple[str, ...]:
    """Spin components that the basis measures, z first."""
    names = [f"S{axis}" for axis in reversed(AXES)]
    return tuple(name for name in names if readout.measured(_matrix(name, readout)).any())


def _of_matrices(string: StringOrder, readout: Readout) -> StringOrder:
    """The same string, its names replaced by matrices."""
    parts = {
        part: tuple(_matrix(operator, readout) for operator in getattr(string, part))
        for part in ("left", "inside", "right")
    }
    return StringOrder(
        name=string.name,
        factor=string.factor,
        start=string.start,
        period=string.period,
        **parts,
    )


def _matrix(operator: Operator, readout: Readout) -> Operator:
    if operator == "1":
        return operator
    return frozen([on_site(operator, readout.site_dim)])[0]
