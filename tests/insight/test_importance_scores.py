import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.insight.importance_modes import (
    modes_of,
    orthonormal_network,
    random_gauge,
    weight_energy,
)
from phasenet.insight.importance_scores import (
    RECOMMENDED,
    SCORES,
    added_losses,
    mode_scores,
    step_scores,
)
from phasenet.networks.architectures.registry import build
from phasenet.networks.architectures.tensorized import with_forms
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import forms_for
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear

LAYERS = {
    "tucker": lambda: TuckerLinear((4, 3), (2, 3), (3, 2, 2, 2)),
    "mpo": lambda: MPOLinear((4, 3), (2, 3), 3),
    "mpo, fewer outputs": lambda: MPOLinear((2, 3, 2), (6,), 2),
    "cp": lambda: CPLinear((4, 3), (6,), 3),
}
CLASSES = 3


@pytest.fixture(params=LAYERS)
def network(request):
    torch.manual_seed(1)
    return nn.Sequential(LAYERS[request.param](), nn.Tanh(), nn.Linear(6, CLASSES)).double().eval()


@pytest.fixture
def data():
    torch.manual_seed(2)
    x = torch.randn(40, 12, dtype=torch.float64)
    return x * torch.linspace(0.2, 3, 12, dtype=torch.float64), torch.randint(CLASSES, (40,))


def dense(layer, mode):
    """Weight with the axis of a mode first, (indices, in the rest, out the rest)."""
    weight = layer.dense_weight().detach()
    tensor = weight.reshape(*layer.out_modes, *layer.in_modes)
    axis = mode.number + (len(layer.out_modes) if mode.side == "in" else 0)
    return tensor.movedim(axis, 0).flatten(1)


def test_weight_energy_is_the_norm_of_the_restricted_dense_weight(network):
    for mode in modes_of(network):
        found = weight_energy(network[0], mode)
        torch.testing.assert_close(found, dense(network[0], mode).norm(dim=1))


@pytest.mark.parametrize("groups", [1, 2])
def test_weight_energy_of_a_convolution_counts_the_channels_of_all_groups(groups):
    layer = TensorizedConvolution(4, 6, (3,), "tucker", (2, 2), groups=groups).double()
    kernel = torch.zeros(6, 4, 3, dtype=torch.float64)
    for g, part in enumerate(layer.dense_weight().detach().chunk(groups)):
        kernel[g * 6 // groups : (g + 1) * 6 // groups, g * 4 // groups : (g + 1) * 4 // groups] = (
            part
        )
    inputs, outputs = modes_of(nn.Sequential(layer))
    torch.testing.assert_close(weight_energy(layer, inputs), kernel.norm(dim=(0, 2)))
    torch.testing.assert_close(weight_energy(layer, outputs), kernel.norm(dim=(1, 2)))


def test_gradient_times_weight_is_that_of_the_dense_weight(network, data):
    x, y = data
    found = mode_scores(network, x, y, classes=CLASSES)
    plain = nn.Linear(12, 6).double()
    with torch.no_grad():
        plain.weight.copy_(network[0].dense_weight())
        plain.bias.copy_(network[0].bias)
    nn.functional.cross_entropy(network[2](torch.tanh(plain(x))), y).backward()
    product = (plain.weight.grad * plain.weight).detach()
    axes = (*network[0].out_modes, *network[0].in_modes)
    for scores in found:
        mode = scores.mode
        axis = mode.number + (len(network[0].out_modes) if mode.side == "in" else 0)
        wanted = product.reshape(axes).movedim(axis, 0).flatten(1).sum(dim=1).abs()
        np.testing.assert_allclose(scores.values["gradient x weight"], wanted, atol=1e-14)


