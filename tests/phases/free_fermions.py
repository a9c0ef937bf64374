"""Open chains of free fermions: exact correlations and entropies, and the states themselves."""

import functools

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from phasenet.trains.train import TensorTrain

X = np.array([[0.0, 1.0], [1.0, 0.0]])
Y = np.array([[0.0, -1j], [1j, 0.0]])
Z = np.diag([1.0, -1.0])


def acting(length, placed, dim=2):
    """Sparse matrix of operators on a few sites."""
    first, last = min(placed), max(placed)
    pieces = [placed.get(k, np.eye(dim)) for k in range(first, last + 1)]
    middle = scipy.sparse.csr_array(functools.reduce(np.kron, pieces))
    left, right = (scipy.sparse.eye_array(dim**n) for n in (first, length - 1 - last))
    whole = scipy.sparse.kron(left, middle, format="csr")
    return scipy.sparse.kron(whole, right, format="csr")


def ground_vector(hamiltonian, sector):
    """Lowest state among the basis states of a sector."""
    chosen = np.flatnonzero(sector)
    part = hamiltonian[chosen][:, chosen]
    _, vectors = scipy.sparse.linalg.eigsh(part, k=1, which="SA", v0=np.ones(len(chosen)))
    psi = np.zeros(len(sector))
    psi[chosen] = vectors[:, 0]
    return psi


def magnetisation(length):
    """Twice S^z of each basis state."""
    return functools.reduce(np.add.outer, [np.array([1, -1])] * length).ravel()


def chain_of(psi, length, modulus):
    """Train of a vector of spins 1/2, split charge by charge; modulus 0 for S^z, 4 for parity."""
    cores, charges, rest = [], np.zeros(1, dtype=int), psi.reshape(1, -1)
    for _ in range(length - 1):
        rows = rest.reshape(2 * len(charges), -1)
        labels = (charges[:, None] + np.array([1, -1])).ravel()
        labels = labels % modulus if modulus else labels
        lefts, rights, new = [], [], []
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            u, s, vh = np.linalg.svd(rows[members], full_matrices=False)
            kept = s > 1e-13
            whole = np.zeros((len(rows), int(kept.sum())))
            whole[members] = u[:, kept]
            lefts.append(whole)
            rights.append(s[kept, None] * vh[kept])
            new += [label] * int(kept.sum())
        cores.append(np.concatenate(lefts, axis=1).reshape(len(charges), 2, -1))
        charges, rest = np.array(new), np.concatenate(rights)
    cores.append(rest.reshape(len(charges), 2, 1))
    return TensorTrain(cores=tuple(cores))


@functools.cache
def xx_chain(length):
    """Ground state of H = -sum S^x S^x + S^y S^y."""
    terms = [
        -0.25 * (acting(length, {i: op, i + 1: op})).real
        for i in range(length - 1)
        for op in (X, Y)
    ]
    return chain_of(ground_vector(sum(terms), magnetisation(length) == 0), length, 0)


@functools.cache
def ising_chain(length, field):
    """Ground state of H = -sum X X - field sum Z, whose parity of S^z is conserved."""
    bonds = [-acting(length, {i: X, i + 1: X}) for i in range(length - 1)]
    fields = [-field * acting(length, {i: Z}) for i in range(length)]
    even = (magnetisation(length) - length) % 4 == 0
    return chain_of(ground_vector(sum(bonds) + sum(fields), even), length, 4)


def hopping_correlations(length):
    r""":math:`\langle c^\dagger_i c_j \rangle` of the XX chain."""
    hopping = -0.5 * (np.eye(length, k=1) + np.eye(length, k=-1))
    _, modes = np.linalg.eigh(hopping)
    filled = modes[:, : length // 2]
    return filled @ filled.T


def majorana_correlations(length, field):
    """Matrix G with <Z_i> = G[i, i] and <X_i X_{i+1}> = G[i + 1, i] of the Ising chain."""
    u, _, vh = np.linalg.svd(field * np.eye(length) + np.eye(length, k=-1))
    return u @ vh


def xx_entropies(length):
    C = hopping_correlations(length)
    return np.array([_entropy(np.linalg.eigvalsh(C[:n, :n])) for n in range(1, length)])


def ising_entropies(length, field):
    G = majorana_correlations(length, field)
    found = [np.linalg.svd(G[:n, :n], compute_uv=False) for n in range(1, length)]
    return np.array([_entropy((1 + values) / 2) for values in found])


def _entropy(filling):
    p = np.clip(filling, 1e-16, 1 - 1e-16)
    return -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p))
