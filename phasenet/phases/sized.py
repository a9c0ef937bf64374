"""Curves along a coupling at several chain lengths or bond dimensions, and pairs of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.phases.lines import Section
from phasenet.phases.singularities import SMALLEST_ORDER
from phasenet.trains.train import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class SizedCurve:
    """Values along a coupling, of chains of one length or states of one bond dimension."""

    size: float
    x: FloatArray
    values: FloatArray


def bond_curves(sections: Sequence[Section], name: str) -> list[SizedCurve]:
    """Curves of infinite states at each bond dimension, of several tables or of one state's growth.

    Parameters
    ----------
    sections
        One table each.
    name
        ``correlation_length`` or ``entropy``.
    """
    column = name if name == "correlation_length" else f"{name}_infinite"
    largest = [section.values("max_bond_infinite") for section in sections]
    tables = {
        float(np.nanmax(values)): section
        for values, section in zip(largest, sections, strict=True)
        if np.isfinite(values).any()
    }
    if len(tables) > 1:
        return [
            SizedCurve(size=bond, x=section.x, values=section.values(column))
            for bond, section in sorted(tables.items())
        ]
    first = sections[0]
    bonds, values = first.curve("growth_max_bond"), first.curve(f"growth_{name}")
    return [
        SizedCurve(
            size=bond,
            x=first.x,
            values=np.asarray([_at(bond, *pair) for pair in zip(bonds, values, strict=True)]),
        )
        for bond in np.unique(np.concatenate([*bonds, np.zeros(0)]))
    ]


def chains_of(sections: Sequence[Section]) -> list[Section]:
    """Tables that hold open chains of one length each, by rising length.

    Parameters
    ----------
    sections
        One table each; of two with the same length the first is taken.
    """
    found: dict[float, Section] = {}
    for section in sections:
        lengths = np.unique(section.values("length_finite"))
        lengths = lengths[np.isfinite(lengths)]
        if len(lengths) == 1:
            found.setdefault(float(lengths[0]), section)
    return [found[length] for length in sorted(found)]


def sized(chain: Section, x: FloatArray, values: FloatArray) -> SizedCurve:
    """Curve of the chains of one length.

    Parameters
    ----------
    chain
        From :func:`chains_of`.
    x, values
        The curve.
    """
    size = float(np.nanmax(chain.values("length_finite")))
    return SizedCurve(size=size, x=x, values=values)


def _common(one: SizedCurve, other: SizedCurve) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Couplings that two curves share, and the values of both there."""
    x, left, right = np.intersect1d(one.x, other.x, return_indices=True)
    return x, one.values[left], other.values[right]


def difference(one: SizedCurve, other: SizedCurve) -> SizedCurve:
    """Second curve minus the first, at the geometric mean of their sizes."""
    x, left, right = _common(one, other)
    return SizedCurve(size=float(np.sqrt(one.size * other.size)), x=x, values=right - left)


def falling_power(one: SizedCurve, other: SizedCurve) -> SizedCurve:
    """Power by which an order falls from one length to the next."""
    x, left, right = _common(one, other)
    small, large = (np.where(v > SMALLEST_ORDER, v, np.nan) for v in (left, right))
    power = np.log(small / large) / np.log(other.size / one.size)
    return SizedCurve(size=float(np.sqrt(one.size * other.size)), x=x, values=power)


def _at(bond: float, bonds: FloatArray, values: FloatArray) -> float:
    """Value at a bond dimension; a state that needed no larger one keeps its last."""
    reached = np.flatnonzero(bonds <= bond)
    return float(values[reached[-1]]) if len(reached) and len(values) == len(bonds) else np.nan
