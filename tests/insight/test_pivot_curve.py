"""Trains of AKLT from few pivots, as states, and their figure."""

import numpy as np
import pytest

from phasenet.criteria import StringOrder, Symmetry
from phasenet.errors import SettingsError, ShapeError
from phasenet.insight import state_facts
from phasenet.insight.aklt_pivots import aklt_amplitudes, aklt_section
from phasenet.insight.pivot_curve import (
    ADAPTIVE,
    PUBLISHED,
    REPAIRED,
    PivotSettings,
    pivot_curve,
)
from phasenet.insight.state_facts import StateQuestions, facts_of, fidelity_of
from phasenet.phases.exact import aklt_chain, cluster_chain, large_d_chain, product_chain
from phasenet.plots.findings.state import aklt_figures
from phasenet.tensorizer.tensorize import tensorize
from phasenet.trains.born import sample_born
from phasenet.trains.train import TensorTrain

SPINS = StateQuestions.of(None, 3)


def silent(done, text):
    """A progress that nobody follows."""


def pool(length, shots=100, seed=0):
    return sample_born(aklt_chain(length), shots, np.random.default_rng(seed))[0]


def test_the_state_is_found_from_one_sample():
    chain = aklt_chain(100)
    for seed in range(2):
        one = pool(100, 1, seed)
        found = tensorize(
            aklt_amplitudes,
            samples=np.repeat(one, 2, axis=0),
            site_dims=[3] * 100,
            tol=1e-8,
            method="cross",
            seed=seed,
        )
        assert fidelity_of(found.train, chain) == pytest.approx(1.0, abs=1e-12)
        assert found.evaluations < 5000
        assert set(found.train.bond_dims) == {2}


@pytest.fixture(scope="module")
def curve():
    return pivot_curve(
        aklt_amplitudes,
        pool(30),
        aklt_chain(30),
        [2, 14],
        2,
        0,
        questions=SPINS,
        settings=PivotSettings(published_rank=2),
    )


def test_more_pivots_help_the_published_algorithm_and_others_need_none(curve):
    assert curve.exact_share(PUBLISHED, 2) == 0.0
    assert curve.exact_share(PUBLISHED, 14) >= 0.5
    assert curve.exact_share(REPAIRED, 2) == curve.exact_share(ADAPTIVE) == 1.0
    assert np.isnan(curve.exact_share(PUBLISHED, 7))
    assert len(curve.runs) == 10
    for run in curve.of(ADAPTIVE):
        assert run.pivots == 1
        assert run.facts.values.tolist() == [-1, -1, -1]
        assert run.facts.order == pytest.approx(-1.0, abs=1e-3)
        np.testing.assert_allclose(run.facts.strings, 4 / 9, atol=1e-9)
        assert 0 < run.evaluations < 3000
        assert run.seconds > 0.0


def test_a_curve_does_not_depend_on_what_else_is_run(curve):
    again = pivot_curve(
        aklt_amplitudes,
        pool(30),
        aklt_chain(30),
        [14],
        1,
        0,
        questions=SPINS,
        settings=PivotSettings(published_rank=2),
    )
    for method in (PUBLISHED, REPAIRED, ADAPTIVE):
        one, other = curve.of(method)[-2 if method != ADAPTIVE else 0], again.of(method)[0]
        assert one.facts.fidelity == other.facts.fidelity
        assert one.evaluations == other.evaluations


@pytest.mark.parametrize(("counts", "runs"), [([2], 0), ([], 1), ([0, 2], 1), ([2, 101], 1)])
def test_curves_that_cannot_be(counts, runs):
    with pytest.raises(SettingsError, match=f"{runs} runs with .* out of 100 samples; wanted"):
        pivot_curve(aklt_amplitudes, pool(40), aklt_chain(40), counts, runs, 0, questions=SPINS)


def test_fidelities_are_those_of_dense_vectors():
    rng = np.random.default_rng(5)

    def random():
        shapes = [(1, 2, 3), (3, 2, 3), (3, 2, 1)]
        cores = [rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes]
        return TensorTrain(cores=tuple(cores), log_scale=3.0)

    one, other = random(), random()
    a, b = (np.einsum("axb,byc,czd->xyz", *train.cores).ravel() for train in (one, other))
    wanted = abs(np.vdot(a, b)) ** 2 / (np.vdot(a, a) * np.vdot(b, b)).real
    assert fidelity_of(one, other) == pytest.approx(wanted, rel=1e-12)
    assert fidelity_of(product_chain([0, 1], 2), product_chain([1, 1], 2)) == 0.0


