"""Estimates of products of operators from shots in any basis, each with its standard error.

Values are real parts. Operators are matrices, or ``1``, see :data:`phasenet.operators.Operator`;
what a basis says of them is in :mod:`phasenet.snapshots.readouts`. A shot with a lost site is left
out of all products that act there, and of no others. Of a fixed pattern of bases, averages run over
those places where the pattern measures the operators.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet.errors import SettingsError
from phasenet.operators import Operator, frozen
from phasenet.snapshots.readouts import Average, Batch, Readout, averages, batches, check_measured
from phasenet.trains.train import Array, FloatArray, IntArray

_MEDIAN_OF_NORMAL = math.sqrt(math.pi / 2)
# Standard deviations in the median deviation of a normal distribution.
_MEDIAN_DEVIATION = 1.4826


@dataclass(frozen=True, kw_only=True)
class ShotEstimate:
    """A number estimated from shots.

    Parameters
    ----------
    value, error
        Mean and standard error; NaN where no shot, or a single one, tells it.
    shots
        How many there are.
    left_out
        How many of them, because of a lost site: the most for any one of averaged products.
    """

    value: float
    error: float
    shots: int
    left_out: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class ShotProfile:
    """Numbers estimated from shots, one for each place.

    Parameters
    ----------
    places
        Sites or distances.
    values, errors
        Mean and standard error of each, of the shape of the places, or of one axis more; NaN where
        no shot tells it.
    """

    places: IntArray
    values: FloatArray
    errors: FloatArray


def product_values(readout: Readout, operators: Mapping[int, Operator]) -> FloatArray:
    """What each shot says of a product of operators, (shots,); NaN where a site was lost.

    Parameters
    ----------
    readout
        The shots.
    operators
        By their sites.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1], [1, 1]], dtype=np.uint8), basis=basis_of("Sz", 2))
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> product_values(shots, {0: z, 1: z}).tolist()
    [-1.0, 1.0]
    """
    by_site = _on_sites(readout, operators)
    return np.concatenate([_product(batch, by_site).real for batch in batches(readout)])


def product_estimate(readout: Readout, operators: Mapping[int, Operator]) -> ShotEstimate:
    """Expectation value of a product of operators on given sites.

    Parameters
    ----------
    readout
        The shots.
    operators
        By their sites.

    Raises
    ------
    SettingsError
        The basis does not measure one of them.
    """
    return product_estimates(readout, [operators])[0]


def product_estimates(
    readout: Readout, products: Sequence[Mapping[int, Operator]]
) -> tuple[ShotEstimate, ...]:
    """Expectation values of many products of operators.

    Parameters
    ----------
    readout
        The shots.
    products
        Operators by their sites, of each product.

    Raises
    ------
    SettingsError
        The basis does not measure one of the operators.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1], [1, 1]], dtype=np.uint8), basis=basis_of("Sz", 2))
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> [found.value for found in product_estimates(shots, [{0: z, 1: z}, {1: z}])]
    [0.0, -1.0]
    """
    chosen = [_on_sites(readout, operators) for operators in products]

    def rows(batch: Batch) -> Iterator[Array]:
        for by_site in chosen:
            yield _product(batch, by_site)[None]

    return tuple(estimate_of(found, readout) for found in averages(readout, rows))


def sum_estimate(
    readout: Readout, terms: Sequence[tuple[float, Mapping[int, Operator]]]
) -> ShotEstimate:
    """Expectation value of a sum of products, such as an energy.

    Parameters
    ----------
    readout
        The shots.
    terms
        Factor and operators by their sites, of each product.

    Raises
    ------
    SettingsError
        The basis does not measure one of the operators.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1], [1, 1]], dtype=np.uint8), basis=basis_of("Sz", 2))
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> sum_estimate(shots, [(2.0, {1: z}), (3.0, {})]).value
    1.0
    """
    products = [(factor, _on_sites(readout, operators)) for factor, operators in terms]

    def rows(batch: Batch) -> Iterator[Array]:
        yield np.stack([factor * _product(batch, by_site) for factor, by_site in products])

    (found,) = averages(readout, rows)
    # A sum with a term that no shot tells is unknown.
    count = len(products) if found.shots.all() else math.nan
    mean = estimate_of(found, readout)
    return replace(mean, value=count * mean.value, error=count * mean.error)


def local_estimates(readout: Readout, operator: Operator) -> ShotProfile:
    """Expectation value of an operator on each site.

    Parameters
    ----------
    readout
        The shots.
    operator
        NaN where a pattern of bases does not measure it.

    Raises
    ------
    SettingsError
        The basis measures it nowhere.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1], [1, 1]], dtype=np.uint8), basis=basis_of("Sz", 2))
    >>> local_estimates(shots, ((0.5, 0.0), (0.0, -0.5))).values.tolist()
    [0.0, -0.5]
    """
    places, found = _local(readout, operator)
    values, errors = np.full((2, readout.sites), np.nan)
    values[places], errors[places] = found.values, found.errors
    return ShotProfile(places=np.arange(readout.sites), values=values, errors=errors)


def local_average(readout: Readout, operator: Operator) -> ShotEstimate:
    """Expectation value of an operator, averaged over all sites where the basis measures it.

    Parameters and errors as of :func:`local_estimates`.
    """
    return estimate_of(_local(readout, operator)[1], readout)


def correlation_estimates(
    readout: Readout, first: Operator, second: Operator, distances: Sequence[int]
) -> tuple[ShotEstimate, ...]:
    r"""Two-point functions :math:`\langle A_i B_{i+r} \rangle`, averaged over all such pairs.

    Parameters
    ----------
    readout
        The shots.
    first, second
        The operators A and B.
    distances
        Values of r, from 1 on.

    Raises
    ------
    SettingsError
        A distance does not fit, or the basis measures no such pair.

    >>> from phasenet.snapshots.bases import basis_of
    >>> spins = np.array([[0, 1, 0], [1, 0, 1]], dtype=np.uint8)
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> shots = Readout(spins=spins, basis=basis_of("Sz", 2))
    >>> [found.value for found in correlation_estimates(shots, z, z, [1, 2])]
    [-1.0, 1.0]
    """
    a, b = frozen([first, second])
    chosen = [correlated_sites(readout, a, b, distance) for distance in distances]

    def rows(batch: Batch) -> Iterator[Array]:
        left, right = batch.readings(a), batch.readings(b)
        for starts, distance in zip(chosen, distances, strict=True):
            yield left[starts] * right[starts + distance]

    return tuple(estimate_of(found, readout) for found in averages(readout, rows))


def correlation_matrix_estimates(
    readout: Readout, first: Operator, second: Operator
) -> ShotProfile:
    r"""Two-point functions :math:`\langle A_i B_j \rangle` of all pairs of sites.

    Parameters
    ----------
    readout
        The shots.
    first, second
        The operators A and B; on the diagonal their product acts.

    Returns
    -------
    ShotProfile with values of shape (sites, sites), NaN where a pattern of bases does not measure
    them.

    >>> from phasenet.snapshots.bases import basis_of
    >>> shots = Readout(spins=np.array([[0, 1], [1, 0]], dtype=np.uint8), basis=basis_of("Sz", 2))
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> correlation_matrix_estimates(shots, z, z).values.tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    a, b = frozen([first, second])
    dim = readout.basis.site_dim
    one = np.eye(dim)
    (same,) = frozen([np.asarray(one if a == "1" else a) @ np.asarray(one if b == "1" else b)])
    places = np.outer(readout.measured(a), readout.measured(b))
    check_measured(readout, places, "a two-point function")

    def rows(batch: Batch) -> Iterator[Array]:
        left, right, diagonal = (batch.readings(operator) for operator in (a, b, same))
        for site in range(readout.sites):
            row = left[site] * right
            row[site] = diagonal[site]
            yield row

    found = averages(readout, rows)
    return ShotProfile(
        places=np.arange(readout.sites),
        values=np.stack([row.values for row in found]),
        errors=np.stack([row.errors for row in found]),
    )


