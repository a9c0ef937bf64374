"""Figure of the section ``attribute``: accuracy of every attacker on every view."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours


def attribute_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Accuracies with their intervals, one row for each view, beside chance.

    Parameters
    ----------
    section
        Of this name; only its arrays and labels are used.
    """
    views, boxes = section.labels["views"], section.labels["boxes"]
    attackers, accuracy = section.labels["attackers"], section.arrays["accuracy"]
    colours, chance = class_colours(attackers), float(section.arrays["chance"])
    places = -np.arange(len(views), dtype=float)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.1 + 0.55 * len(views)), layout="constrained")
        ax = figure.subplots()
        for k, name in enumerate(attackers):
            value, low, high = accuracy[:, k].T
            ax.errorbar(
                value,
                places + 0.22 * ((len(attackers) - 1) / 2 - k),
                xerr=np.clip([value - low, high - value], 0.0, None),
                fmt="o",
                color=colours[name],
                capsize=2.0,
                elinewidth=1.0,
                label=name,
            )
        ax.axvline(chance, color=GREY, ls="--", lw=1.0, label="chance")
        ax.set_yticks(places, [f"{view}\n({box})" for view, box in zip(views, boxes, strict=True)])
        ax.set_ylim(places[-1] - 0.5, 0.5)
        ax.set_xlim(min(0.0 if chance < 0.3 else 0.3, float(accuracy.min()) - 0.02), 1.02)
        ax.set_xlabel(
            f"share of networks for which {section.labels['secret'][0]} is guessed rightly"
        )
        figure.legend(loc="outside upper center", ncols=len(attackers) + 1)
    models = len(section.arrays["secret_of_model"])
    groups = int(section.arrays["group_of_model"].max()) + 1
    caption = (
        f"Accuracy on held-out networks with 95 % intervals, {models} networks on {groups} subsets "
        "of the data; dashed: always guessing the most frequent class."
    )
    return ((caption, figure),)
