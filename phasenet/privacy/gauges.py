"""Trains that carry a function and no trace of how it was found, and what shows whether they do."""

import math
import secrets
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from phasenet.seeds import stream
from phasenet.settings import Count, Settings
from phasenet.trains.canonical import canonical, round_train
from phasenet.trains.gauge import general_gauge, orthogonal_gauge, unique_gauge
from phasenet.trains.train import FloatArray, TensorTrain

Gauge = Literal["orthogonal", "general"]

# Bond states below are no part of the function in the precision that is published.
_ROUND_TOL = 1e-7


class ProtectSettings(Settings):
    """How a network becomes one train whose numbers tell nothing but its function.

    ``method`` finds the train, of bonds up to ``rank``, from ``samples`` training shots; it is
    trained on for ``epochs`` passes, 0 for none. ``gauge`` draws the matrices on its bonds, those
    of the general linear group of condition number ``condition``.
    """

    method: Literal["sketch", "cross"] = "sketch"
    rank: Count = 16
    epochs: Annotated[int, Field(ge=0)] = 0
    gauge: Gauge = "general"
    condition: Annotated[float, Field(ge=1)] = 10.0
    samples: Count = 4000
    max_evaluations: Count = 500_000
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3


def gauge_source(seed: int | None) -> np.random.Generator:
    """Random numbers of a gauge, from the entropy of the system unless there is a seed.

    >>> one, two = gauge_source(None), gauge_source(None)
    >>> bool(one.random() == two.random())
    False
    """
    if seed is None:
        return np.random.default_rng(secrets.randbits(128))
    return stream(seed, "protect", "gauge")


def without_gauge(train: TensorTrain) -> TensorTrain:
    """Canonical form of a train without bond states that single precision does not hold.

    Trains of one function have one such form, whatever their cores are: nothing but the function
    can be read from it, and whoever has any of them can compute it.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> other = TensorTrain(cores=(np.full((1, 2, 1), -2.0), np.full((1, 2, 1), -0.5)))
    >>> one, two = without_gauge(train), without_gauge(other)
    >>> all(np.allclose(a, b) for a, b in zip(one.cores, two.cores))
    True
    """
    return unique_gauge(round_train(train, tol=_ROUND_TOL)[0])


def regauged(
    train: TensorTrain, gauge: Gauge, rng: np.random.Generator, *, condition: float
) -> TensorTrain:
    """Train of the same function, its gauge removed and replaced by a random one.

    The scale of the function is shared by all cores alike, so that ``log_scale`` is 0.

    Parameters
    ----------
    train
        Real, of any gauge; it does not matter for the distribution of the result.
    gauge
        ``orthogonal`` or ``general`` matrices on the bonds.
    rng
        Draws them.
    condition
        Condition number of general matrices.

    >>> train = TensorTrain(cores=(np.full((1, 2, 1), 2.0),) * 5)
    >>> turned = regauged(train, "general", np.random.default_rng(0), condition=10.0)
    >>> print(f"{turned(np.zeros((1, 5), dtype=int))[0]:.6f}")
    32.000000
    """
    form = without_gauge(train)
    if gauge == "orthogonal":
        turned = orthogonal_gauge(form, rng)
    else:
        turned = general_gauge(form, rng, condition=condition)
    share = math.exp(turned.log_scale / turned.length)
    cores = tuple(core * share for core in turned.cores)
    return TensorTrain(cores=cores, output_site=turned.output_site)


def core_values(train: TensorTrain) -> tuple[FloatArray, ...]:
    """Singular values of each slice of each core, one array (slices, values) a core.

    A slice is the matrix of one local state, or of one state and one output. Orthogonal matrices
    on the bonds, permutations among them, leave these values as they are, and so the norms of the
    cores: a gauge of this kind alone does not hide how a train was found.

    >>> from phasenet.trains.gauge import orthogonal_gauge
    >>> rng = np.random.default_rng(0)
    >>> train = TensorTrain(cores=(rng.normal(size=(1, 2, 2)), rng.normal(size=(2, 2, 1))))
    >>> one, two = core_values(train), core_values(orthogonal_gauge(train, rng))
    >>> print(f"{float(value_changes(one, two).max()) < 1e-12}")
    True
    """
    found = []
    for core in train.cores:
        split = core if core.ndim == 4 else core[..., None]
        slices = split.transpose(1, 3, 0, 2).reshape(-1, core.shape[0], core.shape[2])
        found.append(np.linalg.svd(slices, compute_uv=False))
    return tuple(found)


def value_changes(one: tuple[FloatArray, ...], two: tuple[FloatArray, ...]) -> FloatArray:
    """Relative difference of the singular values of each core, whose scale does not count.

    Parameters
    ----------
    one, two
        From :func:`core_values` of trains of equal length.

    Returns
    -------
    Norm of the difference of unit vectors, shape (length,): 0 where they are the same, and up to
    the root of 2.
    """
    changes = []
    for a, b in zip(one, two, strict=True):
        width = max(a.shape[1], b.shape[1])
        x, y = (np.pad(v, ((0, 0), (0, width - v.shape[1]))).ravel() for v in (a, b))
        changes.append(float(np.linalg.norm(x / np.linalg.norm(x) - y / np.linalg.norm(y))))
    return np.asarray(changes)


def canonical_values(train: TensorTrain) -> tuple[FloatArray, ...]:
    """:func:`core_values` of the right-canonical form: what anyone can compute of a function.

    It is unique but for orthogonal matrices, also where Schmidt values are degenerate.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> print(f"{canonical_values(train)[1][0, 0]:.6f}")
    0.707107
    """
    return core_values(canonical(round_train(train, tol=_ROUND_TOL)[0], 0))
