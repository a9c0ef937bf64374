"""Pairs of points of different classes that look the same locally: what a string order is for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from phasenet.errors import ShapeError
from phasenet.operators import Operator, frozen
from phasenet.phases.correlations import correlation_matrix, expectations
from phasenet.phases.spins import magnetic_numbers
from phasenet.settings import ControlSettings
from phasenet.shots import MatchedPair, SampledPoint
from phasenet.trains.form import StateForm
from phasenet.trains.train import FloatArray

_SPLITS = ("train", "validation", "test", "critical")
# Of the size of what a few thousand shots of a chain tell of a density.
_SAME_DENSITY_ATOL = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalProfile:
    """What shots of a state show without strings, averaged over its sites.

    Parameters
    ----------
    sites
        Of an open chain; 0 for an infinite state.
    densities
        Probability of each local state, of shape (site,).
    correlations
        <Sz Sz> and <Sz^2 Sz^2> at the distances 1, 2, ..., not connected, of shape (2, distances).
    """

    sites: int
    densities: FloatArray
    correlations: FloatArray

    def distances_to(self, other: "LocalProfile") -> tuple[float, float]:
        """Largest difference of the densities and of the correlations."""
        return (
            float(np.abs(self.densities - other.densities).max()),
            float(np.abs(self.correlations - other.correlations).max(initial=0.0)),
        )


def local_profile(form: StateForm, reach: int) -> LocalProfile:
    """Densities and two-point functions of a state up to a distance, from exact contraction.

    Those of an open chain are averaged over all its sites, for its shots show all of them; those of
    an infinite state over a cell.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> found = local_profile(state_form(aklt_cell()), 2)
    >>> print(found.densities.round(4).tolist(), found.correlations[0].round(4).tolist())
    [0.3333, 0.3333, 0.3333] [-0.4444, 0.1481]
    """
    dim = form.site_dims[0]
    if set(form.site_dims) != {dim}:
        raise ShapeError(
            f"sites have {', '.join(map(str, sorted(set(form.site_dims))))} local states; matched "
            "pairs need the same number on all sites: set controls.matched to 0"
        )
    spins = magnetic_numbers(dim)
    densities = [expectations(form, _diagonal(row)).mean() for row in np.eye(dim)]
    longest = reach if form.infinite else min(reach, form.length - 1)
    return LocalProfile(
        sites=0 if form.infinite else form.length,
        densities=np.array(densities),
        correlations=np.array([_averaged(form, _diagonal(d), longest) for d in (spins, spins**2)]),
    )


def matched_pairs(
    forms: Iterable[StateForm], points: Sequence[SampledPoint], settings: ControlSettings
) -> tuple[MatchedPair, ...]:
    """Pairs of points of different classes with the most similar densities and correlations.

    Pairs are ranked by the difference of their densities in steps of 0.001, then by that of their
    correlations; the best one is taken, then the best one of the other points, and so on. Both
    points have a label, shots that no order was taken out of, and chains of the same length.

    Parameters
    ----------
    forms
        State of each point, one after the other; none of them is kept.
    points
        With their labels and splits.
    settings
        How many pairs at most, and up to which distance they are compared.

    >>> from phasenet.phases.exact import aklt_cell, large_d_cell
    >>> from phasenet.points import ParameterPoint
    >>> from phasenet.trains.form import state_form
    >>> points = [
    ...     SampledPoint(point=ParameterPoint.of(D=k), label=label, split="train", reason="")
    ...     for k, label in enumerate(["haldane", "large_d"])
    ... ]
    >>> forms = [state_form(aklt_cell()), state_form(large_d_cell())]
    >>> (pair,) = matched_pairs(forms, points, ControlSettings(matched=1))
    >>> print(f"{pair.density_difference:.4f}")
    0.6667
    """
    if settings.matched == 0:
        return ()
    profiles = {
        index: local_profile(form, settings.matched_range)
        for index, (form, point) in enumerate(zip(forms, points, strict=True))
        if point.label is not None and point.split in _SPLITS and not point.control
    }
    ranked = sorted(
        (
            _pair(first, second, profiles)
            for first, second in combinations(profiles, 2)
            if points[first].label != points[second].label
            and profiles[first].sites == profiles[second].sites
        ),
        key=_rank,
    )
    taken: set[int] = set()
    found: list[MatchedPair] = []
    for pair in ranked:
        if len(found) < settings.matched and not {pair.first, pair.second} & taken:
            found.append(pair)
            taken |= {pair.first, pair.second}
    return tuple(found)


def _pair(first: int, second: int, profiles: dict[int, LocalProfile]) -> MatchedPair:
    one = profiles[first]
    density, correlation = one.distances_to(profiles[second])
    return MatchedPair(
        first=first,
        second=second,
        density_difference=density,
        correlation_difference=correlation,
        reach=one.correlations.shape[1],
    )


def _rank(pair: MatchedPair) -> tuple[int, float, int, int]:
    steps = round(pair.density_difference / _SAME_DENSITY_ATOL)
    return steps, pair.correlation_difference, pair.first, pair.second


def _averaged(form: StateForm, operator: Operator, longest: int) -> FloatArray:
    """<A_i A_(i+r)> averaged over i, for each r up to the longest distance."""
    sites = form.length + longest if form.infinite else form.length
    pairs = correlation_matrix(form, operator, operator, range(sites))
    starts = [form.length if form.infinite else sites - r for r in range(1, longest + 1)]
    means = [np.diagonal(pairs, r)[:count].mean() for r, count in enumerate(starts, 1)]
    return np.array(means)


def _diagonal(values: FloatArray) -> Operator:
    return frozen([np.diag(values)])[0]
