r"""How often random pivots suffice for the AKLT state: the law of success of TT-RSS.

The prefixes of an AKLT amplitude are basis states of the bond: every sample is, at each cut, in one
of two bond states, which a Markov chain runs through (it stays with probability 1/3 and flips with
2/3, held to end where it started). N samples span a cut unless all of them are in the same state
there, and the train is exact if they span every cut.
"""

import math

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.train import FloatArray

_STAYS = 1 / 3


def success_law(length: int, pivots: int) -> float:
    r"""Probability that random pivots give the exact AKLT train, in closed form.

    .. math:: P = \exp\left(-\left[(n-3)\,2^{1-N}
              + 2\left((2/3)^N + (1/3)^N\right)\right]\right)

    for n sites and N pivots: the n - 3 cuts of the bulk, where both bond states are equally likely,
    and the two end cuts fail as if independent of one another. Neighbouring cuts fail together more
    often than that, see :func:`success_probability`.

    Parameters
    ----------
    length
        Sites, at least 3.
    pivots
        Samples that the train is built from, at least 1.

    >>> [round(success_law(500, pivots), 3) for pivots in (8, 10, 14)]
    [0.019, 0.366, 0.935]
    """
    _check(length, pivots)
    ends = (1 - _STAYS) ** pivots + _STAYS**pivots
    return math.exp(-((length - 3) * 2.0 ** (1 - pivots) + 2 * ends))


def success_probability(length: int, pivots: int) -> float:
    """Probability that independent samples of the AKLT state span every cut, exactly.

    The number of samples in one of the two bond states is a Markov chain itself, which must reach
    neither none nor all of them at any cut.

    Parameters
    ----------
    length, pivots
        As in :func:`success_law`.

    >>> [round(success_probability(500, pivots), 3) for pivots in (8, 10, 14)]
    [0.021, 0.371, 0.935]
    """
    _check(length, pivots)
    # Of samples in bond state 1, left of the first site none.
    weights = np.zeros(pivots + 1)
    weights[0] = 1.0
    for cut in range(1, length):
        weights = weights @ _counts(length, pivots, cut)
        weights[[0, -1]] = 0.0
    return float(weights.sum())


def _counts(length: int, pivots: int, cut: int) -> FloatArray:
    """Chance of each number of samples in state 1 at a cut, given that at the cut before."""
    back, away = _returns(length - cut), 1 - _returns(length - cut)
    before = _returns(length - cut + 1)
    rises = (1 - _STAYS) * away / before
    falls = (1 - _STAYS) * back / (1 - before) if before < 1 else 1.0
    rows = [
        np.convolve(_binomial(number, 1 - falls), _binomial(pivots - number, rises))
        for number in range(pivots + 1)
    ]
    return np.asarray(rows)


def _returns(sites: int) -> float:
    """Chance that the bond state is the same after some sites."""
    return (1 + (2 * _STAYS - 1) ** sites) / 2


def _binomial(count: int, chance: float) -> FloatArray:
    return np.asarray(
        [
            math.comb(count, number) * chance**number * (1 - chance) ** (count - number)
            for number in range(count + 1)
        ]
    )


def _check(length: int, pivots: int) -> None:
    if length < 3 or pivots < 1:
        raise SettingsError(
            f"the law was asked for {length} sites and {pivots} pivots; wanted at least 3 sites "
            "and 1 pivot"
        )
