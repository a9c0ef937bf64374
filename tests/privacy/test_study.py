"""The study of privacy: planted leaks are found, equal functions are not told apart."""

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.pipeline import privacy_study
from phasenet.pipeline.privacy_study import run_study
from phasenet.pipeline.reporting import SilentReporter
from phasenet.plots.findings.privacy import privacy_figures
from phasenet.privacy.levels import (
    CANONICAL,
    EQUAL_PUBLISHED,
    EQUAL_ROTATED,
    LOGITS,
    NETWORK,
    OWN_START,
    PARAMETERS,
    PUBLISHED,
    ROTATED,
    ROWS,
    SLICES,
    UTILITY,
    Sizes,
    level_arrays,
)
from phasenet.privacy.problems import Cases, Problem
from phasenet.privacy.study import SHARES, privacy_section, row_of

SIZES = Sizes(models=48, subsets=12, rank=3, pivots=30, columns=10, epochs=2)


def small_problem(*, subsets, seed, shift=0.25):
    """Eight features; groups have labels of opposite direction in two, and shifted means."""

    def draw(count, *names):
        rng = np.random.default_rng([seed, *map(len, names)])
        labels, groups = rng.integers(2, size=count), rng.integers(2, size=count)
        x = 0.5 + 0.08 * rng.normal(size=(count, 8))
        y, g = 2.0 * labels - 1, 2.0 * groups - 1
        x[:, 0] += 0.1 * y
        x[:, 1] += shift * y * (groups == 0)
        x[:, 2] += shift * y * (groups == 1)
        x[:, 3] += shift * g
        inputs = np.clip(x, 0, 1).astype(np.float32)[:, :, None]
        return Cases(inputs=inputs, labels=labels, groups=groups)

    return Problem(
        name="small",
        title="Small",
        task="sign",
        secret="group",
        pools=tuple(draw(400, "private", "x" * k) for k in range(subsets)),
        public=draw(100, "public"),
        test=draw(200, "test"),
        size=100,
        rate=1e-2,
        epochs=10,
    )


@pytest.fixture(scope="module")
def problem():
    return small_problem(subsets=SIZES.subsets, seed=0)


@pytest.fixture(scope="module")
def leaking(problem):
    return level_arrays(problem, 0.05, sizes=SIZES, seed=0, heard=lambda _: None)


@pytest.fixture(scope="module")
def balanced(problem):
    return level_arrays(problem, 0.5, sizes=SIZES, seed=0, heard=lambda _: None)


@pytest.mark.slow
def test_a_planted_leak_is_found_in_what_shows_it(leaking):
    accuracy = leaking["attack"][:, 0]
    assert np.isfinite(leaking["attack"]).all()
    assert np.isfinite(leaking["area"]).all()
    for form, view in (
        (NETWORK, PARAMETERS),
        (NETWORK, LOGITS),
        (ROTATED, SLICES),
        (PUBLISHED, CANONICAL),
    ):
        assert accuracy[row_of(form, view)] > 0.9, (form, view)


@pytest.mark.slow
def test_a_gauge_hides_parameters(leaking):
    for attacker in ("logistic", "boosted", "neural"):
        low = leaking["attack"][row_of(PUBLISHED, PARAMETERS, attacker), 1]
        assert low <= 0.5, attacker
    assert leaking["attack"][row_of(OWN_START, PARAMETERS), 0] < 0.85


@pytest.mark.slow
def test_equal_functions_differ_by_their_gauge_alone(leaking):
    accuracy = leaking["attack"][:, 0]
    assert accuracy[row_of(EQUAL_ROTATED, SLICES)] > 0.9
    # Twins of one function look the same: one of the two is always guessed wrongly.
    for view in (CANONICAL, SLICES, LOGITS):
        assert accuracy[row_of(EQUAL_PUBLISHED, view)] == 0.5, view


@pytest.mark.slow
def test_without_a_secret_there_is_nothing_to_find(balanced):
    inside = (balanced["attack"][:, 1] <= 0.5) & (balanced["attack"][:, 2] >= 0.5)
    assert inside.mean() > 0.8


