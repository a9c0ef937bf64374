"""Ranks of one weight: against brute force, the decompositions themselves and the layers."""

import itertools
import math

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.budgets import (
    Modes,
    numbers_of,
    ranks_to,
    ranks_within,
    useful,
    weight_of,
)
from phasenet.networks.layers.decompositions import hosvd, tt_svd
from phasenet.networks.layers.forms import FORMS, LayerForm, default_modes, untrained

LAYERS = {
    "linear": lambda: nn.Linear(24, 30),
    "conv1d": lambda: nn.Conv1d(8, 12, 3),
    "conv2d": lambda: nn.Conv2d(8, 12, (3, 2)),
    "groups": lambda: nn.Conv2d(8, 12, 3, groups=2),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(0)
    return LAYERS[request.param]()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rank", [1, 2, 5, 1000])
def test_numbers_and_ranks_are_those_of_the_layer(layer, form, rank):
    modes = default_modes(layer, form)
    weight = weight_of(layer, form, modes)
    ranks = useful(weight, form, rank)
    kind = LayerForm(form=form, in_modes=modes.inputs, out_modes=modes.outputs, ranks=ranks)
    made = untrained(layer, kind)
    assert tuple(made.ranks) == ranks
    count = sum(p.numel() for n, p in made.named_parameters() if n != "bias")
    assert count == numbers_of(weight, form, ranks)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ratio", [2, 4, 6])
def test_a_budget_is_kept_and_used(layer, form, ratio):
    weight = weight_of(layer, form, default_modes(layer, form))
    assert weight.size == layer.weight.numel()
    numbers = weight.size // ratio
    ranks = ranks_within(weight, form, numbers)
    assert numbers_of(weight, form, ranks) <= numbers
    larger = [
        tuple(rank + (k == bond) for k, rank in enumerate(ranks)) for bond in range(len(ranks))
    ]
    # No bond alone can grow within the budget, where that is of use.
    for other in larger:
        worth = useful(weight, form, other) == other
        assert not worth or form == "tucker" or numbers_of(weight, form, other) > numbers


def test_tucker_ranks_within_a_budget_are_the_best_of_all():
    torch.manual_seed(0)
    layer = nn.Linear(12, 10)
    weight = weight_of(layer, "tucker", Modes((4, 3), (10,)))
    (tensor,) = weight.groups
    bases = hosvd(tensor)[1]

    def missed(ranks):
        core = tensor
        for mode, (basis, rank) in enumerate(zip(bases, ranks, strict=True)):
            core = torch.tensordot(basis[:, :rank].T, core, dims=([1], [mode])).movedim(0, mode)
        return float(tensor.square().sum() - core.square().sum())

    choices = itertools.product(range(1, 5), range(1, 4), range(1, 11))
    fits = [c for c in choices if numbers_of(weight, "tucker", c) <= 60]
    assert ranks_within(weight, "tucker", 60) == min(fits, key=missed)


def test_bonds_within_a_budget_follow_the_spectra():
    torch.manual_seed(0)
    first, last = torch.randn(4, 6, 5), torch.randn(5, 6, 1)
    tensor = torch.einsum("iab,bjc->aijc", first[:1].movedim(0, 1), last).squeeze()
    layer = nn.Linear(9, 4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(tensor.reshape(2, 3, 2, 3).permute(0, 2, 1, 3).reshape(4, 9))
    weight = weight_of(layer, "mpo", Modes((3, 3), (2, 2)))
    assert ranks_to(weight, "mpo", 1e-5) == ranks_within(weight, "mpo", 60) == (5,)


def test_rank_one_above_the_budget_is_none(layer):
    for form in FORMS:
        assert ranks_within(weight_of(layer, form, default_modes(layer, form)), form, 5) is None


@pytest.mark.parametrize("form", FORMS)
def test_ranks_to_an_error_keep_it(form):
    torch.manual_seed(0)
    weight = weight_of(nn.Linear(12, 6), form, Modes((4, 3), (3, 2)))
    (tensor,) = weight.groups
    ranks = ranks_to(weight, form, 0.5)
    if form == "mpo":
        cores = tt_svd(tensor, ranks)
        found = cores[0][0] @ cores[1][..., 0]
    elif form == "tucker":
        core, factors = hosvd(tensor, ranks)
        found = torch.einsum("abcd,ia,jb,kc,ld->ijkl", core, *factors)
    else:
        assert ranks[0] < 12 * 6 // 4
        return
    assert float((found - tensor).norm() / tensor.norm()) <= 0.5


def test_samples_change_the_metric(layer):
    shape = (40, 24) if isinstance(layer, nn.Linear) else (5, 8, *(6,) * (layer.weight.ndim - 2))
    samples = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 1
    for form in FORMS:
        modes = default_modes(layer, form)
        plain, measured = (weight_of(layer, form, modes, s) for s in (None, samples))
        assert measured.modes == plain.modes
        assert not torch.allclose(measured.groups[0], plain.groups[0])


def test_the_same_numbers_are_counted_as_the_paper_does():
    weight = weight_of(nn.Linear(784, 300), "tucker", Modes((28, 28), (300,)))
    assert math.floor(100 * weight.size / numbers_of(weight, "tucker", (5, 5, 10))) == 6662


def test_wrong_modes_and_ranks_are_named():
    with pytest.raises(
        SettingsError, match=r"in_modes \(5, 5\) have the product 25, the layer has"
    ):
        weight_of(nn.Linear(24, 30), "mpo", Modes((5, 5), (6, 5)))
    weight = weight_of(nn.Linear(24, 30), "mpo", Modes((6, 4), (6, 5)))
    with pytest.raises(SettingsError, match="wanted 1 whole numbers from 1"):
        useful(weight, "mpo", (1, 2))
