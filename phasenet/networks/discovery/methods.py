"""What each way to find a transition without labels computes, in words for files and figures."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from phasenet.records import Table

CONFUSION, ENDS, CHANGE = "confusion", "ends", "change"

PLACES = "_at"
"""Ends the name of the column that tells where the numbers of another one lie."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to find a transition without labels.

    Parameters
    ----------
    name
        As in :class:`phasenet.networks.discovery.indicators.Indicator`.
    meaning
        What its curve is, one sentence.
    unit
        Of the curve, with COUPLING in the place of what is varied.
    family
        Curves of one family are compared in one panel: ``confusion`` (balanced accuracies),
        ``ends`` (shares that look like one end), ``change`` (change of the distribution itself).
    peaked
        Whether the transition is the peak of the curve, or else its steepest place.
    exact
        Whether it needs the likelihoods of the states.
    """

    name: str
    meaning: str
    unit: str
    family: str
    peaked: bool
    exact: bool

    @property
    def column(self) -> str:
        """Name of its column in a table.

        >>> METHODS["Fisher information"].column
        'fisher_information'
        """
        return "_".join(re.findall(r"\w+", self.name.lower()))


def _methods() -> tuple[Method, ...]:
    confusion = "mean accuracy on both sides of a trial boundary between two points"
    ends = "share of shots that look less like the first points than like the last"
    return (
        _method("learning by confusion", f"{confusion}, of networks", CONFUSION),
        _method("optimal confusion", f"{confusion}, the best possible", CONFUSION, exact=True),
        _method("principal components of both ends", f"{ends}, by distance", ENDS),
        _method("autoencoders of both ends", f"{ends}, by the error of autoencoders", ENDS),
        _method(
            "optimal supervised",
            "best possible probability that a shot is of the last points and not of the first",
            ENDS,
            exact=True,
        ),
        _method(
            "optimal prediction",
            "change of the best possible prediction of the coupling, over the width of predictions",
            CHANGE,
            unit="1/COUPLING",
            exact=True,
        ),
        _method(
            "Fisher information",
            "Fisher information of a shot, from the overlap of neighbouring distributions",
            CHANGE,
            unit="1/COUPLING^2",
            exact=True,
        ),
    )


def _method(
    name: str, meaning: str, family: str, *, unit: str = "1", exact: bool = False
) -> Method:
    return Method(
        name=name,
        meaning=meaning,
        unit=unit,
        family=family,
        peaked=family != ENDS,
        exact=exact,
    )


METHODS = MappingProxyType({method.name: method for method in _methods()})
"""All methods by name, in the order in which they are shown."""


def methods_of(table: Table) -> list[Method]:
    """Methods whose curves a table has, in the order in which they are shown."""
    names = {column.name for column in table.columns}
    return [method for method in METHODS.values() if method.column in names]


def coupling_of(table: Table) -> str:
    """Coupling that varies along the rows of such a table."""
    first, last = table.points[0].as_dict(), table.points[-1].as_dict()
    return next(name for name, value in first.items() if value != last[name])
