"""Plans: what they predict, and which one is taken."""

import re

import pytest
import torch

from phasenet.networks.layers.plan import Plan, Step, cheapest
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.networks.layers.tucker_plans import Sizes, Way, plan_of, planned, ways

PAPER = Sizes(in_modes=(28, 28), out_modes=(300,), in_ranks=(5, 5), out_ranks=(10,))


def _plan(flops, name="one", training=False, steps=1):
    step = Step(name="product", flops=flops, elements=10)
    return Plan(name=name, batch=1, steps=(step,) * steps, chunk=1, training=training)


def test_cheapest_is_the_first_of_the_fastest():
    plans = [_plan(10**9), _plan(10, "two"), _plan(10, "three")]
    assert cheapest(plans).name == "two"


def test_the_gradient_costs_twice_as_much_again():
    assert _plan(10, training=True).seconds == pytest.approx(3 * _plan(10).seconds)


def test_narrow_products_and_memory_cost_more():
    wide = Step(name="", flops=10**8, elements=10, short_side=1000)
    narrow = Step(name="", flops=10**8, elements=10, short_side=2)
    moved = Step(name="", flops=10, elements=10**7)
    assert narrow.seconds > 3 * wide.seconds
    assert moved.seconds > wide.seconds


def test_products_of_the_paper():
    """7 870 products a row: 3 920 and 700 of the inputs, 250 of the core, 3 000 of the outputs."""
    plan = plan_of(Way(place="own", order=(0, 1)), PAPER, 1, False)
    assert [step.flops // 2 for step in plan.steps] == [3920, 700, 250, 3000]
    assert plan.flops == 2 * 7870


def test_printed():
    text = str(TuckerLinear((28, 28), (300,), (5, 5, 10)).plan(128))
    assert re.match(
        r"factor by factor, input modes 1, 0, batch 128 in chunks of 128: [\d,]+ flops", text
    )
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize("training", [True, False])
def test_dense_weight_where_the_layer_does_not_compress(training):
    full = Sizes(in_modes=(8, 8), out_modes=(64,), in_ranks=(8, 8), out_ranks=(64,))
    assert planned(full, 2048, training)[0].place == "dense"
    assert planned(PAPER, 128, training)[0].place != "dense"


def test_a_mode_that_shrinks_more_is_contracted_first():
    modes = (64, 64)
    sizes = Sizes(in_modes=modes, out_modes=modes, in_ranks=(1, 60), out_ranks=(8, 8))
    way, plan = planned(sizes, 512, False)
    assert way.order == (1, 0)
    assert plan.name.endswith("input modes 0, 1")
    assert plan.steps[0].name == "inputs in another order"


def test_many_modes_are_taken_as_they_lie():
    sizes = Sizes(in_modes=(2,) * 6, out_modes=(2,), in_ranks=(1,) * 6, out_ranks=(1,))
    assert all(way.own_order for way in ways(sizes))


def test_the_plan_is_followed(monkeypatch):
    layer = TuckerLinear((4, 4), (3,), 2)
    for way in ways(layer._sizes):
        monkeypatch.setattr(
            "phasenet.networks.layers.tucker.planned", lambda *_, way=way: (way, _plan(1))
        )
        seen = []
        monkeypatch.setattr(
            TuckerLinear,
            "_applied",
            lambda self, x, way, *_, recorded, seen=seen: (
                seen.append(way) or torch.zeros(len(x), 3)
            ),
        )
        layer(torch.ones(2, 16))
        assert seen == [way]


def test_chunks_are_nearly_equal_and_stay_in_the_cache():
    layer = TuckerLinear((16, 16, 16), (16, 16, 16), 6)
    assert layer.plan(128).chunk == 128
    assert layer.plan(512).chunk == 128
    assert layer.plan(513).chunk == 129
    assert layer.plan(512, training=False).chunk == 512
    assert layer.plan(2048, training=False).chunk == 512
    assert layer.plan(0).chunk >= 0
    # A large core is not gone through once for each of many chunks.
    assert TuckerLinear((16, 16, 16), (16, 16, 16), 12).plan(512).chunk == 512
