"""Faults of a detector, put on shots after they were drawn.

Each shot takes a fixed number of uniform numbers, :func:`noise_columns`, row after row of one
table; so shots do not depend on batches: a generator that stands at ``start * columns`` numbers
gives the faults of the shots from ``start`` on.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.settings import NoiseSettings
from phasenet.trains.train import FloatArray

_SUM_ATOL: Final = 1e-9


def with_noise(
    spins: NDArray[np.uint8], site_dim: int, settings: NoiseSettings, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shots as a faulty detector reports them: depolarised, then misread, then with lost sites.

    Parameters
    ----------
    spins
        Local states, uint8 of shape (shots, sites); what lies beyond the local states, such as
        NO_SITE, stays.
    site_dim
        Number of local states d; a lost site gets the value d.
    settings
        How often each fault happens.
    rng
        Stands at the first of these shots; each takes :func:`noise_columns` numbers.

    Raises
    ------
    SettingsError
        The settings do not suit these local states, see :func:`check_noise`.

    >>> spins = np.array([[0, 1], [1, 1]], dtype=np.uint8)
    >>> with_noise(spins, 2, NoiseSettings(flip=1.0), np.random.default_rng(0)).tolist()
    [[1, 0], [0, 0]]
    """
    check_noise(settings, site_dim)
    shots, sites = spins.shape
    numbers = rng.random((shots, noise_columns(settings, sites)))
    real = spins < site_dim
    result = np.array(spins, dtype=np.uint8)
    if settings.depolarised:
        hit, numbers = numbers[:, :1] < settings.depolarised, numbers[:, 1:]
        uniform, numbers = numbers[:, :sites], numbers[:, sites:]
        result = np.where(hit & real, (uniform * site_dim).astype(np.uint8), result)
    if settings.flip or settings.confusion:
        uniform, numbers = numbers[:, :sites], numbers[:, sites:]
        result = np.where(real, _misread(result, uniform, settings, site_dim), result)
    if settings.lost:
        result = np.where((numbers < settings.lost) & real, np.uint8(site_dim), result)
    return result


def noise_columns(settings: NoiseSettings, sites: int) -> int:
    """How many uniform numbers the faults of one shot take.

    Parameters
    ----------
    settings
        A fault that never happens takes none.
    sites
        Number of sites of a shot.

    >>> noise_columns(NoiseSettings(depolarised=0.1, lost=0.1), 8)
    17
    """
    each = [bool(settings.flip or settings.confusion), bool(settings.lost)]
    return sum(each) * sites + (1 + sites if settings.depolarised else 0)


def confusion_matrix(settings: NoiseSettings, site_dim: int) -> FloatArray:
    """Probability to read state j where the state is i, shape (site_dim, site_dim).

    >>> confusion_matrix(NoiseSettings(flip=0.2), 3).tolist()
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    """
    if settings.confusion:
        return np.asarray(settings.confusion, dtype=np.float64)
    others = np.full((site_dim, site_dim), settings.flip / (site_dim - 1))
    np.fill_diagonal(others, 1 - settings.flip)
    return others


def check_noise(settings: NoiseSettings, site_dim: int) -> None:
    """Raise SettingsError unless the faults suit sites of this many local states.

    >>> check_noise(NoiseSettings(confusion=((0.9, 0.1), (0.2, 0.7))), 2)
    Traceback (most recent call last):
    phasenet.errors.SettingsError: noise.confusion: row 1 sums to 0.9; wanted 1, for each state \
is read as one of the states
    """
    if not settings.confusion:
        return
    if settings.flip:
        raise SettingsError(
            f"noise.flip is {settings.flip:g} and noise.confusion is given as well; wanted one of "
            "them: put the flips into the confusion matrix"
        )
    lengths = {len(settings.confusion), *map(len, settings.confusion)}
    if lengths != {site_dim}:
        shape = f"{len(settings.confusion)} rows of {sorted(set(map(len, settings.confusion)))}"
        raise SettingsError(
            f"noise.confusion has {shape} entries; wanted {site_dim} rows of {site_dim}, one for "
            "each local state"
        )
    for index, row in enumerate(settings.confusion):
        if abs(sum(row) - 1) > _SUM_ATOL:
            raise SettingsError(
                f"noise.confusion: row {index} sums to {sum(row):g}; wanted 1, for each state is "
                "read as one of the states"
            )


def _misread(
    spins: NDArray[np.uint8], uniform: FloatArray, settings: NoiseSettings, site_dim: int
) -> NDArray[np.uint8]:
    steps = np.cumsum(confusion_matrix(settings, site_dim), axis=1)[:, :-1]
    state = np.minimum(spins, site_dim - 1)
    found = np.zeros(spins.shape, dtype=np.uint8)
    for step in steps.T:
        found += uniform >= step[state]
    return found
