"""Targets that are networks, written in numpy: trained and random ones, and a Boltzmann machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from problem import IntArray, Limits, Target, generator, pool_data, uniform_data
from stored import stored

from phasenet.trains.train import Array, FloatArray

_CAPPED = Limits()
_GAIN = 1.6  # the best rank 24 for uniform configurations leaves 11 %
_IN_CACHE = 8192  # sites per chunk, whose hidden layers stay in the cache of a core


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """Tanh network over one-hot states; a pair (weights, bias) for each layer."""

    layers: Sequence[tuple[Array, Array]]
    states: int

    def __call__(self, configurations: Array) -> FloatArray:
        weights, bias = self.layers[0]
        hidden = one_hot(configurations, self.states).reshape(len(configurations), -1)
        hidden = hidden @ weights + bias
        for weights, bias in self.layers[1:]:
            hidden = np.tanh(hidden) @ weights + bias
        return hidden


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolutional:
    """Two tanh convolutions over one-hot states, the mean over the chain, one linear layer.

    ``first`` has shape (kernel, states, channels), ``second`` (kernel, channels, channels).
    """

    first: Array
    second: Array
    readout: Array
    first_bias: Array
    second_bias: Array
    readout_bias: Array

    def __call__(self, configurations: Array) -> FloatArray:
        rows = max(1, _IN_CACHE // configurations.shape[1])
        parts = [
            self._values(configurations[start : start + rows])
            for start in range(0, len(configurations), rows)
        ]
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _values(self, configurations: Array) -> FloatArray:
        # The first layer of a one-hot input is a sum of rows of its weights.
        width = configurations.shape[1] - len(self.first) + 1
        hidden = sum(
            weights[configurations[:, shift : shift + width]]
            for shift, weights in enumerate(self.first)
        )
        hidden = np.tanh(hidden + self.first_bias)
        width -= len(self.second) - 1
        hidden = sum(
            hidden[:, shift : shift + width] @ weights for shift, weights in enumerate(self.second)
        )
        hidden = np.tanh(hidden + self.second_bias).mean(axis=1)
        return hidden @ self.readout + self.readout_bias


def one_hot(configurations: Array, states: int) -> FloatArray:
    """Ones at the local states, shape (shots, length, states)."""
    return np.eye(states)[configurations]


def mlp16() -> Target:
    """Return a dense network that tells the two phases of the transverse-field Ising chain."""
    arrays = stored("mlp16", _train_mlp16)
    layers = [(arrays[f"weights{i}"], arrays[f"bias{i}"]) for i in range(3)]
    return _ising_target("mlp16", Dense(layers=layers, states=2))


def mlp16_rand() -> Target:
    """Return a dense network with random weights, judged on the same data."""
    rng = generator("mlp16_rand")
    shapes = [(32, 32), (32, 32), (32, 2)]
    layers = [
        (_GAIN * rng.normal(size=shape) / np.sqrt(16 if i == 0 else shape[0]), np.zeros(shape[1]))
        for i, shape in enumerate(shapes)
    ]
    return _ising_target("mlp16_rand", Dense(layers=layers, states=2))


def _ising_target(name: str, network: Dense) -> Target:
    data, held_out = pool_data(name, stored("ising16", _ising_snapshots)["pool"])
    return Target(
        name=name,
        function=network,
        site_dims=(2,) * 16,
        data=data,
        held_out=held_out,
        tol=1e-4,
        max_rank=24,
        limits=_CAPPED,
    )


def cnn32() -> Target:
    """Return a convolutional network that tells Haldane from large-D snapshots."""
    arrays = stored("cnn32_kernels_4_3", _train_cnn32)
    data, held_out = pool_data("cnn32", stored("haldane32", _haldane_snapshots)["pool"])
    return Target(
        name="cnn32",
        function=Convolutional(
            first=arrays["first"],
            second=arrays["second"],
            readout=arrays["readout"],
            first_bias=arrays["first_bias"],
            second_bias=arrays["second_bias"],
            readout_bias=arrays["readout_bias"],
        ),
        site_dims=(3,) * 32,
        data=data,
        held_out=held_out,
        tol=1e-4,
        max_rank=30,
        limits=_CAPPED,
    )


def local(length: int) -> Target:
    """Return a random convolutional network with one output: a sum of terms of five sites."""
    rng = generator("local")
    network = Convolutional(
        first=rng.normal(size=(3, 2, 6)),
        second=rng.normal(size=(3, 6, 6)) / 3.0,
        readout=rng.normal(size=(6,)),
        first_bias=rng.normal(size=6),
        second_bias=rng.normal(size=6),
        readout_bias=np.array(0.3),
    )
    name = f"local_n{length}"
    data, held_out = uniform_data(name, (2,) * length)
    return Target(
        name=name,
        function=network,
        site_dims=(2,) * length,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=30,
        limits=Limits(data=1e-6, uniform=1e-6),
    )


def rbm() -> Target:
    """Return the amplitudes of a restricted Boltzmann machine of 24 spins."""
    data, held_out = pool_data("rbm", stored("rbm24", _boltzmann_samples)["pool"])
    return Target(
        name="rbm",
        function=lambda x: np.exp(_log_amplitudes(x)),
        site_dims=(2,) * 24,
        data=data,
        held_out=held_out,
        tol=1e-8,
        max_rank=40,
        limits=_CAPPED,
    )


def _log_amplitudes(configurations: Array) -> FloatArray:
    """Logarithm of exp(a s) prod_j 2 cosh(b_j + w_j s), up to a constant."""
    weights, hidden, visible = _couplings()
    spins = 1.0 - 2.0 * configurations
    return spins @ visible + np.log(np.cosh(spins @ weights + hidden)).sum(axis=1)


@cache
def _couplings() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights, hidden and visible fields; a hidden spin sees its neighbourhood most."""
    rng = generator("rbm")
    weights = 0.45 * rng.normal(size=(24, 24))
    reach = np.abs(np.subtract.outer(np.arange(24), np.arange(24)))
    return (
        weights * np.exp(-reach / 2.0),
        0.3 * rng.normal(size=24),
        0.1 * rng.normal(size=24),
    )


