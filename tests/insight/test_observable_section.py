"""The section on a classifier as an observable: its numbers, words and figures."""

from dataclasses import replace
from itertools import product

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.insight.families import order_parameters
from phasenet.insight.observable import observable_section
from phasenet.insight.subject import KnownState, Subject
from phasenet.insight.witness import measures, targets
from phasenet.phases.exact import aklt_chain, large_d_chain
from phasenet.plots.findings.observable import observable_figures
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.shots import Shots, Snapshots, SnapshotsHead
from phasenet.trained import TrainedNetwork
from phasenet.trains.arithmetic import add
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

LENGTH = 6


class Reader(nn.Module):
    """Logits that are linear in features of single shots."""

    def __init__(self, evidence):
        super().__init__()
        self.evidence = evidence

    def forward(self, spins):
        return torch.as_tensor(self.evidence(spins.numpy()))


def zeros_reader(spins):
    """Two classes, by the number of zeros; nothing else."""
    difference = 1.5 * ((spins == 1).sum(axis=1) - LENGTH / 2.0)
    return np.stack([-difference / 2, difference / 2], axis=1)


def string_reader(spins):
    """Two classes, by strings of distance 3 alone."""
    strings = order_parameters(3, LENGTH, reach=1, longest=3)[-1]
    difference = strings(spins)[:, 1]
    return np.stack([difference / 2, -difference / 2], axis=1)


def three_reader(spins):
    """Three classes."""
    return np.stack([spins.sum(axis=1), 3.0 * spins[:, 0], np.cos(spins[:, 2])], axis=1)


def dense_train(values):
    """Exact train of an array with one axis for each site and, last, the outputs."""
    cores, moved = [], values[None]
    for _ in range(values.ndim - 2):
        left, dim = moved.shape[:2]
        u, s, vh = np.linalg.svd(moved.reshape(left * dim, -1), full_matrices=False)
        rank = max(1, int(np.sum(s > 1e-13 * s[0])))
        cores.append(u[:, :rank].reshape(left, dim, rank))
        moved = (s[:rank, None] * vh[:rank]).reshape(rank, *moved.shape[2:])
    cores.append(moved[:, :, None, :])
    return TensorTrain(cores=tuple(cores), output_site=len(cores) - 1)


def function_of(values):
    shape = (*(3,) * LENGTH, values.shape[1])
    return TensorizedFunction(
        train=dense_train(values.reshape(shape)),
        data_error=0.0,
        agreement=1.0,
        agreement_error=0.0,
        uniform_error=0.0,
        evaluations=len(values),
        outcome="exact",
        history={},
    )


def mixed(share):
    """State between AKLT and large D."""
    large, aklt = large_d_chain(LENGTH), aklt_chain(LENGTH)
    scaled = [core * (share if k == 0 else 1.0) for k, core in enumerate(large.cores)]
    return state_form(add(TensorTrain(cores=tuple(scaled)), aklt))


def subject_of(evidence, classes=("haldane", "large_d"), *, plane=False):
    every = np.array(list(product(range(3), repeat=LENGTH)))
    logits = evidence(every)
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [classes[0], classes[0], None, classes[1], classes[1]]
    points = [ParameterPoint.of(D=0.5 * k, Delta=float(k % 2) if plane else 1.0) for k in range(5)]
    states = [
        KnownState(point=point, label=label, form=mixed(share))
        for point, label, share in zip(points, labels, (0.01, 0.1, 0.3, 1.0, 3.0), strict=True)
    ]
    count = len(classes)
    return Subject(
        name="reader",
        record=TrainedNetwork(
            architecture={}, weights={}, classes=classes, history={}, scores=(), outcome=""
        ),
        network=Reader(evidence),
        classifier=TensorizedClassifier(
            classes=classes,
            logits=function_of(logits),
            probabilities=function_of(sure),
            points=tuple(points),
            probability_errors=np.full((5, count), 1e-6),
            string_errors=np.full((5, count), 1e-6),
            held_out=0,
        ),
        states=tuple(states),
        snapshots=Snapshots(
            head=SnapshotsHead(site_dim=3, basis="Sz", classes=classes, sources=(), points=()),
            shots=Shots(
                spins=np.zeros((0, LENGTH), dtype=np.uint8),
                point_index=np.zeros(0, dtype=np.int32),
                log_probability=np.zeros(0),
                class_log_likelihood=np.zeros((0, count)),
            ),
        ),
        card=None,
    )


def section_of(subject):
    heard = []
    section = observable_section(subject, lambda done, word: heard.append(done), reach=2, shots=50)
    assert heard == [1, 2, 3, 4, 5]
    return section


@pytest.fixture(scope="module")
def zeros_section():
    return section_of(subject_of(zeros_reader))


def test_a_reader_of_zeros_is_told_as_one(zeros_section):
    assert zeros_section.verdict.startswith(
        "logit haldane - large_d reads the density of zeros: R² in single ground states 1.000 by "
        "the density of zeros, densities site by site add 0.000, two-point functions add 0.000, "
        "short strings add 0.000, longer strings add 0.000 (alone 0."
    )
    assert "; over all phases 1.000 rises to 1.000, and to 1.0000" in zeros_section.verdict
    nested = zeros_section.arrays["mixture_r2_nested"][:, 0]
    assert nested == pytest.approx(np.ones_like(nested), abs=1e-9)
    assert zeros_section.arrays["mixture_r2_error_bound"][:, 0] == pytest.approx(0.0, abs=1e-9)


