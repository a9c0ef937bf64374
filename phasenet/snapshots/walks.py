"""Many shots on their way through the sites of a prepared state, wherever the arrays live.

On every bond the shots are sorted by what decides which matrix comes next: the charge that they
have reached, or the basis that was drawn for the next site. So a site costs one product for each
charge, with one block of its core, and everything else is done on all shots at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from phasenet.snapshots.places import Place
from phasenet.snapshots.prepared import Prepared, PreparedSite
from phasenet.trains.train import Array, FloatArray

Spins = NDArray[np.uint8]

# A drawn outcome is no rarer than the spacing of random numbers, 2^-53 or 2^-24 in single
# precision: so many sites never take a norm out of its range.
_RESCALED_EVERY = 4


class Walk:
    """Sites of a prepared state at a place.

    Parameters
    ----------
    prepared
        The sites.
    outcomes
        Number of outcomes of a site.
    place
        Where arrays live.
    """

    def __init__(self, prepared: Prepared, outcomes: int, place: Place) -> None:
        one = place.put(np.ones(1))
        self._xp: Any = array_namespace(one)
        self._place, self._outcomes, self._parts = place, outcomes, prepared.parts
        self._sites: Sequence[PreparedSite] = [site.at(place.put) for site in prepared.sites]
        self._precision = np.finfo(place.get(one).dtype)
        self._rescaled_every = prepared.rescaled_every(self._precision)
        self._widest = max(prepared.width, *(site.width for site in self._sites))

    def batch(self, rows: int) -> int:
        """Return how many shots, with so many rows for each, have the size of a batch."""
        size = rows * self._parts * self._widest * self._precision.dtype.itemsize
        return max(1, self._place.bytes // size)

    def draw(
        self, first: FloatArray, group: Array, uniform: FloatArray, index: Spins | None
    ) -> tuple[Spins, FloatArray]:
        """Return outcomes of each shot, and the logarithm of their probability.

        Parameters
        ----------
        first, group
            Row of each shot, of shape (shots, parts, bond), on the bond left of the first site, and
            its group.
        uniform
            Random numbers in [0, 1), of shape (shots, sites).
        index
            Bases of the sites of each shot where they are drawn.
        """
        xp, put, shots = self._xp, self._place.put, len(uniform)
        bases = None if index is None else put(index.astype(np.int16))
        # In single precision, rounding takes some numbers up to 1.
        numbers = xp.clip(put(uniform), 0.0, 1.0 - float(self._precision.epsneg))
        rows, slot = put(first), put(group)
        everyone = who = put(np.arange(shots))
        spins, logs = put(np.empty(uniform.shape, dtype=np.uint8)), self._zero_logs(shots)
        for number, site in enumerate(self._sites):
            slot = slot if bases is None else xp.take(bases[:, number], who)
            if site.slots > 1:
                order = xp.argsort(slot, stable=True)
                rows, slot, who = (xp.take(a, order, axis=0) for a in (rows, slot, who))
            branches = self._branched(rows, slot, site)
            weights = self._weights(branches)
            chosen = _chosen(xp, weights, xp.take(numbers[:, number], who))
            spins[who, number] = xp.astype(chosen, xp.uint8)
            slot = xp.take(site.after, xp.astype(slot, xp.int64) * self._outcomes + chosen)
            rows = self._picked(branches, everyone, chosen)
            if (number + 1) % _RESCALED_EVERY == 0 or site is self._sites[-1]:
                weight = xp.take(xp.reshape(weights, (-1,)), everyone * self._outcomes + chosen)
                rows = rows * (weight**-0.5)[:, None, None]
                logs[who] += xp.log(xp.astype(weight, xp.float64))
        return self._place.get(spins), self._place.get(logs)

    def carry(
        self, first: FloatArray, group: int, spins: Array, index: Spins | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return rows after the outcomes of all sites, and logarithms of factors before them.

        Parameters
        ----------
        first, group
            Rows of every shot, of shape (rows, parts, bond), on the bond left of the first site,
            and their group.
        spins, index
            Outcomes of the sites of each shot, and bases where they are drawn.

        Returns
        -------
        Arrays of shape (shots, rows, parts, bond) and (shots,).
        """
        xp, put, shots = self._xp, self._place.put, len(spins)
        bases = None if index is None else put(index.astype(np.int16))
        outcomes = put(spins.astype(np.int16))
        rows = xp.broadcast_to(put(first), (shots, *first.shape))
        who, logs = put(np.arange(shots)), self._zero_logs(shots)
        slot = put(np.full(shots, group, dtype=np.int16))
        for number, site in enumerate(self._sites):
            slot = slot if bases is None else xp.take(bases[:, number], who)
            key = slot * self._outcomes + xp.take(outcomes[:, number], who)
            order = xp.argsort(key, stable=True)
            rows, key, who = (xp.take(a, order, axis=0) for a in (rows, key, who))
            rows = self._advanced(rows, key, site)
            slot = xp.take(site.after, xp.astype(key, xp.int64))
            if (number + 1) % self._rescaled_every == 0 or site is self._sites[-1]:
                size = xp.max(xp.reshape(xp.abs(rows), (shots, -1)), axis=1)
                size = xp.where(size > 0.0, size, xp.ones_like(size))
                rows = rows / size[:, None, None, None]
                logs[who] += xp.log(xp.astype(size, xp.float64))
        back = np.argsort(self._place.get(who))
        return self._place.get(rows)[back].astype(np.float64), self._place.get(logs)

    def _branched(self, rows: Any, slot: Any, site: PreparedSite) -> Any:
        """Rows after all outcomes, of shape (shots, parts, outcomes, bond)."""
        xp, shape = self._xp, (len(rows), self._parts, self._outcomes * site.width)
        result = xp.empty(shape, dtype=rows.dtype, device=rows.device)
        for number, first, last in self._stretches(slot, site.slots):
            site.branches[number].multiply(xp, rows[first:last], result[first:last])
        return xp.reshape(result, (*shape[:2], self._outcomes, site.width))

    def _advanced(self, rows: Any, key: Any, site: PreparedSite) -> Any:
        """Rows after the outcome of each shot; those that nothing follows are zero."""
        xp, (shots, count, parts, width) = self._xp, rows.shape
        result = xp.zeros((shots, count, parts, site.width), dtype=rows.dtype, device=rows.device)
        for number, first, last in self._stretches(key, site.slots * self._outcomes):
            block = site.block(*divmod(number, self._outcomes))
            if block is not None:
                given = xp.reshape(rows[first:last], (-1, parts, width))
                target = xp.reshape(result[first:last], (-1, parts, site.width))
                block.multiply(xp, given, target)
        return result

    def _stretches(self, keys: Any, count: int) -> Iterator[tuple[int, int, int]]:
        """Each key below ``count`` that occurs in a sorted array, its first place and its end."""
        if count == 1:
            yield 0, 0, len(keys)
            return
        names = self._xp.astype(self._place.put(np.arange(count + 1)), keys.dtype)
        ends = self._xp.searchsorted(keys, names).tolist()
        for number in range(count):
            if ends[number + 1] > ends[number]:
                yield number, ends[number], ends[number + 1]

    def _weights(self, branches: Any) -> Any:
        """Squared norms of all branches, of shape (shots, outcomes)."""
        xp, (shots, parts, outcomes, width) = self._xp, branches.shape
        squares = xp.reshape(branches * branches, (-1, width))
        # A product with ones is several times faster than a sum over a short axis.
        sums = squares @ xp.ones(width, dtype=branches.dtype, device=branches.device)
        sums = xp.reshape(sums, (shots, parts, outcomes))
        return sums[:, 0] if parts == 1 else sums[:, 0] + sums[:, 1]

    def _picked(self, branches: Any, everyone: Any, chosen: Any) -> Any:
        """Branch of the chosen outcome of each shot."""
        xp, (shots, parts, outcomes, width) = self._xp, branches.shape
        places = everyone * (parts * outcomes) + chosen
        if parts == 2:
            places = xp.reshape(xp.stack((places, places + outcomes), axis=1), (-1,))
        rows = xp.take(xp.reshape(branches, (-1, width)), places, axis=0)
        return xp.reshape(rows, (shots, parts, width))

    def _zero_logs(self, shots: int) -> Any:
        return self._xp.astype(self._place.put(np.zeros(shots)), self._xp.float64)


def _chosen(xp: Any, weights: Any, uniform: Any) -> Any:
    """Outcome of each shot: the first one whose cumulated weight is above its random number."""
    cumulative = [weights[:, 0]]
    for outcome in range(1, weights.shape[1]):
        cumulative.append(cumulative[-1] + weights[:, outcome])
    level = uniform * cumulative[-1]
    chosen = xp.astype(cumulative[0] <= level, xp.int64)
    for edge in cumulative[1:-1]:
        chosen += xp.astype(edge <= level, xp.int64)
    return chosen
