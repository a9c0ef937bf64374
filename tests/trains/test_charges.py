"""Charges of bonds, found from zeros."""

import numpy as np
import pytest
from hypothesis import given

from phasenet.trains.charges import bond_charges, graded_cores, groups_of, kept_indices
from tests.trains.charged import cells, chains, gauged, padded, random_chain


def fits(cores, charges, modulus, changes):
    """Whether no entry breaks the charges."""
    for core, left, right in zip(cores, charges, charges[1:], strict=False):
        excess = left[:, None, None] + changes[:, None] - right
        if np.any(core[(excess % modulus if modulus else excess) != 0]):
            return False
    return True


def kept_part(cores, *, infinite):
    kept = kept_indices(cores, infinite=infinite)
    return [
        core[before][:, :, after]
        for core, before, after in zip(cores, kept, kept[1:], strict=False)
    ]


@given(chains())
def test_a_charge_is_found_and_cuts_a_chain_into_blocks(drawn):
    cores, _, modulus, _ = drawn
    cores = kept_part(cores, infinite=False)
    charges, found = bond_charges(cores, infinite=False)
    # Few entries may happen to fit a finer charge than they were drawn with.
    assert found in (0, 4, 1)[: (0, 4, 1).index(modulus) + 1]
    dim = cores[0].shape[1]
    assert fits(cores, charges, found or 0, dim - 1 - 2 * np.arange(dim)) or found == 1
    for block, core in zip(graded_cores(cores, charges, found, infinite=False), cores, strict=True):
        assert np.array_equal(block.dense, core)


@given(cells())
def test_a_cell_is_cut_into_blocks_and_closes(drawn):
    cores, _, modulus, _ = drawn
    cores = kept_part(cores, infinite=True)
    if not cores[0].size:
        return
    charges, found = bond_charges(cores, infinite=True)
    assert found in (0, 4, 1)[: (0, 4, 1).index(modulus) + 1]
    blocks = graded_cores(cores, charges, found, infinite=True)
    for block, core in zip(blocks, cores, strict=True):
        assert np.array_equal(block.dense, core)
    for first, last in zip(blocks[0].left, blocks[-1].right, strict=True):
        assert np.array_equal(first, last)


def test_rounding_noise_does_not_hide_a_charge():
    rng = np.random.default_rng(0)
    cores, _ = random_chain(rng, 3, 5, 0)
    noisy = [core + 1e-17 * rng.normal(size=core.shape) for core in cores]
    assert bond_charges(noisy, infinite=False)[1] == 0
    mixed = gauged(rng, cores, infinite=False)
    assert bond_charges(mixed, infinite=False)[1] == 1


def ghz(dim):
    core = np.zeros((2, dim, 2))
    core[0, 0, 0] = core[1, -1, 1] = 1.0
    return core


def coverings():
    core = np.zeros((3, 2, 3))
    core[0, 0, 1] = core[1, 1, 0] = core[2, 0, 0] = 1.0
    core[0, 1, 2] = -1.0
    return core


@pytest.mark.parametrize(
    ("cell", "modulus"),
    [
        ([np.eye(2)[0].reshape(1, 2, 1)], 0),
        ([np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1)], 0),
        # Both Neel states, and both coverings with dimers: the charge of a cell of one site is
        # seen after two of them.
        ([ghz(2)[:, :, ::-1]], 0),
        ([coverings()], 0),
        ([coverings(), coverings()], 0),
        # All up and all down differ by twice the spin per site.
        ([ghz(2)], 1),
        ([ghz(3)], 4),
    ],
)
def test_cells_that_carry_a_charge(cell, modulus):
    charges, found = bond_charges(cell, infinite=True)
    assert found == modulus
    assert len(set((charges[-1] - charges[0]).tolist())) == 1


def test_dead_bonds_are_left_out():
    rng = np.random.default_rng(1)
    cores, _ = random_chain(rng, 2, 4, 1)
    kept = kept_indices(padded(rng, cores, infinite=False), infinite=False)
    assert [bond.tolist() for bond in kept] == [
        list(range(size)) for size in [1] + [core.shape[2] for core in cores]
    ]
    nothing = np.zeros((2, 2, 2))
    nothing[0, 0, 1] = 1.0
    assert not any(map(len, kept_indices([nothing], infinite=True)))


def test_groups_hold_every_index_once():
    groups, names = groups_of(np.array([3, -1, 3, 1, -1]))
    assert names == [-1, 1, 3]
    assert [group.tolist() for group in groups] == [[1, 4], [3], [0, 2]]