def test_a_reader_of_strings_is_told_as_one():
    section = section_of(subject_of(string_reader))
    assert "logit haldane - large_d needs longer strings" in section.verdict
    unique = section.arrays["mixture_r2_unique"][:, 0, -1]
    assert (unique > 0.05).all()


def test_the_numbers_are_sums_over_all_configurations(zeros_section):
    every = np.array(list(product(range(3), repeat=LENGTH)))
    arrays = zeros_section.arrays
    logits = zeros_reader(every)
    for k, share in enumerate((0.01, 0.1, 0.3, 1.0, 3.0)):
        weights = TensorTrain(cores=mixed(share).cores)(every) ** 2
        weights /= weights.sum()
        assert arrays["logit_mean"][k] == pytest.approx(weights @ logits)
        difference = logits[:, 0] - logits[:, 1]
        assert arrays["state_target_mean"][k, 0] == pytest.approx(weights @ difference)
        variance = weights @ difference**2 - (weights @ difference) ** 2
        assert arrays["state_target_variance"][k, 0] == pytest.approx(variance)
    assert arrays["mixture_weights"].tolist() == [
        [0.5, 0.5, 0, 0, 0],
        [0, 0, 0, 0.5, 0.5],
        [0.25, 0.25, 0, 0.25, 0.25],
    ]
    means = arrays["state_target_mean"][[0, 1, 3, 4], 0]
    between = means.var() / arrays["mixture_target_variance"][2, 0]
    assert arrays["mixture_between_share"][2, 0] == pytest.approx(between)


def test_a_train_that_is_off_is_told_by_the_bound():
    subject = subject_of(zeros_reader)
    noisy = Reader(lambda spins: zeros_reader(spins) + np.sin(7.0 * spins.cumsum(axis=1))[:, -2:])
    section = section_of(replace(subject, network=noisy))
    assert (section.arrays["mixture_r2_error_bound"][:, 0] > 0.01).all()
    wrong = Reader(lambda spins: np.stack([spins[:, 0], 2.0 * spins[:, 1]], axis=1).astype(float))
    section = section_of(replace(subject, network=wrong))
    assert "reads up to densities site by site: R² within the phases" in section.verdict
    assert "train is too far from it for exact numbers" in section.verdict
    assert section.arrays["accuracy"].shape == (3, 2)


def test_three_classes_have_three_logits_and_figures_without_a_plane():
    subject = subject_of(three_reader, ("a", "b", "c"))
    names = [target.name for target in targets(subject.classifier)]
    assert names[:3] == ["logit a, centred", "logit b, centred", "logit c, centred"]
    assert names[3:] == ["probability of a", "probability of b", "probability of c"]
    section = section_of(subject)
    assert section.arrays["mixture_r2_nested"].shape == (3, 6, 5)
    assert section.verdict.startswith("the mean logit")
    assert len(observable_figures(section)) == 2


def test_states_without_a_label_of_the_classes_are_no_mixture():
    subject = subject_of(zeros_reader)
    with pytest.raises(SettingsError, match="none of the 5 ground states has a label of the cl"):
        measures(subject.states, ("neel",))
    with pytest.raises(SettingsError, match="no ground state to observe"):
        observable_section(replace(subject, states=()), lambda done, word: None)
    (only,) = measures(subject.states[:3], ("haldane", "large_d"))
    assert only.name == "haldane"


def test_a_state_in_which_nothing_varies_is_in_no_mean():
    subject = subject_of(zeros_reader)
    still = replace(subject.states[4], form=state_form(large_d_chain(LENGTH)))
    section = section_of(replace(subject, states=(*subject.states[:4], still)))
    assert np.isnan(section.arrays["state_r2_nested"][4]).all()
    assert "R² in single ground states 1.000 by the density of zeros" in section.verdict
    assert "nan" not in section.verdict
    for _, figure in observable_figures(section):
        figure.canvas.draw()


def test_a_classifier_that_is_constant_is_refused():
    subject = subject_of(lambda spins: np.tile([1.0, -1.0], (len(spins), 1)))
    with pytest.raises(SettingsError, match="is the same for all shots of the labelled states"):
        section_of(subject)


def test_figures_have_their_axes_and_no_state(zeros_section):
    before = dict(mpl.rcParams)
    (_, first), (_, second) = observable_figures(zeros_section)
    assert dict(mpl.rcParams) == before
    for figure in (first, second):
        figure.canvas.draw()
    labels = [ax.get_ylabel() for ax in first.axes]
    assert labels[0] == "logit, haldane - large_d"
    assert labels[1:] == [
        "mean probability of a class",
        "string order $-O^z$ of the shots of a class",
    ]
    assert first.axes[0].get_xlabel() == "$D$"
    assert "$R^2$" in second.axes[0].get_xlabel()


def test_a_plane_has_maps():
    section = section_of(subject_of(zeros_reader, plane=True))
    assert section.labels["couplings"] == ("D", "Delta")
    figures = observable_figures(section)
    assert len(figures) == 3
    assert figures[0][1].axes[0].get_xlabel() == "$D$"
    assert "in the order of" in figures[1][1].axes[0].get_xlabel()
