from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.insight.bond_shots import LabelledShots, labelled_shots
from phasenet.insight.bond_worth import accuracy_and_gap, train_bonds
from phasenet.insight.bonds import bonds_section
from phasenet.insight.separation import (
    area_error,
    discriminability,
    distance_error,
    linear_scores,
)
from phasenet.insight.train_bonds import (
    bond_views,
    gap_train,
    kept_values,
    narrowed,
    uniform_spectra,
)
from phasenet.networks.linear_first import OneHotLinear
from phasenet.plots.findings.bonds import bonds_figures
from phasenet.statistics import area_under_curve
from phasenet.trains.gauge import general_gauge
from phasenet.trains.train import TensorTrain
from tests.insight.bond_toys import (
    ALTERNATING,
    hidden_order_shots,
    machine_subject,
    machine_train,
    no_progress,
    subject_of,
)

LENGTH, DIM = 6, 3


def random_train(seed, bond=4, length=LENGTH):
    rng = np.random.default_rng(seed)
    bonds = (1, *[bond] * (length - 1), 1)
    cores = [rng.normal(size=(bonds[k], DIM, bonds[k + 1])) for k in range(length)]
    return TensorTrain(cores=tuple(cores), log_scale=0.7)


def all_spins():
    return np.indices((DIM,) * LENGTH).reshape(LENGTH, -1).T


def shots_of(spins, second):
    return LabelledShots(
        spins=spins, second=second, pair=(0, 1), names=("one", "other"), split="test"
    )


def test_uniform_values_are_those_of_the_dense_matrix():
    train = random_train(0)
    dense = train(all_spins())
    dense = dense - dense.mean()
    for bond, values in enumerate(uniform_spectra(train)):
        wanted = np.linalg.svd(dense.reshape(DIM ** (bond + 1), -1), compute_uv=False)
        wanted = wanted / np.linalg.norm(wanted)
        assert values == pytest.approx(wanted[: len(values)], abs=1e-10)
        assert wanted[len(values) :] == pytest.approx(0.0, abs=1e-10)


def test_a_constant_has_no_spectrum():
    constant = TensorTrain(cores=(np.ones((1, 2, 1)),) * 4)
    with pytest.raises(SettingsError, match="is constant"):
        uniform_spectra(constant)


def test_values_of_the_data_are_those_of_the_dense_matrix_in_both_marginals():
    train, rng = random_train(1), np.random.default_rng(5)
    spins = all_spins()
    weights = rng.dirichlet(np.full(len(spins), 0.3))
    for bond, view in enumerate(bond_views(train, spins, weights)):
        joint = weights.reshape(DIM ** (bond + 1), -1)
        left, right = joint.sum(axis=1), joint.sum(axis=0)
        matrix = train(spins).reshape(joint.shape)
        mean = left @ matrix @ right
        assert view.mean == pytest.approx(mean)
        wanted = np.linalg.svd(
            np.sqrt(left)[:, None] * (matrix - mean) * np.sqrt(right), compute_uv=False
        )
        count = min(len(view.values), len(wanted))
        assert view.values[:count] == pytest.approx(wanted[:count], rel=1e-8, abs=1e-10)
        # Features are uncorrelated on the shots, of second moment 1, and sum to the function.
        for side in (view.left, view.right):
            assert (side.T * weights) @ side == pytest.approx(np.eye(side.shape[1]), abs=1e-9)
        assert view.mean + view.parts.sum(axis=1) == pytest.approx(train(spins), abs=1e-9)


def test_the_data_of_all_configurations_alike_is_the_uniform_measure():
    train, spins = random_train(2), all_spins()
    views = bond_views(train, spins, np.full(len(spins), 1 / len(spins)))
    for view, values in zip(views, uniform_spectra(train), strict=True):
        assert view.values / np.linalg.norm(view.values) == pytest.approx(values, abs=1e-9)


def test_no_gauge_changes_what_is_seen():
    train = random_train(3)
    other = general_gauge(train, np.random.default_rng(0), condition=10.0)
    spins = all_spins()[::7]
    weights = np.full(len(spins), 1 / len(spins))
    pairs = zip(bond_views(train, spins, weights), bond_views(other, spins, weights), strict=True)
    for one, two in pairs:
        assert one.values == pytest.approx(two.values, rel=1e-7, abs=1e-9)
        assert one.parts == pytest.approx(two.parts, abs=1e-7)


