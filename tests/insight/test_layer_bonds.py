import numpy as np
import pytest
import torch
from torch import nn

from phasenet.insight.bonds import bonds_section
from phasenet.insight.layer_bonds import ablated_layers, layer_spectra, stack_view, without
from phasenet.insight.separation import linear_scores
from phasenet.networks.architectures.gru import GRUClassifier
from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.networks.functions import logits_function
from phasenet.networks.layers.activations import bond_activations
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import form_for, from_dense, replaced
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.networks.linear_first import OneHotLinear
from phasenet.plots.findings.bonds import bonds_figures
from phasenet.statistics import area_under_curve
from tests.insight.bond_toys import ALTERNATING, machine_train, no_progress, subject_of

LAYERS = {
    "mpo": MPOLinear((4, 3), (2, 5), 3, bias=False),
    "tucker": TuckerLinear((4, 3), (5,), (2, 2, 3), bias=False),
    "cp": CPLinear((4, 3), (5,), 3, bias=False),
    "convolution tucker": TensorizedConvolution(4, 5, (3,), "tucker", 3, bias=False),
    "convolution mpo": TensorizedConvolution(4, 5, (3,), "mpo", 3, bias=False),
    "convolution cp": TensorizedConvolution(4, 5, (3,), "cp", 3, bias=False),
    "low rank": LowRankConvolution.like(nn.Conv1d(4, 5, 3, bias=False), 3),
}
# Bonds with orthonormal states on both sides, where what is cut off is the Schmidt value.
ORTHOGONAL = [name for name in LAYERS if not name.endswith("cp")]


@pytest.mark.parametrize("name", ORTHOGONAL)
@torch.no_grad()
def test_what_an_ablation_takes_away_is_the_schmidt_value(name):
    layer = LAYERS[name].double()
    whole = layer.dense_weight().detach()
    for _, bond, index, changed in ablated_layers(nn.Sequential(layer), 3):
        lost = (whole - changed[0].dense_weight()).norm() / whole.norm()
        assert float(lost) == pytest.approx(layer.spectra()[bond].values[index], rel=1e-6)


def test_a_term_less_of_a_cp_form():
    layer = LAYERS["cp"].double().orthonormal()
    ins, outs = [f.detach() for f in layer.in_factors], layer.out_factors[0].detach()
    term = torch.einsum("i,j,o->oij", ins[0][:, 1], ins[1][:, 1], outs[:, 1]).reshape(5, 12)
    found = without(layer, "rank", 1).dense_weight()
    assert torch.allclose(found, layer.dense_weight() - term, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_without_all_indices_of_any_bond_nothing_is_left(name):
    layer = LAYERS[name]
    for bond, spectrum in layer.spectra().items():
        empty = layer
        for index in range(len(spectrum.values)):
            empty = without(empty, bond, index)
        assert float(empty.dense_weight().detach().abs().max()) == 0.0
    assert float(layer.dense_weight().detach().abs().max()) > 0.0


def tensorized(network, form):
    layers = {
        name: from_dense(layer, form_for(layer, form, ranks=2))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv1d) and layer.weight[0].numel() > 4
    }
    return replaced(network, layers).eval()


def toy_mlp():
    torch.manual_seed(0)
    dense = nn.Sequential(
        OneHotLinear(length=8, site_dim=3, width=6), nn.SiLU(), nn.Linear(6, 6), nn.Linear(6, 2)
    )
    return tensorized(dense, "mpo")


def shots(count=90, length=8):
    spins = np.random.default_rng(0).integers(3, size=(count, length))
    return spins, (spins[:, 0] == 0).astype(int)


def test_stages_of_a_perceptron_are_readouts_of_its_bond_activations():
    network, (spins, second) = toy_mlp(), shots()
    stages = {stage.name: stage for stage in stack_view(network, spins, second, 3)}
    with torch.no_grad():
        found = bond_activations(network, torch.from_numpy(spins))
    for layer, bonds in found.items():
        for bond, values in bonds.items():
            flat = values.flatten(1).double().numpy()
            stage = stages[f"{layer}: {bond}"]
            assert stage.numbers == flat.shape[1]
            assert stage.area == pytest.approx(
                area_under_curve(linear_scores(flat, second, 3), second == 0)
            )
    # The class is the state of the first site.
    assert stages["input, one-hot"].area > 0.99
    assert list(stages)[-1] == "logits"


@pytest.mark.parametrize("count", [90, 8])
def test_steps_of_a_recurrent_layer_are_averaged_over_the_chain(count):
    torch.manual_seed(0)
    network = tensorized(GRUClassifier(site_dim=3, width=6, depth=2, classes=2), "tucker")
    spins, second = shots(count)
    second[:4] = [0, 0, 1, 1]
    stages = {stage.name: stage for stage in stack_view(network, spins, second, 0)}
    with torch.no_grad():
        found = bond_activations(network, torch.from_numpy(spins))
    for name in ("recurrent.1.inputs", "recurrent.1.state"):
        for bond, values in found[name].items():
            # The sites come first, then the shots; or all shots of one site after another.
            per_site = values.reshape(8, count, -1)
            flat = per_site.mean(0).double().numpy()
            wanted = area_under_curve(linear_scores(flat, second, 0), second == 0)
            assert stages[f"{name}: {bond}"].area == pytest.approx(wanted)


def test_places_of_a_convolution_are_averaged():
    torch.manual_seed(0)
    network = ConvolutionalClassifier(site_dim=3, channels=(6, 6), kernel=3, classes=2)
    network, (spins, second) = tensorized(network, "tucker"), shots()
    stages = {stage.name: stage.numbers for stage in stack_view(network, spins, second, 0)}
    assert stages["convolutions.1: in 0"] == 2


def test_ablated_networks_are_others_and_the_network_stays():
    network, (spins, _) = toy_mlp(), shots()
    before = logits_function(network)(spins)
    spectra = layer_spectra(network)
    found = list(ablated_layers(network, 1))
    assert [(layer, bond) for layer, bond, _, _ in found] == list(spectra)
    for _, _, _, changed in found:
        assert not np.allclose(logits_function(changed)(spins), before)
    assert np.array_equal(logits_function(network)(spins), before)


def test_section_and_figures_of_a_tensorized_network():
    spins, second = shots(240)
    subject = subject_of(toy_mlp(), machine_train(ALTERNATING, 8), spins, second)
    section = bonds_section(subject, no_progress)
    bonds = section.labels["layer_bonds"]
    assert bonds == ("0.linear: bond 0", "2: bond 0", "3: bond 0")
    assert section.arrays["layer_ablated_accuracy"].shape == (3, 2)
    assert "the 3 bonds of the tensorized layers hold" in section.verdict
    figures = bonds_figures(section)
    assert len(figures) == 5
    named = [tick.get_text() for tick in figures[3][1].axes[1].get_yticklabels()]
    assert named == list(section.labels["stages"])
    for _, figure in figures:
        figure.savefig("/dev/null", format="png", dpi=40)
