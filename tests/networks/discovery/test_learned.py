"""Transitions without labels on product distributions, whose likelihoods are known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.networks.discovery import learned
from phasenet.networks.discovery.line import ends_of, line_of, points_along
from phasenet.networks.discovery.methods import METHODS
from phasenet.networks.discovery.optimal import optimal_indicators
from phasenet.points import ParameterPoint
from phasenet.settings import TrainSettings
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead
from tests.networks.toy import chain, with_points

GRID = np.round(np.linspace(0, 1.1, 12), 3)
BOUNDARY = 0.65
SETTINGS = TrainSettings(channels=(4,), learning_rate=0.02, batch=128, max_epochs=4)


def product_line(zeros, *, shots=160, length=12, seed=0):
    """Independent sites whose share of zeros depends on D; labels are wrong on purpose."""
    rng = np.random.default_rng(seed)
    points, spins = [], []
    for d, zero in zip(GRID, zeros, strict=True):
        points.append(
            SampledPoint(
                point=ParameterPoint.of(D=d, Delta=1.0), label="haldane", split="train", reason=""
            )
        )
        spins.append(rng.choice(3, size=(shots, length), p=[(1 - zero) / 2, zero, (1 - zero) / 2]))
    drawn = np.concatenate(spins).astype(np.uint8)
    return Snapshots(
        head=SnapshotsHead(
            site_dim=3,
            basis="Sz",
            classes=("haldane",),
            sources=(chain(length),),
            points=tuple(points),
        ),
        shots=Shots(
            spins=drawn,
            point_index=np.repeat(np.arange(len(points), dtype=np.int32), shots),
            log_probability=np.zeros(len(drawn)),
            class_log_likelihood=np.full((len(drawn), 1), np.nan),
        ),
    )


def log_likelihoods(zeros, data, line):
    found = []
    for rows in line.held_out:
        count = (data.configurations(rows) == 1).sum(axis=1, keepdims=True)
        sites = data.shots.spins.shape[1]
        found.append(count * np.log(zeros) + (sites - count) * np.log((1 - zeros) / 2))
    return found


def silent(done, text):
    pass


def indicators(zeros, data, settings=SETTINGS, seeds=1):
    line = line_of(data, {}, shots=4000, seed=0)
    halves = learned.Halves(known=line.of(data, line.known), held_out=line.of(data, line.held_out))
    ends = ends_of(len(line.points), 0)
    networks = {"seeds": seeds, "seed": 0, "progress": silent}
    found = [
        learned.principal_components(line, halves, ends=ends, seed=0),
        learned.autoencoder(line, halves, settings, ends=ends, **networks),
        learned.confusion(line, halves, settings, **networks),
        *optimal_indicators(
            line.grid, log_likelihoods(zeros, data, line), ends=ends, rng=np.random.default_rng(0)
        ),
    ]
    return {each.name: each for each in found}


def test_every_method_finds_a_planted_transition():
    zeros = np.where(GRID < BOUNDARY, 0.2, 0.7)
    found = indicators(zeros, product_line(zeros, shots=100))
    assert found.keys() == METHODS.keys()
    for name, each in found.items():
        assert each.location == pytest.approx(BOUNDARY, abs=0.05), name
        assert 0.0288 < each.error < 0.08, name  # at least the step of the grid
        assert each.peaked == METHODS[name].peaked


def test_networks_are_no_better_than_the_best_possible_decisions():
    zeros = np.linspace(0.25, 0.6, len(GRID))
    found = indicators(zeros, product_line(zeros, shots=400))
    ours, best = found["learning by confusion"], found["optimal confusion"]
    assert np.all(ours.values < best.values + 4 * np.hypot(ours.errors, best.errors))
    # Nor far below: the count of zeros is all that there is to know.
    assert np.mean(best.values - ours.values) < 0.03


def test_shots_that_are_all_alike_show_no_accuracy():
    zeros = np.full(len(GRID), 0.4)
    data = product_line(zeros, shots=400)
    line = line_of(data, {}, shots=4000, seed=0)
    halves = learned.Halves(known=line.of(data, line.known), held_out=line.of(data, line.held_out))
    each = learned.confusion(line, halves, SETTINGS, seeds=1, seed=0, progress=silent)
    # Both sides count alike, so that chance is one half at every trial boundary, ends included.
    assert np.all(np.abs(each.values - 0.5) <= 5 * each.errors)
    assert np.abs(each.values - 0.5).max() < 0.06


def test_the_same_seed_gives_the_same_numbers_and_another_one_does_not():
    zeros = np.linspace(0.2, 0.7, len(GRID))
    data = product_line(zeros, shots=40)
    line = line_of(data, {}, shots=4000, seed=0)
    halves = learned.Halves(known=line.of(data, line.known), held_out=line.of(data, line.held_out))
    settings = SETTINGS.model_copy(update={"max_epochs": 1})

    def confusion(seed):
        each = learned.confusion(line, halves, settings, seeds=2, seed=seed, progress=silent)
        return [*each.values, *each.errors]

    assert confusion(0) == confusion(0)
    assert confusion(0) != confusion(1)


def test_short_chains_have_fewer_pair_features():
    assert learned.pair_features(np.array([[0, 1, 2]]), 3).shape == (1, 3 + 2 * 9)
    zeros = np.where(GRID < BOUNDARY, 0.2, 0.7)
    data = product_line(zeros, length=4)
    line = line_of(data, {}, shots=4000, seed=0)
    halves = learned.Halves(known=line.of(data, line.known), held_out=line.of(data, line.held_out))
    each = learned.principal_components(line, halves, ends=2, seed=0)
    assert each.location == pytest.approx(BOUNDARY, abs=0.1)
    assert np.isfinite(each.values).all()


DATA = product_line(np.full(len(GRID), 0.5), shots=24)


def moved(change):
    return with_points(DATA, lambda p: replace(p, point=ParameterPoint.of(change(p.point))))


def test_lines_hold_halves_that_share_no_shot_and_go_upwards():
    line = line_of(moved(lambda p: {"D": -p["D"], "Delta": 1.0}), {}, shots=4000, seed=0)
    assert np.all(np.diff(line.grid) > 0)
    assert line.coupling == "D"
    for k, (known, held_out) in enumerate(zip(line.known, line.held_out, strict=True)):
        rows = [*known, *held_out]
        assert len(known) == 12
        assert len(set(rows)) == 24
        assert set(DATA.shots.point_index[rows]) == {len(GRID) - 1 - k}
    few = line_of(DATA, {}, shots=20, seed=0)
    assert {len(rows) for rows in few.known} == {10}
    other = line_of(DATA, {}, shots=20, seed=1)
    assert any(np.any(a != b) for a, b in zip(few.known, other.known, strict=True))


def test_controls_are_left_out():
    last = DATA.head.points[-1]
    data = with_points(DATA, lambda p: replace(p, control="zero shuffle") if p is last else p)
    assert points_along(data.head, {})[1] == list(range(len(GRID) - 1))


@pytest.mark.parametrize(
    ("data", "fixed", "words"),
    [
        (moved(lambda p: {"D": p["D"], "Delta": p["D"]}), {}, "D and Delta vary .* --at Delta=1"),
        (moved(lambda p: {"D": 0.0, "Delta": 1.0}), {}, "no couplings vary along the points"),
        (moved(lambda p: {"D": min(p["D"], 0.5)}), {}, "two points lie at D = 0.5"),
        (DATA, {"Delta": 2.0}, "no point lies at Delta=2; name another --at"),
        (DATA, {"J": 2.0}, "--at names 'J'; the couplings are D, Delta"),
        (
            moved(lambda p: {"D": p["D"], "Delta": float(p["D"] > 0.25)}),
            {"Delta": 0.0},
            "3 points along D; wanted at least 5",
        ),
        (
            with_points(
                DATA,
                lambda p: replace(p, source=int(p.point["D"] > 0.5)),
                sources=(chain(12), chain(12, "Other")),
            ),
            {},
            "the snapshots are of 2 chains; wanted those of one",
        ),
    ],
)
def test_what_is_no_line_is_refused(data, fixed, words):
    with pytest.raises(SettingsError, match=words):
        line_of(data, fixed, shots=4000, seed=0)


def test_too_few_shots_and_too_many_ends_are_refused():
    few = product_line(np.full(len(GRID), 0.5), shots=19)
    with pytest.raises(SettingsError, match="a point along D has fewer than 20 snapshots"):
        line_of(few, {}, shots=4000, seed=0)
    with pytest.raises(SettingsError, match=r"ends is 6 on either side of 12 points; .* at most 5"):
        ends_of(12, 6)
