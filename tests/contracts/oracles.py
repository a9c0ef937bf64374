"""The catalogue once more, from the formulas alone: Kronecker products, exact values, no TeNPy.

A term is a coefficient with one string of letters for each of its neighbouring sites: ``x y z`` are
spin matrices, ``X Y Z`` Pauli matrices, a string is their product, an empty one the identity.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from phasenet.phases.spins import spin_matrix
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.transfer import expectation, infinite_stretch

Couplings = Mapping[str, float]
Term = tuple[float, tuple[str, ...]]


def exchange(strength: float, distance: int = 1, anisotropy: float = 1.0) -> list[Term]:
    """Terms of S.S between two sites, with an anisotropy of the z part."""
    between = ("",) * (distance - 1)
    scale = {"x": strength, "y": strength, "z": strength * anisotropy}
    return [(factor, (axis, *between, axis)) for axis, factor in scale.items()]


def xxz_d(point: Couplings, site: int) -> list[Term]:
    return [*exchange(1.0, anisotropy=point["Delta"]), (point["D"], ("zz",))]


def bilinear_biquadratic(point: Couplings, site: int) -> list[Term]:
    angle = math.pi * point["theta"]
    square = [(math.sin(angle), (a + b, a + b)) for a in "xyz" for b in "xyz"]
    return [*exchange(math.cos(angle)), *square]


def bond_alternating(point: Couplings, site: int) -> list[Term]:
    return exchange(1.0 + (-1) ** site * point["delta"])


def extended_ssh(point: Couplings, site: int) -> list[Term]:
    return exchange(point["Jp"] if site % 2 else 1.0, anisotropy=point["delta"])


def xxz(point: Couplings, site: int) -> list[Term]:
    return exchange(1.0, anisotropy=point["Delta"])


def j1_j2(point: Couplings, site: int) -> list[Term]:
    return [*exchange(1.0), *exchange(point["J2"], distance=2)]


def ladder(point: Couplings, site: int) -> list[Term]:
    rung = [] if site % 2 else exchange(point["Jperp"])
    return [*rung, *exchange(1.0, distance=2)]


def ising(point: Couplings, site: int) -> list[Term]:
    return [(-1.0, ("X", "X")), (-point["h"], ("Z",))]


def annni(point: Couplings, site: int) -> list[Term]:
    return [*ising(point, site), (point["kappa"], ("X", "", "X"))]


def cluster_field(point: Couplings, site: int) -> list[Term]:
    return [(-1.0, ("X", "Z", "X")), (-point["h"], ("Z",))]


def cluster_ising(point: Couplings, site: int) -> list[Term]:
    return [(-1.0, ("X", "Z", "X")), (point["lambda"], ("Y", "Y"))]


MODELS: dict[str, Callable[[Couplings, int], list[Term]]] = {
    "haldane": xxz_d,
    **{
        model.__name__: model
        for model in (
            *(xxz_d, bilinear_biquadratic, bond_alternating, extended_ssh, xxz, j1_j2, ladder),
            *(ising, annni, cluster_field, cluster_ising),
        )
    },
}
# Fields on the first and the last site, as factors of the pinning field.
EDGES = {
    **dict.fromkeys(MODELS, ((-1.0, "z"), (1.0, "z"))),
    **dict.fromkeys(("ising", "annni"), ((-1.0, "X"), (0.0, "X"))),
    **dict.fromkeys(("cluster_field", "cluster_ising"), ((-1.0, "X"), (-1.0, "X"))),
}


def matrix(letters: str, site_dim: int) -> np.ndarray:
    """Product of the matrices that the letters stand for."""
    factors = [
        (2.0 if letter.isupper() else 1.0) * spin_matrix(letter.lower(), site_dim)
        for letter in letters
    ]
    return reduce(np.matmul, factors, np.eye(site_dim))


def hamiltonian(
    name: str, point: Couplings, length: int, site_dim: int, pinning: float = 0.0
) -> scipy.sparse.csr_matrix:
    """Hamiltonian of an open chain, real; the local basis has the highest weight first."""
    terms = [
        (factor, site, letters)
        for site in range(length)
        for factor, letters in MODELS[name](point, site)
        if site + len(letters) <= length
    ]
    for site, (factor, letter) in zip((0, length - 1), EDGES[name], strict=True):
        terms.append((pinning * factor, site, (letter,)))
    total = scipy.sparse.csr_matrix((site_dim**length,) * 2, dtype=complex)
    for factor, site, letters in terms:
        left = scipy.sparse.identity(site_dim**site)
        right = scipy.sparse.identity(site_dim ** (length - site - len(letters)))
        inner = reduce(np.kron, [matrix(each, site_dim) for each in letters])
        total = total + factor * scipy.sparse.kron(scipy.sparse.kron(left, inner), right)
    assert abs(total.imag).max() < 1e-12
    return scipy.sparse.csr_matrix(total.real)


def charges(length: int, site_dim: int, charge: str) -> np.ndarray:
    """2 Sz of each basis state, or its parity, or zero where nothing is conserved."""
    local = 2 * np.diag(spin_matrix("z", site_dim)).real
    sums = reduce(np.add.outer, [local] * length).ravel()
    if charge == "2*Sz":
        return np.rint(sums).astype(int)
    flips = np.rint((length * local[0] - sums) / 2).astype(int) % 2
    return flips if charge == "parity_Sz" else np.zeros_like(flips)


def lowest(matrix: scipy.sparse.csr_matrix, keep: np.ndarray) -> float:
    """Lowest eigenvalue within the sector of the basis states that are kept."""
    sector = matrix[keep][:, keep]
    if sector.shape[0] <= 500:
        return float(np.linalg.eigvalsh(sector.toarray())[0])
    start = np.random.default_rng(0).normal(size=sector.shape[0])
    found = scipy.sparse.linalg.eigsh(sector, k=1, which="SA", v0=start, return_eigenvectors=False)
    return float(found[0])


def energy_per_site(name: str, point: Couplings, train: InfiniteTrain) -> float:
    """Energy per site of an infinite state, term by term."""
    total = 0.0
    for site in range(train.cell):
        for factor, letters in MODELS[name](point, site):
            operators = [matrix(each, train.site_dims[0]) for each in letters]
            chain = infinite_stretch(train, site, len(letters))
            total += factor * float(expectation(chain, operators)[0].real)
    return total / train.cell


def free_fermions(coupling: float) -> float:
    r"""Mean of :math:`-|1 + g e^{ik}|` over all k: the energy of a filled band."""
    k = 2 * np.pi * (np.arange(20_000) + 0.5) / 20_000
    return -float(np.abs(1.0 + coupling * np.exp(1j * k)).mean())


def xxz_energy(anisotropy: float) -> float:
    r"""Energy per site of the XXZ chain (Yang, Yang, Phys. Rev. 150, 327, 1966).

    With :math:`\cosh\eta = \Delta > 1`:
    :math:`\Delta/4 - \sinh\eta\,(1/2 + 2 \sum_{n \ge 1} 1/(e^{2 n \eta} + 1))`.
    """
    eta = math.acosh(anisotropy)
    series = sum(1.0 / (math.exp(2 * n * eta) + 1.0) for n in range(1, 100))
    return anisotropy / 4 - math.sinh(eta) * (0.5 + 2 * series)


AKLT = math.atan(1 / 3) / math.pi
# Study, couplings, exact energy per site, and how far a state of 32 bond states may be above it.
EXACT: list[tuple[str, dict[str, float], float, float]] = [
    # Affleck, Kennedy, Lieb, Tasaki, Phys. Rev. Lett. 59, 799 (1987).
    ("bilinear_biquadratic", {"theta": AKLT}, -2 / 3 * math.cos(math.pi * AKLT), 1e-9),
    # Barber, Batchelor, Phys. Rev. B 40, 4621 (1989).
    ("bilinear_biquadratic", {"theta": -0.5}, -2.796863, 1e-4),
    # Sutherland, Phys. Rev. B 12, 3795 (1975); Takhtajan, Phys. Lett. A 87, 479 (1982).
    (
        "bilinear_biquadratic",
        {"theta": 0.25},
        math.sqrt(0.5) * (2 - math.pi / math.sqrt(27) - math.log(3)),
        5e-3,
    ),
    ("bilinear_biquadratic", {"theta": -0.25}, -4 * math.sqrt(0.5), 5e-4),
    # White, Huse, Phys. Rev. B 48, 3844 (1993).
    ("haldane", {"Delta": 1.0, "D": 0.0}, -1.401484038971, 2e-6),
    ("xxz_d", {"Delta": 1.0, "D": 0.0}, -1.401484038971, 2e-6),
    ("bond_alternating", {"delta": 0.0}, -1.401484038971, 2e-6),
    # Singlets on the strong bonds.
    ("bond_alternating", {"delta": 1.0}, -2.0, 1e-9),
    ("extended_ssh", {"delta": 1.0, "Jp": 0.0}, -0.375, 1e-9),
    ("extended_ssh", {"delta": 0.0, "Jp": 0.5}, free_fermions(0.5) / 4, 1e-8),
    ("extended_ssh", {"delta": 0.0, "Jp": 2.0}, free_fermions(2.0) / 4, 1e-8),
    ("xxz", {"Delta": 0.0}, -1 / math.pi, 2e-5),
    ("xxz", {"Delta": 2.0}, xxz_energy(2.0), 1e-8),
    ("xxz", {"Delta": 4.0}, xxz_energy(4.0), 1e-9),
    ("xxz", {"Delta": 1.0}, 0.25 - math.log(2), 1e-4),
    ("j1_j2", {"J2": 0.0}, 0.25 - math.log(2), 1e-4),
    # Ramos, Xavier, Phys. Rev. B 89, 094424 (2014).
    ("ladder", {"Jperp": 1.0}, -0.578043140180, 5e-6),
    # Majumdar, Ghosh, J. Math. Phys. 10, 1388 (1969).
    ("j1_j2", {"J2": 0.5}, -0.375, 1e-9),
    ("ising", {"h": 0.5}, free_fermions(0.5), 1e-9),
    ("ising", {"h": 1.5}, free_fermions(1.5), 1e-9),
    ("annni", {"kappa": 0.0, "h": 0.5}, free_fermions(0.5), 1e-9),
    # Peschel, Emery, Z. Phys. B 43, 241 (1981): the line h = 1/(4 kappa) - kappa.
    ("annni", {"kappa": 0.3, "h": 1 / 1.2 - 0.3}, -1 / 1.2, 1e-9),
    ("cluster_field", {"h": 0.0}, -1.0, 1e-9),
    ("cluster_field", {"h": 0.5}, free_fermions(0.5), 1e-8),
    ("cluster_field", {"h": 1.5}, free_fermions(1.5), 1e-8),
    ("cluster_ising", {"lambda": 0.0}, -1.0, 1e-9),
    ("cluster_ising", {"lambda": 0.5}, free_fermions(0.5), 1e-7),
]