def test_gradients_of_the_classes_make_those_of_all_shots(network, data):
    x, y = data
    shares = np.bincount(y, minlength=CLASSES) / len(y)
    nn.functional.cross_entropy(network(x), y).backward()
    steps = step_scores(network)
    for scores, (mode, norms, products) in zip(
        mode_scores(network, x, y, classes=CLASSES), steps, strict=True
    ):
        assert scores.mode == mode
        np.testing.assert_allclose(scores.values["gradient norm"], norms, rtol=1e-10)
        summed = shares @ scores.of_class["gradient x weight"]
        np.testing.assert_allclose(summed, products, atol=1e-14)
        losses = shares @ scores.of_class[RECOMMENDED]
        np.testing.assert_allclose(losses, scores.values[RECOMMENDED], atol=1e-14)


def test_gradient_norms_of_a_class_are_those_of_its_shots_alone(network, data):
    x, y = data
    nn.functional.cross_entropy(network(x[y == 1]), y[y == 1]).backward()
    for scores, (_, norms, _) in zip(
        mode_scores(network, x, y, classes=CLASSES), step_scores(network), strict=True
    ):
        np.testing.assert_allclose(scores.of_class["gradient norm"][1], norms, rtol=1e-10)


def test_moved_output_is_the_spread_of_what_the_dense_weight_makes_of_an_index(network, data):
    x, y = data
    layer = network[0]
    weight = layer.dense_weight().detach().numpy()
    parts = (weight[None] * x.numpy()[:, None]).reshape(40, 6, *layer.in_modes)
    for scores in mode_scores(network, x, y, classes=CLASSES):
        mode = scores.mode
        if mode.side == "in":
            others = tuple(2 + k for k in range(len(layer.in_modes)) if k != mode.number)
            wanted = np.sqrt(parts.sum(axis=others).var(axis=0).sum(axis=0))
        else:
            outputs = (x.numpy() @ weight.T).var(axis=0).reshape(layer.out_modes)
            wanted = np.sqrt(np.moveaxis(outputs, mode.number, 0).reshape(mode.size, -1).sum(1))
        np.testing.assert_allclose(scores.values["moved output"], wanted, rtol=1e-10)


def test_added_loss_is_that_of_inputs_shuffled_by_hand(network, data):
    x, y = data
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    before = nn.functional.cross_entropy(network(x), y, reduction="none")
    for scores in mode_scores(network, x, y, classes=CLASSES, seed=5):
        if scores.mode.side == "out":
            continue
        for index in range(scores.mode.size):
            chosen = np.arange(12).reshape(scores.mode.sizes).take(index, axis=scores.mode.number)
            shuffled = x.clone()
            shuffled[:, chosen.ravel()] = x[order][:, chosen.ravel()]
            after = nn.functional.cross_entropy(network(shuffled), y, reduction="none")
            added = (after - before).detach().numpy()
            assert scores.values[RECOMMENDED][index] == pytest.approx(added.mean(), abs=1e-14)
            assert scores.error[index] == pytest.approx(added.std(ddof=1) / np.sqrt(40))


@pytest.mark.parametrize("orthogonal", [True, False])
def test_scores_keep_to_the_gauges_that_they_are_said_to(network, data, orthogonal):
    x, y = data
    other = random_gauge(network, 3, orthogonal=orthogonal)
    torch.testing.assert_close(other(x), network(x))
    before, after = (mode_scores(one, x, y, classes=CLASSES) for one in (network, other))
    for score in SCORES:
        same = score.gauges == "all" or orthogonal
        changes = [
            np.abs(b.values[score.name] / a.values[score.name] - 1).max()
            for a, b in zip(before, after, strict=True)
        ]
        assert (max(changes) < 1e-8) if same else (max(changes) > 1e-2), score.name


def test_in_the_orthonormal_gauge_every_score_of_a_tucker_layer_is_a_function_of_its_weight(data):
    torch.manual_seed(1)
    network = nn.Sequential(LAYERS["tucker"](), nn.Tanh(), nn.Linear(6, CLASSES)).double()
    found = []
    for one in (network, random_gauge(network, 3, orthogonal=False)):
        found.append(mode_scores(orthonormal_network(one), *data, classes=CLASSES))
    for one, other in zip(*found, strict=True):
        for name, values in one.values.items():
            np.testing.assert_allclose(other.values[name], values, rtol=1e-8, err_msg=name)


