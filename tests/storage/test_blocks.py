"""Cores without what their charges forbid: every bit of what is left comes back."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import FileKindError
from phasenet.storage.blocks import allowed_entries, cores_of, local_charges, modulus

NAMES = ("2*Sz", "parity_Sz")


@st.composite
def charged_cores(draw):
    """Cores of a few sites, some of them of more bond states than charges, and their charges."""
    name, dim = draw(st.sampled_from(NAMES)), draw(st.integers(1, 4))
    local, mod = local_charges(name, dim), modulus(name)
    dims = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    bonds = [rng.integers(-2, 3, size) * (2 if dim % 2 else 1) for size in dims]
    if mod:
        bonds = [bond % mod for bond in bonds]
    dtype = draw(st.sampled_from([np.float32, np.float64, np.complex64, np.complex128]))
    cores = []
    for left, right in itertools.pairwise(bonds):
        excess = left[:, None, None] + local[:, None] - right
        allowed = excess % mod == 0 if mod else excess == 0
        # Minus zero is a number like any other.
        numbers = rng.standard_normal(allowed.shape) * rng.integers(0, 2, allowed.shape)
        cores.append(np.where(allowed, numbers, 0.0).astype(dtype))
    return cores, bonds, local, mod


@given(charged_cores())
def test_cores_come_back(case):
    cores, bonds, local, mod = case
    entries = allowed_entries(cores, bonds, local, mod)
    assert entries.dtype == cores[0].dtype
    assert entries.size >= sum(np.count_nonzero(core) for core in cores)
    for one, two in zip(cores_of(entries, bonds, local, mod), cores, strict=True):
        assert (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())
        assert one.flags.c_contiguous
    with pytest.raises(FileKindError, match="dataset entries has"):
        cores_of(np.append(entries, 0.0), bonds, local, mod)


@given(charged_cores(), st.integers(0, 10**6))
def test_nothing_outside_of_the_blocks_is_lost(case, place):
    cores, bonds, local, mod = case
    entries = allowed_entries(cores, bonds, local, mod)
    core = cores[0].copy().reshape(-1)
    # The smallest number and minus zero: no sum or norm would show them.
    for value in (np.finfo(core.dtype).smallest_subnormal, -0.0):
        core[place % core.size] = value
        changed = [core.reshape(cores[0].shape), *cores[1:]]
        found = allowed_entries(changed, bonds, local, mod)
        back = None if found is None else cores_of(found, bonds, local, mod)[0]
        assert back is None or back.tobytes() == core.tobytes()
        assert found is None or found.size == entries.size


@pytest.mark.parametrize("dim", range(1, 6))
def test_local_charges_are_those_of_the_spins(dim):
    doubled = (dim - 1) - 2 * np.arange(dim)
    np.testing.assert_array_equal(local_charges("2*Sz", dim), doubled)
    np.testing.assert_array_equal(local_charges("parity_Sz", dim), (doubled + dim - 1) // 2 % 2)
    assert local_charges("N", dim).size == 0


def test_charges_that_do_not_fit_the_cores_are_no_charges():
    core, bonds = np.zeros((1, 2, 2)), [np.array([0]), np.array([-1, 1])]
    local = local_charges("2*Sz", 2)
    assert allowed_entries([core], bonds, local, 0).tolist() == [0.0, 0.0]
    assert allowed_entries([core], bonds[:1], local, 0) is None
    assert allowed_entries([core], bonds[::-1], local, 0) is None
    assert allowed_entries([core], bonds, local_charges("2*Sz", 3), 0) is None
    assert allowed_entries([core], [], local, 0) is None
