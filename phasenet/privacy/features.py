"""What an attacker sees of networks, as one row of numbers for each.

White-box views are of what a file holds: the parameters as they stand, their canonical form, or
what no change of the form moves. Black-box views are of answers to fixed questions.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.special import softmax

from phasenet.errors import ShapeError
from phasenet.trains.canonical import diagonal_form
from phasenet.trains.gauge import unique_gauge
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

Layer = tuple[Array, Array]
"""Weights, whose axes begin with outputs and inputs, and biases of the outputs."""
Activation = Literal["relu", "tanh", "silu"]


def raw_parameters(networks: Sequence[Mapping[str, Array]]) -> FloatArray:
    """All numbers of networks in the order in which they were published, (models, numbers).

    Parameters
    ----------
    networks
        Arrays by name of each, with the same names and shapes.

    >>> raw_parameters([{"a": np.eye(2), "b": np.ones(1)}]).tolist()
    [[1.0, 0.0, 0.0, 1.0, 1.0]]
    """
    rows = [{name: array.shape for name, array in network.items()} for network in networks]
    if any(shapes != rows[0] for shapes in rows):
        raise ShapeError(
            "networks have weights of different names or shapes; wanted one architecture, or "
            "their answers only"
        )
    names = list(rows[0])
    return np.stack([np.concatenate([n[name].ravel() for name in names]) for n in networks])


def raw_cores(trains: Sequence[TensorTrain]) -> FloatArray:
    """All entries of the cores of trains as they stand, bonds filled up with zeros.

    >>> raw_cores([TensorTrain(cores=(np.ones((1, 2, 1)),))]).tolist()
    [[1.0, 1.0]]
    """
    return _padded([train.cores for train in trains])


def canonical_trains(trains: Sequence[TensorTrain]) -> FloatArray:
    """Trains in the gauge that is unique for each function: all that an attacker can know of it.

    The representative of :func:`phasenet.trains.gauge.unique_gauge`; the last number of a row is
    the logarithm of the norm. Bonds are filled up with zeros to the largest of all trains.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> twice = TensorTrain(cores=(np.full((1, 2, 1), 2.0), np.full((1, 2, 1), 0.5)))
    >>> bool(np.allclose(*canonical_trains([train, twice])))
    True
    """
    forms = [unique_gauge(train) for train in trains]
    scales = np.asarray([form.log_scale for form in forms])
    return np.column_stack([_padded([form.cores for form in forms]), scales])


def schmidt_values(trains: Sequence[TensorTrain]) -> FloatArray:
    """Schmidt values of trains at each bond, which no gauge changes, and the logarithm of the norm.

    >>> schmidt_values([TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)]).round(6).tolist()
    [[1.0, 0.693147]]
    """
    forms = [diagonal_form(train) for train in trains]
    scales = np.asarray([form.log_scale for form, _ in forms])
    return np.column_stack([_padded([values[1:] for _, values in forms]), scales])


def slice_values(trains: Sequence[TensorTrain]) -> FloatArray:
    """Singular values of the matrix of each local state of each core, which rotations keep.

    A random orthogonal matrix on each bond leaves them, and the norm of each core, as they were: a
    gauge that is orthogonal alone hides nothing of them (a general gauge, or an orthogonal one
    after the canonical form, does).

    >>> core = np.stack([np.diag([3.0, 1.0]), np.eye(2)], axis=1)
    >>> train = TensorTrain(cores=(core[:1], core, core[:, :, :1]))
    >>> slice_values([train])[0, 2:6].round(6).tolist()
    [3.0, 1.0, 1.0, 1.0]
    """
    found = []
    for train in trains:
        cores = [np.moveaxis(core, 2, -1) for core in train.cores]
        found.append(
            [
                np.linalg.svd(np.moveaxis(core, 0, -2), compute_uv=False).reshape(-1)
                for core in cores
            ]
        )
    return _padded(found)


def canonical_layers(layers: Sequence[Layer], activation: Activation) -> tuple[Layer, ...]:
    """Layers of the same function in an order of the hidden units that does not remember training.

    Units are sorted by a fixed generic sum of what goes out of them, from the last layer to the
    first. What else leaves the function as it is, is removed first: the scale of a unit of ReLU,
    whose incoming numbers get norm 1, and the sign of one of tanh, whose first weight gets positive
    on the whole. The last layer gets mean 0 over the classes, which no probability sees.

    Parameters
    ----------
    layers
        Weights (outputs, inputs, ...) and biases (outputs,) from the first on; the inputs of each
        are the outputs of the one before.
    activation
        Between the layers.

    >>> layers = [(np.array([[2.0], [0.0]]), np.zeros(2)), (np.array([[0.0, 1.0]] * 2), np.ones(2))]
    >>> [weights.shape for weights, _ in canonical_layers(layers, "relu")]
    [(2, 1), (2, 2)]
    """
    found = [(np.asarray(w, dtype=np.float64), np.asarray(b, np.float64)) for w, b in layers]
    last, bias = found[-1]
    found[-1] = (last - last.mean(axis=0), bias - bias.mean())
    # Scales go from the first layer on, because those of a layer change the incoming norms of the
    # next; the order of a layer needs that of the next.
    for k in range(len(found) - 1):
        (weights, bias), (after, rest) = found[k], found[k + 1]
        factor = _unit_scales(weights, bias, activation)
        found[k] = (weights / factor.reshape(-1, *(1,) * (weights.ndim - 1)), bias / factor)
        found[k + 1] = (after * factor.reshape(1, -1, *(1,) * (after.ndim - 2)), rest)
    for k in range(len(found) - 2, -1, -1):
        (weights, bias), (after, rest) = found[k], found[k + 1]
        outgoing = after.reshape(len(after), after.shape[1], -1).sum(axis=2)
        order = np.argsort(np.linspace(1.0, -1.0, len(after)) @ outgoing, kind="stable")
        found[k], found[k + 1] = (weights[order], bias[order]), (after[:, order], rest)
    return tuple(found)


def canonical_networks(networks: Sequence[Sequence[Layer]], activation: Activation) -> FloatArray:
    """Numbers of networks after :func:`canonical_layers`, shape (models, numbers).

    >>> layers = [(np.eye(2), np.zeros(2)), (np.eye(2), np.zeros(2))]
    >>> canonical_networks([layers], "silu").shape
    (1, 12)
    """
    rows = [canonical_layers(layers, activation) for layers in networks]
    return raw_parameters(
        [{str(k): a for k, a in enumerate(itertools.chain(*layers))} for layers in rows]
    )


def weight_spectra(networks: Sequence[Mapping[str, Array]]) -> FloatArray:
    """Singular values of each weight, and each vector sorted: what no order of units changes.

    Parameters
    ----------
    networks
        As in :func:`raw_parameters`; axes after the first are taken together.

    >>> weight_spectra([{"w": np.diag([1.0, 3.0]), "b": np.array([2.0, 1.0])}]).tolist()
    [[3.0, 1.0, 1.0, 2.0]]
    """
    rows = [[_spectrum(array) for array in network.values()] for network in networks]
    return _padded(rows)


def logit_features(logits: Array) -> FloatArray:
    """Answers to fixed questions, without the mean over classes that no decision sees.

    Parameters
    ----------
    logits
        Shape (models, probes, classes).

    >>> logit_features(np.array([[[1.0, 3.0]]])).tolist()
    [[-1.0, 1.0]]
    """
    values = np.asarray(logits, dtype=np.float64)
    centred = values - values.mean(axis=2, keepdims=True)
    return np.asarray(centred.reshape(len(values), -1))


def probability_features(logits: Array) -> FloatArray:
    """Probabilities of the classes at fixed probes, shape (models, probes times classes).

    >>> probability_features(np.zeros((1, 1, 2))).tolist()
    [[0.5, 0.5]]
    """
    return np.asarray(softmax(np.asarray(logits, np.float64), axis=2)).reshape(len(logits), -1)


def correct_bits(logits: Array, labels: IntArray) -> FloatArray:
    """Whether each probe is classified rightly, 1 or 0, shape (models, probes).

    >>> correct_bits(np.array([[[0.0, 1.0], [0.0, 1.0]]]), np.array([1, 0])).tolist()
    [[1.0, 0.0]]
    """
    right = np.asarray(logits).argmax(axis=2) == labels
    return np.asarray(right, dtype=np.float64)


def _unit_scales(weights: FloatArray, bias: FloatArray, activation: Activation) -> FloatArray:
    """What the incoming numbers of each unit are divided by, and the outgoing ones multiplied."""
    flat = np.column_stack([weights.reshape(len(weights), -1), bias])
    if activation == "relu":
        norms = np.linalg.norm(flat, axis=1)
        return np.where(norms > 0, norms, 1.0)
    if activation == "tanh":
        return np.where(flat.sum(axis=1) < 0, -1.0, 1.0)
    return np.ones(len(weights))


def _spectrum(array: Array) -> FloatArray:
    values = np.asarray(array, dtype=np.float64)
    if values.ndim < 2:
        return np.sort(values.ravel())
    return np.asarray(np.linalg.svd(values.reshape(len(values), -1), compute_uv=False))


def _padded(networks: Sequence[Sequence[Array]]) -> FloatArray:
    """Arrays of each network in one row, each filled up to the largest of all networks."""
    counts = {len(arrays) for arrays in networks}
    if len(counts) > 1:
        raise ShapeError(f"networks have {sorted(counts)} arrays; wanted as many in each")
    columns = []
    for several in zip(*networks, strict=True):
        shape = np.max([array.shape for array in several], axis=0)
        block = np.zeros((len(several), *shape))
        for row, array in zip(block, several, strict=True):
            row[tuple(map(slice, array.shape))] = array
        columns.append(block.reshape(len(several), -1))
    return np.hstack(columns)