def test_other_units_of_the_inputs_change_energies_and_gradients_but_not_what_is_computed(data):
    torch.manual_seed(1)
    network = nn.Sequential(LAYERS["tucker"](), nn.Tanh(), nn.Linear(6, CLASSES)).double().eval()
    x, y = data
    units = torch.tensor([1.0, 10.0, 0.1, 1.0]).double()
    other = orthonormal_network(network)
    with torch.no_grad():
        other[0].in_factors[0].mul_(units[:, None])
    scaled = (x.reshape(40, 4, 3) / units[:, None]).flatten(1)
    one = mode_scores(network, x, y, classes=CLASSES)[0].values
    two = mode_scores(other, scaled, y, classes=CLASSES)[0].values
    for name in (RECOMMENDED, "moved output", "gradient x weight"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-8)
    np.testing.assert_allclose(two["weight energy"], one["weight energy"] * units.numpy())


ALONG = {
    "gru": {"width": 8, "depth": 1},
    "transformer": {"width": 8, "depth": 1, "heads": 2, "length": 6},
    "convolutional": {"channels": [6, 6], "kernel": 2},
}


def along(kind, form="tucker"):
    """Network of a chain of 6 sites with tensorized layers, and local states of 9 shots."""
    torch.manual_seed(0)
    network = build({"kind": kind, "site_dim": 3, "classes": 2, **ALONG[kind]})
    forms = forms_for(network, form, ranks=1)
    network = with_forms(network, {name: one.as_dict() for name, one in forms.items()})
    return network.double().eval(), torch.randint(3, (9, 6)), torch.arange(9) % 2


@pytest.mark.parametrize("kind", ALONG)
def test_layers_along_the_chain_are_shuffled_over_shots_not_over_sites(kind):
    network, x, y = along(kind)
    found = mode_scores(network, x, y, classes=2)
    assert max(np.abs(one.values[RECOMMENDED]).max() for one in found) > 1e-6
    for one in mode_scores(network, x[:1].expand(9, -1), y, classes=2):
        np.testing.assert_allclose(one.values[RECOMMENDED], 0, atol=1e-12)


def test_as_many_shots_as_sites_cannot_be_told_apart():
    network, x, y = along("gru")
    with pytest.raises(ShapeError, match="wanted one axis of that length"):
        added_losses(network, modes_of(network), x[:6], y[:6], seed=0)


@pytest.mark.parametrize("form", ["tucker", "mpo", "cp"])
def test_convolutions_have_all_scores_but_the_norms_of_factors(form):
    network, x, y = along("convolutional", form)
    for one in mode_scores(orthonormal_network(network), x, y, classes=2):
        if one.mode.layer == "readout":
            continue
        known = {name for name, values in one.values.items() if np.isfinite(values).all()}
        assert known == {score.name for score in SCORES if score.gauges == "all"}


def test_a_convolution_of_low_rank_has_the_modes_of_its_channels():
    layer = LowRankConvolution.like(nn.Conv1d(4, 6, 3), 2).double()
    inputs, outputs = modes_of(nn.Sequential(layer))
    assert (inputs.size, outputs.size) == (4, 6)
    kernel = layer.dense_weight().detach()
    torch.testing.assert_close(weight_energy(layer, inputs), kernel.norm(dim=(0, 2)))
    torch.testing.assert_close(weight_energy(layer, outputs), kernel.norm(dim=(1, 2)))


def test_wrong_inputs_and_networks_are_refused():
    network = nn.Sequential(TuckerLinear((4, 3), (2,), 2))
    with pytest.raises(ShapeError, match="wanted one class for each input"):
        mode_scores(network, torch.ones(3, 12), torch.zeros(2, dtype=torch.long), classes=2)
    with pytest.raises(SettingsError, match="no tensorized layer"):
        modes_of(nn.Sequential(nn.Linear(3, 2)))
