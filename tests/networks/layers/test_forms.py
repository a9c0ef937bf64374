"""Forms of layers, how they are chosen, and networks in which layers are replaced."""

import json
import logging

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.forms import (
    FORMS,
    LayerForm,
    balanced_modes,
    default_modes,
    dense_layers,
    form_for,
    forms_for,
    from_dense,
    replaced,
    untrained,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _numbers(layer):
    return sum(p.numel() for name, p in layer.named_parameters() if name != "bias")


def test_a_form_comes_back_from_plain_values():
    form = LayerForm(form="tucker", in_modes=(4, 3), out_modes=(5,), ranks=(2, 2, 3))
    assert LayerForm.of(json.loads(json.dumps(form.as_dict()))) == form
    with pytest.raises(SettingsError, match="has the form 'ring'; wanted tucker, mpo, cp"):
        LayerForm.of({"form": "ring"})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", [nn.Linear(48, 60), nn.Conv1d(16, 24, 3), nn.Conv2d(16, 24, 3)])
def test_a_ratio_is_reached_by_the_decomposed_layer(layer, form):
    made = from_dense(layer, form_for(layer, form, ratio=4))
    assert layer.weight.numel() / _numbers(made) >= 4
    assert made.dense_weight().shape == layer.weight.shape


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", [nn.Linear(12, 9), nn.Conv1d(6, 4, 3)])
def test_an_error_is_kept_by_the_decomposed_layer(layer, form):
    made = from_dense(layer, form_for(layer, form, tol=0.4))
    error = (made.dense_weight() - layer.weight).norm() / layer.weight.norm()
    assert error <= 0.4


@pytest.mark.parametrize("form", FORMS)
def test_full_ranks_give_the_same_layer(form):
    layer, x = nn.Linear(12, 8), torch.randn(5, 12)
    made = from_dense(layer, form_for(layer, form, ranks=10_000))
    torch.testing.assert_close(made(x), layer(x), rtol=1e-4, atol=1e-5)


def test_samples_lessen_the_error_of_the_outputs():
    scales = torch.logspace(0, -2, 30)
    x = torch.randn(2000, 30) * scales @ torch.linalg.qr(torch.randn(30, 30)).Q
    layer = nn.Linear(30, 20)
    for form in FORMS:
        modes = ((30,), (20,))
        if form == "mpo":
            modes = ((30, 1), (1, 20))
        size = form_for(layer, form, ranks=5, modes=modes)
        errors = [
            (from_dense(layer, size, samples=s)(x) - layer(x)).norm().item() for s in (x, None)
        ]
        assert errors[0] < 0.6 * errors[1]


def test_one_size_is_given():
    layer = nn.Linear(12, 8)
    with pytest.raises(SettingsError, match="a form is given no size; wanted one of ranks"):
        form_for(layer, "cp")
    with pytest.raises(SettingsError, match="a form is given ranks and tol; wanted one"):
        form_for(layer, "cp", ranks=2, tol=0.1)
    with pytest.raises(SettingsError, match=r"the ratio is 0\.5; wanted a number from 1"):
        form_for(layer, "cp", ratio=0.5)
    with pytest.raises(SettingsError, match=r"the tol is 1\.5; wanted a relative error below 1"):
        form_for(layer, "cp", tol=1.5)
    with pytest.raises(SettingsError, match="has the form 'ring'; wanted tucker, mpo, cp"):
        form_for(layer, "ring", ranks=2)
    with pytest.raises(SettingsError, match=r"a ReLU has no tensorized form; wanted nn\.Linear"):
        form_for(nn.ReLU(), "cp", ranks=2)


def test_a_ratio_that_rank_one_does_not_reach_is_said():
    with pytest.raises(SettingsError, match=r"a Linear of 36 numbers cannot be 20 times smaller"):
        form_for(nn.Linear(6, 6), "tucker", ratio=20)


def test_layers_that_would_not_get_smaller_stay(caplog):
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(10, 1), nn.Conv1d(32, 32, 3))
    for form in FORMS:
        with caplog.at_level(logging.INFO):
            found = forms_for(network, form, ratio=5)
        assert list(found) == ["0", "3"]
        assert f"layer 2 stays dense: as {form} it would not get smaller" in caplog.messages
    assert list(forms_for(network, "cp", ranks=3, pattern="[1-9]")) == ["3"]
    assert forms_for(network, "mpo", tol=0.0) == {}


def test_samples_of_a_network_are_by_name():
    network = nn.Sequential(nn.Linear(16, 12))
    x = torch.randn(500, 16) * torch.logspace(0, -3, 16)
    few = forms_for(network, "cp", tol=0.2, samples={"0": x})["0"].ranks
    assert few < forms_for(network, "cp", tol=0.2)["0"].ranks


@pytest.mark.parametrize(
    ("features", "count", "modes"),
    [
        (784, 2, (28, 28)),
        (300, 2, (20, 15)),
        (4096, 3, (16, 16, 16)),
        (13, 2, (13, 1)),
        (1, 2, (1, 1)),
    ],
)
def test_balanced_modes(features, count, modes):
    assert balanced_modes(features, count) == modes


def test_default_modes_have_no_ones():
    assert default_modes(nn.Linear(7, 1), "mpo") == ((7,), (1,))
    assert default_modes(nn.Linear(4096, 4096), "mpo") == ((16, 16, 16), (16, 16, 16))
    assert default_modes(nn.Conv2d(8, 6, 3, groups=2), "cp") == ((4,), (3,))


def test_a_network_keeps_all_but_the_layers_that_are_replaced():
    network = nn.Sequential(nn.Linear(8, 8), nn.ModuleDict({"inner": nn.Linear(8, 8)}))
    form = LayerForm(form="mpo", in_modes=(4, 2), out_modes=(4, 2), ranks=(2,))
    result = replaced(network, {"1.inner": untrained(network[1]["inner"], form)})
    assert isinstance(network[1]["inner"], nn.Linear)
    assert type(result[1]["inner"]).__name__ == "MPOLinear"
    assert torch.equal(result[0].weight, network[0].weight)
    assert result[0].weight is not network[0].weight


def test_a_layer_at_two_places_is_replaced_at_both():
    shared = nn.Linear(8, 8)
    network = nn.Sequential(shared, nn.ReLU(), shared)
    form = form_for(shared, "cp", ranks=2)
    result = replaced(network, {"0": from_dense(shared, form)})
    assert result[0] is result[2]
    assert list(dense_layers(result)) == []


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match="the network has no layer 'head'; wanted one of"):
        replaced(nn.Sequential(nn.Linear(2, 2)), {"head": nn.Linear(2, 2)})


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_transformers_of_torch_give_the_same_with_full_ranks():
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), num_layers=2
    ).eval()
    layers = dense_layers(encoder)
    assert [name.rpartition(".")[2] for name in layers] == ["linear1", "linear2"] * 2
    forms = {name: form_for(layer, "mpo", ranks=1000) for name, layer in layers.items()}
    made = {name: from_dense(layers[name], form) for name, form in forms.items()}
    result = replaced(encoder, made).eval()
    x = torch.randn(3, 5, 16)
    mask = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])
    with torch.no_grad():
        torch.testing.assert_close(result(x), encoder(x), rtol=1e-4, atol=1e-5)
        kept = ~mask[..., None]
        masked = [n(x, src_key_padding_mask=mask) * kept for n in (result, encoder)]
    torch.testing.assert_close(*masked, rtol=1e-4, atol=1e-5)
