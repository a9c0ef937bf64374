"""What ``measure`` writes about a state: named numbers and arrays with units and errors."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from phasenet.phases.estimates import Estimate
from phasenet.records import Column, Curve
from phasenet.trains.train import Array, FloatArray


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of one state.

    Parameters
    ----------
    name, unit, meaning
        As in :class:`phasenet.records.Column`.
    value, error
        NaN where there is none.
    """

    name: str
    unit: str
    meaning: str
    value: float
    error: float = math.nan


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """One array of one state.

    Parameters
    ----------
    name, unit, meaning, axes
        As in :class:`phasenet.records.Curve`.
    values
        Real, with one axis for each name of an axis.
    """

    name: str
    unit: str
    meaning: str
    axes: tuple[str, ...]
    values: FloatArray


Named = TypeVar("Named", Quantity, Profile)


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """What was read off one state.

    Parameters
    ----------
    quantities, profiles
        Numbers and arrays, each name once.
    sentences
        What a reader must know of them.

    >>> len((Observed(sentences=("no spins",)) + Observed()).sentences)
    1
    """

    quantities: tuple[Quantity, ...] = ()
    profiles: tuple[Profile, ...] = ()
    sentences: tuple[str, ...] = ()

    def __add__(self, other: "Observed") -> "Observed":
        return Observed(
            quantities=self.quantities + other.quantities,
            profiles=self.profiles + other.profiles,
            sentences=self.sentences + other.sentences,
        )


def slug(name: str) -> str:
    """Name of an invariant or an order as a column.

    >>> slug("time reversal"), slug("order at 1/4")
    ('time_reversal', 'order_at_1_4')
    """
    return "_".join(re.findall(r"\w+", name.lower()))


def number(name: str, meaning: str, value: float, unit: str = "1") -> Quantity:
    """Quantity without an error, of a value of any numeric type.

    >>> number("spin", "S of each site", np.float64(0.5)).value
    0.5
    """
    return Quantity(name=name, unit=unit, meaning=meaning, value=float(value))


def estimated(name: str, meaning: str, estimate: Estimate, unit: str = "1") -> Quantity:
    """Quantity of an estimate; what is exact has no error.

    >>> print(estimated("O", "a string", Estimate(value=1.0, error=0.0, method="exact")).error)
    nan
    """
    error = estimate.error if estimate.error > 0.0 else math.nan
    return Quantity(
        name=name, unit=unit, meaning=meaning, value=float(estimate.value), error=float(error)
    )


def profile(
    name: str, meaning: str, axes: Sequence[str], values: Array, unit: str = "1"
) -> Profile:
    """Profile of an array of any numeric type.

    >>> profile("m", "magnetisation", ["site"], np.arange(2)).values.tolist()
    [0.0, 1.0]
    """
    values = np.ascontiguousarray(np.real(values), dtype=np.float64)
    return Profile(name=name, unit=unit, meaning=meaning, axes=tuple(axes), values=values)


def columns_of(rows: Sequence[Mapping[str, Quantity]]) -> tuple[Column, ...]:
    """Columns of a table from the quantities of each row, NaN where a row lacks one.

    >>> rows = [{"energy": number("energy", "per site", -1.4, "J")}, {}]
    >>> columns_of(rows)[0].values.tolist()
    [-1.4, nan]
    """
    missing = Quantity(name="", unit="", meaning="", value=math.nan)
    return tuple(
        Column(
            name=name,
            unit=kind.unit,
            meaning=kind.meaning,
            values=np.asarray([row.get(name, missing).value for row in rows]),
            errors=np.asarray([row.get(name, missing).error for row in rows]),
        )
        for name, kind in _kinds(rows).items()
    )


def curves_of(rows: Sequence[Mapping[str, Profile]]) -> tuple[Curve, ...]:
    """Curves of a table from the profiles of each row, empty where a row lacks one.

    >>> rows = [{}, {"m": profile("m", "magnetisation", ["site"], np.ones(2))}]
    >>> [array.tolist() for array in curves_of(rows)[0].values]
    [[], [1.0, 1.0]]
    """
    return tuple(
        Curve(
            name=name,
            unit=kind.unit,
            meaning=kind.meaning,
            axes=kind.axes,
            values=tuple(
                row[name].values if name in row else np.zeros((0,) * len(kind.axes)) for row in rows
            ),
        )
        for name, kind in _kinds(rows).items()
    )


def by_name(found: Iterable[Named]) -> dict[str, Named]:
    """Quantities or profiles by their names.

    >>> list(by_name([number("energy", "per site", -1.4, "J")]))
    ['energy']
    """
    return {one.name: one for one in found}


def _kinds(rows: Sequence[Mapping[str, Named]]) -> dict[str, Named]:
    """One example of each name, in an order that most rows share."""
    kinds: dict[str, Named] = {}
    for row in rows:
        kinds = {**row, **kinds} if len(row) > len(kinds) else {**kinds, **row}
    return kinds
