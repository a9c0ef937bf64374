"""Membership inference: closed forms, a network that remembers, one that does not, fair halves."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.fitting import FitJob, architecture_for, fit
from phasenet.plots.findings.membership import membership_figures
from phasenet.privacy.membership import (
    Answers,
    best_threshold,
    gap_attack,
    judged,
    loss_attack,
    ratio_attack,
    shadow_attack,
)
from phasenet.privacy.membership_report import Observed, membership_section
from phasenet.privacy.pools import chosen_shots, halved_pool, joined_pool
from phasenet.settings import TrainSettings
from tests.networks.toy import toy_line, toy_snapshots, with_points

SPLITS = ("train", "validation", "train", "test")
PLACES = [
    (label, {"D": start + 0.1 * k}, split)
    for label, start in (("haldane", 0.0), ("large_d", 1.0))
    for k, split in enumerate(SPLITS)
]
REMEMBERS = TrainSettings(
    architecture="mlp", width=32, depth=2, batch=32, max_epochs=20, patience=20, learning_rate=1e-2
)


def silent(done, text):
    pass


def answers_of(confidence, inside):
    """Two classes; the logarithm of the odds of the label is given."""
    logits = np.stack([confidence, np.zeros(len(confidence))], axis=1)
    return Answers(logits=logits, labels=np.zeros(len(confidence), dtype=int), inside=inside)


def gaussian(shift, shots=4000, seed=0):
    rng = np.random.default_rng(seed)
    inside = rng.permutation(shots) < shots // 2
    return answers_of(rng.normal(size=shots) + shift * inside, inside)


def test_the_loss_attack_on_gaussian_confidences_is_as_good_as_can_be():
    answers = gaussian(1.0)
    found = loss_attack(answers, seed=0)
    # The area is that of two normal distributions one apart, the threshold is half way.
    assert found.auc.value == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.02)
    assert found.balanced_accuracy.value == pytest.approx(norm.cdf(0.5), abs=0.02)
    assert found.auc.value == pytest.approx(roc_auc_score(answers.inside, -answers.losses))
    false, hits, _ = roc_curve(answers.inside, -answers.losses, drop_intermediate=False)
    assert found.caught.value == pytest.approx(np.interp(0.01, false, hits))
    assert found.above_chance(100)


def test_without_memory_chance_is_within_the_interval():
    answers = gaussian(0.0)
    shadows = [gaussian(0.0, seed=k) for k in (1, 2)]
    shadows += [replace(s, inside=~s.inside) for s in shadows]
    for found in (
        gap_attack(answers, seed=0),
        loss_attack(answers, seed=0),
        shadow_attack(answers, shadows, seed=0),
        ratio_attack(answers, shadows, seed=0),
    ):
        assert found.auc.low <= 0.5 <= found.auc.high
        assert found.balanced_accuracy.low <= 0.5 <= found.balanced_accuracy.high
        assert not found.above_chance(4)


def test_intervals_cover_the_area_under_the_curve():
    truth, covered = norm.cdf(0.5 / np.sqrt(2)), 0
    for seed in range(60):
        answers = gaussian(0.5, shots=200, seed=seed)
        found = judged("toy", answers.confidence, answers, answers.right, seed=seed)
        covered += found.auc.low <= truth <= found.auc.high
    assert abs(covered / 60 - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 60)


def test_the_gap_attack_gains_half_the_gap():
    answers = gaussian(1.0)
    gap = answers.right[answers.inside].mean() - answers.right[~answers.inside].mean()
    found = gap_attack(answers, seed=0)
    assert found.balanced_accuracy.value == pytest.approx(0.5 + gap / 2)


def test_the_likelihood_ratio_knows_which_shots_are_hard():
    # Every shot has a difficulty of its own, far larger than what memory adds.
    rng = np.random.default_rng(0)
    difficulty = 5.0 * rng.normal(size=2000)

    def network(seed, inside):
        noise = np.random.default_rng(seed).normal(size=2000)
        return answers_of(difficulty + noise + 2.0 * inside, inside)

    halves = [np.random.default_rng(k).permutation(2000) < 1000 for k in range(9)]
    answers = network(100, halves[8])
    shadows = [
        network(10 * k + sign, half ^ bool(sign))
        for k, half in enumerate(halves[:8])
        for sign in (0, 1)
    ]
    loss, ratio = loss_attack(answers, seed=0), ratio_attack(answers, shadows, seed=0)
    assert loss.auc.value < 0.65
    # Two normal distributions of width sqrt(1 + 1/8) for each mean, two apart.
    wanted = norm.cdf(2.0 / np.sqrt(2 * (1 + 0.5 / 8)))
    assert ratio.auc.value == pytest.approx(wanted, abs=0.03)


def test_the_best_threshold_is_found_by_trying_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, inside = rng.integers(6, size=30).astype(float), rng.random(30) < 0.5
        gains = {
            t: (scores[inside] >= t).mean() - (scores[~inside] >= t).mean() for t in set(scores)
        }
        assert gains[best_threshold(scores, inside)] == pytest.approx(max(gains.values()))


def test_halves_are_of_the_same_points_and_twins_do_not_judge():
    data = toy_line(PLACES, shots=41)
    pool = halved_pool(data, seed=0)
    points = data.shots.point_index[pool.members]
    assert {data.head.points[k].split for k in points} == {"train"}
    for k in np.unique(points):
        assert pool.inside[points == k].sum() == 20
    spins = pool.snapshots.shots.spins[pool.members]
    keys = [row.tobytes() for row in spins]
    assert pool.judged.tolist() == [keys.count(key) == 1 for key in keys]
    halves = pool.shadow_halves(4, 0)
    assert (np.sum(halves, axis=0) == 2).all()
    assert all((one ^ other).all() for one, other in (halves[:2], halves[2:]))
    chosen = pool.training_set(pool.inside)
    assert len(chosen.in_split("train")) == pool.inside.sum()
    assert len(chosen.in_split("validation")) == len(data.in_split("validation"))
    assert len(chosen.in_split("test")) == 0


def test_fresh_shots_are_matched_by_their_points():
    data = toy_line(PLACES, shots=30)
    rng = np.random.default_rng(5)
    other = toy_line(PLACES[::-1], shots=50)
    spins = rng.integers(3, size=other.shots.spins.shape).astype(np.uint8)
    other = replace(other, shots=replace(other.shots, spins=spins))
    pool = joined_pool(data, other)
    assert len(pool.members) == 2 * 4 * 30
    points = pool.snapshots.shots.point_index[pool.members]
    for k in np.unique(points):
        assert (pool.inside & (points == k)).sum() == (~pool.inside & (points == k)).sum() == 30
        first = other.shots.spins[other.shots.point_index == len(PLACES) - 1 - k][:30]
        rows = pool.members[~pool.inside & (points == k)]
        assert (pool.snapshots.shots.spins[rows] == first).all()


def test_a_point_of_few_fresh_shots_has_few_members_to_judge_by():
    data = toy_line(PLACES, shots=30)
    other = toy_line(PLACES, shots=40)
    spins = np.random.default_rng(5).integers(3, size=other.shots.spins.shape).astype(np.uint8)
    kept = (other.shots.point_index != 0) | (np.arange(len(spins)) % 4 == 0)
    other = replace(other, shots=replace(other.shots, spins=spins))
    pool = joined_pool(data, chosen_shots(other, kept.nonzero()[0]))
    points = pool.snapshots.shots.point_index[pool.members]
    assert (pool.inside & (points == 0)).sum() == 30
    judged = pool.judged & (points == 0)
    assert (judged & pool.inside).sum() == (judged & ~pool.inside).sum() == 10


def test_fresh_shots_that_are_not_fresh_or_do_not_fit_are_refused():
    data = toy_line(PLACES, shots=30)
    with pytest.raises(SettingsError, match="are those that the network was trained on"):
        joined_pool(data, data)
    with pytest.raises(SettingsError, match="no point that the network was trained on"):
        joined_pool(data, toy_line([("haldane", {"D": 9.0}, "train")] * 2))
    with pytest.raises(SettingsError, match="basis 'Sx', those that were trained on 'Sz'"):
        joined_pool(data, with_points(data, lambda point: point, basis="Sx"))
    short = toy_snapshots(shots=200, length=2)
    with pytest.raises(SettingsError, match="have a configuration that no other shot has"):
        halved_pool(short, seed=0)


def test_what_cannot_be_attacked_is_said():
    answers = gaussian(0.0, shots=40)
    with pytest.raises(SettingsError, match="all 4 shots are in the training set"):
        answers_of(np.zeros(4), np.ones(4, dtype=bool))
    with pytest.raises(ShapeError, match="4 answers for 4 labels and 3 memberships"):
        answers_of(np.zeros(4), np.ones(3, dtype=bool))
    with pytest.raises(SettingsError, match="0 shadow networks; wanted at least 1"):
        shadow_attack(answers, [], seed=0)
    with pytest.raises(SettingsError, match="pairs on complementary halves"):
        ratio_attack(answers, [answers, answers], seed=0)
    with pytest.raises(SettingsError, match="3 shadow networks; wanted an even number"):
        halved_pool(toy_line(PLACES), seed=0).shadow_halves(3, 0)


def observed(settings, *, zeros, shots, seed=0):
    data = toy_line(PLACES, shots=shots, zeros=zeros, length=16)
    pool = halved_pool(data, seed=seed)
    architecture = architecture_for(data, settings)

    def trained(mask, seed):
        member = fit(pool.training_set(mask), FitJob(settings=settings, seed=seed), silent)
        return pool.answers(architecture, member, mask)

    return Observed(
        name="toy.network.h5",
        answers=trained(pool.inside, 0),
        shadows=tuple(trained(m, k + 1) for k, m in enumerate(pool.shadow_halves(2, seed))),
        classes=data.head.classes,
        stand_in=True,
        left_out=0.0,
    )


def test_a_network_that_remembers_gives_its_shots_away():
    # Few shots of states that hardly differ; the weights of the best epoch have learned them.
    seen = observed(REMEMBERS, zeros=(0.30, 0.36), shots=60)
    found = membership_section(seen, seed=0)
    best = found.arrays["auc"][:, 0].max()
    assert best > 0.6
    assert found.verdict.startswith("a network trained like toy.network.h5 gives members of its")
    assert found.arrays["gap"][0, 0] - found.arrays["gap"][0, 3] > 0.05


def test_a_network_that_generalises_gives_nothing_away():
    plain = TrainSettings(channels=(4,), kernel=3, batch=64, max_epochs=4)
    seen = observed(plain, zeros=(0.2, 0.7), shots=300, seed=3)
    found = membership_section(seen, seed=0)
    assert found.verdict.startswith("none of 4 attacks on a network trained like toy.network.h5")
    assert (found.arrays["auc"][:, 0] < 0.55).all()
    assert [table.columns[0] for table in found.tables] == ["attack", "shots"]
    assert [row[0] for row in found.tables[0].rows] == list(found.labels["attacks"])


def test_the_figure_has_its_axes():
    matplotlib.use("agg")
    answers = gaussian(0.5)
    seen = Observed(
        name="toy",
        answers=answers,
        shadows=(),
        classes=("a", "b"),
        stand_in=False,
        left_out=0.1,
        caution="A caution.",
    )
    section = membership_section(seen, seed=0)
    assert section.notes[-1] == "A caution."
    assert section.labels["attacks"] == ("right or wrong", "loss")
    [(caption, figure)] = membership_figures(section)
    assert "2000 members and 2000 others" in caption
    assert [ax.get_xlabel() for ax in figure.axes] == [
        *("others taken for members", "logarithm of the odds of the label")
    ]
    assert [ax.get_ylabel() for ax in figure.axes] == ["members found", "shots in a bin (%)"]
    figure.canvas.draw()
