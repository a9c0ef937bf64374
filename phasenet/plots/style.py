"""What the figures have in common: colours, fonts, names, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from phasenet.card import StudyCard
from phasenet.phases.boundaries import is_bracket
from phasenet.records import Boundary1D, Table
from phasenet.storage.atomic import atomic_path

# Okabe and Ito's palette: distinguishable with all common forms of colour blindness.
_PHASES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#555555"
LITERATURE = "crimson"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.markersize": 3.5,
    "lines.linewidth": 1.2,
    "mathtext.fontset": "dejavusans",
    "svg.hashsalt": "phasenet",
    "pdf.fonttype": 42,
}


def phase_colours(card: StudyCard) -> dict[str, str]:
    """Colour of each label."""
    return class_colours([phase.label for phase in card.phases])


def class_colours(labels: Sequence[str]) -> dict[str, str]:
    """Colour of each of some labels, in their order."""
    return {label: _PHASES[k % len(_PHASES)] for k, label in enumerate(labels)}


def brackets(boundaries: Sequence[Boundary1D]) -> list[Boundary1D]:
    """The boundaries that follow from labels."""
    return [boundary for boundary in boundaries if is_bracket(boundary)]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure atomically; the suffix of the path chooses the format."""
    with atomic_path(path) as temporary:
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else {}
        figure.savefig(temporary, format=path.suffix.lstrip("."), dpi=200, metadata=metadata)


def symbol(coupling: str) -> str:
    """Name of a coupling as a formula.

    >>> symbol("J2"), symbol("Jp"), symbol("h")
    ('$J_{2}$', "$J'$", '$h$')
    """
    greek = {"Delta", "delta", "theta", "alpha", "beta", "gamma", "lambda", "kappa"}
    if coupling in greek:
        return rf"$\{coupling}$"
    letter, rest = coupling[:1], coupling[1:]
    if rest.isdigit():
        return f"${letter}_{{{rest}}}$"
    return {"p": f"${letter}'$", "perp": rf"${letter}_\perp$"}.get(rest, f"${coupling}$")


def fixed_couplings(card: StudyCard, table: Table) -> str:
    """Values of the couplings that do not vary, as text."""
    fixed = [(n, v) for n, v in table.points[0].couplings if n not in card.varied]
    return "".join(f",   {symbol(name)} = {value:g}" for name, value in fixed)
