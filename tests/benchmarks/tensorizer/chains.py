"""Targets that are trains themselves: AKLT, an XXZ ground state, a cat, a random train."""

import logging
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from problem import (
    HELD_OUT,
    TRAINING,
    IntArray,
    Limits,
    Target,
    generator,
    uniform_data,
)
from stored import stored

from phasenet.trains.train import Array, FloatArray, TensorTrain

_EXACT = 1e-6
_IN_CACHE = 2**16  # sites per chunk
_PAIR, _ZERO = np.log(2 / 3) / 2, np.log(1 / 3) / 2
# Below so many numbers one copy of all slices is cheaper than a product for each state.
_GATHERED = 2**14
# Odd weights of sites, so that a dot product modulo 2^64 tells halves of a chain apart.
_WEIGHTS = generator("weights of sites").integers(2**62, size=512) * 2 + 1


def aklt(length: int) -> Target:
    """Return the AKLT amplitudes in closed form; their support is exponentially sparse."""
    core = np.zeros((2, 3, 2))
    core[0, 0, 1] = np.sqrt(2 / 3)
    core[:, 1] = -np.sqrt(1 / 3) * np.diag([1.0, -1.0])
    core[1, 2, 0] = -np.sqrt(2 / 3)
    exact = TensorTrain(cores=(core[:1], *[core] * (length - 2), core[:, :, :1]))
    data, held_out = _born_data(f"aklt{length}", lambda shots, rng: _draw_aklt(length, shots, rng))
    return Target(
        name=f"aklt{length}",
        function=aklt_amplitudes,
        amplitudes=True,
        site_dims=(3,) * length,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=20,
        limits=Limits(data=_EXACT, uniform=_EXACT, norm=_EXACT),
        exact=exact,
    )


