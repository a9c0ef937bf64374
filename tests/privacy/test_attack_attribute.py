"""Attribute inference: planted leaks are found, others are not, and nothing is seen twice."""

import functools

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from phasenet.errors import SettingsError, ShapeError
from phasenet.plots.findings.attribute import attribute_figures
from phasenet.privacy.attackers import ATTACKERS, attacked
from phasenet.privacy.attacks import attribute_inference, group_folds, strongest
from phasenet.privacy.attribute_report import BLACK, WHITE, Secret, View, attribute_section
from phasenet.statistics import area_under_curve


def population(leak, features=30, models=160, groups=20, seed=0, classes=2):
    """Networks whose groups share an offset, and whose secret moves the first five features."""
    rng = np.random.default_rng(seed)
    secret, group = np.arange(models) % classes, np.arange(models) // classes % groups
    seen = rng.normal(size=(models, features)) + rng.normal(size=(groups, features))[group]
    seen[:, :5] += leak * secret[:, None]
    return seen, secret, group


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_a_planted_leak_is_found(attacker):
    result = attribute_inference(*population(2.5), attacker=attacker, folds=4)
    assert result.accuracy.value > 0.85
    assert result.above_chance(100)
    assert result.auc.low > 0.85
    assert "above chance" in str(result)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_without_a_leak_chance_is_within_the_interval(attacker):
    result = attribute_inference(*population(0.0), attacker=attacker, folds=4)
    assert result.accuracy.low < result.chance == 0.5 < result.accuracy.high
    assert not result.above_chance()
    assert result.auc.low < 0.5 < result.auc.high


def test_a_leak_of_more_than_two_classes_is_found():
    seen, secret, group = population(2.5, classes=3, models=180)
    result = attribute_inference(seen, np.array([7, -1, 4])[secret], group, folds=4)
    assert result.chance == pytest.approx(1 / 3)
    assert result.above_chance()
    wanted = roc_auc_score(result.secret, result.probabilities, multi_class="ovr", average="macro")
    assert result.auc.value == pytest.approx(wanted)


def test_recognising_the_data_is_no_attack():
    # Each subset has one secret and a feature of its own: folds that share data would find 1.0.
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 8)
    secret = rng.permutation(np.arange(20) % 2)[group]
    seen = np.eye(20)[group] + 0.05 * rng.normal(size=(160, 20))
    result = attribute_inference(seen, secret, group, folds=5)
    assert result.accuracy.low < 0.5
    assert result.accuracy.high - result.accuracy.low > 0.3


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=4, max_size=60),
    st.integers(2, 12),
    st.integers(0, 5),
)
def test_no_fold_shares_a_group(pairs, folds, seed):
    secret, raw = np.array(pairs).T
    groups = np.unique(raw, return_inverse=True)[1]
    if groups.max() == 0:
        return
    parts = group_folds(secret, groups, folds=folds, seed=seed)
    for group in np.unique(groups):
        assert len(np.unique(parts[groups == group])) == 1
    assert sorted(set(parts)) == list(range(min(folds, groups.max() + 1)))


def test_held_out_networks_do_not_set_the_scale():
    seen, secret, _ = population(1.0)
    one = attacked("logistic", seen[:100], secret[:100], seen[100:], seed=0)
    other = attacked("logistic", seen[:100], secret[:100], 50.0 + seen[100:], seed=0)
    alone = attacked("logistic", seen[:100], secret[:100], seen[100:101], seed=0)
    assert alone[0] == pytest.approx(one[0])
    assert not np.allclose(one, other)


def test_components_lose_nothing_where_there_are_more_features_than_networks():
    seen, secret, _ = population(1.0, features=400, models=60)
    known, unknown = seen[:40], seen[40:]
    mean, spread = known.mean(axis=0), known.std(axis=0)
    # Coordinates are scaled by the root of 40 networks over 400 features, weights the other way.
    direct = LogisticRegression(C=40 / 400, max_iter=5000, tol=1e-8)
    direct.fit((known - mean) / spread, secret[:40])
    found = attacked("logistic", known, secret[:40], unknown, seed=0)
    wanted = direct.predict_proba((unknown - mean) / spread)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_features_that_never_vary_do_no_harm(attacker):
    seen, secret, group = population(2.5)
    seen[:, 10:] = 3.0
    assert attribute_inference(seen, secret, group, attacker=attacker, folds=3).above_chance()
    flat = attribute_inference(np.ones((160, 4)), secret, group, attacker=attacker, folds=3)
    assert not flat.above_chance()


def test_trees_find_a_few_features_among_thousands():
    seen, secret, group = population(1.5, features=3000)
    result = attribute_inference(
        seen.astype(np.float32), secret, group, attacker="boosted", folds=2
    )
    assert result.above_chance()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
def test_the_area_is_that_of_scikit_learn(pairs):
    scores, positive = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(area_under_curve(scores, positive))
    else:
        assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_what_cannot_be_attacked_is_said():
    seen, secret, group = population(0.0)
    with pytest.raises(ShapeError, match=r"shape \(160, 30\) for 159 secrets"):
        attribute_inference(seen, secret[1:], group)
    with pytest.raises(ShapeError, match="no finite number"):
        attribute_inference(np.full((160, 2), np.nan), secret, group)
    with pytest.raises(SettingsError, match="the same secret"):
        attribute_inference(seen, np.zeros(160, dtype=int), group)
    with pytest.raises(SettingsError, match="1 groups for 10 folds"):
        attribute_inference(seen, secret, np.zeros(160, dtype=int))
    with pytest.raises(SettingsError, match=r"in fold \d of 2 only"):
        attribute_inference(seen, secret, secret)
    with pytest.raises(SettingsError, match="attacker is 'guess'"):
        attribute_inference(seen, secret, group, attacker="guess")
    with pytest.raises(SettingsError, match="no attack was tried"):
        strongest([])


@functools.cache
def section_of(leak):
    seen, secret, group = population(leak)
    views = (
        View(name="raw parameters", box=WHITE, features=seen),
        View(name="answers", box=BLACK, features=population(0.0, seed=5)[0]),
    )
    return attribute_section(
        views,
        Secret(name="the disorder", classes=("A", "B"), of_model=secret, groups=group),
        attackers=("logistic", "neural"),
        folds=2,
        progress=lambda done, text: None,
    )


def test_the_verdict_names_the_strongest_attack():
    found = section_of(2.5)
    assert found.verdict.startswith("the networks give the disorder away: the ")
    assert "attacker on raw parameters" in found.verdict
    assert "from the answers alone" in found.verdict
    assert found.arrays["accuracy"].shape == (2, 2, 3)
    assert found.tables[0].rows[0][-1] == "yes"
    honest = section_of(0.0)
    assert honest.verdict.startswith("none of 4 attacks on 160 networks guesses the disorder")
    assert honest.tables[0].rows[0][-1] == "no"


def test_the_figure_has_a_row_for_each_view():
    matplotlib.use("agg")
    [(caption, figure)] = attribute_figures(section_of(2.5))
    [ax] = figure.axes
    assert "160 networks on 20 subsets" in caption
    assert ax.get_xlabel() == "share of networks for which the disorder is guessed rightly"
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        *("raw parameters\n(white box)", "answers\n(black box)")
    ]
    figure.canvas.draw()