def test_long_chains_stay_in_range():
    core = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]]]).transpose(1, 0, 2)
    length = 400
    # Counts the second local state, less half of the sites.
    train = TensorTrain(
        cores=(core[:1], *[core] * (length - 2), core[:, :, 1:] - 0.5 * length * core[:, :, :1])
    )
    spins = np.random.default_rng(0).integers(2, size=(500, length))
    assert train(spins) == pytest.approx(spins.sum(axis=1) - length / 2, abs=1e-6)
    for view in bond_views(train, spins, np.full(500, 1 / 500)):
        assert len(view.values) == 2
    assert all(len(values) == 2 for values in uniform_spectra(train))


def test_a_sum_of_single_sites_has_two_values_on_every_bond():
    weights = np.random.default_rng(1).normal(size=(LENGTH, DIM))
    cores = []
    for site, each in enumerate(weights):
        core = np.zeros((2, DIM, 2))
        core[0, :, 0] = core[1, :, 1] = 1.0
        core[0, :, 1] = each
        cores.append(core[:1] if site == 0 else core[:, :, 1:] if site == LENGTH - 1 else core)
    train = TensorTrain(cores=tuple(cores))
    assert [len(values) for values in uniform_spectra(train)] == [2] * (LENGTH - 1)


def test_ablation_is_the_function_without_one_product():
    train, spins = random_train(4), all_spins()
    second = (train(spins) + np.random.default_rng(0).normal(size=len(spins)) < 0).astype(int)
    shots = shots_of(spins, second)
    view = list(bond_views(train, spins, shots.weights))[2]
    found = train_bonds(train, shots, 0)[2]
    for k in range(len(found.accuracy)):
        kept = np.delete(np.arange(len(view.values)), k)
        left = view.mean + (view.left[:, kept] * view.values[kept] * view.right[:, kept]).sum(1)
        right = second == 0
        wanted = np.mean(
            [((left > 0) == right)[right].mean(), ((left > 0) == right)[~right].mean()]
        )
        assert found.accuracy[k] == pytest.approx(wanted)
        assert found.gap[k] == pytest.approx(left[right].mean() - left[~right].mean())


def test_running_expectation_is_exact_where_shots_are_independent():
    train, spins = random_train(6), all_spins()
    second = (spins[:, 0] == 0).astype(int)
    # With all configurations alike the right part is independent of the left one.
    weights = np.full(len(spins), 1 / len(spins))
    view = list(bond_views(train, spins, weights))[1]
    running = view.mean + view.left @ (view.values * (weights @ view.right))
    wanted = train(spins).reshape(DIM**2, -1).mean(axis=1)
    assert running.reshape(DIM**2, -1)[:, 0] == pytest.approx(wanted)
    assert accuracy_and_gap(running, shots_of(spins, second))[1] == pytest.approx(
        running[second == 0].mean() - running[second == 1].mean()
    )


def test_kept_values_are_the_fewest():
    train, spins = random_train(7), all_spins()
    weights = np.full(len(spins), 1 / len(spins))
    for view in bond_views(train, spins, weights):
        kept = kept_values(view, 0.9, weights)
        truth = train(spins) > 0
        same = [
            ((view.mean + view.parts[:, :k].sum(axis=1) > 0) == truth).mean()
            for k in range(1, kept + 1)
        ]
        assert same[-1] >= 0.9 and all(share < 0.9 for share in same[:-1])


def test_narrowed_trains_are_exact_at_full_rank_and_where_a_sum_is_counted():
    train, spins = random_train(8), all_spins()
    weights = np.full(len(spins), 1 / len(spins))
    (whole,) = narrowed(train, spins, weights, [4])
    assert whole(spins) == pytest.approx(train(spins))
    subject = machine_subject(length=LENGTH)
    gap = gap_train(subject.classifier.logits.train, (0, 1))
    rare = hidden_order_shots(300, LENGTH, seed=0)
    short, same = narrowed(gap, rare, np.full(300, 1 / 300), [1, 4])
    assert max(short.bond_dims) == 1
    assert same(rare) == pytest.approx(gap(rare))


def test_areas_are_shares_of_pairs_in_order():
    rng = np.random.default_rng(0)
    scores, second = rng.integers(5, size=60).astype(float), rng.integers(2, size=60)
    one, other = scores[second == 0][:, None], scores[second == 1][None]
    assert area_under_curve(scores, second == 0) == pytest.approx(
        (one > other).mean() + (one == other).mean() / 2
    )


