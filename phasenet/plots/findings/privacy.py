"""Figures of the section ``privacy``: accuracy of attacks against imbalance, and utility."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours

_ROWS_OF_PANELS = (
    ("network, common start", "network, own start", "train as sketched", "train, retrained"),
    (
        "retrained, rotated only",
        "canonical, then rotated",
        "canonical, then general gauge",
    ),
    (
        "equal function, gauge of the data",
        "equal function, rotated only",
        "equal function, canonical, general gauge",
    ),
)
_COLUMNS = 4
_CHANCE = 0.5
_OFFSET = 0.12
_MARKERS = {"logistic": "o", "boosted": "s", "neural": "^"}
_FORMS = "osD^v"


def privacy_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Accuracy of each attack at each level, with intervals, and accuracy on the task.

    Parameters
    ----------
    section
        Of this name; only its arrays and labels are used.
    """
    problem = section.labels["problem"][0]
    attacks = (
        f"{problem}: share of models of which it is guessed rightly whether group 1 had the share "
        "p or 1 - p of the training set, with 95 % intervals, by the form in which models are "
        "published; at p = 0.5 there is no secret."
    )
    utility = (
        f"{problem}: accuracy on test cases, mean over all models of a level with the spread (one "
        "standard deviation) between them."
    )
    return (attacks, _attacks(section)), (utility, _utility(section))


def _attacks(section: Section) -> Figure:
    """One panel for each form; what is looked at has a colour, who looks a marker."""
    colours = class_colours(tuple(dict.fromkeys(section.labels["view"])))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 7.4), layout="constrained")
        axes = figure.subplots(len(_ROWS_OF_PANELS), _COLUMNS, sharex=True, sharey=True)
        for row, forms in zip(axes, _ROWS_OF_PANELS, strict=True):
            for ax, form in zip(row, forms, strict=False):
                _panel(ax, section, form, colours)
            for ax in row[len(forms) :]:
                ax.set_axis_off()
            row[0].set_ylabel("accuracy of the attack")
        named = [
            Line2D([], [], color=colour, lw=2.0, label=view) for view, colour in colours.items()
        ]
        named += [
            Line2D([], [], color=GREY, marker=marker, ls="", mfc=_face(who, GREY), label=who)
            for who, marker in _MARKERS.items()
        ]
        named.append(Line2D([], [], color=GREY, ls="--", lw=1.0, label="chance"))
        axes[1, -1].legend(handles=named, loc="center", fontsize=9)
    return figure


def _panel(ax: Axes, section: Section, form: str, colours: Mapping[str, str]) -> None:
    names = section.labels
    rows = [row for row, name in enumerate(names["form"]) if name == form]
    places = np.arange(len(section.arrays["share"]), dtype=float)
    ax.axhline(_CHANCE, color=GREY, ls="--", lw=1.0)
    for k, row in enumerate(rows):
        value, low, high = (
            section.arrays[f"attack_{part}"][row] for part in ("accuracy", "low", "high")
        )
        colour, who = colours[names["view"][row]], names["attacker"][row]
        ax.errorbar(
            places + _OFFSET * (k - (len(rows) - 1) / 2),
            value,
            yerr=np.clip([value - low, high - value], 0.0, None),
            fmt=_MARKERS[who],
            color=colour,
            mfc=_face(who, colour),
            ls="-",
            lw=0.6,
            elinewidth=0.8,
        )
    ax.set_title(form, loc="left", size=8.5)
    ax.set_ylim(0.2, 1.04)
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.set_xticks(places, [f"{share:g}" for share in section.arrays["share"]], size=7, rotation=45)
    ax.tick_params(labelbottom=True)
    ax.set_xlabel("share p of group 1", size=8)


def _face(attacker: str, colour: str) -> str:
    return colour if attacker == "logistic" else "white"


def _utility(section: Section) -> Figure:
    forms, accuracy = section.labels["utility_form"], section.arrays["test_accuracy"]
    places = np.arange(accuracy.shape[1], dtype=float)
    colours = class_colours(forms)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        ax = figure.subplots()
        for k, (form, values) in enumerate(zip(forms, accuracy, strict=True)):
            ax.errorbar(
                places + 0.1 * (k - (len(forms) - 1) / 2),
                values.mean(axis=1),
                yerr=values.std(axis=1),
                fmt=_FORMS[k],
                color=colours[form],
                elinewidth=0.8,
                label=form,
            )
        ax.set_xticks(places, [f"{share:g}" for share in section.arrays["share"]])
        ax.set_xlabel("share p of group 1 (other side: 1 - p)")
        ax.set_ylabel("accuracy on test cases")
        figure.legend(loc="outside upper center", ncols=3)
    return figure
