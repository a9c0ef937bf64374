"""Figures of the section ``membership``: curves of the attacks, and confidence with and without."""

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours


def membership_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Receiver operating curves of all attacks, and the confidence of members and of others.

    Parameters
    ----------
    section
        Of this name; only its arrays and labels are used.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        _curves(left, section)
        _confidence(right, section)
    members, others = (int(count) for count in section.arrays["shots"])
    caption = (
        "Left: share of the training set that each attack finds, against the share of others that "
        "it takes for members, both logarithmic; dashed: chance. Right: how sure the network is "
        f"of the label, for {members} members and {others} others of the same states."
    )
    return ((caption, figure),)


def _curves(ax: Axes, section: Section) -> None:
    attacks, areas = section.labels["attacks"], section.arrays["auc"]
    colours = class_colours(attacks)
    rows = zip(
        attacks,
        section.arrays["false_alarms"],
        section.arrays["found_members"],
        areas,
        strict=True,
    )
    for name, false, found, area in rows:
        # The first alarm rate is zero, which a logarithmic axis has not.
        ax.plot(false[1:], found[1:], color=colours[name], label=f"{name}: AUC {area[0]:.3f}")
    ax.plot([1e-3, 1.0], [1e-3, 1.0], color=GREY, ls="--", lw=1.0)
    ax.set(xscale="log", yscale="log", xlim=(1e-3, 1.0), ylim=(1e-3, 1.05))
    ax.set_xlabel("others taken for members")
    ax.set_ylabel("members found")
    ax.legend(loc="lower right")


def _confidence(ax: Axes, section: Section) -> None:
    edges, shares = (section.arrays[f"confidence_{name}"] for name in ("edges", "shares"))
    for name, values, colour in zip(("members", "others"), shares, ("#D55E00", GREY), strict=True):
        ax.stairs(100 * values, edges, color=colour, label=name, lw=1.2)
    ax.axvline(0.0, color=GREY, ls=":", lw=0.8)
    ax.set_xlabel("logarithm of the odds of the label")
    ax.set_ylabel("shots in a bin (%)")
    ax.legend(loc="upper left")
