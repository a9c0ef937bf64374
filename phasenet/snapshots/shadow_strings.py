"""String orders estimated from shots in any basis, each with its standard error."""

from collections.abc import Iterator, Sequence

import numpy as np

from phasenet.criteria import StringOrder
from phasenet.errors import SettingsError
from phasenet.operators import Operator
from phasenet.snapshots.readouts import Batch, Readout, averages, check_measured
from phasenet.snapshots.shadows import ShotEstimate, estimate_of
from phasenet.trains.train import Array


def string_estimate(
    readout: Readout, string: StringOrder, pairs: Sequence[tuple[int, int]]
) -> ShotEstimate:
    """String order averaged over pairs of sites, where the basis measures it.

    Parameters
    ----------
    readout
        The shots.
    string
        Of matrices.
    pairs
        Sites where the left and the right end begin.

    Raises
    ------
    SettingsError
        A pair does not fit, or the basis measures the string of none of them.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1, 1, 2]], dtype=np.uint8), basis=basis_of("Sz", 3))
    >>> z, turn = np.diag([1.0, 0.0, -1.0]), np.diag([-1.0, 1.0, -1.0])
    >>> string = StringOrder(name="z", left=(z,), inside=(turn,), right=(z,), factor=-1.0)
    >>> string_estimate(shots, string, [(0, 3)]).value
    1.0
    """
    chosen = measured_pairs(readout, string, pairs)

    def rows(batch: Batch) -> Iterator[Array]:
        yield np.concatenate(list(_strings(batch, string, chosen)))

    (found,) = averages(readout, rows)
    return estimate_of(found, readout)


def string_estimates(
    readout: Readout, string: StringOrder, distances: Sequence[int]
) -> tuple[ShotEstimate, ...]:
    """String orders at some distances, each averaged over all pairs that the basis measures.

    Parameters
    ----------
    readout
        The shots.
    string
        Of matrices.
    distances
        From where the left end begins to where the right end begins; see :func:`string_distances`.

    Raises
    ------
    SettingsError
        No string of such a length fits, or the basis measures none.
    """
    by_distance = {
        distance: measured_pairs(readout, string, pairs_at(readout.sites, string, distance))
        for distance in sorted(set(distances))
    }
    pairs = [pair for group in by_distance.values() for pair in group]

    def rows(batch: Batch) -> Iterator[Array]:
        yield from _strings(batch, string, pairs)

    found = dict(zip(by_distance, averages(readout, rows), strict=True))
    return tuple(estimate_of(found[distance], readout) for distance in distances)


def string_distances(sites: int, string: StringOrder) -> tuple[int, ...]:
    """Distances between the beginnings of the two ends at which a string fits some sites.

    >>> string_distances(6, StringOrder.parse("Sz [Rz Rz] Sz"))
    (1, 3, 5)
    """
    shortest, longest = len(string.left), sites - string.start - len(string.right)
    return tuple(range(shortest, longest + 1, len(string.inside)))


def pairs_at(sites: int, string: StringOrder, distance: int) -> tuple[tuple[int, int], ...]:
    """All pairs of sites at one distance between which a string can lie.

    Raises
    ------
    SettingsError
        There is none.

    >>> pairs_at(5, StringOrder.parse("Sz [Rz] Sz"), 3)
    ((0, 3), (1, 4))
    """
    if distance not in string_distances(sites, string):
        raise SettingsError(
            f"{string} cannot lie at distance {distance} on {sites} sites; wanted one of "
            f"{', '.join(map(str, string_distances(sites, string))) or 'more sites'}"
        )
    last = sites - len(string.right) - distance
    return tuple((k, k + distance) for k in range(string.start, last + 1, string.period))


def measured_pairs(
    readout: Readout, string: StringOrder, pairs: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Those of some pairs whose string the basis measures.

    Raises
    ------
    SettingsError
        A pair does not fit the string, or none is measured.
    """
    found = readable_pairs(readout, string, pairs)
    check_measured(readout, bool(found), f"string {string.name!r}")
    return found


def readable_pairs(
    readout: Readout, string: StringOrder, pairs: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Those of some pairs whose string the basis measures, which may be none.

    Raises
    ------
    SettingsError
        A pair does not fit the string.
    """
    for i, j in pairs:
        _check_pair(readout.sites, string, i, j)
    known = {o: readout.measured(o) for o in (*string.left, *string.inside, *string.right)}
    return tuple(
        (i, j)
        for i, j in pairs
        if all(known[operator][site] for site, operator in _along(string, i, j))
    )


def _strings(
    batch: Batch, string: StringOrder, pairs: Sequence[tuple[int, int]]
) -> Iterator[Array]:
    """Strings of some pairs, one array (pairs, shots) for each distance, rising."""
    by_distance: dict[int, list[int]] = {}
    for i, j in pairs:
        by_distance.setdefault(j - i, []).append(i)
    # How far each string goes at most.
    longest = {i: max(j - i for k, j in pairs if k == i) for i, _ in pairs}
    starts = np.array(sorted(longest))
    running = _read(batch, string.left, starts)
    reach = len(string.left)
    for distance in sorted(by_distance):
        kept = np.array([longest[start] >= distance for start in starts.tolist()])
        starts, running = starts[kept], running[kept]
        while reach < distance:
            running = running * _read(batch, string.inside, starts + reach)
            reach += len(string.inside)
        ends = np.array(sorted(by_distance[distance]))
        strings = running[np.searchsorted(starts, ends)]
        yield string.factor * strings * _read(batch, string.right, ends + distance)


def _read(batch: Batch, operators: Sequence[Operator], starts: Array) -> Array:
    """Product of what operators read on neighbouring sites, (starts, shots)."""
    result = batch.readings(operators[0])[starts]
    for offset, operator in enumerate(operators[1:], start=1):
        result = result * batch.readings(operator)[starts + offset]
    return result


def _along(string: StringOrder, i: int, j: int) -> Iterator[tuple[int, Operator]]:
    """Sites of a string with their operators."""
    first = i + len(string.left)
    yield from zip(range(i, first), string.left, strict=True)
    for site in range(first, j):
        yield site, string.inside[(site - first) % len(string.inside)]
    yield from zip(range(j, j + len(string.right)), string.right, strict=True)


def _check_pair(sites: int, string: StringOrder, i: int, j: int) -> None:
    if i < 0 or j + len(string.right) > sites or j - i not in string_distances(sites, string):
        raise SettingsError(
            f"{string} cannot lie between sites {i} and {j} of {sites}; wanted a distance of "
            f"{len(string.left)} and a multiple of {len(string.inside)} more, within the chain"
        )
    if (i - string.start) % string.period:
        raise SettingsError(
            f"string {string.name!r} cannot start at site {i}; wanted {string.start} modulo "
            f"{string.period}"
        )