def correlated_sites(
    readout: Readout, first: Operator, second: Operator, distance: int
) -> IntArray:
    """Sites i where the basis measures A, and B at i + distance.

    Parameters and errors as of :func:`correlation_estimates`.

    >>> from phasenet.snapshots.bases import basis_of
    >>> readout = Readout(spins=np.zeros((1, 5), dtype=np.uint8), basis=basis_of("Sz,Sx", 2))
    >>> z = ((1.0, 0.0), (0.0, -1.0))
    >>> correlated_sites(readout, z, z, 2).tolist()
    [0, 2]
    """
    if not 1 <= distance < readout.sites:
        raise SettingsError(
            f"distance is {distance}; wanted 1 to {readout.sites - 1} on {readout.sites} sites"
        )
    a, b = (readout.measured(operator) for operator in frozen([first, second]))
    found = np.flatnonzero(a[:-distance] & b[distance:])
    check_measured(readout, bool(len(found)), f"a two-point function at distance {distance}")
    return found


def median_of_means(values: FloatArray, groups: int) -> ShotEstimate:
    r"""Median of the means of groups of shots, which rare large values cannot spoil.

    Huang, Kueng, Preskill, Nature Physics 16, 1050 (2020). Its error is that of a median of normal
    means, :math:`\sqrt{\pi / 2}` standard errors, which are read off their median deviation.

    Parameters
    ----------
    values
        From :func:`product_values`; NaN are left out.
    groups
        Number of groups, of equal size; at least 2.

    >>> print(median_of_means(np.array([1.0, 1.0, 1.0, 1.0, 900.0, 1.0]), 3).value)
    1.0
    """
    known = values[~np.isnan(values)]
    if not 2 <= groups <= len(known):
        raise SettingsError(
            f"{groups} groups of {len(known)} shots; wanted at least 2 groups, of a shot or more"
        )
    means = np.array([part.mean() for part in np.array_split(known, groups)])
    value = float(np.median(means))
    deviation = _MEDIAN_DEVIATION * float(np.median(np.abs(means - value)))
    return ShotEstimate(
        value=value,
        error=_MEDIAN_OF_NORMAL * deviation / math.sqrt(groups),
        shots=len(values),
        left_out=len(values) - len(known),
    )


