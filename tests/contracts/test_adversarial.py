"""No state is called by a wrong name: the right answer, or none, with its reason."""

import numpy as np
import pytest

import phasenet
from phasenet.criteria import SPIN_SYMMETRIES
from phasenet.errors import ShapeError
from phasenet.trains.cells import canonical_cell
from phasenet.trains.train import TensorTrain
from tests.contracts.adversarial import TRAPS


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_invariants(name):
    trap = TRAPS[name]
    found = phasenet.spt_invariants(trap.state())
    for one, symmetry, allowed in zip(found, SPIN_SYMMETRIES, trap.allowed, strict=True):
        assert one.name == symmetry.name
        assert one.value in allowed, str(one)
        assert (one.value == 0) == one.reason.startswith("undetermined"), str(one)
        assert len(one.reason) > len("undetermined: ") or one.value


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_many_body_invariants(name):
    trap = TRAPS[name]
    cuts = {one.name: one.cut for one in phasenet.spt_invariants(trap.state())}
    for one in phasenet.many_body_invariants(trap.state()):
        (allowed,) = (
            a for s, a in zip(SPIN_SYMMETRIES, trap.allowed, strict=True) if s.name == one.name
        )
        if one.cut == cuts[one.name]:
            assert one.sign in {*allowed, 0}, str(one)
        assert (one.sign == 0) == one.reason.startswith("undetermined"), str(one)


@pytest.mark.parametrize("name", sorted(n for n, trap in TRAPS.items() if trap.strings))
def test_strings(name):
    trap = TRAPS[name]
    for axis, wanted in zip("xz", trap.strings, strict=True):
        found = phasenet.string_order(trap.state(), axis)
        assert found.value == pytest.approx(wanted, abs=1e-5), f"{axis}: {found}"


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_everything_else_is_finite(name):
    state = phasenet.as_state(TRAPS[name].state())
    assert np.isfinite(phasenet.entropies(state)).all()
    assert np.isfinite(phasenet.expectations(state, "Sz")).all()
    assert np.isfinite(phasenet.structure_factor(state, "z", [0.0, 0.5])).all()
    found = phasenet.local_orders(state)
    assert np.isfinite(found.spin).all() and np.isfinite(found.exchange).all()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda: TensorTrain(cores=(np.zeros((1, 3, 1)),) * 4), "norm zero"),
        (lambda: canonical_cell([np.zeros((2, 3, 2))]), "norm zero"),
        (lambda: TensorTrain(cores=(np.ones((1, 3, 1)), np.full((1, 3, 1), np.nan))), "core 1"),
    ],
)
def test_what_is_no_state_is_one_sentence(state, message):
    with pytest.raises(ShapeError, match=message) as caught:
        phasenet.spt_invariants(state())
    assert "\n" not in str(caught.value)
