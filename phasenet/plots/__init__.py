"""Figures of phase diagrams."""

from phasenet.plots.line import line_figure
from phasenet.plots.plane import plane_figure
from phasenet.plots.style import save_figure

__all__ = ["line_figure", "plane_figure", "save_figure"]
