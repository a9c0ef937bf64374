"""What attackers see: what a gauge changes, what it does not, and what a function is."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import FileKindError, ShapeError
from phasenet.networks.architectures.registry import build
from phasenet.networks.convolutional import weights_of
from phasenet.privacy.features import (
    canonical_layers,
    canonical_networks,
    canonical_trains,
    correct_bits,
    logit_features,
    probability_features,
    raw_cores,
    raw_parameters,
    schmidt_values,
    slice_values,
    weight_spectra,
)
from phasenet.privacy.network_views import views_of
from phasenet.trained import TrainedNetwork
from phasenet.trains.gauge import general_gauge, orthogonal_gauge
from phasenet.trains.train import TensorTrain

ACTIVATIONS = {"relu": nn.functional.relu, "tanh": torch.tanh, "silu": nn.functional.silu}


@pytest.fixture
def train():
    rng = np.random.default_rng(0)
    cores = [rng.normal(size=shape) for shape in ((1, 3, 3), (3, 3, 4, 2), (4, 3, 1))]
    return TensorTrain(cores=tuple(cores), output_site=1)


def test_the_canonical_form_is_one_for_each_function(train):
    rng = np.random.default_rng(1)
    turned = [orthogonal_gauge(train, rng), general_gauge(train, rng, condition=50.0)]
    rows = canonical_trains([train, *turned])
    np.testing.assert_allclose(rows[1:], np.broadcast_to(rows[0], rows[1:].shape), atol=1e-10)
    assert not np.allclose(*raw_cores([train, turned[0]]))
    np.testing.assert_allclose(*schmidt_values([train, turned[1]]), atol=1e-10)


def test_an_orthogonal_gauge_alone_keeps_the_slices(train):
    rng = np.random.default_rng(2)
    same, other = orthogonal_gauge(train, rng), general_gauge(train, rng, condition=50.0)
    rows = slice_values([train, same, other])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-12)
    assert np.abs(rows[2] - rows[0]).max() > 0.1


def test_trains_of_other_bonds_are_filled_up(train):
    small = TensorTrain(
        cores=(np.ones((1, 3, 1)), np.ones((1, 3, 1, 2)), np.ones((1, 3, 1))), output_site=1
    )
    rows = canonical_trains([train, small])
    assert rows.shape == (2, 9 + 3 * 3 * 3 * 2 + 9 + 1)
    with pytest.raises(ShapeError, match=r"networks have \[2, 3\] arrays"):
        raw_cores([train, TensorTrain(cores=(np.ones((1, 3, 1)),) * 2)])


def layers_of(seed):
    rng = np.random.default_rng(seed)
    sizes = (5, 6, 4, 3)
    return [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(sizes)]


def outputs(layers, x, activation):
    values = torch.as_tensor(x)
    for k, (weights, bias) in enumerate(layers):
        values = nn.functional.linear(values, torch.as_tensor(weights), torch.as_tensor(bias))
        values = ACTIVATIONS[activation](values) if k < len(layers) - 1 else values
    return values.numpy()


def disguised(layers, activation, rng):
    """The same function with other units: in another order, of other scales or signs."""
    found = [(w.copy(), b.copy()) for w, b in layers]
    for k in range(len(found) - 1):
        (w, b), (after, rest) = found[k], found[k + 1]
        order, scale = rng.permutation(len(w)), np.ones(len(w))
        scale = rng.uniform(0.1, 9.0, len(w)) if activation == "relu" else scale
        scale = rng.choice([-1.0, 1.0], len(w)) if activation == "tanh" else scale
        found[k] = ((w * scale[:, None])[order], (b * scale)[order])
        found[k + 1] = ((after / scale)[:, order], rest)
    w, b = found[-1]
    found[-1] = (w + rng.normal(size=w.shape[1]), b + 3.0)
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_canonical_layers_are_the_same_function_without_its_disguise(activation):
    layers, rng = layers_of(0), np.random.default_rng(1)
    x = rng.normal(size=(20, 5))
    form = canonical_layers(layers, activation)
    wanted = outputs(layers, x, activation)
    wanted = wanted - wanted.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs(form, x, activation), wanted, atol=1e-12)
    other = disguised(layers, activation, rng)
    assert not np.allclose(other[0][0], layers[0][0])
    np.testing.assert_allclose(*canonical_networks([layers, other], activation), atol=1e-12)
    assert not np.allclose(*canonical_networks([layers, layers_of(9)], activation))


def test_spectra_forget_the_order_of_the_units():
    layers = layers_of(0)
    other = disguised(layers, "silu", np.random.default_rng(1))
    one, two = ({"w": ls[0][0], "b": ls[0][1]} for ls in (layers, other))
    np.testing.assert_allclose(*weight_spectra([one, two]), atol=1e-12)
    assert not np.allclose(*raw_parameters([one, two]))


def test_networks_of_other_shapes_have_no_common_parameters():
    with pytest.raises(ShapeError, match="different names or shapes"):
        raw_parameters([{"a": np.ones(2)}, {"a": np.ones(3)}])


def test_answers_are_seen_as_no_decision_tells_them_apart():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_allclose(logit_features(logits), logit_features(logits + 7.0))
    np.testing.assert_allclose(probability_features(logits), probability_features(logits + 7.0))
    assert probability_features(logits).reshape(2, 3, 4).sum(axis=2) == pytest.approx(1.0)
    labels = logits[0].argmax(axis=1)
    assert correct_bits(logits, labels)[0].tolist() == [1.0, 1.0, 1.0]


KINDS = {
    "mlp": {"length": 6, "width": 5, "depth": 2},
    "convolutional": {"channels": [3, 4], "kernel": 2},
    "gru": {"width": 4, "depth": 1},
    "train": {"bonds": [2, 3, 3, 3, 2], "output_site": 2},
}


def record_of(kind, classes=2, **changes):
    architecture = {"kind": kind, "site_dim": 3, **KINDS[kind], **changes, "classes": classes}
    weights = weights_of(build(architecture))
    names = ("a", "b", "c")[:classes]
    return TrainedNetwork(
        architecture=architecture, weights=weights, classes=names, history={}, scores=(), outcome=""
    )


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow if k == "train" else ()) for k in KINDS]
)
def test_views_of_classifiers_in_files(kind):
    probes = np.random.default_rng(0).integers(3, size=(7, 6)), np.zeros(7, dtype=int)
    views, left_out = views_of([record_of(kind), record_of(kind)], probes)
    names = [view.name for view in views]
    assert names[0] == "raw parameters"
    assert names[-2:] == ["answers", "right or wrong"]
    assert ("canonical form" in names) == (kind != "gru")
    assert bool(left_out) == (kind == "gru")
    assert all(len(view.features) == 2 for view in views)
    assert views[-2].features.shape == (2, 14)


def test_views_that_there_are_not_are_named():
    records = [record_of("mlp"), record_of("mlp", width=4)]
    views, left_out = views_of(records, None)
    assert [view.name for view in views] == ["weight spectra"]
    assert left_out[0].startswith("Raw parameters were not looked at: networks have weights of")
    assert left_out[-1].startswith("Answers were not looked at")
    with pytest.raises(FileKindError, match="networks have kind 'mlp' and 'gru'"):
        views_of([record_of("mlp"), record_of("gru")], None)
    with pytest.raises(FileKindError, match="networks have classes"):
        views_of([record_of("mlp"), record_of("mlp", classes=3)], None)
