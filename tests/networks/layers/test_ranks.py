"""Ranks over a network: the budget is kept, and the layer that matters gets it."""

import itertools

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.forms import FORMS, LayerForm, from_dense, replaced
from phasenet.networks.layers.ranks import Trial, allocate, chosen, sensitivity


class _Planted(nn.Module):
    """Sum of two branches: the weight of one has full rank, that of the other matters little."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.vital, self.idle = nn.Linear(36, 36), nn.Linear(36, 36)
        self.share = 1e-3

    def forward(self, x):
        return self.vital(x) + self.share * self.idle(x)


@pytest.fixture
def network():
    return _Planted()


@pytest.fixture
def loss(network):
    x = torch.randn(200, 36, generator=torch.Generator().manual_seed(1))
    wanted = network(x).detach()
    return lambda other: float((other(x) - wanted).detach().square().mean())


def _size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_the_layer_that_matters_gets_the_parameters(network, loss, form):
    forms = allocate(network, loss, form, 1800, ratios=(2, 4, 8))
    assert list(forms) == ["idle"]
    made = replaced(network, {"idle": from_dense(network.idle, forms["idle"])})
    assert _size(made) <= 1800
    tight = allocate(network, loss, form, 900, ratios=(2, 4, 8))
    sizes = {
        name: sum(p.numel() for p in from_dense(network.idle, form).parameters())
        for name, form in tight.items()
    }
    assert sizes["vital"] > 2 * sizes["idle"]
    made = replaced(network, {n: from_dense(getattr(network, n), f) for n, f in tight.items()})
    assert _size(made) <= 900


def test_a_budget_that_the_network_has_leaves_it_dense(network, loss):
    assert allocate(network, loss, "cp", _size(network), ratios=(4,)) == {}


@pytest.mark.slow
def test_trials_are_the_losses_of_the_network_with_one_layer_replaced(network, loss):
    said = []
    trials = sensitivity(
        network, loss, "cp", ratios=(2, 4), progress=lambda done, line: said.append((done, line))
    )
    assert list(trials) == ["vital", "idle"]
    for name, each in trials.items():
        assert each[0].form is None
        assert each[0].loss == loss(network) == 0
        assert [t.numbers for t in each] == sorted((t.numbers for t in each), reverse=True)
        for trial in each[1:]:
            made = replaced(network, {name: from_dense(getattr(network, name), trial.form)})
            assert trial.loss == pytest.approx(loss(made), rel=1e-5)
            count = _size(made) - _size(network) + 36 * 36
            assert trial.numbers == count
    assert [done for done, _ in said] == list(range(1, len(said) + 1))
    assert said[0][1].startswith("vital as cp (13,), 624 parameters: loss ")
    assert isinstance(network.vital, nn.Linear)


def test_the_choice_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)

    def trials():
        sizes = sorted(torch.randint(10, 100, (4,), generator=generator).tolist(), reverse=True)
        losses = sorted(torch.rand(4, generator=generator).tolist())
        return tuple(
            Trial(form=None if k == 0 else _form(k), numbers=sizes[k], loss=losses[k])
            for k in range(4)
        )

    each = {name: trials() for name in "abcd"}
    for budget in (130, 200, 260):
        choices = itertools.product(*each.values())
        fits = [c for c in choices if sum(t.numbers for t in c) <= budget]
        best = min(fits, key=lambda c: sum(t.loss for t in c))
        expected = {n: t.form for n, t in zip("abcd", best, strict=True) if t.form is not None}
        assert chosen(each, budget) == expected


def test_many_layers_are_chosen_for_in_short_time_within_the_budget():
    generator = torch.Generator().manual_seed(0)
    each = {
        str(layer): tuple(
            Trial(form=_form(k + 1), numbers=100_000 // (k + 1) + layer, loss=float(value))
            for k, value in enumerate(torch.rand(8, generator=generator).sort().values)
        )
        for layer in range(30)
    }
    picked = chosen(each, 1_000_000)
    numbers = [each[name][form.ranks[0] - 1].numbers for name, form in picked.items()]
    assert 0.95 * 1_000_000 < sum(numbers) <= 1_000_000


def test_a_budget_below_rank_one_is_said(network, loss):
    with pytest.raises(SettingsError, match=r"the budget leaves 28 parameters to the weights, whi"):
        allocate(network, loss, "cp", 100, ratios=(4,))


def test_the_same_again(network, loss):
    first, again = (allocate(network, loss, "tucker", 900, ratios=(2, 4, 8)) for _ in range(2))
    assert first == again


def _form(rank):
    return LayerForm(form="cp", in_modes=(9,), out_modes=(9,), ranks=(rank,))
