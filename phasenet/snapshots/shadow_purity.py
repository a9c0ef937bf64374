r"""Purity of a few sites from shots in random bases.

A shot in an informationally complete set of bases is an estimate of the density matrix,
:math:`\hat\rho = \bigotimes_i \hat\rho_i(b_i, k_i)`, and two different shots are independent. So

.. math:: \mathrm{tr}\,\rho_A^2 = \frac{1}{N (N - 1)}
          \sum_{m \ne n} \prod_{i \in A} \mathrm{tr}(\hat\rho_i^m \hat\rho_i^n)

on average (Huang, Kueng, Preskill, Nature Physics 16, 1050 (2020); Elben et al., Nature Reviews
Physics 5, 9 (2023)). Shots with the same outcomes are counted once, so that the cost does not grow
with the square of their number.
"""

import math
from typing import Final

import numpy as np

from phasenet.errors import SettingsError
from phasenet.snapshots.bases import Basis
from phasenet.snapshots.readouts import Readout, outcome_values
from phasenet.snapshots.shadows import ShotEstimate
from phasenet.trains.train import Array, FloatArray

_MOST_OUTCOMES: Final = 12_000_000


def purity_estimate(readout: Readout, window: range) -> ShotEstimate:
    """Purity of the reduced density matrix of some sites, with its jackknife standard error.

    Parameters
    ----------
    readout
        Shots in random bases that measure everything: ``unbiased``, or ``random`` of spins 1/2.
    window
        The sites; their number is limited by the number of outcomes, (bases x states)^sites.

    Raises
    ------
    SettingsError
        The basis does not measure everything, there are too many sites, or fewer than 3 shots.

    >>> from phasenet.snapshots.bases import basis_of
    >>> rng = np.random.default_rng(0)
    >>> bases = rng.integers(3, size=(20000, 1), dtype=np.uint8)
    >>> mixed = rng.integers(2, size=(20000, 1), dtype=np.uint8)
    >>> shots = Readout(spins=mixed, basis=basis_of("random", 2), basis_index=bases)
    >>> found = purity_estimate(shots, range(1))
    >>> print(f"{found.value:.2f} {abs(found.value - 0.5) < 5 * found.error}")
    0.50 True
    """
    gram = _overlaps(readout, window)
    sites = np.arange(readout.sites)[window]
    known = np.all(readout.spins[:, sites] < readout.site_dim, axis=1)
    shots = int(known.sum())
    if shots < 3:
        raise SettingsError(f"{shots} shots without a lost site in {window}; wanted at least 3")
    assert readout.basis_index is not None
    digits = readout.basis_index[known][:, sites].astype(np.int64) * readout.site_dim
    digits += readout.spins[known][:, sites]
    code = digits @ len(gram) ** np.arange(len(sites))[::-1]
    counts = np.bincount(code, minlength=len(gram) ** len(sites)).astype(np.float64)
    among = (_everywhere(gram, counts, len(sites))[code] - _own(gram, digits)) / (shots - 1)
    value = float(among.mean())
    # Jackknife: without one shot the value changes by 2 (q - value) / (shots - 2).
    spread = float(np.sum((among - value) ** 2))
    error = 2 / (shots - 2) * math.sqrt((shots - 1) / shots * spread)
    return ShotEstimate(value=value, error=error, shots=len(known), left_out=len(known) - shots)


def renyi_estimate(readout: Readout, window: range) -> ShotEstimate:
    r"""Second Renyi entropy of some sites in nats, :math:`-\ln \mathrm{tr}\,\rho_A^2`.

    NaN where the estimate of the purity is not positive. Parameters and errors as of
    :func:`purity_estimate`.
    """
    found = purity_estimate(readout, window)
    positive = found.value > 0
    return ShotEstimate(
        value=-math.log(found.value) if positive else math.nan,
        error=found.error / found.value if positive else math.nan,
        shots=found.shots,
        left_out=found.left_out,
    )


def measures_everything(basis: Basis) -> bool:
    """Whether shots in a basis tell every observable of a site.

    >>> from phasenet.snapshots.bases import basis_of
    >>> measures_everything(basis_of("unbiased", 3)), measures_everything(basis_of("random", 3))
    (True, False)
    """
    return basis.drawn and all(not np.isnan(values).any() for values in _units(basis))


def longest_window(basis: Basis) -> int:
    """How many sites a window of :func:`purity_estimate` may have.

    >>> from phasenet.snapshots.bases import basis_of
    >>> longest_window(basis_of("unbiased", 2)), longest_window(basis_of("unbiased", 3))
    (9, 6)
    """
    return int(math.log(_MOST_OUTCOMES) / math.log(len(basis.names) * basis.site_dim))


def _overlaps(readout: Readout, window: range) -> FloatArray:
    """Traces of the products of all pairs of estimates of the density matrix of a site."""
    basis = readout.basis
    if not measures_everything(basis):
        raise SettingsError(
            f"purities cannot be estimated from shots in the basis {basis.name!r}, which measures "
            f"{', '.join(basis.names)} and their functions; draw shots in the basis unbiased"
        )
    longest = longest_window(basis)
    inside = len(window) and min(window) >= 0 and max(window) < readout.sites
    if not inside or len(window) > longest:
        raise SettingsError(
            f"the window is {window}; wanted 1 to {longest} of the sites 0 to {readout.sites - 1}"
        )
    # Row (b, k) is the estimate of the density matrix that this outcome gives.
    rows = np.stack([values.reshape(-1) for values in _units(basis)], axis=1)
    return np.asarray((rows @ rows.conj().T).real)


def _units(basis: Basis) -> list[Array]:
    """What the outcomes say of each matrix unit."""
    units = np.eye(basis.site_dim**2).reshape(-1, basis.site_dim, basis.site_dim)
    return [outcome_values(basis, tuple(map(tuple, unit.tolist()))) for unit in units]


def _everywhere(gram: FloatArray, counts: FloatArray, sites: int) -> FloatArray:
    """Overlaps of each outcome with all shots."""
    for _ in range(sites):
        # The site in front goes to the end, so that all come to the front once.
        counts = (gram @ counts.reshape(len(gram), -1)).T
    return counts.reshape(-1)


def _own(gram: FloatArray, digits: Array) -> FloatArray:
    return np.asarray(np.prod(np.diagonal(gram)[digits], axis=1))