def estimate_of(found: Average, readout: Readout) -> ShotEstimate:
    """Common mean of a group of numbers as an estimate."""
    shots = len(readout.spins)
    return ShotEstimate(
        value=found.value,
        error=found.error,
        shots=shots,
        left_out=shots - int(found.shots.min()),
    )


def _local(readout: Readout, operator: Operator) -> tuple[IntArray, Average]:
    """Sites where an operator is measured, and its averages there."""
    (chosen,) = frozen([operator])
    places = np.flatnonzero(readout.measured(chosen))
    check_measured(readout, bool(len(places)), "an operator on a site")

    def rows(batch: Batch) -> Iterator[Array]:
        yield batch.readings(chosen)[places]

    (found,) = averages(readout, rows)
    return places, found


def _on_sites(readout: Readout, operators: Mapping[int, Operator]) -> dict[int, Operator]:
    """Operators by their sites as values, all of them measured there."""
    found = dict(zip(operators, frozen(operators.values()), strict=True))
    for site, operator in found.items():
        if not 0 <= site < readout.sites:
            raise SettingsError(f"site is {site}; shots have sites 0 to {readout.sites - 1}")
        check_measured(readout, bool(readout.measured(operator)[site]), f"operator on site {site}")
    return found


def _product(batch: Batch, by_site: Mapping[int, Operator]) -> Array:
    result: Array = np.ones(batch.codes.shape[1])
    for site, operator in by_site.items():
        result = result * batch.readings(operator)[site]
    return result
