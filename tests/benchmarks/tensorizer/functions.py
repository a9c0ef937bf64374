"""Targets in closed form: functions of bits of a number, sums, indicators."""

from collections.abc import Callable

import numpy as np
from problem import HELD_OUT, IntArray, Limits, Target, generator, uniform_data

from phasenet.trains.train import Array, FloatArray, TensorTrain

_NARROW_CENTRE, _NARROW_WIDTH = 0.3141592653589793, 1e-5
_INTERVAL = (0.27182818284590454, 0.28412345678901234)
_SUM_SITES, _SUM_STATES, _SUM = 20, 4, 30
_SLATER_BITS, _SLATER_VARIABLES, _SLATER_LENGTH = 20, 5, 10.0


def numbers(bits: Array) -> FloatArray:
    """Numbers in [0, 1) of bits of shape (..., length), the most significant bit first."""
    return bits @ 0.5 ** np.arange(1, bits.shape[-1] + 1)


def bits_of(values: Array, count: int) -> IntArray:
    """Bits of numbers in [0, 1), shape (shots, count), the most significant bit first."""
    whole = np.clip(np.floor(np.asarray(values) * 2.0**count), 0, 2**count - 1).astype(np.int64)
    return (whole[:, None] >> np.arange(count - 1, -1, -1)) & 1


def quantics(bits: int) -> Target:
    """Return a cosine under a Gaussian on a grid of binary numbers."""
    name = "quant" if bits == 30 else f"quant{bits}"
    tol, limit = (1e-8, 1e-6) if bits == 30 else (1e-12, 1e-11)
    near = 0.5 + 0.1 * generator(name, "peak").normal(size=HELD_OUT)
    data, held_out = uniform_data(name, (2,) * bits)
    return Target(
        name=name,
        function=lambda x: cosine_gaussian(numbers(x)),
        site_dims=(2,) * bits,
        data=data,
        held_out=held_out,
        tol=tol,
        max_rank=40,
        limits=Limits(data=limit, uniform=limit, peak=limit),
        peak=bits_of(near, bits),
    )


def cosine_gaussian(x: FloatArray) -> FloatArray:
    """Return the oscillation and its envelope, both on [0, 1)."""
    return np.cos(60.0 * x) * np.exp(-(((x - 0.5) / 0.2) ** 2))


def quant_narrow(bits: int = 30) -> Target:
    """Return a slow wave and a peak of width 1e-5, of which one point is known."""
    known = bits_of(np.array([_NARROW_CENTRE]), bits)[0]
    spread = generator("quant_narrow", "peak").normal(size=HELD_OUT)
    data, held_out = uniform_data("quant_narrow", (2,) * bits, known)
    return Target(
        name="quant_narrow",
        function=lambda x: _wave_and_peak(numbers(x)),
        site_dims=(2,) * bits,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=40,
        limits=Limits(data=1e-6, uniform=1e-6, peak=1e-6),
        peak=bits_of(_NARROW_CENTRE + _NARROW_WIDTH * spread, bits),
    )


def _wave_and_peak(x: FloatArray) -> FloatArray:
    peak = np.exp(-0.5 * ((x - _NARROW_CENTRE) / _NARROW_WIDTH) ** 2)
    return 0.1 * np.cos(2 * np.pi * x) + peak


def hilbert() -> Target:
    """Return the many-variable Hilbert tensor 1 / (1 + sum x)."""
    return _uniform_target("hilbert", lambda x: 1.0 / (1.0 + x.sum(axis=1)), (10,) * 20, 1e-5)


def lorentz() -> Target:
    """Return a Lorentzian of the distance from a point off the centre."""
    centre = np.linspace(1.5, 4.5, 16)

    def function(configurations: Array) -> FloatArray:
        return 1.0 / (1.0 + 0.5 * ((configurations - centre) ** 2).sum(axis=1))

    return _uniform_target("lorentz", function, (6,) * 16, 1e-5)


def _uniform_target(
    name: str, function: Callable[[Array], FloatArray], site_dims: tuple[int, ...], limit: float
) -> Target:
    data, held_out = uniform_data(name, site_dims)
    return Target(
        name=name,
        function=function,
        site_dims=site_dims,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=40,
        limits=Limits(data=limit, uniform=limit),
    )


