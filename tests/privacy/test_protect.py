"""Gauges for publication, what they leave and what they do not, and the search for leftovers."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from phasenet.errors import SettingsError
from phasenet.findings import Section
from phasenet.plots.findings.protection import protection_figures
from phasenet.privacy.audit import Likeness, best_match, equal_numbers, leftovers
from phasenet.privacy.gauges import (
    ProtectSettings,
    canonical_values,
    core_values,
    gauge_source,
    regauged,
    value_changes,
    without_gauge,
)
from phasenet.privacy.protect import Evidence, public_card
from phasenet.privacy.protection import protection_section
from phasenet.trains.gauge import general_gauge, orthogonal_gauge
from phasenet.trains.train import TensorTrain

STATES = np.indices((3,) * 6).reshape(6, -1).T


def random_train(seed: int = 0, site: int = 5) -> TensorTrain:
    rng = np.random.default_rng(seed)
    outer = (1, 3, 6, 6, 5, 3, 1)
    cores = [rng.normal(size=(outer[k], 3, outer[k + 1])) for k in range(6)]
    cores[site] = rng.normal(size=(outer[site], 3, outer[site + 1], 2))
    return TensorTrain(cores=tuple(cores), output_site=site, log_scale=-3.0)


@pytest.mark.parametrize("gauge", ["orthogonal", "general"])
@pytest.mark.parametrize("site", [0, 2, 5])
def test_function_is_the_same(gauge, site):
    train = random_train(site=site)
    turned = regauged(train, gauge, np.random.default_rng(1), condition=10.0)
    wanted = train(STATES)
    assert np.abs(turned(STATES) - wanted).max() < 1e-10 * np.abs(wanted).max()
    assert turned.log_scale == 0.0
    assert turned.output_site == site


def test_entropy_draws_another_gauge_each_time_and_a_seed_the_same():
    train = random_train()

    def drawn(seed):
        return regauged(train, "orthogonal", gauge_source(seed), condition=1.0).cores[2]

    assert not np.allclose(drawn(None), drawn(None))
    assert np.array_equal(drawn(5), drawn(5))
    assert not np.allclose(drawn(5), drawn(6))


def test_orthogonal_gauge_alone_leaves_slices_and_norms():
    train = random_train()
    turned = orthogonal_gauge(train, np.random.default_rng(2))
    assert value_changes(core_values(train), core_values(turned)).max() < 1e-14
    norms = [[np.linalg.norm(core) for core in t.cores] for t in (train, turned)]
    assert np.allclose(*norms, rtol=1e-13)


@pytest.mark.parametrize("site", [0, 5])
def test_published_slices_follow_from_the_function_alone(site):
    train = random_train(site=site)
    twin = general_gauge(train, np.random.default_rng(3), condition=1000.0)
    rng = np.random.default_rng(4)
    # The two raw trains differ, what is published of them does not.
    assert value_changes(core_values(train), core_values(twin)).min() > 0.01
    one, two = (regauged(t, "orthogonal", rng, condition=1.0) for t in (train, twin))
    assert value_changes(core_values(one), core_values(two)).max() < 1e-9
    assert value_changes(core_values(train), core_values(one))[1:].min() > 0.01


def test_general_gauge_leaves_only_the_canonical_form():
    train, rng = random_train(), np.random.default_rng(5)
    one, two = (regauged(train, "general", rng, condition=10.0) for _ in range(2))
    assert value_changes(core_values(one), core_values(two))[1:-1].min() > 0.01
    assert value_changes(canonical_values(one), canonical_values(two)).max() < 1e-9
    pairs = zip(without_gauge(one).cores, without_gauge(two).cores, strict=True)
    assert all(np.allclose(a, b, atol=1e-9) for a, b in pairs)


def test_states_below_single_precision_are_not_published():
    train = random_train()
    cores = list(train.cores)
    noise = np.zeros((6, 3, 1))
    noise[:, :, 0] = 1e-12 * np.random.default_rng(6).normal(size=(6, 3))
    cores[2] = np.concatenate((cores[2], noise), axis=2)
    cores[3] = np.concatenate((cores[3], np.ones((1, 3, 5))))
    wide = TensorTrain(cores=tuple(cores), output_site=5, log_scale=-3.0)
    assert without_gauge(wide).bond_dims == without_gauge(train).bond_dims


def test_equal_numbers_are_found_whatever_their_order_and_sign():
    rng = np.random.default_rng(7)
    weights = rng.normal(size=500).astype(np.float32)
    published = np.concatenate((rng.normal(size=300), -rng.permutation(weights)[:40]))
    assert equal_numbers(published, weights) == 40
    assert equal_numbers(np.zeros(5), np.zeros(3)) == 0


@pytest.mark.parametrize("sign", [1.0, -2.5])
def test_a_copied_tensor_is_found_at_any_place_and_scale(sign):
    rng = np.random.default_rng(8)
    weight = rng.normal(size=(6, 8))
    published = 100.0 + 1e-3 * np.concatenate((rng.normal(size=77), sign * weight.ravel()))
    assert best_match(published, weight) == pytest.approx(1.0, abs=1e-9)
    brute = max(abs(np.corrcoef(published[k : k + 48], weight.ravel())[0, 1]) for k in range(77))
    assert best_match(published[:-1], weight) == pytest.approx(brute, rel=1e-6)


def test_constant_arrays_match_nothing():
    assert best_match(np.ones(30), np.arange(40.0)) == 0.0
    assert best_match(np.arange(30.0), np.full(40, 2.0)) == 0.0


def test_copies_stand_out_and_chance_does_not():
    rng = np.random.default_rng(9)
    weights = {"a": rng.normal(size=(20, 20)).astype(np.float32), "b": np.zeros(3)}
    others = rng.normal(size=(19, 900))
    fresh = rng.normal(size=900)
    assert not leftovers(fresh, others, weights).stands_out
    found = leftovers(np.concatenate((fresh[:500], weights["a"].ravel())), others, weights)
    assert found.stands_out
    assert found.names == ("a",)
    shuffled = np.concatenate((fresh[:500], rng.permutation(weights["a"].ravel())))
    assert leftovers(shuffled, others, weights).stands_out


def test_likeness_counts_decisions_and_their_paired_error():
    labels = np.array([0, 0, 1, 1, 1])
    original = np.array([[1.0, 0], [0, 1.0], [0, 1.0], [0, 1.0], [1.0, 0]])
    published = np.array([[1.0, 0], [1.0, 0], [0, 1.0], [1.0, 0], [0, 1.0]])
    likeness = Likeness(original=original, published=published, labels=labels)
    assert likeness.agreement == pytest.approx(2 / 5)
    assert likeness.accuracies == pytest.approx((3 / 5, 4 / 5))
    gain, error = likeness.gain
    assert gain == pytest.approx(1 / 5)
    assert error == pytest.approx(np.sqrt(3 - 1 / 5) / 5)


def evidence(copied: bool = False, lost: bool = False) -> Evidence:
    rng = np.random.default_rng(10)
    logits = rng.normal(size=(200, 2))
    weights = {"layer.weight": rng.normal(size=(8, 8)).astype(np.float32)}
    others = rng.normal(size=(19, 300))
    numbers = rng.normal(size=300)
    if copied:
        numbers[100:164] = weights["layer.weight"].ravel()
    return Evidence(
        settings=ProtectSettings(),
        seeded=False,
        likeness=Likeness(
            original=logits,
            published=-logits if lost else logits + 0.01,
            labels=logits.argmax(axis=1),
        ),
        gauge_change=1e-14,
        rounding_change=1e-6,
        leftovers=leftovers(numbers, others, weights),
        raw_leftovers=leftovers(rng.normal(size=300), others, {"cores.1": rng.normal(size=50)}),
        orthogonal_changes=np.full(6, 1e-16),
        published_changes=np.full(6, 0.5),
        twin_changes=np.full(6, 1e-11),
        parameters=(66, 300),
        rank=4,
    )


def test_verdict_and_notes_say_what_was_measured():
    section = protection_section(evidence(), ("a", "b"), traces=0, searched=12)
    assert section.name == "protection"
    assert "100.00 % of 200 held-out shots" in section.verdict
    assert "no more of its numbers than chance gives" in section.verdict
    notes = " ".join(section.notes)
    assert "hides parameters, not the function" in notes
    assert "membership inference" in notes
    assert "entropy of the system" in notes


@pytest.mark.parametrize(("copied", "traces"), [(True, 0), (False, 1)])
def test_leftovers_and_traces_are_no_good_verdict(copied, traces):
    section = protection_section(evidence(copied), ("a", "b"), traces=traces, searched=12)
    assert "do not publish it" in section.verdict


def test_a_bad_train_is_told_what_helps():
    section = protection_section(evidence(lost=True), ("a", "b"), traces=0, searched=12)
    assert any("--epochs" in note for note in section.notes)


def test_figures_draw_from_the_stored_section():
    section = protection_section(evidence(), ("a", "b"), traces=0, searched=12)
    figures = protection_figures(section)
    assert all(isinstance(figure, Figure) and caption for caption, figure in figures)
    names = {ax.get_xlabel() for _, figure in figures for ax in figure.axes}
    assert {"core (site)", "weight tensor of the network"} <= names
    for _, figure in figures:
        figure.draw_without_rendering()
    assert isinstance(section, Section)


def test_settings_of_a_run_are_not_in_a_public_card(haldane):
    card = haldane.card()
    card = replace(card, settings={**card.settings, "seed": 7})
    public = public_card(card)
    assert public is not None
    assert public.settings["seed"] == 0
    assert public.phases == card.phases
    assert public_card(None) is None


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingsError, match="protect setting 'condition' is"):
        ProtectSettings.checked({"condition": 0.5})
