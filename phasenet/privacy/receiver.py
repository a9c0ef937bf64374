"""Receiver operating curves, and what they would be for other shots of the same kind."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.trains.train import FloatArray, IntArray

# Of a bootstrap that is held in memory at once.
_DRAWS_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Values for shots that were drawn again.

    Parameters
    ----------
    areas, caught
        Areas under the curve, and shares of members found at 1 % false alarms, shape (draws,).
    """

    areas: FloatArray
    caught: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """Receiver operating curve, from the largest score on.

    Parameters
    ----------
    members, others
        How many have each score, shape (scores,), largest score first.
    """

    members: IntArray
    others: IntArray

    @property
    def found(self) -> FloatArray:
        """Share of members at or above each score, from 0 to 1, shape (scores + 1,)."""
        return np.asarray(_shares(self.members[None])[0])

    @property
    def false(self) -> FloatArray:
        """Share of the others at or above each score, from 0 to 1, shape (scores + 1,)."""
        return np.asarray(_shares(self.others[None])[0])

    @property
    def area(self) -> float:
        """Area under the curve, ties counted half."""
        return float(_areas(self.members[None], self.others[None])[0])

    def caught(self, alarms: float) -> float:
        """Share of members found where this share of the others is taken for members.

        Between two scores it is interpolated, as if ties were broken by chance.
        """
        return float(np.interp(alarms, self.false, self.found))

    def curve(self, points: int) -> tuple[FloatArray, FloatArray]:
        """Rates of false alarms, more of them close to 0, and of found members at them."""
        alarms = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, points - 1)])
        return alarms, np.interp(alarms, self.false, self.found)

    def drawn(self, rng: np.random.Generator, draws: int) -> Drawn:
        """Areas and shares for members and others that are drawn again, each kind by itself.

        Parameters
        ----------
        rng
            Draws them.
        draws
            How many times.
        """
        areas, caught = [], []
        for start in range(0, draws, _DRAWS_AT_ONCE):
            count = min(_DRAWS_AT_ONCE, draws - start)
            members, others = (
                rng.multinomial(int(c.sum()), c / c.sum(), size=count)
                for c in (self.members, self.others)
            )
            areas.append(_areas(members, others))
            pairs = zip(_shares(others), _shares(members), strict=True)
            caught += [float(np.interp(0.01, false, found)) for false, found in pairs]
        return Drawn(areas=np.concatenate(areas), caught=np.asarray(caught))


def rates_of(scores: FloatArray, inside: NDArray[np.bool_]) -> Rates:
    """Receiver operating curve of scores that are larger for members.

    >>> rates = rates_of(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True]))
    >>> print(f"{rates.area:.3f} {rates.caught(0.5):.2f}")
    0.875 1.00
    """
    _, inverse = np.unique(-scores, return_inverse=True)
    members, others = (
        np.bincount(inverse[k], minlength=inverse.max() + 1) for k in (inside, ~inside)
    )
    return Rates(members=members, others=others)


def _shares(counts: IntArray) -> FloatArray:
    sums = np.cumsum(counts, axis=1)
    zeros = np.zeros((len(counts), 1))
    return np.asarray(np.hstack([zeros, sums / sums[:, -1:]]))


def _areas(members: IntArray, others: IntArray) -> FloatArray:
    found, total = _shares(members), others.sum(axis=1)
    heights = 0.5 * (found[:, 1:] + found[:, :-1])
    return np.asarray((heights * others).sum(axis=1) / total)
