"""Random chains and cells with and without a conserved charge, and their dense state vectors."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from phasenet.trains.charges import site_charges


def random_bond(rng, modulus, size, offset):
    """Charges of a bond: ``offset`` and its like, all of one parity."""
    if modulus == 1:
        return np.zeros(size, dtype=np.int64)
    charges = offset + 2 * rng.integers(-1, 2, size=size)
    return charges % modulus if modulus else charges


def random_chain(rng, dim, length, modulus, *, bond=4, is_complex=False):
    """Cores of an open chain that is not zero, and a charge for each index of its bonds."""
    parity = (dim - 1) * np.arange(length + 1) % 2
    while True:
        sizes = rng.integers(2, bond + 1, size=length + 1)
        bonds = [random_bond(rng, modulus, n, p) for n, p in zip(sizes, parity, strict=True)]
        bonds[0] = np.zeros(1, dtype=np.int64)
        bonds[-1] = random_bond(rng, modulus, 1, parity[-1])
        cores = filled(rng, dim, bonds, modulus, is_complex)
        if np.any(product(cores)):
            return cores, bonds


def random_cell(rng, dim, length, modulus, *, bond=4, is_complex=False, shift=0):
    """Cores of a cell that carries the charge ``shift`` (even, if ``length * (dim - 1)`` is)."""
    parity = (dim - 1) * np.arange(length) % 2
    sizes = rng.integers(2, bond + 1, size=length)
    bonds = [random_bond(rng, modulus, n, p) for n, p in zip(sizes, parity, strict=True)]
    bonds.append(bonds[0] + (shift if modulus != 1 else 0))
    return filled(rng, dim, bonds, modulus, is_complex), bonds


def filled(rng, dim, bonds, modulus, is_complex):
    """Gaussian cores between bonds of these charges, zero where a charge forbids it."""
    changes, cores = site_charges(dim, modulus), []
    for left, right in pairwise(bonds):
        core = rng.normal(size=(len(left), dim, len(right)))
        if is_complex:
            core = core + 1j * rng.normal(size=core.shape)
        excess = left[:, None, None] + changes[:, None] - right
        excess = excess % modulus if modulus else excess
        cores.append(core * (excess == 0))
    return cores


def gauged(rng, cores, *, infinite, is_complex=False):
    """The same state: a random invertible matrix on every bond, and a factor for every core."""
    bonds = [len(core) for core in cores] + [cores[-1].shape[2]]
    matrices = []
    for size in bonds:
        turns = rng.normal(size=(2, size, size))
        turns = turns + 1j * rng.normal(size=turns.shape) if is_complex else turns
        before, after = (np.linalg.qr(turn)[0] for turn in turns)
        matrices.append(before * np.exp(rng.uniform(-1.5, 1.5, size=size)) @ after)
    if infinite:
        matrices[-1] = matrices[0]
    else:
        matrices[0] = matrices[-1] = np.eye(1)
    return [
        rng.uniform(0.5, 3.0)
        * np.einsum("ab,bsc,cd->asd", matrices[k], core, np.linalg.inv(matrices[k + 1]))
        for k, core in enumerate(cores)
    ]


def padded(rng, cores, *, infinite):
    """The same state with two more indices on each bond that never contribute.

    The state leads into them and nothing leads back; in a cell their norm is half of its own.
    """
    last, grown = len(cores) - 1, []
    junk = [rng.normal(size=(2, core.shape[1], 2)) for core in cores]
    if infinite:
        ratio = 0.5 * np.sqrt(radius(cores) / radius(junk))
        junk[0] = ratio * junk[0]
    for site, core in enumerate(cores):
        left, dim, right = core.shape
        new = np.zeros((left + 2, dim, right + 2), dtype=core.dtype)
        new[:left, :, :right] = core
        new[:left, :, right:] = rng.normal(size=(left, dim, 2))
        new[left:, :, right:] = junk[site]
        rows = left if site == 0 and not infinite else left + 2
        columns = right if site == last and not infinite else right + 2
        grown.append(new[:rows, :, :columns])
    return grown


def transfer_matrix(cores):
    """Dense transfer matrix of a cell, of shape (left ket, left bra; right ket, right bra)."""
    total = np.eye(len(cores[0]) ** 2)
    for core in cores:
        step = np.einsum("asb,csd->acbd", core, core.conj())
        total = total @ step.reshape(core.shape[0] ** 2, core.shape[2] ** 2)
    return total


def radius(cores):
    """Norm of a cell: the largest modulus of its transfer eigenvalues."""
    return np.abs(np.linalg.eigvals(transfer_matrix(cores))).max()


def product(cores):
    """Product of the cores of an open chain, of shape (site,) * length."""
    total = cores[0][0]
    for core in cores[1:]:
        total = np.tensordot(total, core, axes=(-1, 0))
    return total[..., 0]


def dense_vector(cores):
    """Normalised state vector of an open chain, of shape (site,) * length."""
    total = product(cores)
    return total / np.linalg.norm(total)


@st.composite
def chains(draw, *, dims=(2, 3), moduli=(0, 4, 1), max_length=6):
    """Cores of an open chain, their charges and modulus, and what draws more."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    dim, modulus = draw(st.sampled_from(dims)), draw(st.sampled_from(moduli))
    length, is_complex = draw(st.integers(2, max_length)), draw(st.booleans())
    cores, bonds = random_chain(rng, dim, length, modulus, is_complex=is_complex)
    return cores, bonds, modulus, rng


@st.composite
def cells(draw, *, dims=(2, 3), moduli=(0, 4, 1), max_length=3):
    """Cores of a cell, their charges and modulus, and what draws more."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    dim, modulus = draw(st.sampled_from(dims)), draw(st.sampled_from(moduli))
    length, is_complex = draw(st.integers(1, max_length)), draw(st.booleans())
    odd = length * (dim - 1) % 2
    if odd and modulus == 0:
        length, odd = length + 1, 0
    shift = draw(st.sampled_from((-2, 0, 2))) if modulus == 0 else 2 * odd
    cores, bonds = random_cell(rng, dim, length, modulus, is_complex=is_complex, shift=shift)
    return cores, bonds, modulus, rng