@pytest.mark.slow
def test_models_are_of_use(leaking):
    assert leaking["utility"].shape == (len(UTILITY), SIZES.models)
    assert (leaking["utility"].mean(axis=1) > 0.7).all()
    np.testing.assert_array_equal(
        leaking["utility"][UTILITY.index("train, retrained")],
        leaking["utility"][UTILITY.index(PUBLISHED)],
    )
    assert leaking["function_change"] < 1e-9


def made_up(problem):
    """Section of arrays with known numbers."""
    levels = {}
    for share in (0.1, 0.5):
        attack = np.tile([0.5, 0.4, 0.6], (len(ROWS), 1))
        if share < 0.5:
            attack[row_of(NETWORK, PARAMETERS)] = 0.97, 0.93, 0.99
            attack[row_of(PUBLISHED, PARAMETERS, "neural")] = 0.7, 0.6, 0.8
        levels[share] = {
            "attack": attack,
            "area": np.full(len(ROWS), 0.5),
            "utility": np.tile(np.linspace(0.8, 0.9, 5), (len(UTILITY), 1)),
            "on_pivots": np.full((len(UTILITY), 5), 0.9),
            "function_change": np.asarray(1e-13),
        }
    return privacy_section(problem, levels, SIZES)


@pytest.fixture(scope="module")
def section():
    return made_up(small_problem(subsets=1, seed=0))


def test_the_verdict_has_the_numbers(section):
    assert "networks of a common start 0.97-0.97, 1 of 1;" in section.verdict
    assert "1 of 3 attacks are above chance (0.1 by accident)" in section.verdict
    table = section.tables[0]
    assert table.columns[3:] == ("p = 0.1", "p = 0.5")
    assert table.rows[0][3:] == ("0.97 (0.93-0.99)", "0.50 (0.40-0.60)")
    utility = dict(zip(section.tables[1].columns, section.tables[1].rows[0], strict=True))
    assert utility["accuracy"] == pytest.approx(0.85)
    assert utility["on pivots minus test"] == pytest.approx(0.05)


def test_figures_come_from_the_section(section):
    (caption, attacks), (_, utility) = privacy_figures(section)
    assert caption.startswith("small: share of models")
    panels = [ax for ax in attacks.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in panels] == list(dict.fromkeys(f for f, _, _ in ROWS))
    assert all(ax.get_xlabel() == "share p of group 1" for ax in panels)
    assert panels[0].get_ylabel() == "accuracy of the attack"
    # One curve for each row of the table.
    assert sum(len(ax.containers) for ax in panels) == len(ROWS)
    assert utility.axes[0].get_ylabel() == "accuracy on test cases"


def test_sizes():
    assert Sizes.of(160).models == 160
    assert Sizes.of(150).models == 160
    with pytest.raises(SettingsError, match=r"models is 8; wanted at least 16"):
        Sizes.of(8)


def test_a_study_goes_on_where_it_stopped(monkeypatch, tmp_path):
    computed = []

    def level(problem, share, *, sizes, seed, heard):
        computed.append(share)
        heard("made up")
        if computed == [0.005, 0.01]:
            raise KeyboardInterrupt
        attack = np.full((len(ROWS), 3), share)
        shape = (len(UTILITY), sizes.models)
        return {
            "attack": attack,
            "area": np.full(len(ROWS), 0.5),
            "utility": np.full(shape, 0.8),
            "on_pivots": np.full(shape, 0.8),
            "function_change": np.asarray(0.0),
        }

    monkeypatch.setattr(privacy_study, "level_arrays", level)
    options = {"models": 16, "seed": 0, "reporter": SilentReporter(), "parts": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        run_study("digits", **options)
    report = run_study("digits", **options)
    assert computed == [0.005, 0.01, *SHARES[1:]]
    np.testing.assert_array_equal(report.sections[0].arrays["attack_accuracy"][0], SHARES)
    assert report.verdict.endswith(".")
    run_study("digits", **(options | {"seed": 1}))
    assert len(computed) == 9 + len(SHARES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["groups", "digits", "physics"])
def test_every_study_runs(monkeypatch, name):
    monkeypatch.setattr(privacy_study, "SHARES", (0.05,))
    report = run_study(name, models=16, seed=0, reporter=SilentReporter(), parts=None)
    found = report.sections[0].arrays["attack_accuracy"]
    assert found.shape == (len(ROWS), 1)
    assert np.isfinite(found).all()