def aklt_amplitudes(configurations: Array) -> FloatArray:
    r"""Amplitudes :math:`\langle 0|A^{s_1}\cdots A^{s_n}|0\rangle` of the AKLT chain.

    With :math:`A^\pm = \pm\sqrt{2/3}\,\sigma^\pm` and :math:`A^0 = -\sqrt{1/3}\,\sigma^z`, only
    states survive whose +1 and -1 alternate and start with +1; the bond state is the partial sum.
    """
    rows = max(1, _IN_CACHE // configurations.shape[1])
    parts = [
        _aklt_values(configurations[start : start + rows])
        for start in range(0, len(configurations), rows)
    ]
    return np.concatenate(parts) if len(parts) != 1 else parts[0]


def _aklt_values(configurations: Array) -> FloatArray:
    spins = 1 - configurations.astype(np.int16)
    sums = np.cumsum(spins, axis=1)
    alternates = ((sums & ~1) == 0).all(axis=1) & (sums[:, -1] == 0)
    zeros = spins == 0
    count = zeros.sum(axis=1)
    flips = configurations.shape[1] - count
    # A zero in bond state 0 and a -1 each carry a sign.
    negative = (zeros & (sums == 0)).sum(axis=1) + flips // 2
    size = np.exp(_PAIR * flips + _ZERO * count)
    return np.where(alternates, np.where(negative % 2 == 0, size, -size), 0.0)


def _draw_aklt(length: int, shots: int, rng: np.random.Generator) -> IntArray:
    """Born samples: a Markov chain of the bond state, held to end where it started."""
    stay = (1 + (-1 / 3.0) ** np.arange(length + 1)) / 2  # probability to be back after k sites
    bond, columns = np.zeros(shots, dtype=np.int64), []
    for site in range(length):
        left = length - site - 1
        back = np.where(bond == 0, stay[left], 1 - stay[left])
        away = 1 - back
        flips = rng.random(shots) * (back / 3 + away * 2 / 3) >= back / 3
        columns.append(np.where(flips, 2 * bond, 1))
        bond = np.where(flips, 1 - bond, bond)
    return np.stack(columns, axis=1)


def xxz24() -> Target:
    """Return a spin-1 XXZ ground state of 24 sites, bond 40, exactly as DMRG left it."""
    arrays = stored("xxz24", _solve_xxz24)
    cores = tuple(arrays[str(site)] for site in range(24))
    data, held_out = _born_data("xxz24", lambda shots, rng: draw_squared(cores, shots, rng))
    return Target(
        name="xxz24",
        function=TrainFunction(cores),
        amplitudes=True,
        site_dims=(3,) * 24,
        data=data,
        held_out=held_out,
        tol=1e-6,
        max_rank=60,
        limits=Limits(data=_EXACT, uniform=_EXACT, norm=_EXACT),
        exact=TensorTrain(cores=cores),
    )


def cat50() -> Target:
    """Return two product states with nothing in common."""

    def function(configurations: Array) -> FloatArray:
        total = configurations.sum(axis=1)
        return np.sqrt(0.5) * ((total == 0) | (total == configurations.shape[1]))

    def draw(shots: int, rng: np.random.Generator) -> IntArray:
        return np.repeat(rng.integers(2, size=(shots, 1)), 50, axis=1)

    core = np.eye(2)[:, :, None] * np.eye(2)[:, None, :]
    first = np.sqrt(0.5) * core.sum(axis=0, keepdims=True)
    data, held_out = _born_data("cat50", draw)
    return Target(
        name="cat50",
        function=function,
        amplitudes=True,
        site_dims=(2,) * 50,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=20,
        limits=Limits(data=_EXACT, uniform=_EXACT, norm=_EXACT),
        exact=TensorTrain(cores=(first, *[core] * 48, core.sum(axis=2, keepdims=True))),
    )


def rand_train(length: int = 100, rank: int = 10, which: int = 0) -> Target:
    """Return a random train of isometric cores, judged on uniform configurations."""
    name = "rand_train" if which == 0 else f"rand_train{which}"
    rng = generator("rand_train", length, rank, which)
    cores = []
    bonds = [min(rank, 2 ** min(i, length - i, 20)) for i in range(length + 1)]
    for left, right in pairwise(bonds):
        isometry = np.linalg.qr(rng.normal(size=(2 * right, left)))[0]
        # Columns are orthonormal: a right-canonical core, scaled to values of order one.
        cores.append(np.sqrt(2.0) * isometry.T.reshape(left, 2, right))
    data, held_out = uniform_data(name, (2,) * length)
    return Target(
        name=name,
        function=TrainFunction(tuple(cores)),
        site_dims=(2,) * length,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=20,
        limits=Limits(data=_EXACT, uniform=_EXACT, norm=_EXACT),
        exact=TensorTrain(cores=tuple(cores)),
    )


class TrainFunction:
    """Values of a train in batches: both halves of a chain once for each that is different."""

    def __init__(self, cores: Sequence[Array]) -> None:
        self._middle = len(cores) // 2
        self._left = tuple(cores[: self._middle])
        self._right = tuple(core.transpose(2, 1, 0) for core in cores[: self._middle - 1 : -1])

    def __call__(self, configurations: Array) -> FloatArray:
        left = _half(self._left, configurations[:, : self._middle])
        right = _half(self._right, configurations[:, self._middle :][:, ::-1])
        return np.einsum("na,na->n", left, right)


def _half(cores: Sequence[Array], states: Array) -> Array:
    """Product of the slices of cores for each row of states, shape (rows, bond)."""
    keys = states.astype(np.int64) @ _WEIGHTS[: states.shape[1]]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    states = states[first]
    rows = np.ones((len(first), 1))
    for site, core in enumerate(cores):
        rows = _step(rows, core, states[:, site])
    return rows[inverse]


def _step(rows: Array, core: Array, states: Array) -> Array:
    if len(rows) * core[:, 0].size < _GATHERED:
        return np.einsum("nl,lnr->nr", rows, core[:, states])
    grown = np.empty((len(rows), core.shape[2]))
    for state in range(core.shape[1]):
        chosen = np.flatnonzero(states == state)
        grown[chosen] = rows[chosen] @ core[:, state]
    return grown


def draw_squared(cores: Sequence[Array], shots: int, rng: np.random.Generator) -> IntArray:
    """Perfect samples of the squared values of right-canonical cores."""
    rows, columns = np.ones((shots, 1)), []
    for core in cores:
        grown = np.einsum("nl,lsr->nsr", rows, core)
        weights = np.cumsum((grown**2).sum(axis=2), axis=1)
        draws = rng.random(shots) * weights[:, -1]
        states = np.minimum((draws[:, None] >= weights).sum(axis=1), core.shape[1] - 1)
        rows = grown[np.arange(shots), states]
        rows /= np.abs(rows).max(axis=1, keepdims=True)
        columns.append(states)
    return np.stack(columns, axis=1)


def ground_state(
    length: int, *, delta: float, anisotropy: float, max_bond: int, field: float = 0.0
) -> tuple[Array, ...]:
    """Right-canonical cores of a spin-1 ground state by TeNPy, basis +1, 0, -1.

    ``field`` pins the end spins with -h Sz and +h Sz.
    """
    from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
    from tenpy.models.spins import SpinChain
    from tenpy.networks.mps import MPS

    logging.getLogger("tenpy").setLevel(logging.ERROR)
    pinning = np.zeros(length)
    pinning[0], pinning[-1] = field, -field
    parameters = {
        "S": 1,
        "L": length,
        "Jx": 1.0,
        "Jy": 1.0,
        "Jz": delta,
        "D": anisotropy,
        "hz": pinning,
        "bc_MPS": "finite",
        "conserve": "Sz",
    }
    options = {
        "mixer": True,
        "trunc_params": {"chi_max": max_bond, "svd_min": 1e-10},
        "max_sweeps": 20,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SpinChain(parameters)
        psi = MPS.from_product_state(model.lat.mps_sites(), ["up", "down"] * (length // 2))
        TwoSiteDMRGEngine(psi, model, options).run()
    cores = []
    for site in range(length):
        core = psi.get_B(site, form="B").copy().itranspose(["vL", "p", "vR"]).to_ndarray()
        # With Sz conserved TeNPy counts from -1 to +1.
        cores.append(np.ascontiguousarray(core.real[:, ::-1]))
    return tuple(cores)


def _solve_xxz24() -> dict[str, Array]:
    cores = ground_state(24, delta=0.8, anisotropy=0.1, max_bond=40)
    return {str(site): core for site, core in enumerate(cores)}


def _born_data(
    name: str, draw: Callable[[int, np.random.Generator], IntArray]
) -> tuple[Callable[[int], IntArray], IntArray]:
    def data(seed: int) -> IntArray:
        return draw(TRAINING, generator(name, "data", seed))

    return data, draw(HELD_OUT, generator(name, "held out"))
