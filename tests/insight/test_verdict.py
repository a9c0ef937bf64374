"""The first sentence of a report: each of its outcomes."""

import dataclasses

import numpy as np
import pytest

from phasenet.findings import Section
from phasenet.insight.verdict import report_verdict


def observable(
    local, pairs, strings, bound=0.0, zeros=0.99, uniform=0.95, classes=("haldane", "large_d")
):
    nested = [uniform * local, local, 0.5 * (local + pairs), pairs]
    families = ("density", "profile", "two-point", "short string", "string")
    if strings is None:
        nested, families = [uniform * local, local, pairs], families[:3]
    else:
        nested.append(strings)
    measures = (*classes, "all phases")
    rows = np.full((len(measures), 1, len(nested)), 0.1)
    rows[0, 0] = nested
    single = np.zeros((len(measures), 1, 2))
    single[0, 0, 1] = zeros * nested[0]
    return Section(
        name="observable",
        title="",
        verdict="",
        arrays={
            "mixture_r2_nested": rows,
            "mixture_r2_error_bound": np.full((len(measures), 1), bound),
            "mixture_r2_single": single,
            "string_of_state": np.array([0.01, 0.4]),
        },
        labels={
            "measures": measures,
            "classes": classes,
            "families": families,
            "phases": ("large_d", "haldane"),
            "order parameters": ("Sz", "Sz^2"),
        },
    )


def interventions(signs, half, half_error=0.2, error=0.01):
    index = np.zeros((1, 2, 5))
    index[0, 0, -1] = signs
    return Section(
        name="interventions",
        title="",
        verdict="",
        arrays={
            "headline": np.array(0),
            "sign_scramble_index": index,
            "sign_scramble_index_error": np.full((1, 2, 5), error),
            "used_lengths": np.full((1, 2), half),
            "used_length_errors": np.full((1, 2), half_error),
        },
        labels={"classes": ("haldane", "large_d")},
    )


CONTROLS = Section(
    name="controls",
    title="",
    verdict="",
    arrays={"accuracy": np.array([[0.97, 0.96, np.nan]])},
    labels={"judges": ("network", "local features", "Bayes optimum")},
)

OUTCOMES = {
    "reads the density of zeros; string order adds nothing": (
        [observable(0.874, 0.880, 0.880), interventions(0.04, np.nan)],
    ),
    "reads densities site by site; string order adds nothing": (
        [observable(0.985, 0.986, 0.986, uniform=0.5), interventions(0.2, 1.6)],
    ),
    "reads densities site by site and short-range correlations; string order adds nothing": (
        [observable(0.8, 0.9, 0.9, uniform=0.5), interventions(0.2, 1.6)],
    ),
    "reads local densities; string order adds nothing": (
        [observable(0.874, 0.880, 0.880, zeros=0.2)],
    ),
    "reads the density of zeros and short-range correlations; string order adds nothing": (
        [observable(0.6, 0.9, 0.903), interventions(0.4, 3.7)],
        # Little variance in the data, but the network answers to signs.
        [observable(0.88, 0.9, 0.903), interventions(0.4, 3.7)],
    ),
    "reads the density of zeros; string order adds little": ([observable(0.8, 0.82, 0.85)],),
    "reads short-range correlations; string order adds nothing": (
        [observable(0.2, 0.9, 0.9), interventions(0.9, 2.2)],
    ),
    "reads string order, which adds 0.400": (
        [observable(0.2, 0.4, 0.8), interventions(0.95, 20.0)],
        [observable(0.2, 0.4, 0.8)],
    ),
    "undecided: strings add 0.400 to R², yet flips of blocks show no order": (
        [observable(0.2, 0.4, 0.8), interventions(0.9, 3.0)],
    ),
    "undecided: an order of signs over 10 sites matters, yet strings": (
        [observable(0.6, 0.8, 0.8), interventions(0.9, 20.0)],
    ),
    "undecided: strings add 0.000 to R², and whether signs further": (
        [observable(0.6, 0.8, 0.8), interventions(0.9, 8.0, half_error=1.0)],
        [observable(0.6, 0.8, 0.8), interventions(0.9, np.nan)],
    ),
    "undecided: the train is too far from the network": ([observable(0.8, 0.82, 0.85, bound=0.1)],),
    "undecided: all order parameters together leave more of it unexplained": (
        [observable(0.2, 0.3, 0.31), interventions(0.9, 3.0)],
    ),
    "reads an order of signs over 10 sites, but not as a sum of strings": (
        [observable(0.2, 0.3, 0.31), interventions(0.9, 20.0)],
    ),
    "reads the density of zeros and short-range correlations; string order was not": (
        [observable(0.6, 0.9, None)],
    ),
    "undecided: densities and two-point functions leave more": ([observable(0.1, 0.3, None)],),
    "reacts to an order of signs over 10 sites": ([interventions(0.9, 20.0)],),
    "does not react to signs, and so reads no string order": ([interventions(0.02, 5.0)],),
    "reacts to signs, but only up to 4 sites apart": ([interventions(0.5, 4.0)],),
    "undecided: how far apart the signs are": ([interventions(0.5, np.nan)],),
    "undecided: neither ground states nor snapshots say": (
        [CONTROLS],
        [interventions(np.nan, np.nan)],
    ),
}


@pytest.mark.parametrize(
    ("strings", "error", "words"),
    [
        (
            0.886,
            0.001,
            "reads the density of zeros and short-range correlations; string order adds",
        ),
        (0.886, 0.04, "undecided: the train is too far from the network"),
        (0.98, 0.001, "reads string order, which adds 0.100"),
        (np.nan, 0.001, "undecided: the train is too far from the network"),
    ],
)
def test_where_the_train_is_too_far_the_network_is_asked(strings, error, words):
    section = observable(0.8, 0.88, 0.88, bound=0.1)
    exact = section.arrays["mixture_r2_nested"]
    sampled = np.full_like(exact, 0.1)
    sampled[0, 0] = [0.78, 0.8, 0.85, 0.88, strings]
    arrays = {
        **section.arrays,
        "mixture_r2_nested_sampled": sampled,
        "mixture_r2_nested_sampled_error": np.full_like(exact, error),
    }
    text = report_verdict([dataclasses.replace(section, arrays=arrays)])
    assert text.startswith(words), text
    assert ("on fresh shots" in text) == (not np.isnan(strings))


@pytest.mark.parametrize("words", OUTCOMES)
def test_outcomes(words):
    for sections in OUTCOMES[words]:
        assert report_verdict(sections).startswith(words), report_verdict(sections)


def test_numbers_stand_behind_the_words():
    sections = [observable(0.874, 0.880, 0.881), interventions(0.04, 3.0), CONTROLS]
    found = report_verdict(sections)
    steps = "0.830 densities → 0.874 site by site → 0.880 + correlations up to 4 sites → 0.881 + "
    assert f"R² within haldane {steps}" in found
    assert "random signs move shots of haldane 4.0 ± 1.0 % of the class gap" in found
    assert "as of signs 1.50 ± 0.10 sites apart" in found
    assert found.endswith("right on 97.0 %, local features 96.0 %).")


def test_without_interventions_the_phase_is_that_of_the_most_string_order():
    swapped = observable(0.874, 0.880, 0.881, classes=("haldane", "large_d"))
    assert "within haldane" in report_verdict([swapped])
