"""Controls: accuracies side by side, matched pairs, another Hamiltonian."""

from dataclasses import replace

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.insight.controls import OTHER, controls_section
from phasenet.insight.judged import Judged, ranking
from phasenet.insight.matched import FITTED, pairs_by_shots, pairs_of
from phasenet.insight.readers import BAYES, LOCAL, NETWORK
from phasenet.insight.subject import KnownState
from phasenet.networks.bayes import bayes_decisions
from phasenet.plots.findings.controls import controls_figures
from phasenet.points import ParameterPoint
from phasenet.shots import MatchedPair, SampledPoint
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from tests.insight.shot_subjects import (
    CLASSES,
    hidden_order_snapshots,
    neighbours,
    nothing_to_hear,
    snapshots_of,
    string,
    subject_of,
    zeros,
)
from tests.networks.toy import toy_snapshots


def section_of(snapshots, function, other=None, **changes):
    return controls_section(
        subject_of(snapshots, function, **changes), other, progress=nothing_to_hear
    )


def judged(rng, shots=2000):
    truth = rng.integers(2, size=shots)
    wrong = {name: rng.random(shots) < share for name, share in (("a", 0.1), ("b", 0.3))}
    decisions = {name: np.where(flips, 1 - truth, truth) for name, flips in wrong.items()}
    return Judged(name="x", truth=truth, decisions={**decisions, "c": np.full(shots, -1)})


def test_accuracies_and_leads_are_those_of_the_shots():
    found = judged(np.random.default_rng(0))
    right = {name: found.decisions[name] == found.truth for name in "ab"}
    assert found.accuracy("a")[0] == right["a"].mean()
    difference = right["a"].astype(float) - right["b"]
    value, error = found.lead("a", "b")
    assert value == pytest.approx(difference.mean())
    assert error == pytest.approx(difference.std(ddof=1) / np.sqrt(len(difference)))
    for answer in (found.accuracy("c"), found.lead("a", "c"), found.share_closed("a", "b", "c")):
        assert np.isnan(answer).all()
    one = found.truth == 1
    assert found.recall("b", 1)[0] == right["b"][one].mean()


def test_share_of_the_way_between_two_classifiers():
    found = judged(np.random.default_rng(1))
    assert found.share_closed("a", "b", "a") == pytest.approx((1.0, 0.0))
    assert found.share_closed("b", "b", "a")[0] == 0.0
    rng, shares = np.random.default_rng(2), []
    truth = np.zeros(4000, dtype=np.int64)
    for _ in range(20):
        low, high, mid = ((rng.random(4000) < share).astype(np.int64) for share in (0.4, 0.2, 0.3))
        three = Judged(name="x", truth=truth, decisions={"l": low, "h": high, "m": mid})
        shares.append(three.share_closed("m", "l", "h"))
    values, errors = np.array(shares).T
    assert abs(values.mean() - 0.5) < 5 * errors.mean() / np.sqrt(20)
    assert 0.5 < values.std(ddof=1) / errors.mean() < 1.7


def test_sides_are_counted_where_two_disagree():
    truth = np.zeros(6, dtype=np.int64)
    decisions = {
        "a": np.array([0, 0, 0, 1, 1, 0]),
        "b": np.array([0, 1, 1, 0, 0, -1]),
        "c": np.array([1, 0, 1, 1, 1, 0]),
    }
    share, error, count = Judged(name="x", truth=truth, decisions=decisions).sides("c", "a", "b")
    assert (share, count) == (0.75, 4)
    assert 0 < error < 0.5
    with pytest.raises(ShapeError, match=r"decisions of a have shape \(2,\); wanted \(6,\)"):
        Judged(name="x", truth=truth, decisions={"a": np.zeros(2, dtype=np.int64)})


def test_ranking_counts_pairs_and_ties_half():
    rng = np.random.default_rng(0)
    values, first = rng.integers(6, size=60).astype(float), rng.random(60) < 0.4
    found = ranking(values, first)
    one, two = values[first][:, None], values[~first][None]
    wins = (one > two) + 0.5 * (one == two)
    assert found.area == pytest.approx(wins.mean())
    np.testing.assert_allclose(found.first, wins.mean(axis=1))
    np.testing.assert_allclose(found.second, wins.mean(axis=0))
    assert found.lead(found) == (0.0, 0.0)


def test_error_of_a_ranking_is_that_of_repeated_experiments():
    rng = np.random.default_rng(0)
    first = np.arange(300) < 100
    found = [ranking(rng.normal(size=300) + 0.7 * first, first) for _ in range(60)]
    spread = np.std([one.area for one in found], ddof=1)
    assert 0.7 < spread / np.mean([one.error for one in found]) < 1.4


def test_accuracies_of_independent_sites_are_exact():
    data = toy_snapshots()
    section = section_of(data, zeros)
    arrays = section.arrays
    for k, split in enumerate(section.labels["parts"]):
        rows = data.in_split(split)
        truth = data.label_index[rows]
        # The known function is positive for few zeros, the first class.
        own = np.mean((zeros(data.shots.spins[rows]) < 0) == truth)
        likelihood = data.shots.class_log_likelihood[rows]
        best = np.mean(bayes_decisions(likelihood, truth) == truth)
        assert arrays["accuracy"][k, 0] == pytest.approx(own)
        assert arrays["accuracy"][k, 2] == pytest.approx(best)
        assert arrays["lead"][k, 1] == pytest.approx(own - best)
    assert section.labels["parts"] == ("test", "critical")
    assert "Bayes optimum" in section.verdict


