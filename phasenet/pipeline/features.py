"""What a dataset keeps of each point beside its shots: correlators, density matrices, spectra."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.correlations import correlation_matrix
from phasenet.phases.density_matrix import LARGEST_DENSITY_MATRIX, reduced_density_matrix
from phasenet.phases.observables import slug
from phasenet.records import Curve
from phasenet.settings import FeatureSettings
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray

_PAIR = ("first site, from 0", "second site, from 0")
_PARTS = "0 the real, 1 the imaginary part"
_HERMITIAN = ("1", "Sx", "Sy", "Sz", "X", "Y", "Z")


@dataclass(frozen=True, kw_only=True)
class _Feature:
    """One array of each state, and what it is."""

    name: str
    meaning: str
    axes: tuple[str, ...]
    measure: Callable[[StateForm], FloatArray]


def features_of(
    forms: Iterable[StateForm], settings: FeatureSettings, *, start: int, sites: int
) -> tuple[Curve, ...]:
    """Arrays of each state that the settings ask for, over the sites that shots are taken of.

    Complex values have a last axis of their real and imaginary parts. Correlators are not
    connected. Spectra hold squared Schmidt values of the cuts between the sites, largest first,
    those that are missing 0.

    Parameters
    ----------
    forms
        States, one after the other; none of them is kept.
    settings
        What is asked for.
    start, sites
        The first site that is measured, and how many are.

    Raises
    ------
    SettingsError
        An operator is unknown, or the density matrix does not fit or has more than 729 rows.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> state = state_form(aklt_cell())
    >>> for curve in features_of([state], FeatureSettings(spectrum=3), start=0, sites=2):
    ...     print(curve.name, curve.values[0].round(4).tolist())
    schmidt_weights [[0.5, 0.5, 0.0]]
    """
    asked = _asked(settings, start, sites)
    if not asked:
        return ()
    values = [[feature.measure(form) for feature in asked] for form in forms]
    return tuple(
        Curve(
            name=feature.name,
            unit="1",
            meaning=feature.meaning,
            axes=feature.axes,
            values=tuple(row[column] for row in values),
        )
        for column, feature in enumerate(asked)
    )


def joined_features(sources: Sequence[Sequence[Curve]]) -> tuple[Curve, ...]:
    """Features of several chains as one list, in the order of the chains.

    Parameters
    ----------
    sources
        Features of each chain, or of each point; where one lacks a feature, its arrays are empty.

    Raises
    ------
    ShapeError
        Two chains have a feature of the same name with other units or axes, or one has none at all.

    >>> one = Curve(name="m", unit="1", meaning="spin", axes=("site",), values=(np.ones(2),))
    >>> two = Curve(name="n", unit="1", meaning="zeros", axes=("site",), values=(np.ones(2),))
    >>> [array.tolist() for array in joined_features([[one], [two]])[0].values]
    [[1.0, 1.0], []]
    """
    kinds: dict[str, Curve] = {}
    for curve in (curve for curves in sources for curve in curves):
        kind = kinds.setdefault(curve.name, curve)
        if (curve.unit, curve.axes) != (kind.unit, kind.axes):
            raise ShapeError(
                f"feature {curve.name} has axes {', '.join(kind.axes)} in {kind.unit} in one chain "
                f"and {', '.join(curve.axes)} in {curve.unit} in another; wanted the same"
            )
    if not kinds:
        return ()
    if not all(sources):
        raise ShapeError("one chain has features and another has none; ask for the same of all")
    return tuple(replace(kind, values=_joined(kind, sources)) for kind in kinds.values())


def _joined(kind: Curve, sources: Sequence[Sequence[Curve]]) -> tuple[FloatArray, ...]:
    values: list[FloatArray] = []
    for curves in sources:
        own = next((curve.values for curve in curves if curve.name == kind.name), None)
        missing = [np.zeros((0,) * len(kind.axes))] * len(curves[0].values)
        values += missing if own is None else own
    return tuple(values)


def _asked(settings: FeatureSettings, start: int, sites: int) -> list[_Feature]:
    found = [_correlator(text, start, sites) for text in settings.correlators]
    if settings.density_matrix:
        found.append(_density_matrix(settings.density_matrix, start, sites))
    if settings.spectrum:
        found.append(_spectrum(settings.spectrum, start, sites))
    return found


def _correlator(text: str, start: int, sites: int) -> _Feature:
    names = text.split()
    if len(names) != 2:
        raise SettingsError(
            f"features.correlators has {text!r}; wanted two operators such as 'Sz Sz'"
        )
    first, second = names
    # What the axes are must not depend on the state.
    real = first == second and first in _HERMITIAN

    def measure(form: StateForm) -> FloatArray:
        matrix = correlation_matrix(form, first, second, range(start, start + sites))
        return np.ascontiguousarray(matrix.real) if real else _parts(matrix)

    return _Feature(
        name=f"correlator_{slug(text)}",
        meaning=f"<{first} {second}> of all pairs of sites, not connected",
        axes=_PAIR if real else (*_PAIR, _PARTS),
        measure=measure,
    )


def _density_matrix(count: int, start: int, sites: int) -> _Feature:
    if count > sites:
        raise SettingsError(
            f"features.density_matrix is {count}; shots have {sites} sites: wanted at most that"
        )
    first = start + (sites - count) // 2

    def measure(form: StateForm) -> FloatArray:
        size = math.prod(form.site(site).site_dim for site in range(first, first + count))
        if size > LARGEST_DENSITY_MATRIX:
            raise SettingsError(
                f"features.density_matrix is {count}, a matrix of {size} rows; wanted at most "
                f"{LARGEST_DENSITY_MATRIX}: take fewer sites"
            )
        return _parts(reduced_density_matrix(form, first, count))

    states = "local states of the sites, of the last one fastest"
    return _Feature(
        name="density_matrix",
        meaning=f"reduced density matrix of the {count} sites in the middle",
        axes=(f"row: {states}", f"column: {states}", _PARTS),
        measure=measure,
    )


def _spectrum(count: int, start: int, sites: int) -> _Feature:
    def measure(form: StateForm) -> FloatArray:
        spectra = np.zeros((sites - 1, count))
        for row, site in zip(spectra, range(start + 1, start + sites), strict=True):
            weights = np.sort(form.left_weights(site))[::-1][:count]
            row[: len(weights)] = weights
        return spectra

    return _Feature(
        name="schmidt_weights",
        meaning=f"entanglement spectrum: the {count} largest squared Schmidt values of each cut",
        axes=("bond, from 0: right of that site", "largest first"),
        measure=measure,
    )


def _parts(values: Array) -> FloatArray:
    return np.stack([np.real(values), np.imag(values)], axis=-1).astype(np.float64)