def test_a_train_that_vanishes_has_no_facts():
    nothing = TensorTrain(cores=(np.zeros((1, 3, 1)),) * 12)
    found = facts_of(nothing, aklt_chain(12), SPINS)
    assert found.fidelity == 0.0
    assert np.isnan([*found.strings, found.order, found.eta]).all()
    assert found.values.tolist() == []


def test_a_train_without_a_bulk_has_no_invariant(monkeypatch):
    def broken(form, symmetries):
        raise ShapeError("no bulk")

    monkeypatch.setattr(state_facts, "invariants", broken)
    found = facts_of(aklt_chain(12), aklt_chain(12), SPINS)
    assert found.values.tolist() == [0, 0, 0]
    assert found.invariants[2].name == "bond inversion"
    assert found.invariants[2].reason == "undetermined: no bulk"
    assert np.isnan(found.order)
    assert found.fidelity == pytest.approx(1.0)


def test_questions_of_a_trivial_state_and_of_another_symmetry():
    found = facts_of(large_d_chain(20), aklt_chain(20), SPINS)
    assert found.values.tolist() == [1, 1, 1]
    assert found.order == pytest.approx(1.0)
    halves = StateQuestions.of(None, 2)
    assert halves.strings == ()
    short = facts_of(cluster_chain(6), cluster_chain(6), halves)
    assert np.isnan(short.order) or short.order <= 1.0
    only = StateQuestions(symmetries=SPINS.symmetries[1:], strings=())
    assert only.commutation is None
    assert np.isnan(facts_of(large_d_chain(20), aklt_chain(20), only).order)


def test_facts_of_a_cluster_state_are_those_of_its_stabilisers():
    even, odd = ("X", "1"), ("1", "X")
    questions = StateQuestions(
        symmetries=(Symmetry(name="Z2xZ2", kind="commutation", operators=(even, odd)),),
        strings=(
            StringOrder(name="even", left=("Z",), inside=("X", "1"), right=("X", "Z"), period=2),
        ),
    )
    found = facts_of(cluster_chain(40), cluster_chain(40), questions)
    assert found.values.tolist() == found.determined.tolist() == [-1]
    np.testing.assert_allclose(found.strings, 1.0, atol=1e-12)
    assert found.order == pytest.approx(-1.0, abs=1e-9)
    assert found.eta == pytest.approx(1.0, abs=1e-9)


@pytest.fixture(scope="module")
def section():
    heard = []
    found = aklt_section([30, 40], [2, 12], 2, progress=lambda *step: heard.append(step))
    assert len(heard) == 20
    assert heard[-1][1].startswith("n = 40, adaptive TT from 1 samples: fidelity 1.0000")
    return found


def test_a_section_has_all_numbers(section):
    assert section.name == "aklt"
    assert section.arrays["published_fidelity"].shape == (2, 2, 2)
    assert section.arrays["adaptive_strings"].shape == (2, 2, 2)
    assert section.arrays["repaired_invariants"].shape == (2, 2, 2, 1)
    assert section.arrays["law"].shape == section.arrays["law_exact"].shape == (2, 2)
    np.testing.assert_allclose(section.arrays["adaptive_fidelity"], 1.0)
    np.testing.assert_allclose(section.arrays["truth_order"], -1.0, atol=1e-3)
    assert "the AKLT state of 40 sites in 2 of 2 runs" in section.verdict
    assert len(section.tables[0].rows) == 4
    assert [row[1] for row in section.tables[1].rows[:2]] == [
        "the state itself",
        "cross interpolation",
    ]


def test_a_chain_without_room_for_blocks():
    with pytest.raises(SettingsError, match=r"lengths are \[20\]; wanted chains of 30 sites"):
        aklt_section([20], [2], 1, progress=silent)


def test_a_figure_of_each_length(section):
    ((caption, figure),) = aklt_figures(section)
    axes = figure.axes
    assert [ax.get_title(loc="left") for ax in axes] == ["AKLT, $n = 30$", "AKLT, $n = 40$", "", ""]
    assert axes[0].get_ylabel() == "fidelity with the AKLT state"
    assert axes[2].get_ylabel() == "block swap (SPT order)"
    assert axes[3].get_xlabel() == "pivots $N$"
    assert "2 runs each" in caption
    assert any("law" in text.get_text() for text in figure.legends[0].get_texts())
    figure.canvas.draw()