def test_pairs_that_look_alike_are_found_by_their_shots():
    rng = np.random.default_rng(0)
    shares = (0.2, 0.5, 0.8, 0.78, 0.52, 0.2)
    points = [
        SampledPoint(
            point=ParameterPoint.of(D=k),
            label=CLASSES[k // 3],
            split="train" if k == 5 else "test",
            reason="",
        )
        for k in range(6)
    ]
    spins = np.concatenate(
        [rng.choice(3, size=(400, 20), p=[(1 - z) / 2, z, (1 - z) / 2]) for z in shares]
    )
    data = snapshots_of(spins.astype(np.uint8), points, CLASSES, 400)
    pairs = pairs_by_shots(data, 3, 5)
    assert {(pair.first, pair.second) for pair in pairs} == {(2, 3), (1, 4)}
    assert all(pair.density_difference < 0.05 for pair in pairs)
    assert pairs_by_shots(replace(data, head=replace(data.head, basis="random")), 3, 5) == ()
    named = MatchedPair(
        first=0, second=4, density_difference=0.3, correlation_difference=0.0, reach=4
    )
    held_out = replace(data, head=replace(data.head, pairs=(named,)))
    assert pairs_of(subject_of(held_out, zeros)) == (named,)


def sites_state(share, sites):
    amplitudes = np.sqrt([(1 - share) / 2, share, (1 - share) / 2])
    return TensorTrain(cores=(amplitudes.reshape(1, 3, 1),) * sites)


def test_matched_pair_is_judged_by_the_states_of_its_points():
    data = toy_snapshots(zeros=(0.4, 0.6), roles=("train", "test"), shots=300)
    sites = data.shots.spins.shape[1]
    states = [
        KnownState(point=p.point, label=p.label, form=state_form(sites_state(z, sites)))
        for p, z in zip(data.head.points, (0.4, 0.6, 0.4, 0.6), strict=True)
    ]
    section = section_of(data, zeros, states=states)
    judges = section.labels["pair_judges"]
    area = dict(zip(judges, section.arrays["pair_area"][0], strict=True))
    # The number of zeros is all that the likelihood ratio depends on; rounding breaks its ties.
    assert area[BAYES] == pytest.approx(area[NETWORK], abs=0.01)
    assert section.labels["pairs"] == ("haldane at D = 2 / large_d at D = 3",)
    assert section.arrays["pair_shots"][0] == 300
    assert area[FITTED] > 0.5
    assert area[LOCAL] > 0.5


def test_strings_tell_matched_points_apart_where_densities_do_not():
    data = hidden_order_snapshots(shots=600, zeros=(0.6, 0.6))
    by_strings, by_zeros = (section_of(data, f).arrays for f in (string, zeros))
    assert by_strings["pair_area"][0, 0] > 0.8
    low, error = by_zeros["pair_area"][0, 0], by_zeros["pair_area_error"][0, 0]
    assert abs(low - 0.5) < 5 * error
    assert np.isnan(by_zeros["pair_area"][0, 3])
    assert "of pairs of shots rightly (local features, fitted" in section_of(data, string).verdict


def test_another_hamiltonian_is_judged_by_the_names_of_its_phases():
    data = toy_snapshots(shots=100)
    other = toy_snapshots(shots=80, roles=("test",), zeros=(0.1, 0.9))
    head = other.head
    # The same phases in another order, and one that the network does not know.
    extra = replace(head.points[0], label="neel", point=ParameterPoint.of(D=9))
    renamed = replace(head, classes=("neel", "large_d", "haldane"), points=(*head.points, extra))
    shots = other.shots
    likelihood = np.full((len(shots), 3), np.nan)
    likelihood[:, [2, 1]] = shots.class_log_likelihood
    index = shots.point_index.copy()
    index[:10] = 2
    elsewhere = replace(
        other,
        head=renamed,
        shots=replace(shots, class_log_likelihood=likelihood, point_index=index),
    )
    section = section_of(data, zeros, elsewhere)
    assert section.labels["parts"][-1] == OTHER
    kept = np.arange(len(shots)) >= 10
    truth = (np.arange(len(shots)) >= 80)[kept]
    right = (zeros(shots.spins[kept]) < 0) == truth
    assert section.arrays["accuracy"][-1, 0] == pytest.approx(right.mean())
    assert section.arrays["accuracy"][-1, 2] > 0.95
    assert section.arrays["shots"][-1] == kept.sum()
    assert "on another Hamiltonian right on" in section.verdict
    assert len(controls_figures(section)) == 2


def test_shots_that_do_not_fit_the_network_are_refused():
    data = toy_snapshots(shots=60)
    with pytest.raises(SettingsError, match=r"other snapshots are of sites of 2 states"):
        section_of(data, zeros, replace(data, head=replace(data.head, site_dim=2)))
    strange = replace(data.head, classes=("a", "b"))
    strange = replace(
        strange,
        points=tuple(replace(p, label="ab"[k % 2]) for k, p in enumerate(strange.points)),
    )
    with pytest.raises(SettingsError, match="their labels are a, b"):
        section_of(data, zeros, replace(data, head=strange))
    with pytest.raises(SettingsError, match="no shots of chains of 9 sites"):
        section_of(data, zeros, data, length=9)
    with pytest.raises(SettingsError, match="no labelled shots of the splits test and critical"):
        section_of(toy_snapshots(shots=60, roles=("train", "validation")), zeros)


def test_figures_name_their_axes():
    data = hidden_order_snapshots(shots=60, sites=12)
    (_, accuracies), (_, pairs) = controls_figures(section_of(data, neighbours))
    assert accuracies.axes[0].get_ylabel() == "accuracy (%)"
    assert pairs.axes[0].get_ylabel() == "pairs of shots ranked rightly (%)"
    assert [t.get_text() for t in accuracies.axes[0].get_xticklabels()] == ["test"]
    for figure in (accuracies, pairs):
        figure.canvas.draw()