def _boltzmann_samples() -> dict[str, Array]:
    """Metropolis samples of the squared amplitudes, one chain for each."""
    rng = generator("rbm", "pool")
    states = rng.integers(2, size=(12_000, 24))
    logs = _log_amplitudes(states)
    for step in range(40 * 24):
        proposed = states.copy()
        proposed[:, step % 24] ^= 1
        after = _log_amplitudes(proposed)
        taken = np.log(rng.random(len(states))) < 2 * (after - logs)
        states[taken], logs[taken] = proposed[taken], after[taken]
    return {"pool": states.astype(np.uint8)}


def _ising_snapshots() -> dict[str, Array]:
    """Snapshots of exact ground states of 16 spins in both phases, and which phase."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    length, per_field = 16, 2_500
    size = 2**length
    bits = (np.arange(size)[:, None] >> np.arange(length - 1, -1, -1)) & 1
    spins = 1 - 2 * bits
    bonds = -(spins[:, :-1] * spins[:, 1:]).sum(axis=1).astype(np.float64)
    flipped = np.arange(size)[:, None] ^ (1 << np.arange(length))
    rng = generator("ising16")
    pool, phase = [], []
    for field in (0.2, 0.4, 0.6, 0.8, 1.2, 1.5, 1.8, 2.2):
        operator = LinearOperator(
            (size, size),
            matvec=lambda v, h=field: bonds * v.ravel() - h * v.ravel()[flipped].sum(axis=1),
            dtype=np.float64,
        )
        state = eigsh(operator, k=1, which="SA", v0=np.ones(size))[1][:, 0]
        chosen = rng.choice(size, size=per_field, p=state**2 / (state**2).sum())
        pool.append(bits[chosen])
        phase.append(np.full(per_field, int(field > 1.0)))
    order = rng.permutation(8 * per_field)
    return {
        "pool": np.concatenate(pool)[order].astype(np.uint8),
        "phase": np.concatenate(phase)[order],
    }


def _haldane_snapshots() -> dict[str, Array]:
    """Snapshots of ground states of 32 spins in the Haldane and in the large-D phase."""
    from chains import draw_squared, ground_state

    rng = generator("haldane32")
    pool, phase = [], []
    for anisotropy in (0.0, 0.25, 0.5, 1.3, 1.6, 2.0):
        cores = ground_state(32, delta=1.0, anisotropy=anisotropy, max_bond=48, field=0.5)
        pool.append(draw_squared(cores, 3_000, rng))
        phase.append(np.full(3_000, int(anisotropy > 0.97)))
    order = rng.permutation(18_000)
    return {
        "pool": np.concatenate(pool)[order].astype(np.uint8),
        "phase": np.concatenate(phase)[order],
    }


def _train_mlp16() -> dict[str, Array]:
    import torch

    arrays = stored("ising16", _ising_snapshots)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(32, 32),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 32),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 2),
    ).double()
    inputs = torch.from_numpy(one_hot(arrays["pool"], 2).reshape(-1, 32))
    _fit(network, inputs[:-4000], arrays["phase"][:-4000], epochs=20)
    linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    result: dict[str, Array] = {}
    for index, layer in enumerate(linear):
        result[f"weights{index}"] = layer.weight.detach().numpy().T.copy()
        result[f"bias{index}"] = layer.bias.detach().numpy().copy()
    return result


def _train_cnn32() -> dict[str, Array]:
    import torch

    arrays = stored("haldane32", _haldane_snapshots)
    torch.manual_seed(0)
    first, second = torch.nn.Conv1d(3, 8, 4), torch.nn.Conv1d(8, 8, 3)
    readout = torch.nn.Linear(8, 2)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([first, second, readout])

        def forward(self, spins: torch.Tensor) -> torch.Tensor:
            return readout(torch.tanh(second(torch.tanh(first(spins)))).mean(dim=2))

    inputs = torch.from_numpy(one_hot(arrays["pool"], 3).transpose(0, 2, 1).copy())
    _fit(Network().double(), inputs[:-4000], arrays["phase"][:-4000], epochs=8)
    return {
        "first": first.weight.detach().numpy().transpose(2, 1, 0).copy(),
        "second": second.weight.detach().numpy().transpose(2, 1, 0).copy(),
        "readout": readout.weight.detach().numpy().T.copy(),
        "first_bias": first.bias.detach().numpy().copy(),
        "second_bias": second.bias.detach().numpy().copy(),
        "readout_bias": readout.bias.detach().numpy().copy(),
    }


def _fit(network: Any, inputs: Any, phase: IntArray, epochs: int) -> None:
    """Minimise the cross-entropy by Adam."""
    import torch

    labels = torch.from_numpy(phase.astype(np.int64))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(128):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
