"""Interventions: what is changed, and dose-response curves of networks that read known things."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from phasenet.errors import SettingsError
from phasenet.insight.doses import (
    DOSES,
    block_lengths,
    interventions_for,
    sign_scrambled,
    sign_shuffled,
    symmetry_image,
    zero_shuffled,
)
from phasenet.insight.held_out import held_out_shots
from phasenet.insight.interventions import interventions_section, used_length
from phasenet.insight.readers import BAYES, STRING, ZEROS, bayes_reader, network_reader
from phasenet.insight.responses import baseline, half_length, response
from phasenet.insight.subject import KnownState
from phasenet.plots.findings.interventions import interventions_figures
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint
from phasenet.snapshots.transforms import control_copy, inverse_kennedy_tasaki, kennedy_tasaki
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from tests.insight.shot_subjects import (
    CLASSES,
    hidden_order_shots,
    hidden_order_snapshots,
    neighbours,
    nothing_to_hear,
    snapshots_of,
    string,
    subject_of,
    zeros,
)

SPIN_ONE = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(0, 2)
)
DOSE = st.sampled_from([0.0, *DOSES])


def section_of(function, snapshots, shots=4000):
    subject = subject_of(snapshots, function)
    return interventions_section(subject, progress=nothing_to_hear, shots=shots)


def without_zeros(spins):
    return [[int(k) for k in row if k != 1] for row in spins]


@given(SPIN_ONE, DOSE)
def test_sign_shuffle_keeps_zeros_and_the_magnetization(spins, dose):
    found = sign_shuffled(spins, 3, dose, np.random.default_rng(0))
    assert np.array_equal(found == 1, spins == 1)
    assert np.array_equal(found.sum(axis=1), spins.sum(axis=1))


@given(SPIN_ONE, DOSE)
def test_zero_shuffle_keeps_the_sequence_of_the_other_spins(spins, dose):
    found = zero_shuffled(spins, 3, dose, np.random.default_rng(0))
    assert without_zeros(found) == without_zeros(spins)
    assert found.shape == spins.shape


@given(SPIN_ONE)
def test_no_dose_changes_nothing_and_a_full_scramble_is_that_of_datasets(spins):
    for change in (sign_scrambled, sign_shuffled, zero_shuffled):
        assert np.array_equal(change(spins, 3, 0.0, np.random.default_rng(0)), spins)
    full = sign_scrambled(spins, 3, 1.0, np.random.default_rng(3))
    assert np.array_equal(full, control_copy("sign scramble", spins, 3, np.random.default_rng(3)))


@pytest.mark.parametrize("dose", [0.25, 1.0])
def test_half_of_the_chosen_signs_turn(dose):
    spins = np.zeros((4000, 10), dtype=np.uint8)
    share = (sign_scrambled(spins, 3, dose, np.random.default_rng(0)) == 2).mean()
    assert abs(share - dose / 2) < 5 * np.sqrt(0.25 / spins.size)


def test_all_zeros_go_everywhere_alike():
    spins = np.tile(np.array([[1, 1, 0, 2, 0]], dtype=np.uint8), (20_000, 1))
    found = zero_shuffled(spins, 3, 1.0, np.random.default_rng(0)) == 1
    counts = [(found[:, pair].all(axis=1)).sum() for pair in itertools.combinations(range(5), 2)]
    assert np.abs(np.array(counts) - 2000).max() < 5 * np.sqrt(2000)


def test_symmetries_are_what_their_names_say():
    spins = np.array([[0, 1, 2, 2]], dtype=np.uint8)
    assert symmetry_image("reflection", spins, 3).tolist() == [[2, 2, 1, 0]]
    assert symmetry_image("translation by one site", spins, 3).tolist() == [[2, 0, 1, 2]]
    assert symmetry_image("global flip", spins[:, :1], 2).tolist() == [[1]]
    with pytest.raises(SettingsError, match="symmetry 'turn' is unknown"):
        symmetry_image("turn", spins, 3)


@pytest.mark.parametrize("distance", [1, 3])
def test_block_flips_measure_the_distance_of_pairs(distance):
    """Of pairs r apart, those that a boundary divides are lost: r/l of them in long chains."""
    sites = 48
    data = hidden_order_snapshots(shots=700, sites=sites, zeros=(0.1, 0.1))
    section = section_of(lambda spins: neighbours(spins, distance), data)
    index = section.arrays["block_flip_index"][0, 0]
    error = section.arrays["block_flip_index_error"][0, 0]
    first = np.arange(sites - distance)
    for k, size in enumerate(block_lengths(sites)):
        divided = (first // size != (first + distance) // size).mean()
        assert abs(index[k] - divided) < 5 * error[k] + 1e-12, size
    used, error = (section.arrays[n][0, 0] for n in ("used_lengths", "used_length_errors"))
    assert abs(used - 2 * distance) < 5 * error + 0.15


def test_a_reader_of_zeros_is_blind_to_signs():
    data = hidden_order_snapshots(zeros=(0.2, 0.6))
    arrays = section_of(zeros, data).arrays
    for key in ("sign_scramble", "sign_shuffle", "block_flip", "zero_shuffle", "symmetry"):
        np.testing.assert_allclose(arrays[f"{key}_index"][0], 0.0, atol=1e-12)
    assert np.isnan(arrays["used_lengths"][0]).all()
    section = section_of(zeros, data)
    assert section.labels["used_lengths"][0].startswith("none: blocks of all lengths")
    place = section.labels["readers"].index(ZEROS)
    np.testing.assert_allclose(
        section.arrays["sign_scramble_index"][place], section.arrays["sign_scramble_index"][0]
    )


def test_a_reader_of_strings_loses_all_without_signs_and_nothing_without_places():
    section = section_of(string, hidden_order_snapshots(shots=1000))
    arrays = section.arrays
    for key, wanted in (("sign_scramble", 1.0), ("zero_shuffle", 0.0)):
        value, error = arrays[f"{key}_index"][0, 0, -1], arrays[f"{key}_index_error"][0, 0, -1]
        assert abs(value - wanted) < 5 * error
    ruler = section.labels["readers"].index(STRING)
    np.testing.assert_allclose(arrays["block_flip_index"][ruler], arrays["block_flip_index"][0])
    assert arrays["used_lengths"][0, 0] > 16
    assert arrays["headline"] == 0
    assert "signs, shots of haldane go" in section.verdict


def test_bootstrap_errors_are_those_of_repeated_experiments():
    values, errors = [], []
    for seed in range(24):
        data = hidden_order_snapshots(shots=100, sites=12, splits=("test",), seed=seed)
        subject = subject_of(data, neighbours)
        shots = held_out_shots(subject, "test", 1000)
        base = baseline([network_reader(subject)], shots, np.random.default_rng(seed))
        found = response(
            base, sign_scrambled(shots.spins, 3, 0.5, np.random.default_rng(99 + seed))
        )
        values.append(found.value[0, 0])
        errors.append(found.error[0, 0])
    # The spread of 24 values is known to 15 %.
    assert 0.5 < np.std(values, ddof=1) / np.mean(errors) < 1.75


def test_half_length_of_a_negative_index_and_of_none():
    lengths = np.array([1.0, 2.0, 4.0])
    assert half_length(lengths, np.array([-1.0, -0.5, 0.0])) == pytest.approx(2.0)
    assert np.isnan(half_length(lengths, np.ones(3)))
    stays = used_length(lengths, np.ones((3, 4)) + 1e-6 * np.arange(4))
    assert stays.outcome == "none: blocks of all lengths do what the chain does, within 3 errors"
    pinned = np.array([[1.0, 0.75, 0.5]]).T + 0.4 + 1e-3 * np.arange(4)
    assert used_length(lengths, pinned).value == pytest.approx(2.0)
    unclear = used_length(lengths, np.full((3, 4), np.nan))
    assert unclear.outcome == "none: the class gap is not clear"


def ordered_chain(sites, zero):
    """Perfect hidden order that starts with +, an even number of spins, independent zeros."""
    core = np.zeros((2, 3, 2))
    core[0, 1, 0] = core[1, 1, 1] = np.sqrt(zero)
    core[0, 0, 1] = core[1, 2, 0] = np.sqrt(1 - zero)
    cores = [core] * sites
    cores[0], cores[-1] = core[:1], core[:, :, :1]
    return TensorTrain(cores=tuple(cores))


def ordered_shots(shots, sites, zero, rng):
    spins = hidden_order_shots(20 * shots, sites, zero, rng)
    signs = np.where(spins == 1, 0, 1 - spins.astype(int))
    first = signs[np.arange(len(signs)), (signs != 0).argmax(axis=1)]
    return spins[(signs.sum(axis=1) == 0) & (first >= 0)][:shots]


def test_bayes_optimum_is_that_of_the_states():
    """ln p_1 / p_2 depends on the number of zeros alone; scrambled shots are impossible."""
    sites, shares, shots = 6, (0.3, 0.6), 300
    rng = np.random.default_rng(0)
    points = [
        SampledPoint(point=ParameterPoint.of(D=k), label=label, split=split, reason="")
        for split in ("train", "test")
        for k, label in enumerate(CLASSES)
    ]
    spins = np.concatenate([ordered_shots(shots, sites, shares[k % 2], rng) for k in range(4)])
    data = snapshots_of(spins, points, CLASSES, shots)
    states = [
        KnownState(point=points[k].point, label=label, form=state_form(ordered_chain(sites, z)))
        for k, (label, z) in enumerate(zip(CLASSES, shares, strict=True))
    ]
    subject = subject_of(data, zeros, states)
    reader = bayes_reader(subject, held_out_shots(subject, "test", shots))
    every = np.array(list(itertools.product(range(3), repeat=sites)), dtype=np.uint8)
    dense = [ordered_chain(sites, z)(every.astype(np.int64)) ** 2 for z in shares]
    one, two = (weights / weights.sum() for weights in dense)
    possible = one > 0
    np.testing.assert_allclose(
        reader.evidence(every[possible])[:, 0], np.log(one[possible] / two[possible]), atol=1e-10
    )
    section = interventions_section(subject, progress=nothing_to_hear)
    row = section.labels["readers"].index(BAYES)
    np.testing.assert_allclose(section.arrays["zero_shuffle_index"][row], 0.0, atol=1e-10)
    assert np.isnan(section.arrays["sign_scramble_index"][row]).all()
    assert bayes_reader(replace(subject, states=()), held_out_shots(subject, "test", 9)) is None


def test_transformed_shots_are_changed_as_they_were_measured():
    data = hidden_order_snapshots(shots=200, sites=12)
    turned = replace(
        data,
        head=replace(data.head, transform="Kennedy-Tasaki"),
        shots=replace(data.shots, spins=kennedy_tasaki(data.shots.spins, 3)),
    )
    plain = section_of(string, data).arrays
    other = section_of(lambda s: string(inverse_kennedy_tasaki(s, 3)), turned).arrays
    for name in ("sign_scramble_index", "block_flip_index", "used_lengths"):
        np.testing.assert_allclose(plain[name][0], other[name][0])


def test_half_integer_spins_have_no_zeros_to_shuffle():
    rng = np.random.default_rng(0)
    neel = np.resize([0, 1], (300, 12)).astype(np.uint8)
    spins = np.concatenate([neel, rng.integers(2, size=(300, 12), dtype=np.uint8)] * 2)
    points = [
        SampledPoint(point=ParameterPoint.of(D=k), label=label, split=split, reason="")
        for split in ("train", "test")
        for k, label in enumerate(CLASSES)
    ]
    data = snapshots_of(spins, points, CLASSES, 300, site_dim=2, basis="Sx")
    section = section_of(lambda s: -((2.0 * s[:, 1:] - 1) * (2.0 * s[:, :-1] - 1)).mean(1), data)
    assert "zero shuffle" not in section.labels["interventions"]
    assert not {ZEROS, STRING} & set(section.labels["readers"])
    assert "outcomes of Sx" in section.notes[-1]
    assert len(interventions_figures(section)) == 3


def test_what_cannot_be_shown_says_why():
    data = hidden_order_snapshots(shots=50, sites=12)
    with pytest.raises(SettingsError, match="in the basis 'random'; signs and zeros"):
        section_of(zeros, replace(data, head=replace(data.head, basis="random")))
    points = tuple(
        replace(p, split="train") if p.label == "large_d" else p for p in data.head.points
    )
    with pytest.raises(SettingsError, match="shots read on all sites of haldane only"):
        section_of(zeros, replace(data, head=replace(data.head, points=points)))
    with pytest.raises(SettingsError, match="log odds do not differ between haldane, large_d"):
        section_of(lambda spins: np.zeros(len(spins)), data)


def test_figures_have_an_axis_for_each_change_and_class():
    section = section_of(neighbours, hidden_order_snapshots(shots=100, sites=12))
    (_, curves), (_, called), (_, symmetries) = interventions_figures(section)
    assert len(curves.axes) == 2 * len(interventions_for(3, 12))
    labels = [ax.get_xlabel() for ax in curves.axes[4:]]
    assert "length of flipped blocks (sites)" in labels
    assert curves.axes[0].get_ylabel() == "shots of haldane\nindex (class gaps)"
    assert called.axes[0].get_ylabel() == "still called so (%)"
    assert symmetries.axes[1].get_ylabel() == "decisions that change (%)"
    for figure in (curves, called, symmetries):
        figure.canvas.draw()