def test_error_of_an_area_is_its_spread_over_datasets():
    rng = np.random.default_rng(1)
    second = np.repeat([0, 1], 80)
    found = area_under_curve(rng.normal(size=(160, 2000)) - 1.0 * second[:, None], second == 0)
    spread, error = found.std(), float(area_error(float(found.mean()), second))
    assert error == pytest.approx(spread, rel=0.15)


def test_error_of_a_distance_is_its_spread_over_datasets():
    rng = np.random.default_rng(3)
    second = np.repeat([0, 1], 80)
    found = discriminability(rng.normal(size=(160, 2000)) - 2.0 * second[:, None], second)
    error = distance_error(float(found.mean()), second)
    assert error == pytest.approx(found.std(), rel=0.1)


def test_noise_is_not_read_out():
    rng = np.random.default_rng(2)
    second = np.repeat([0, 1], 300)
    noise = rng.normal(size=(600, 100))
    found = area_under_curve(linear_scores(noise, second, 0), second == 0)
    assert abs(found - 0.5) < 5 * area_error(0.5, second)
    assert discriminability(np.zeros(600), second) == 0.0


def test_section_of_the_hidden_order_and_its_figures():
    section = bonds_section(machine_subject(), no_progress)
    # Start, last sign + and -, sink.
    assert section.arrays["uniform_values"].shape == (11, 4)
    assert section.arrays["accuracy"] == pytest.approx(1.0)
    assert section.arrays["values_kept"].max() <= 4
    assert section.labels["layer_bonds"] == ()
    figures = bonds_figures(section)
    assert len(figures) == 3
    assert figures[1][1].axes[1].get_ylabel() == "expected gap (logits)"
    for _, figure in figures:
        figure.savefig("/dev/null", format="png", dpi=40)


def mlp_subject():
    torch.manual_seed(0)
    network = nn.Sequential(OneHotLinear(length=8, site_dim=3, width=6), nn.SiLU(), nn.Linear(6, 2))
    spins = np.random.default_rng(0).integers(3, size=(400, 8))
    train = machine_train(ALTERNATING, 8)
    return subject_of(network, train, spins, (spins[:, 0] == 0).astype(int))


def test_outputs_belong_to_the_classes_of_the_shots():
    subject = machine_subject(shots=80)
    other = replace(subject.record, classes=("third", "broken", "alternating"))
    found = labelled_shots(replace(subject, record=other), 10)
    assert found.names == ("alternating", "broken") and found.pair == (2, 1)
    assert np.array_equal(ALTERNATING(found.spins), found.second)
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.gaps(np.array([[0.0, 1.0, 5.0]] * 20))[0] == 4.0
    with pytest.raises(SettingsError, match="1 classes of the network"):
        labelled_shots(replace(subject, record=replace(other, classes=("broken",))), 10)


def test_shots_without_splits_are_all_taken():
    subject = machine_subject(shots=80)
    points = tuple(replace(p, split="validation") for p in subject.snapshots.head.points)
    head = replace(subject.snapshots.head, points=points)
    subject = replace(subject, snapshots=replace(subject.snapshots, head=head))
    found = labelled_shots(subject, 100)
    assert found.split == "all" and len(found.spins) == 80
    one, other = found.part(0), found.part(1)
    assert len(one.spins) + len(other.spins) == 80 and len(one.spins) == 27


def test_too_few_classes():
    subject = machine_subject(shots=40)
    everything = np.zeros(len(subject.snapshots.shots), dtype=np.int32)
    subject.snapshots.shots.point_index[:] = everything
    with pytest.raises(SettingsError, match="1 classes of the network have labelled shots"):
        labelled_shots(subject, 10)


def test_a_train_with_outputs_is_refused():
    train = machine_train(ALTERNATING, 6)
    with pytest.raises(ShapeError, match="has 2 outputs"):
        next(bond_views(train, np.zeros((2, 6), dtype=int), np.full(2, 0.5)))
    with pytest.raises(ShapeError, match="has no outputs"):
        gap_train(gap_train(train, (0, 1)), (0, 1))


def test_dense_networks_say_so():
    section = bonds_section(mlp_subject(), no_progress)
    assert section.notes[-1] == "The network has no tensorized layers; only its train is shown."
