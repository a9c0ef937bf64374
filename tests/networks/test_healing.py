"""Networks with decomposed layers, taught by the dense one."""

import copy

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.healing import distill, fine_tune, heal, inputs_of
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import form_for, from_dense, replaced


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def dense():
    return nn.Sequential(nn.Linear(24, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 3))


@pytest.fixture
def x():
    return torch.randn(400, 24) * torch.logspace(0, -1.5, 24)


def _decomposed(dense, rank=4):
    form = form_for(dense[0], "cp", ranks=rank, modes=((24,), (20,)))
    return replaced(dense, {"0": from_dense(dense[0], form)})


def _error(network, dense, x):
    with torch.no_grad():
        return float((network[0](x) - dense[0](x)).norm() / dense[0](x).norm())


def test_inputs_are_those_that_the_layers_see(dense, x):
    seen = inputs_of(dense, [x[:100], x[100:]])
    assert torch.equal(seen["0"], x)
    torch.testing.assert_close(seen["3"], torch.relu(dense[0](x)).detach())
    assert dense.training


def test_inputs_of_convolutions_keep_their_axes_and_calls_are_joined():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.cell = nn.Conv1d(2, 3, 3), nn.Linear(3, 3)

        def forward(self, x):
            mixed = self.mix(x).movedim(1, -1)
            return self.cell(self.cell(mixed))

    seen = inputs_of(Twice(), [torch.randn(5, 2, 8)])
    assert seen["mix"].shape == (5, 2, 8)
    assert seen["cell"].shape == (2 * 5 * 6, 3)


@pytest.mark.slow
def test_healing_comes_near_the_best_layer_for_the_inputs(dense, x):
    healed = heal(_decomposed(dense), dense, x.split(100), steps=400, learning_rate=3e-2)
    # Reduced-rank regression: the best of all weights of this rank on these inputs.
    exact = x @ dense[0].weight.detach().T
    s = torch.linalg.svdvals(exact)
    best = float(s[4:].norm() / (exact + dense[0].bias.detach()).norm())
    assert best <= _error(healed, dense, x) + 0.02
    assert _error(healed, dense, x) < 1.1 * best + 0.02 < _error(_decomposed(dense), dense, x)


def test_a_nonlinearity_in_place_does_not_change_what_is_taught(dense, x):
    network, in_place = _decomposed(dense), copy.deepcopy(dense)
    in_place[1] = nn.ReLU(inplace=True)
    healed, again = (heal(network, teacher, [x], steps=5) for teacher in (dense, in_place))
    for name, value in healed.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_without_batches_there_is_nothing_to_learn_from(dense):
    with pytest.raises(SettingsError, match="there are no batches of inputs to heal on"):
        heal(_decomposed(dense), dense, [])


def test_healing_changes_neither_network_and_only_new_layers(dense, x):
    network, kept = _decomposed(dense), copy.deepcopy(dense.state_dict())
    before = copy.deepcopy(network.state_dict())
    said = []
    healed = heal(network, dense, [x], steps=3, progress=lambda step, line: said.append(line))
    for state, module in ((kept, dense), (before, network)):
        assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    assert torch.equal(healed[3].weight, network[3].weight)
    assert not torch.equal(healed[0].in_factors[0], network[0].in_factors[0])
    assert len(said) == 3
    assert said[0].startswith("relative error of the outputs of a layer 0.")


def test_a_layer_that_healing_does_not_improve_stays(dense, x):
    exact = _decomposed(dense, rank=20)
    healed = heal(exact, dense, [x], steps=20, learning_rate=1.0)
    for name, value in exact[0].state_dict().items():
        assert torch.equal(healed[0].state_dict()[name], value)


def test_a_network_without_new_layers_is_said(dense, x):
    with pytest.raises(SettingsError, match="no layer of the network was replaced"):
        heal(copy.deepcopy(dense), dense, [x])


@pytest.fixture
def labelled(x):
    return (x[:, :3] + 0.1 * torch.randn(400, 3)).argmax(1)


def _loss(network, x, y):
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network.eval()(x), y))


def test_fine_tuning_lowers_the_loss_and_repeats(dense, x, labelled):
    tuned, again = (
        fine_tune(dense.eval(), x, labelled, epochs=5, learning_rate=1e-2) for _ in range(2)
    )
    assert _loss(tuned, x, labelled) < 0.8 * _loss(dense, x, labelled)
    for name, value in tuned.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert not tuned.training


def test_distillation_approaches_the_teacher(dense, x, labelled):
    teacher = fine_tune(dense, x, labelled, epochs=20, learning_rate=1e-2).eval()
    network = nn.Sequential(
        CPLinear((24,), (20,), (3,)), nn.ReLU(), nn.Dropout(0.0), nn.Linear(20, 3)
    )
    said = []
    taught = distill(
        network,
        teacher,
        x,
        labelled,
        epochs=30,
        share=1.0,
        learning_rate=1e-2,
        progress=lambda epoch, line: said.append((epoch, line)),
    )
    with torch.no_grad():
        gaps = [
            float((torch.softmax(n(x), 1) - torch.softmax(teacher(x), 1)).abs().mean())
            for n in (taught.eval(), network.eval())
        ]
    assert gaps[0] < 0.25 * gaps[1]
    assert [epoch for epoch, _ in said] == list(range(1, 31))


def test_without_a_share_distillation_is_fine_tuning(dense, x, labelled):
    network = dense.eval()
    torch.manual_seed(1)
    plain = fine_tune(network, x, labelled, epochs=1)
    torch.manual_seed(1)
    none = distill(network, dense, x, labelled, epochs=1, share=0.0)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(none.state_dict()[name], value)


def test_what_does_not_fit_is_said(dense, x, labelled):
    with pytest.raises(ShapeError, match=r"the classes have the shape \(3,\) for inputs of \(400,"):
        fine_tune(dense, x, labelled[:3], epochs=1)
    with pytest.raises(SettingsError, match=r"the share of the teacher is 1\.5 at the temperature"):
        distill(dense, dense, x, labelled, epochs=1, share=1.5)
