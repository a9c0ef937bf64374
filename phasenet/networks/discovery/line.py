"""Shots of the points along one coupling, without their labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from phasenet.errors import SettingsError
from phasenet.networks.naming import varied_couplings
from phasenet.networks.readings import Readings, readings_of
from phasenet.points import ParameterPoint
from phasenet.seeds import stream
from phasenet.shots import Snapshots, SnapshotsHead
from phasenet.trains.train import Array, FloatArray, IntArray

_LEAST_POINTS = 5
# Errors are those of means over half of the shots of a point.
_LEAST_SHOTS = 20
_SHARE = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """Points along one coupling, in ascending order, and their shots in two halves.

    Parameters
    ----------
    coupling
        What varies.
    points
        All points.
    readings
        What a network sees of a site.
    known, held_out
        For each point, rows of the dataset that are learned from, and others that are judged on.
    """

    coupling: str
    points: tuple[ParameterPoint, ...]
    readings: Readings
    known: tuple[IntArray, ...]
    held_out: tuple[IntArray, ...]

    @property
    def grid(self) -> FloatArray:
        """Values of the coupling."""
        return np.asarray([point[self.coupling] for point in self.points])

    def of(self, snapshots: Snapshots, rows: tuple[IntArray, ...]) -> tuple[Array, ...]:
        """Readings of shots of each point, shape (shots, sites)."""
        return tuple(self.readings.of(snapshots, chosen) for chosen in rows)


def points_along(head: SnapshotsHead, fixed: Mapping[str, float]) -> tuple[str, list[int]]:
    """The one coupling that varies, and the indices of the points along it in ascending order.

    Controls are left out.

    Parameters
    ----------
    head
        Of a dataset of one chain.
    fixed
        Values of other couplings.

    Raises
    ------
    SettingsError
        More than one coupling varies, chains differ, or there are too few points.
    """
    chosen = [k for k in _measured(head) if _lies_at(head.points[k].point, fixed)]
    if not chosen:
        told = ", ".join(f"{name}={value:g}" for name, value in fixed.items())
        raise SettingsError(f"no point lies at {told or 'any coupling'}; name another --at")
    couplings = varied_couplings([head.points[k] for k in chosen])
    if len(couplings) != 1:
        varied = " and ".join(couplings) or "no couplings"
        raise SettingsError(
            f"{varied} vary along the points; wanted one coupling: fix the others, such as with "
            "--at Delta=1"
        )
    coupling = couplings[0]
    chosen.sort(key=lambda k: head.points[k].point[coupling])
    values = [head.points[k].point[coupling] for k in chosen]
    twice = [b for a, b in pairwise(values) if a == b]
    if twice:
        raise SettingsError(f"two points lie at {coupling} = {twice[0]:g}; draw one dataset of it")
    if len(chosen) < _LEAST_POINTS:
        raise SettingsError(
            f"{len(chosen)} points along {coupling}; wanted at least {_LEAST_POINTS}"
        )
    return coupling, chosen


def ends_of(points: int, asked: int) -> int:
    """Number of points on either side that are known: what is asked for, or a fifth of them.

    >>> ends_of(23, 0), ends_of(23, 6)
    (4, 6)
    """
    ends = asked or max(1, points // _SHARE)
    if 2 * ends > points - 2:
        raise SettingsError(
            f"discover.ends is {ends} on either side of {points} points; wanted at most "
            f"{(points - 2) // 2}, so that two lie between them"
        )
    return ends


def line_of(snapshots: Snapshots, fixed: Mapping[str, float], *, shots: int, seed: int) -> Line:
    """Line of a dataset, with at most so many shots of a point in both halves together.

    Which shots are held out is drawn; a network sees other shots of the same points, as it must to
    tell points apart.

    Parameters
    ----------
    snapshots
        Dataset; labels and controls are not used.
    fixed
        Values of other couplings.
    shots
        At most so many of each point.
    seed
        Of the choice.

    Raises
    ------
    SettingsError
        As of :func:`points_along`, or there are too few shots.
    """
    head = snapshots.head
    coupling, chosen = points_along(head, fixed)
    known, held_out = [], []
    for k in chosen:
        rows = np.flatnonzero(snapshots.shots.point_index == k)
        rng = stream(seed, "discover", head.points[k].point.id)
        rows = rng.permutation(rows)[:shots]
        known.append(np.sort(rows[: len(rows) // 2]))
        held_out.append(np.sort(rows[len(rows) // 2 :]))
    if min(map(len, known)) < _LEAST_SHOTS // 2:
        raise SettingsError(
            f"a point along {coupling} has fewer than {_LEAST_SHOTS} snapshots; draw more"
        )
    return Line(
        coupling=coupling,
        points=tuple(head.points[k].point for k in chosen),
        readings=readings_of(snapshots),
        known=tuple(known),
        held_out=tuple(held_out),
    )


def _measured(head: SnapshotsHead) -> list[int]:
    measured = [k for k, point in enumerate(head.points) if not point.control]
    sources = {head.points[k].source for k in measured}
    if len(sources) > 1:
        raise SettingsError(
            f"the snapshots are of {len(sources)} chains; wanted those of one: draw them from its "
            "states"
        )
    return measured


def _lies_at(point: ParameterPoint, fixed: Mapping[str, float]) -> bool:
    for name, value in fixed.items():
        if name not in point.as_dict():
            raise SettingsError(
                f"--at names {name!r}; the couplings are {', '.join(point.as_dict())}"
            )
        if not np.isclose(point[name], value, rtol=1e-9, atol=1e-12):
            return False
    return True