def ind_sum() -> Target:
    """Return the indicator of one value of a sum; one point of its support is known."""
    site_dims = (_SUM_STATES,) * _SUM_SITES
    peak = _draw_sum(generator("ind_sum", "peak"))
    data, held_out = uniform_data("ind_sum", site_dims, [0, 3] * (_SUM_SITES // 2))
    return Target(
        name="ind_sum",
        function=lambda x: (x.sum(axis=1) == _SUM).astype(np.float64),
        site_dims=site_dims,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=60,
        # Sums of half the chain that are as good as never drawn keep the distance from being 0.
        limits=Limits(data=1e-6, uniform=1e-6, peak=1e-6, norm=1e-2),
        peak=peak,
        exact=_counter(_SUM_SITES, _SUM_STATES, _SUM),
    )


def _draw_sum(rng: np.random.Generator) -> IntArray:
    """Uniform configurations of the support."""
    draws = rng.integers(_SUM_STATES, size=(40 * HELD_OUT, _SUM_SITES))
    return draws[draws.sum(axis=1) == _SUM][:HELD_OUT]


def _counter(length: int, states: int, wanted: int) -> TensorTrain:
    """Return the train that counts up to a sum: the bond is the partial sum."""
    core = np.zeros((wanted + 1, states, wanted + 1))
    for state in range(states):
        core[:, state] = np.eye(wanted + 1, k=state)
    return TensorTrain(cores=(core[:1], *[core] * (length - 2), core[:, :, -1:]))


def ind_interval(bits: int = 30) -> Target:
    """Return the indicator of an interval of binary numbers; one of its points is known."""
    low, high = _INTERVAL
    rng = generator("ind_interval", "peak")
    around = low + (high - low) * np.concatenate(
        [rng.uniform(-0.5, 1.5, HELD_OUT // 2), rng.choice([0, 1], HELD_OUT // 2)]
    )
    around[HELD_OUT // 2 :] += rng.normal(size=HELD_OUT // 2) * 1e-4 * (high - low)
    known = bits_of(np.array([low + 0.3 * (high - low)]), bits)[0]
    data, held_out = uniform_data("ind_interval", (2,) * bits, known)
    return Target(
        name="ind_interval",
        function=lambda x: ((numbers(x) >= low) & (numbers(x) < high)).astype(np.float64),
        site_dims=(2,) * bits,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=40,
        limits=Limits(data=1e-6, uniform=1e-6, peak=1e-2, norm=1e-2),
        peak=bits_of(around, bits),
        exact=_interval_train(low, high, bits),
    )


def _interval_train(low: float, high: float, bits: int) -> TensorTrain:
    """Return [x < high] - [x < low]: each comparison is an automaton of equal and smaller."""
    cores = []
    edges = np.ceil(np.array([low, high]) * 2.0**bits).astype(np.int64)
    for site in range(bits):
        core = np.zeros((4, 2, 4))
        for block, digit in zip((0, 2), (edges >> (bits - 1 - site)) & 1, strict=True):
            core[block, digit, block] = 1.0  # still equal
            core[block, :digit, block + 1] = 1.0  # smaller from here on
            core[block + 1, :, block + 1] = 1.0
        cores.append(core)
    cores[0] = np.tensordot([-1.0, 0.0, 1.0, 0.0], cores[0], axes=(0, 0))[None]
    cores[-1] = (cores[-1] @ np.array([0.0, 1.0, 0.0, 1.0]))[:, :, None]
    return TensorTrain(cores=tuple(cores))


def slater() -> Target:
    """Return exp(-rho) / rho of five variables in (0, 10], each of 20 bits, one after another."""
    site_dims = (2,) * (_SLATER_BITS * _SLATER_VARIABLES)
    data, held_out = uniform_data("slater", site_dims)
    rng = generator("slater", "peak")
    near = rng.exponential(0.12, size=(HELD_OUT, _SLATER_VARIABLES)) % 1.0
    peak = bits_of(near.reshape(-1), _SLATER_BITS).reshape(HELD_OUT, -1)
    return Target(
        name="slater",
        function=_slater_function,
        site_dims=site_dims,
        data=data,
        held_out=held_out,
        tol=1e-3,
        max_rank=30,
        limits=Limits(data=0.05, uniform=0.05),
        peak=peak,
    )


def _slater_function(configurations: Array) -> FloatArray:
    bits = configurations.reshape(-1, _SLATER_VARIABLES, _SLATER_BITS)
    x = _SLATER_LENGTH * (numbers(bits) + 0.5**_SLATER_BITS)
    rho = np.sqrt((x**2).sum(axis=1))
    return np.exp(-rho) / rho
