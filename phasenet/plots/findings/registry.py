"""Which figures belong to which section."""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from phasenet.findings import Section

Figures = tuple[tuple[str, Figure], ...]
"""Captions and figures."""

_DRAWERS: Mapping[str, Callable[[Section], Figures]] = {}


def figures_of(section: Section) -> Figures:
    """Captions and figures of a section; none for a section that has only words and tables."""
    drawer = _DRAWERS.get(section.name)
    return () if drawer is None else drawer(section)
