"""States that a careless measurement calls by a wrong name, and what may be said of each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.linalg

from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_cell, large_d_chain
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import State
from phasenet.trains.train import TensorTrain
from tests.contracts.dense import ground_vector, vector_train
from tests.trains.charged import gauged, padded

NONE, TRIVIAL, PROTECTED = (0,), (1,), (-1,)


@dataclass(frozen=True, kw_only=True)
class Trap:
    """State and the values that each invariant may have: Z2xZ2, time reversal, bond inversion.

    ``strings`` are the limits of -O^x and -O^z where they are known.
    """

    state: Callable[[], State]
    allowed: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    strings: tuple[float, float] | None = None


def direct_sum(*cells):
    """One-site cell of a superposition of one-site cells, all of norm 1."""
    blocks = [cell[0] / np.sqrt(np.sum(np.abs(cell[0]) ** 2) / len(cell[0])) for cell in cells]
    return [
        np.stack(
            [
                scipy.linalg.block_diag(*(b[:, s] for b in blocks))
                for s in range(blocks[0].shape[1])
            ],
            axis=1,
        )
    ]


def product(dim, *places):
    return [np.eye(dim)[place].reshape(1, dim, 1) for place in places]


def of_chain(cell, length):
    """Open chain of a one-site cell, all branches at both ends."""
    left, right = np.ones((1, len(cell[0]))), np.ones((len(cell[0]), 1))
    first = np.tensordot(left, cell[0], axes=(1, 0))
    last = np.tensordot(cell[0], right, axes=(2, 0))
    return TensorTrain(cores=(first, *cell * (length - 2), last))


def majumdar_ghosh():
    """Both dimer coverings in a one-site cell."""
    core = np.zeros((3, 2, 3))
    core[0, 0, 1] = core[1, 1, 0] = core[2, 0, 0] = 1.0
    core[0, 1, 2] = -1.0
    return [core]


def dimers():
    """One dimer covering, cut between two dimers."""
    core = majumdar_ghosh()[0]
    return [core[:1, :, 1:], core[1:, :, :1]]


def unsymmetric(length):
    cores = list(np.random.default_rng(0).normal(size=(length, 4, 3, 4)))
    return TensorTrain(cores=(cores[0][:1], *cores[1:-1], cores[-1][:, :, :1]))


def of_ground_state(model, allowed):
    return Trap(state=cache(lambda: vector_train(ground_vector(*model))), allowed=allowed)


AKLT = tuple(aklt_cell().cores)
LARGE_D = tuple(large_d_cell().cores)

TRAPS = {
    "AKLT, any norm and gauge": Trap(
        state=lambda: TensorTrain(
            cores=tuple(gauged(np.random.default_rng(0), aklt_chain(24).cores, infinite=False))
        ),
        allowed=(PROTECTED,) * 3,
        strings=(4 / 9, 4 / 9),
    ),
    "AKLT with dead bonds": Trap(
        state=lambda: canonical_cell(padded(np.random.default_rng(0), AKLT, infinite=True)),
        allowed=(PROTECTED,) * 3,
        strings=(4 / 9, 4 / 9),
    ),
    "AKLT twice, once with a phase per site": Trap(
        state=lambda: canonical_cell(direct_sum(AKLT, [1j * AKLT[0]])),
        allowed=(PROTECTED,) * 3,
        strings=(4 / 9, 4 / 9),
    ),
    "bond dimension one": Trap(
        state=lambda: large_d_chain(24), allowed=(TRIVIAL,) * 3, strings=(0.0, 0.0)
    ),
    "a cell of one site, bond dimension one": Trap(
        state=lambda: large_d_cell(), allowed=(TRIVIAL,) * 3, strings=(0.0, 0.0)
    ),
    "polarised cell": Trap(
        state=lambda: canonical_cell(product(3, 0)),
        allowed=(NONE, NONE, TRIVIAL),
        strings=(0.0, -1.0),
    ),
    "polarised chain": Trap(
        state=lambda: TensorTrain(cores=tuple(product(3, 0) * 20)), allowed=(NONE, NONE, TRIVIAL)
    ),
    "Neel cell": Trap(
        state=lambda: canonical_cell(product(3, 0, 2)), allowed=(NONE,) * 3, strings=(0.0, 1.0)
    ),
    "Neel chain": Trap(
        state=lambda: TensorTrain(cores=tuple(product(3, 0, 2) * 10)), allowed=(NONE,) * 3
    ),
    "both Neel states in a cell of one site": Trap(
        state=lambda: canonical_cell([direct_sum(product(3, 0), product(3, 2))[0][:, :, ::-1]]),
        # Inversion takes each into the other one.
        allowed=(NONE, NONE, NONE),
    ),
    "cat of both polarisations": Trap(
        state=lambda: canonical_cell(direct_sum(product(3, 0), product(3, 2))),
        allowed=(NONE, NONE, (0, 1)),
    ),
    "cat chain": Trap(
        state=lambda: of_chain(direct_sum(product(3, 0), product(3, 2)), 20),
        allowed=(NONE, NONE, (0, 1)),
    ),
    "cat of AKLT and large D": Trap(
        state=lambda: canonical_cell(direct_sum(AKLT, LARGE_D)), allowed=(NONE,) * 3
    ),
    "both dimer coverings": Trap(
        state=lambda: canonical_cell(majumdar_ghosh()), allowed=(NONE,) * 3
    ),
    "one dimer covering": Trap(state=lambda: canonical_cell(dimers()), allowed=(TRIVIAL,) * 3),
    "one dimer covering, cut within a dimer": Trap(
        state=lambda: canonical_cell(dimers()[::-1]), allowed=(PROTECTED,) * 3
    ),
    "no symmetry": Trap(state=lambda: unsymmetric(20), allowed=(NONE,) * 3),
    "two sites": Trap(state=lambda: aklt_chain(2), allowed=(NONE,) * 3),
    "three sites": Trap(state=lambda: aklt_chain(3), allowed=(NONE,) * 3),
    "too short for a critical point": of_ground_state(
        ("xxz_d", {"Delta": 1.0, "D": 0.9685}, 8, 3), (NONE,) * 3
    ),
    "too short for its edge spins": of_ground_state(
        ("xxz_d", {"Delta": 1.0, "D": 0.0}, 8, 3), ((0, -1),) * 3
    ),
    "an odd number of sites": of_ground_state(
        ("xxz_d", {"Delta": 1.0, "D": 0.0}, 7, 3), ((0, -1),) * 3
    ),
    "both Neel states of a short chain": of_ground_state(
        ("xxz_d", {"Delta": 3.0, "D": 0.0}, 8, 3), (NONE,) * 3
    ),
    "large D on a few sites": of_ground_state(
        ("xxz_d", {"Delta": 1.0, "D": 3.0}, 8, 3), ((0, 1),) * 3
    ),
    "gapless chain": of_ground_state(("xxz", {"Delta": 1.0}, 12, 2), (NONE,) * 3),
    "gapless chain of free fermions": of_ground_state(("xxz", {"Delta": 0.0}, 12, 2), (NONE,) * 3),
    "dimers of a chain, middle between two": of_ground_state(
        ("j1_j2", {"J2": 0.5}, 12, 2), (TRIVIAL,) * 3
    ),
    "dimers of a chain, middle within one": of_ground_state(
        ("j1_j2", {"J2": 0.5}, 10, 2), ((0, -1),) * 3
    ),
    "both Ising ordered states": of_ground_state(
        ("ising", {"h": 0.5}, 12, 2), (NONE, NONE, (0, 1))
    ),
    "critical Ising chain": of_ground_state(("ising", {"h": 1.0}, 12, 2), (NONE, NONE, NONE)),
}
