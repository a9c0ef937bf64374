"""Networks as batch functions: the same values whole and in two parts, on the device asked for."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks import evaluation
from phasenet.networks.architectures.tensor_train import TrainClassifier
from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.networks.functions import logits_function, probabilities_function, torch_device
from phasenet.networks.layers.forms import dense_layers, form_for, replaced, untrained
from phasenet.networks.linear_first import OneHotLinear
from phasenet.tensorizer import tensorize
from phasenet.tensorizer.function import SplitFunction

ROUNDING = {torch.float64: 1e-13, torch.float32: 5e-6}


def convolutional(channels=(4, 5), kernel=3, classes=2, site_dim=3, dtype=torch.float64):
    torch.manual_seed(len(channels) + 10 * kernel)
    network = ConvolutionalClassifier(
        site_dim=site_dim, channels=channels, kernel=kernel, classes=classes
    )
    return network.to(dtype)


def dense(length, dtype=torch.float64, site_dim=3):
    torch.manual_seed(length)
    first = OneHotLinear(length=length, site_dim=site_dim, width=7)
    return nn.Sequential(first, nn.Tanh(), nn.Linear(7, 6), nn.GELU(), nn.Linear(6, 2)).to(dtype)


def drawn(shots, length, seed=0):
    return np.random.default_rng(seed).integers(3, size=(shots, length))


def directly(network, states):
    with torch.no_grad():
        return network(torch.from_numpy(states)).numpy()


def check_every_cut(function, states, atol):
    whole, length = function(states), states.shape[1]
    assert isinstance(function, SplitFunction)
    lefts, rights = [function.prefixes(states[:, :0])], [function.suffixes(states[:, :0])]
    for site in range(length):
        back = length - 1 - site
        lefts.append(function.extend_prefixes(lefts[-1], site, states[:, site]))
        rights.append(function.extend_suffixes(rights[-1], back, states[:, back]))
    for cut, (left, right) in enumerate(zip(lefts, reversed(rights), strict=True)):
        assert len(left) == len(right) == len(states)
        for values in (
            function.pairs(left, right),
            function.pairs(function.prefixes(states[:, :cut]), function.suffixes(states[:, cut:])),
        ):
            assert (values.shape, values.dtype) == (whole.shape, whole.dtype)
            np.testing.assert_allclose(values, whole, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", ROUNDING)
@settings(max_examples=12, deadline=None)
@given(
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kernel=st.integers(1, 4),
    more=st.integers(0, 5),
    classes=st.integers(1, 3),
)
def test_a_convolutional_classifier_is_the_same_in_two_parts(
    dtype, channels, kernel, more, classes
):
    network = convolutional(tuple(channels), kernel, classes, dtype=dtype)
    states = drawn(5, 1 + len(channels) * (kernel - 1) + more)
    check_every_cut(logits_function(network), states, ROUNDING[dtype])


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_dense_network_is_the_same_in_two_parts(dtype, length):
    states = drawn(5, length)
    check_every_cut(logits_function(dense(length, dtype)), states, ROUNDING[dtype])
    check_every_cut(probabilities_function(dense(length, dtype)), states, ROUNDING[dtype])


@pytest.mark.parametrize("form", ["tucker", "mpo", "cp"])
def test_tensorized_networks_are_the_same_in_two_parts(form):
    for network in (convolutional((6, 7)), dense(6)):
        layers = {
            name: untrained(layer, form_for(layer, form, ranks=2))
            for name, layer in dense_layers(network).items()
        }
        small = replaced(network, layers).double()
        check_every_cut(logits_function(small), drawn(5, 6), 1e-13)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("site", [0, 2, 5])
def test_a_train_is_the_same_in_two_parts(dtype, site):
    torch.manual_seed(site)
    network = TrainClassifier(site_dim=3, bonds=(3, 4, 4, 4, 3), output_site=site, classes=2)
    for function in (logits_function, probabilities_function):
        check_every_cut(function(network.to(dtype)), drawn(5, 6), 4 * ROUNDING[dtype])


def test_probabilities_are_the_softmax_of_the_logits():
    states, network = drawn(9, 8), convolutional(classes=3)
    exponentials = np.exp(logits_function(network)(states))
    probabilities = probabilities_function(network)
    wanted = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(states), wanted, rtol=1e-12)
    check_every_cut(probabilities, states, 1e-13)


@pytest.mark.parametrize("dtype", ROUNDING)
def test_the_whole_is_the_module(dtype):
    states = drawn(30, 9)
    for network in (convolutional(dtype=dtype), dense(9, dtype)):
        function = logits_function(network)
        frozen = states.astype(np.uint8)
        frozen.flags.writeable = False
        for inputs in (states, frozen, np.asfortranarray(states)):
            values = function(inputs)
            assert torch.from_numpy(values).dtype == dtype
            np.testing.assert_array_equal(values, directly(network, states))


def test_a_first_layer_over_one_hot_states():
    layer, states = dense(4)[0], drawn(6, 4)
    ones = np.eye(3)[states].reshape(6, 12)
    wanted = ones @ layer.linear.weight.detach().numpy().T + layer.linear.bias.detach().numpy()
    np.testing.assert_allclose(directly(layer, states), wanted, atol=1e-14)


class Parity(nn.Module):
    """A network of no known kind, with another answer in training."""

    def forward(self, spins):
        signs = (1.0 - 2.0 * (spins % 2)).prod(dim=1, keepdim=True)
        return signs * 0.0 if self.training else torch.cat((signs, -signs), dim=1)


class Doubled(ConvolutionalClassifier):
    def forward(self, spins):
        return 2.0 * super().forward(spins)


def test_networks_of_other_kinds_are_plain_functions():
    states = drawn(6, 5)
    function = logits_function(Parity())
    assert not isinstance(function, SplitFunction)
    np.testing.assert_array_equal(function(states)[:, 0], (-1.0) ** (states == 1).sum(axis=1))
    doubled = Doubled(site_dim=3, channels=(2,), kernel=2, classes=2).double()
    linear = ConvolutionalClassifier(site_dim=3, channels=(), kernel=2, classes=2).double()
    for network in (doubled, linear):
        assert not isinstance(logits_function(network), SplitFunction)
        np.testing.assert_array_equal(logits_function(network)(states), directly(network, states))


def test_the_network_is_copied_and_left_as_it_was():
    network, states = nn.Sequential(dense(5), nn.Dropout(0.5)), drawn(6, 5)
    function = logits_function(network)
    before = function(states)
    with torch.no_grad():
        network[0][0].linear.bias += 1.0
    np.testing.assert_array_equal(function(states), before)
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())


def test_no_rows_and_no_side():
    for function in (logits_function(convolutional()), logits_function(dense(8))):
        nothing = drawn(0, 8)
        assert function(nothing).shape == (0, 2)
        left, right = function.prefixes(nothing[:, :3]), function.suffixes(nothing[:, 3:])
        assert function.pairs(left, right).shape == (0, 2)


def test_rows_of_features_can_be_chosen_and_joined():
    states = drawn(12, 9)
    for function in (logits_function(convolutional()), logits_function(dense(9))):
        left, right = function.prefixes(states[:, :4]), function.suffixes(states[:, 4:])
        i, j = np.repeat(np.arange(12), 12), np.tile(np.arange(12), 12)
        again = np.concatenate((left[:5], left[5:]))
        values = function.pairs(again[i], right[j])
        whole = np.concatenate((states[i, :4], states[j, 4:]), axis=1)
        np.testing.assert_allclose(values, function(whole), atol=1e-13)


def test_features_stay_as_small_as_the_window():
    function = logits_function(convolutional())
    assert function.prefixes(drawn(3, 10)).shape == function.suffixes(drawn(3, 90)).shape


class Recorder(nn.Module):
    """Memory for a few rows only; remembers the sizes of the batches that it was given."""

    def __init__(self, most):
        super().__init__()
        self.most = most
        self.sizes = []

    def __deepcopy__(self, memo):
        return self

    def forward(self, values):
        self.sizes.append(len(values))
        if len(values) > self.most:
            raise torch.cuda.OutOfMemoryError("no memory")
        return values[:, :1].double()


def test_batches_follow_the_largest_layer(monkeypatch):
    monkeypatch.setattr(evaluation, "_CPU_BATCH_BYTES", 10 * 300 * 8)
    recorder, states = Recorder(10**6), drawn(25, 6)
    network = nn.Sequential(recorder, nn.Linear(1, 300).double(), nn.Linear(300, 2).double())
    values = logits_function(network)(states)
    assert recorder.sizes == [1, 10, 10, 5]
    np.testing.assert_allclose(values, directly(network, states), atol=1e-14)
    wide = logits_function(convolutional())
    whole = wide(states)
    monkeypatch.setattr(evaluation, "_CPU_BATCH_BYTES", 1000)
    np.testing.assert_allclose(wide(states), whole, atol=1e-14)
    pairs = wide.pairs(wide.prefixes(states[:, :2]), wide.suffixes(states[:, 2:]))
    np.testing.assert_allclose(pairs, whole, atol=1e-13)


def test_a_full_memory_halves_the_batches():
    recorder, states = Recorder(6), drawn(20, 4)
    function = logits_function(recorder)
    np.testing.assert_array_equal(function(states)[:, 0], states[:, 0])
    assert recorder.sizes == [1, 20, 10, 5, 5, 5, 5]
    recorder.sizes.clear()
    function(states)
    assert recorder.sizes == [5, 5, 5, 5]


def test_a_memory_too_small_for_one_configuration():
    function = logits_function(Recorder(1))
    function(drawn(1, 4))
    function._network.most = 0
    with pytest.raises(SettingsError, match="does not hold the network at a single configuration"):
        function(drawn(3, 4))


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "gpu", "cpu:7", ""])
def test_a_device_that_is_not_there(name):
    with pytest.raises(SettingsError, match=rf"no device '{name}'; this machine has cpu$"):
        _without_cuda(name)


def _without_cuda(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        logits_function(convolutional(), name)


def test_devices_of_a_machine_with_two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "as the user wants it")
    assert [torch_device(name) for name in ("cpu", "cuda", "cuda:1")] == [
        torch.device("cpu"),
        torch.device("cuda"),
        torch.device("cuda", 1),
    ]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == "as the user wants it"
    with pytest.raises(SettingsError, match=r"'cuda:2'; this machine has cpu, cuda:0, cuda:1$"):
        torch_device("cuda:2")


def test_everything_lies_on_the_device(monkeypatch):
    # Tensors on "meta" have shapes only, and any operation with one that lies elsewhere fails.
    monkeypatch.setattr("phasenet.networks.functions.torch_device", torch.device)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda t: torch.full(t.shape, 9.0, dtype=t.dtype))
    states = drawn(4, 9)
    for network in (convolutional(), dense(9)):
        for function in (logits_function(network, "meta"), probabilities_function(network, "meta")):
            left, right = function.prefixes(states[:, :4]), function.suffixes(states[:, 4:])
            assert function.pairs(left, right).shape == function(states).shape == (4, 2)


def test_weights_of_another_precision():
    with pytest.raises(SettingsError, match=r"torch\.bfloat16 weights; wanted float32 or float64"):
        logits_function(convolutional(dtype=torch.bfloat16))


def test_configurations_that_do_not_fit():
    function = logits_function(convolutional())
    with pytest.raises(ShapeError, match="have 4 sites; wanted at least 5, which the network sees"):
        function(drawn(2, 4))
    with pytest.raises(ShapeError, match="have 4 sites; wanted at least 5"):
        function.pairs(function.prefixes(drawn(2, 1)), function.suffixes(drawn(2, 3)))
    with pytest.raises(ShapeError, match="name local states outside"):
        function(drawn(2, 6) + 1)
    with pytest.raises(ShapeError, match=r"float64 of shape \(2, 6\); wanted integers of shape"):
        function(drawn(2, 6) / 1.0)
    with pytest.raises(ShapeError, match=r"shape \(2, 6\); wanted \(shots, 5\)"):
        logits_function(dense(5))(drawn(2, 6))


def test_the_tensorizer_asks_for_pairs():
    function = logits_function(convolutional((3,), 2))
    samples = drawn(300, 10)
    found, plain = (
        tensorize(asked, samples=samples, site_dims=[3] * 10, tol=1e-8)
        for asked in (function, lambda states: function(states))
    )
    assert max(found.train.bond_dims) == max(plain.train.bond_dims)
    assert found.evaluations == pytest.approx(plain.evaluations, rel=0.1)
    np.testing.assert_allclose(found.train(samples), function(samples), atol=1e-7)
