"""Which figures belong to which section."""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from phasenet.findings import Section
from phasenet.plots.findings.attribute import attribute_figures
from phasenet.plots.findings.automaton import automaton_figures
from phasenet.plots.findings.bonds import bonds_figures
from phasenet.plots.findings.controls import controls_figures
from phasenet.plots.findings.importance import importance_figures
from phasenet.plots.findings.interventions import interventions_figures
from phasenet.plots.findings.membership import membership_figures
from phasenet.plots.findings.observable import observable_figures
from phasenet.plots.findings.privacy import privacy_figures
from phasenet.plots.findings.protection import protection_figures
from phasenet.plots.findings.state import aklt_figures, state_figures

Figures = tuple[tuple[str, Figure], ...]
"""Captions and figures."""

_DRAWERS: Mapping[str, Callable[[Section], Figures]] = {
    "observable": observable_figures,
    "interventions": interventions_figures,
    "controls": controls_figures,
    "bonds": bonds_figures,
    "automaton": automaton_figures,
    "importance": importance_figures,
    "state": state_figures,
    "aklt": aklt_figures,
    "attribute": attribute_figures,
    "membership": membership_figures,
    "protection": protection_figures,
    "privacy": privacy_figures,
}


def figures_of(section: Section) -> Figures:
    """Captions and figures of a section; none for one of words and tables only."""
    drawer = _DRAWERS.get(section.name)
    # A section that cannot be shown has its name and a reason, and no numbers.
    return () if drawer is None or not section.arrays else drawer(section)
