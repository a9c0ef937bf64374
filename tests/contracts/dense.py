"""Ground states of a few sites as dense vectors, their trains, and their expectation values."""

import numpy as np
import scipy.sparse.linalg

from phasenet.phases.spins import on_site
from phasenet.trains.train import TensorTrain
from tests.contracts.oracles import hamiltonian


def ground_vector(name, couplings, length, site_dim, pinning=0.0):
    """Ground state of an open chain of the catalogue, of shape (site,) * length; real."""
    matrix = hamiltonian(name, couplings, length, site_dim, pinning)
    start = np.random.default_rng(0).normal(size=matrix.shape[0])
    _, vectors = scipy.sparse.linalg.eigsh(matrix, k=1, which="SA", v0=start, tol=1e-13)
    return vectors[:, 0].real.reshape((site_dim,) * length)


def vector_train(vector):
    """Train of a dense state vector of shape (site,) * length."""
    cores, rest, dim = [], vector.reshape(1, -1), vector.shape[0]
    while rest.shape[1] > dim:
        rows = rest.reshape(len(rest) * dim, -1)
        left, values, right = np.linalg.svd(rows, full_matrices=False)
        kept = values > 1e-13 * values[0]
        cores.append(left[:, kept].reshape(len(rest), dim, -1))
        rest = values[kept, None] * right[kept]
    return TensorTrain(cores=(*cores, rest.reshape(len(rest), dim, 1)))


def expectation(vector, operators):
    """Expectation value of a product of operators, by names or matrices, on sites."""
    image = vector
    for site, operator in operators.items():
        matrix = on_site(operator, vector.shape[site])
        image = np.moveaxis(np.tensordot(matrix, image, axes=(1, site)), 0, site)
    return np.vdot(vector, image) / np.vdot(vector, vector)


def reduced(vector, sites):
    """Density matrix of the first sites."""
    matrix = vector.reshape(vector.shape[0] ** sites, -1)
    return matrix @ matrix.conj().T / np.vdot(vector, vector)
