"""Each kind of classifier against what it should be: torch's own, brute force, a train."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.architectures.correlator import CorrelatorClassifier
from phasenet.networks.architectures.gru import GRUClassifier
from phasenet.networks.architectures.mlp import mlp
from phasenet.networks.architectures.registry import build
from phasenet.networks.architectures.starts import STARTS, started
from phasenet.networks.architectures.tensor_train import (
    TrainClassifier,
    as_train,
    restart,
    train_architecture,
)
from phasenet.networks.architectures.transformer import TransformerClassifier
from phasenet.networks.convolutional import load_weights, weights_of
from phasenet.networks.functions import logits_function
from phasenet.tensorizer import tensorize
from phasenet.trains.train import TensorTrain


def drawn(shots=6, length=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, (shots, length), generator=generator)


def test_an_mlp_is_matrices_and_silu():
    torch.manual_seed(0)
    net, spins = mlp(length=8, site_dim=3, width=5, depth=3, classes=2).double(), drawn()
    assert list(net.state_dict())[::2] == ["0.linear.weight", "2.weight", "4.weight", "6.weight"]
    values = np.eye(3)[spins.numpy()].reshape(6, 24)
    weights = list(weights_of(net).values())
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        values = values @ weight.T + bias
        values = values / (1 + np.exp(-values))
    wanted = values @ weights[-2].T + weights[-1]
    np.testing.assert_allclose(net(spins).detach().numpy(), wanted, atol=1e-14)


def test_recurrent_layers_are_those_of_torch():
    torch.manual_seed(0)
    net, spins = GRUClassifier(site_dim=3, width=5, depth=2, classes=2).double(), drawn()
    theirs = nn.GRU(3, 5, num_layers=2).double()
    for layer, mine in enumerate(net.recurrent):
        own = theirs.state_dict()
        own[f"weight_ih_l{layer}"].copy_(mine.inputs.weight.detach())
        own[f"weight_hh_l{layer}"].copy_(mine.state.weight.detach())
        own[f"bias_ih_l{layer}"].copy_(mine.inputs.bias.detach())
        own[f"bias_hh_l{layer}"].copy_(mine.state.bias.detach())
    states, _ = theirs(nn.functional.one_hot(spins.T, 3).double())
    torch.testing.assert_close(net(spins), net.readout(states.mean(dim=0)), rtol=0, atol=1e-14)
    assert list(net.state_dict())[:4] == [
        "recurrent.0.inputs.weight",
        "recurrent.0.inputs.bias",
        "recurrent.0.state.weight",
        "recurrent.0.state.bias",
    ]


def test_blocks_are_those_of_torch():
    torch.manual_seed(0)
    net = TransformerClassifier(length=8, site_dim=3, width=6, depth=1, heads=3, classes=2)
    net, spins = net.double(), drawn()
    (block,) = net.blocks
    theirs = nn.TransformerEncoderLayer(
        6, 3, 12, 0.0, nn.functional.silu, batch_first=True, norm_first=True, dtype=torch.double
    )
    parts = {
        "in_proj": (block.attention.query, block.attention.key, block.attention.value),
        "out_proj": (block.attention.out,),
    }
    attention = theirs.self_attn.state_dict()
    for name, layers in parts.items():
        weight = "in_proj_weight" if name == "in_proj" else "out_proj.weight"
        bias = weight.replace("weight", "bias")
        attention[weight].copy_(torch.cat([layer.weight.detach() for layer in layers]))
        attention[bias].copy_(torch.cat([layer.bias.detach() for layer in layers]))
    theirs.linear1.load_state_dict(block.up.state_dict())
    theirs.linear2.load_state_dict(block.down.state_dict())
    values = net.states(nn.functional.one_hot(spins, 3).double()) + net.positions
    wanted = net.readout(net.norm(theirs(values)).mean(dim=1))
    torch.testing.assert_close(net(spins), wanted, rtol=0, atol=1e-13)


def test_correlators_are_sums_over_distinct_sites():
    torch.manual_seed(0)
    kernel, order, filters = 5, 5, 3
    net = CorrelatorClassifier(
        site_dim=3, filters=filters, kernel=kernel, order=order, classes=2
    ).double()
    spins = drawn()
    weights = net.filters.detach().numpy()
    wanted = np.zeros((6, order, filters))
    windows = spins.shape[1] - kernel + 1
    for shot, f in itertools.product(range(6), range(filters)):
        for start in range(windows):
            seen = [weights[f, spins[shot, start + a], a] for a in range(kernel)]
            for n in range(1, order + 1):
                products = [math.prod(sites) for sites in itertools.combinations(seen, n)]
                wanted[shot, n - 1, f] += sum(products) / windows
    np.testing.assert_allclose(net.correlators(spins).detach().numpy(), wanted, atol=1e-13)
    terms = np.sqrt([[math.comb(kernel, n)] for n in range(1, order + 1)])
    linear = net.readout
    logits = (wanted / terms).reshape(6, -1) @ linear.weight.detach().numpy().T
    found = net(spins) - linear.bias
    np.testing.assert_allclose(found.detach().numpy(), logits, atol=1e-13)


def test_correlators_of_all_orders_are_equally_large():
    torch.manual_seed(0)
    net = CorrelatorClassifier(site_dim=3, filters=400, kernel=6, order=6, classes=2)
    scale = net.correlators(drawn(50, 6)).detach().square().mean(dim=(0, 2))
    wanted = [math.comb(6, n) for n in range(1, 7)]
    np.testing.assert_allclose(scale.numpy(), wanted, rtol=0.5)


def random_train(length=8, bond=4, site=5, classes=2, seed=0, log_scale=0.0):
    rng = np.random.default_rng(seed)
    bonds = [1, *[bond] * (length - 1), 1]
    cores = [rng.normal(size=(bonds[k], 3, bonds[k + 1])) for k in range(length)]
    cores[site] = rng.normal(size=(*cores[site].shape, classes))
    return TensorTrain(cores=tuple(cores), output_site=site, log_scale=log_scale)


@pytest.mark.parametrize("site", [0, 3, 7])
def test_logits_are_the_outputs_of_a_train(site):
    train, spins = random_train(site=site, log_scale=-7.0), drawn(20)
    net = TrainClassifier.of(train)
    wanted = train(spins.numpy())
    np.testing.assert_allclose(net(spins).detach().numpy(), wanted, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(as_train(net)(spins.numpy()), wanted, rtol=1e-11, atol=1e-15)
    assert as_train(net).output_site == site
    norms = [float(core.detach().square().mean()) * core.shape[0] for core in net.cores]
    if site == 7:
        np.testing.assert_allclose(norms[1:site], 1.0)


def test_a_train_becomes_a_file_and_comes_back():
    train, spins = random_train(bond=3), drawn(20)
    net = TrainClassifier.of(train)
    readings = {"kind": "mlp", "site_dim": 3, "lost": True, "width": 5, "classes": 2}
    architecture = train_architecture(net, readings)
    assert architecture == {
        "kind": "train",
        "site_dim": 3,
        "lost": True,
        "bonds": [3] * 7,
        "output_site": 5,
        "classes": 2,
    }
    again = build(architecture).double()
    assert list(again.state_dict()) == [f"cores.{site}" for site in range(8)]
    load_weights(again, weights_of(net))
    assert torch.equal(again(spins), net(spins))


def test_a_network_becomes_a_classifier_of_its_kind():
    torch.manual_seed(0)
    net = mlp(length=6, site_dim=3, width=4, depth=1, classes=2).double()
    spins = drawn(300, 6)
    found = tensorize(
        logits_function(net), samples=spins.numpy(), site_dims=[3] * 6, tol=1e-10
    ).train
    classifier = TrainClassifier.of(found)
    torch.testing.assert_close(classifier(spins), net(spins), rtol=0, atol=1e-7)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("length", [4, 300])
def test_starts_keep_their_scale(start, length):
    torch.manual_seed(0)
    bonds = (3, *[8] * (length - 3), 3)
    net = TrainClassifier(site_dim=3, bonds=bonds, output_site=length // 2, classes=2)
    restart(net, start)
    assert net.bonds == bonds
    net.requires_grad_(False)
    logits = net(drawn(200, length))
    assert torch.isfinite(logits).all()
    # Products of independent normal matrices are small for most states: their mean square is not.
    typical = logits.square().mean(dim=0).sqrt()
    assert (typical > (1e-12 if start == "random" else 1e-2)).all()
    assert (typical < 30).all()


@pytest.mark.slow
def test_unitary_starts_keep_lengths_exactly():
    torch.manual_seed(0)
    cores = started([(1, 3, 4), (4, 3, 4), (4, 3, 4), (4, 3, 1)], 2, 2, "unitary")
    for state in range(3):
        matrix = cores[1][:, state]
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(4), rtol=0, atol=1e-6)
        torch.testing.assert_close(cores[0][0, state].norm(), torch.tensor(1.0))
        torch.testing.assert_close(cores[3][:, state].norm(), torch.tensor(1.0))
    with pytest.raises(SettingsError, match="starts as 'eye'; wanted one of identity, random, un"):
        started([(1, 3, 1)], 0, 2, "eye")


def test_scales_far_from_one():
    cores = [2.0 * core for core in random_train(length=300, bond=2, site=150).cores]
    train, spins = TensorTrain(cores=tuple(cores), output_site=150), drawn(4, 300)
    values, logs = train.log_values(spins.numpy())
    assert logs.min() > 100
    scaled = TensorTrain(cores=train.cores, output_site=150, log_scale=-float(logs.mean()))
    net = TrainClassifier.of(scaled).float()
    np.testing.assert_allclose(net(spins).detach().numpy(), scaled(spins.numpy()), rtol=1e-3)
    # Far above all that float32 holds, logits are cut, in the same order.
    huge = TrainClassifier(site_dim=3, bonds=(2,) * 299, output_site=150, classes=2)
    huge.set_cores(train.cores)
    logits = huge(spins)
    assert torch.isfinite(logits).all()
    wanted = values * np.exp(60.0)
    assert np.array_equal(logits.detach().numpy().argmax(axis=1), wanted.argmax(axis=1))
    huge.set_cores([0.0 * core for core in train.cores])
    logits = huge(spins)
    logits.sum().backward()
    assert not logits.any()
    assert all(torch.isfinite(core.grad).all() for core in huge.cores)


def test_the_gradient_of_a_train_is_that_of_its_products():
    train, spins = random_train(length=5, bond=2, site=2), drawn(7, 5)
    net = TrainClassifier(site_dim=3, bonds=(2,) * 4, output_site=2, classes=2).double()
    net.set_cores(train.cores)
    net(spins).sin().sum().backward()
    cores = [torch.tensor(core, requires_grad=True) for core in train.cores]
    picked = [core[:, spins[:, k]] for k, core in enumerate(cores)]
    direct = torch.einsum("anb,bnc,cnde,dnf,fng->ne", *picked)
    direct.sin().sum().backward()
    for own, wanted in zip(net.cores, cores, strict=True):
        torch.testing.assert_close(own.grad, wanted.grad, rtol=1e-11, atol=1e-13)


def test_cores_that_do_not_fit():
    net = TrainClassifier(site_dim=3, bonds=(3, 3), output_site=1, classes=2)
    train = random_train(length=3, bond=5, site=1)
    net.set_cores(train.cores)
    assert net.bonds == (5, 5)
    for cores in (
        random_train(length=4, site=1).cores,
        random_train(length=3, site=1, classes=3).cores,
        [core[:, :2] for core in train.cores],
        [core * 1j for core in train.cores],
        (train.cores[0][:, :, :2], train.cores[1][:2], train.cores[2].repeat(2, axis=2)),
    ):
        with pytest.raises(ShapeError, match="wanted 3 real ones of 3 states and 2 classes"):
            net.set_cores(cores)
    with pytest.raises(ShapeError, match="core 1 has 3 axes; wanted 4"):
        net.set_cores(random_train(length=3, site=2).cores)
    with pytest.raises(ShapeError, match="output site None and local dimensions"):
        TrainClassifier.of(TensorTrain(cores=(np.ones((1, 3, 1)),)))
