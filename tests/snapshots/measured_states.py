"""Small chains of every kind, and the exact probabilities of their outcomes in any basis."""

import itertools

import numpy as np

from phasenet.snapshots.bases import basis_of
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from tests.trains.charged import dense_vector, random_chain

LENGTH = 8


def chain(dim, modulus, seed, *, is_complex=False, length=LENGTH, bond=6):
    """Cores of a random chain: modulus 0 conserves Sz, 4 its parity, 1 nothing."""
    rng = np.random.default_rng(seed)
    return random_chain(rng, dim, length, modulus, bond=bond, is_complex=is_complex)[0]


CHAINS = {
    "spin 1/2": chain(2, 1, 0),
    "spin 1/2, complex": chain(2, 1, 1, is_complex=True),
    "spin 1/2, Sz": chain(2, 0, 2),
    "spin 1/2, parity, complex": chain(2, 4, 3, is_complex=True),
    "spin 1": chain(3, 1, 4, length=6),
    "spin 1, Sz": chain(3, 0, 5),
    "spin 1, Sz, complex": chain(3, 0, 6, is_complex=True, length=6),
    "spin 1, parity": chain(3, 4, 7, length=6),
}
FIXED = ("Sz", "Sx", "Sy", "Sx,Sz", "Sy,Sy,Sz")
DRAWN = ("random", "unbiased")


def form_of(cores):
    return state_form(TensorTrain(cores=tuple(cores)))


def dim_of(cores):
    return cores[0].shape[1]


def rotated(vector, basis, indices):
    """Dense state vector in a product basis, one index of a basis for each site."""
    for site, index in enumerate(indices):
        turned = np.tensordot(basis.vectors[index], vector, axes=(1, site))
        vector = np.moveaxis(turned, 0, site)
    return vector


def amplitudes_of(cores, name, indices=None):
    """Amplitudes of all outcomes of a normalised chain, of shape (site,) * length."""
    basis = basis_of(name, dim_of(cores))
    indices = basis.indices(len(cores)) if indices is None else indices
    return rotated(dense_vector(cores), basis, indices)


def all_outcomes(dim, sites):
    return np.array(list(itertools.product(range(dim), repeat=sites)), dtype=np.uint8)


def random_indices(name, dim, sites, seed=3):
    """Index of a basis for each site, drawn once."""
    basis = basis_of(name, dim)
    return basis.draw(np.random.default_rng(seed).random(sites))


def in_order(spins, dim):
    """Index of each row among all outcomes."""
    return np.ravel_multi_index(tuple(spins.T), (dim,) * spins.shape[1])


def chi_square_excess(counts, probabilities):
    """Excess of chi squared over its expectation, in standard deviations.

    Rare outcomes are taken together; those of probability zero must not occur.
    """
    shots = counts.sum()
    assert counts[probabilities < 1e-14].sum() == 0
    often = probabilities * shots > 10
    expected = np.append(probabilities[often], probabilities[~often].sum()) * shots
    seen = np.append(counts[often], counts[~often].sum())
    seen, expected = seen[expected > 5], expected[expected > 5]
    freedom = len(seen) - 1
    if freedom == 0:
        return 0.0
    return (np.sum((seen - expected) ** 2 / expected) - freedom) / np.sqrt(2 * freedom)
