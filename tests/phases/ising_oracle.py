"""Transverse-field Ising chain, solved by free fermions: H = -sum X X - h sum Z."""

import math

import numpy as np


def correlation_lengths(h):
    """Of the infinite chain within one phase: 1/|ln h|, and half of it where spins are ordered."""
    return np.where(h < 1, 0.5, 1.0) / np.abs(np.log(h))


def magnetisations(h):
    """Of the infinite chain, Pfeuty, Ann. Phys. 57, 79 (1970)."""
    return np.where(h < 1, np.abs(1 - h**2) ** 0.125, 0.0)


def ring_susceptibilities(h, length):
    """Fidelity susceptibility for each site of a ring (Zanardi, Paunkovic, PRE 74, 031123)."""
    k = (2 * np.arange(1, length // 2 + 1) - 1) * np.pi / length
    turn = np.sin(k) / (1 + h[:, None] ** 2 - 2 * h[:, None] * np.cos(k))
    return (turn**2).sum(axis=1) / (4 * length)


def infinite_susceptibilities(h):
    """The same for each site of the infinite chain."""
    return 1 / (16 * np.where(h < 1, 1.0, h**2) * np.abs(1 - h**2))


def correlations(h, length):
    """Matrix G of <i B_j A_k> of the Majorana fermions of an open chain."""
    hopping = np.diag(np.full(length, float(h))) + np.diag(np.ones(length - 1), 1)
    left, _, right = np.linalg.svd(hopping)
    return left @ right


def open_log_fidelity(h, other, length):
    """ln |<h|other>| for each site of an open chain."""
    turn = correlations(h, length).T @ correlations(other, length)
    return 0.5 * math.log(abs(np.linalg.det((np.eye(length) + turn) / 2))) / length


def open_entropy(h, length):
    """Entropy of half of an open chain, in nats."""
    half = correlations(h, length)[: length // 2, : length // 2]
    filled = (1 + np.linalg.svd(half, compute_uv=False).clip(0, 1 - 1e-15)) / 2
    return -(filled * np.log(filled) + (1 - filled) * np.log(1 - filled)).sum()


def open_magnetisation(h, length):
    """Square root of <X X> between the first and the third quarter of an open chain."""
    found, ends = correlations(h, length), (length // 4, length - length // 4 - 1)
    rows, columns = slice(*ends), slice(ends[0] + 1, ends[1] + 1)
    blocks = found[rows, columns], found.T[rows, columns]
    return math.sqrt(max(abs(np.linalg.det(block)) for block in blocks))
