"""Blocks: values of a function at all pairs of a set of prefixes and a set of suffixes."""

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.tensorizer.function import BatchFunction, StructuredFunction
from phasenet.tensorizer.sketch_pool import KeyArray, Pool, Side
from phasenet.trains.train import Array, IntArray, TensorTrain

Mask = NDArray[np.bool_]

# Largest number of local states in one call of the function.
_BATCH_STATES = 1 << 22
_EPSILON = {
    np.dtype(kind).str[1:]: float(np.finfo(kind).eps)
    for kind in (np.float16, np.float32, np.float64, np.complex64, np.complex128)
}


class Blocks(Protocol):
    """What a sweep needs of a function: prefixes that grow, suffixes of a pool, values at pairs."""

    precision: float
    repeats: bool

    @property
    def vector_valued(self) -> bool:
        """Whether the values have an axis of outputs; known after the first of them."""

    def start(self) -> Side:
        """Return the one prefix without sites."""

    def grown(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by each state of the next site, which runs fastest."""

    def followed(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by its own state of the next site."""

    def end(self) -> Side:
        """Return the one suffix without sites."""

    def suffixes(self, pool: Pool, cut: int, codes: IntArray) -> Side:
        """Return columns of a cut."""

    def values(self, left: Side, right: Side, wanted: Mask | None) -> tuple[Array, float]:
        """Values of shape (prefixes, suffixes, outputs) up to a factor, and its logarithm.

        Entries outside the mask are left open. None wants all.
        """


def blocks_of(function: BatchFunction, site_dims: tuple[int, ...], site_keys: KeyArray) -> Blocks:
    """Blocks of a function, with as much of its structure as it shows."""
    if isinstance(function, TensorTrain):
        if function.site_dims != site_dims:
            raise ShapeError(
                f"the train to sketch has sites of dimensions {function.site_dims}; "
                f"site_dims is {site_dims}"
            )
        return TrainBlocks(function, site_keys)
    if isinstance(function, StructuredFunction):
        return PairBlocks(function, site_keys)
    return PairBlocks(_Joined(function), site_keys)


class _Joined:
    """Black box in the clothes of a structured function: its features are the states."""

    def __init__(self, function: BatchFunction) -> None:
        self._function = function

    def __call__(self, configurations: IntArray) -> Any:
        return self._function(configurations)

    def prefixes(self, states: IntArray) -> IntArray:
        return states

    def suffixes(self, states: IntArray) -> IntArray:
        return states

    def pairs(self, left: IntArray, right: IntArray) -> Any:
        return self._function(np.concatenate((left, right), axis=1))


class PairBlocks:
    """Blocks of a function that is evaluated pair by pair."""

    repeats = True

    def __init__(self, function: StructuredFunction, site_keys: KeyArray) -> None:
        self.precision = float(np.finfo(np.float64).eps)
        self._function, self._site_keys = function, site_keys
        self._outputs: int | None = None

    def start(self) -> Side:
        """Return the one prefix without sites."""
        return self._empty(on_left=True)

    def end(self) -> Side:
        """Return the one suffix without sites."""
        return self._empty(on_left=False)

    def _empty(self, *, on_left: bool) -> Side:
        states = np.zeros((1, 0), dtype=np.int64)
        features = self._function.prefixes(states) if on_left else self._function.suffixes(states)
        keys = np.zeros(1, dtype=np.uint64)
        return Side(sites=0, states=states, keys=keys, features=features)

    def grown(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by each state of the next site, which runs fastest."""
        site = side.sites
        column = np.tile(states, len(side))[:, None]
        grown = np.concatenate((np.repeat(side.states, len(states), axis=0), column), axis=1)
        return Side(
            sites=side.sites + 1,
            states=grown,
            keys=_grown_keys(side.keys, self._site_keys[site, states]),
            features=self._function.prefixes(grown),
        )

    def followed(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by its own state of the next site."""
        site = side.sites
        grown = np.concatenate((side.states, states[:, None]), axis=1)
        return Side(
            sites=side.sites + 1,
            states=grown,
            keys=side.keys + self._site_keys[site, states],
            features=self._function.prefixes(grown),
        )

    def suffixes(self, pool: Pool, cut: int, codes: IntArray) -> Side:
        """Return columns of a cut."""
        states, members = pool.split(cut, codes)
        parts = (states[:, None], pool.configurations[members, cut + 2 :])
        suffixes = np.concatenate(parts, axis=1)
        return Side(
            sites=suffixes.shape[1],
            states=suffixes,
            keys=pool.site_keys[cut + 1, states] + pool.keys[cut + 2, members],
            features=self._function.suffixes(suffixes),
        )

    def values(self, left: Side, right: Side, wanted: Mask | None) -> tuple[Array, float]:
        """Values of shape (prefixes, suffixes, outputs), and 0."""
        shape = (len(left), len(right))
        chosen = np.arange(len(left) * len(right)) if wanted is None else np.flatnonzero(wanted)
        rows, columns = np.divmod(chosen, len(right))
        size = max(1, _BATCH_STATES // (left.sites + right.sites))
        result: Array | None = None
        for start in range(0, len(chosen), size):
            i, j = rows[start : start + size], columns[start : start + size]
            part = self._checked(self._function.pairs(left.features[i], right.features[j]), len(i))
            if result is None:
                result = np.zeros((shape[0] * shape[1], part.shape[1]), dtype=part.dtype)
            result[chosen[start : start + size]] = part
        if result is None:
            result = np.zeros((shape[0] * shape[1], self._outputs or 1))
        return result.reshape(*shape, -1), 0.0

    @property
    def vector_valued(self) -> bool:
        """Whether the values have an axis of outputs."""
        return self._outputs is not None

    def _checked(self, result: Any, rows: int) -> Array:
        """Finite values of shape (rows, outputs) in double precision."""
        values = np.asarray(result)
        if values.ndim not in (1, 2) or len(values) != rows or values.size == 0:
            raise ShapeError(
                f"the function returned shape {values.shape} for {rows} configurations; "
                f"wanted ({rows},) or ({rows}, outputs)"
            )
        if values.dtype.kind not in "fciub":
            raise ShapeError(f"the function returned {values.dtype} values; wanted numbers")
        if not np.isfinite(values).all():
            raise SettingsError("the function returned values that are not finite")
        if values.dtype.kind in "fc":
            self.precision = max(self.precision, _EPSILON.get(values.dtype.str[1:], 0.0))
        self._outputs = values.shape[1] if values.ndim == 2 else None
        kind = np.complex128 if np.iscomplexobj(values) else np.float64
        return np.asarray(values.reshape(rows, -1), dtype=kind)


class TrainBlocks:
    """Blocks of a train: prefixes and suffixes are carried from site to site, never redone.

    Features have shape (rows, bond, outputs or 1) and are scaled, so that no length underflows.
    """

    repeats = False

    def __init__(self, train: TensorTrain, site_keys: KeyArray) -> None:
        self.precision = float(np.finfo(np.float64).eps)
        self._vector_valued = train.output_site is not None
        self._site_keys, self._log = site_keys, train.log_scale
        self._cores = [core if core.ndim == 4 else core[..., None] for core in train.cores]
        self._tails: list[tuple[Array, float]] = []

    def start(self) -> Side:
        """Return the one prefix without sites."""
        return Side(
            sites=0,
            states=_none(1),
            keys=np.zeros(1, dtype=np.uint64),
            features=np.ones((1, 1, 1)),
            log=self._log,
        )

    def end(self) -> Side:
        """Return the one suffix without sites."""
        return Side(
            sites=0,
            states=_none(1),
            keys=np.zeros(1, dtype=np.uint64),
            features=np.ones((1, 1, 1)),
        )

    def grown(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by each state of the next site, which runs fastest."""
        site = side.sites
        core = self._cores[site][:, states]
        grown = np.tensordot(side.features, core, axes=(1, 0))
        # One of the two axes of outputs is 1: there is one output leg.
        grown = grown.transpose(0, 2, 3, 1, 4)
        features, log = _scaled(grown.reshape(len(side) * len(states), core.shape[2], -1))
        return Side(
            sites=site + 1,
            states=_none(len(features)),
            keys=_grown_keys(side.keys, self._site_keys[site, states]),
            features=features,
            log=side.log + log,
        )

    def followed(self, side: Side, states: IntArray) -> Side:
        """Return each prefix followed by its own state of the next site."""
        site = side.sites
        product = np.einsum("nlo,lnrp->nrop", side.features, self._cores[site][:, states])
        features, log = _scaled(product.reshape(len(side), product.shape[1], -1))
        return Side(
            sites=site + 1,
            states=_none(len(features)),
            keys=side.keys + self._site_keys[site, states],
            features=features,
            log=side.log + log,
        )

    def suffixes(self, pool: Pool, cut: int, codes: IntArray) -> Side:
        """Return columns of a cut."""
        if not self._tails:
            self._tails = self._carried(pool)
        states, members = pool.split(cut, codes)
        tails, log = self._tails[cut + 1]
        return Side(
            sites=len(self._cores) - cut - 1,
            states=_none(len(codes)),
            keys=pool.site_keys[cut + 1, states] + pool.keys[cut + 2, members],
            features=_before(self._cores[cut + 1], states, tails[pool.numbers[cut + 1, members]]),
            log=log,
        )

    def values(self, left: Side, right: Side, wanted: Mask | None) -> tuple[Array, float]:
        """Values of shape (prefixes, suffixes, outputs) up to a factor, and its logarithm."""
        product = np.tensordot(left.features, right.features, axes=(1, 1)).transpose(0, 2, 1, 3)
        return product.reshape(len(left), len(right), -1), left.log + right.log

    @property
    def vector_valued(self) -> bool:
        """Whether the values have an axis of outputs."""
        return self._vector_valued

    def _carried(self, pool: Pool) -> list[tuple[Array, float]]:
        """Features of the suffixes of the pool at each cut, with their logarithms."""
        length = len(self._cores)
        tails: list[tuple[Array, float]] = [(np.ones((1, 1, 1)), 0.0)] * length
        for cut in range(length - 2, -1, -1):
            states, members = pool.split(cut, pool.codes[cut])
            after, log = tails[cut + 1]
            here = after[pool.numbers[cut + 1, members]]
            features, step = _scaled(_before(self._cores[cut + 1], states, here))
            tails[cut] = features, log + step
        return tails


def _before(core: Array, states: IntArray, tails: Array) -> Array:
    """Features (rows, bond, outputs) of one state in front of each suffix."""
    product = np.einsum("lnrp,nro->nlpo", core[:, states], tails, optimize=False)
    return np.asarray(product.reshape(len(states), core.shape[0], -1))


def _none(rows: int) -> IntArray:
    return np.zeros((rows, 0), dtype=np.int64)


def _scaled(features: Array) -> tuple[Array, float]:
    size = float(np.abs(features).max())
    return (features / size, math.log(size)) if size > 0.0 else (features, 0.0)


def _grown_keys(keys: KeyArray, states: KeyArray) -> KeyArray:
    return (keys[:, None] + states[None, :]).reshape(-1)


def filled(
    blocks: Blocks, rows: Side, columns: Side, known: IntArray, earlier: Array
) -> tuple[Array, Mask, float]:
    """Values of a block, evaluated only where the block before has none.

    Parameters
    ----------
    blocks
        Values of the function.
    rows, columns
        Prefixes grown by one site, and suffixes.
    known
        Positions from :func:`known_entries`, shape (states, suffixes).
    earlier
        Values of the block before at the prefixes that were grown, shape (prefixes, suffixes
        before, outputs).

    Returns
    -------
    Values (rows, columns, outputs), which of them are new, and the logarithm of a factor.
    """
    cube = np.broadcast_to(known >= 0, (len(earlier), *known.shape))
    new = ~cube.reshape(len(rows), len(columns))
    if not blocks.repeats or new.all():
        values, log = blocks.values(rows, columns, None)
        return values, new, log
    if not new.any():
        return earlier[:, known].reshape(len(rows), len(columns), -1), new, 0.0
    values, log = blocks.values(rows, columns, new)
    values = values.astype(np.result_type(values, earlier), copy=False)
    state, column = np.nonzero(known >= 0)
    wide = values.reshape(len(earlier), *known.shape, -1)
    wide[:, state, column] = earlier[:, known[state, column]]
    return values, new, log
