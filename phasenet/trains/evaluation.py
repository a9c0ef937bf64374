"""Products of the core slices that many configurations pick out, row by row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

# One product with all slices of a core wastes work on slices that are not wanted, but is one call;
# measured, it wins below this many wasted products.
_WASTE = 500_000
# Sorting a batch costs about as much per entry as this many products; less is not worth a look.
_SORT_COST = 256
# Looking up the parent of a row, in the same unit.
_PARENT_COST = 64


def log_ranges(cores: Sequence[Array]) -> FloatArray:
    """How far one step through each core can move magnitudes, shape (length, 2), not negative.

    The first column bounds the growth of the largest entry of a row, the second the fall of any
    single term, as natural logarithms.

    >>> log_ranges([np.array([[[1.0], [0.0]]])]).tolist()
    [[0.0, 0.0]]
    """
    flat = np.abs(np.concatenate([core.ravel() for core in cores])).astype(np.float64)
    starts = np.cumsum([0, *(core.size for core in cores[:-1])])
    largest = np.maximum.reduceat(flat, starts)
    flat[flat == 0.0] = np.inf
    smallest = np.minimum.reduceat(flat, starts)
    zero = largest == 0.0
    largest[zero], smallest[zero] = 1.0, 1.0
    grown = np.log(largest) + np.log([max(core.shape[0], core.shape[2]) for core in cores])
    fallen = -np.log(smallest)
    return np.asarray(np.maximum(np.stack((grown, fallen), axis=1), 0.0))


def carried(cores: Sequence[Array], states: Array, ranges: FloatArray) -> tuple[Array, FloatArray]:
    """Row vectors of shape (shots, bond) with largest entry 1 (or 0), and their log magnitudes.

    Equal beginnings of rows are multiplied once where that pays. Rows are rescaled as often as the
    magnitudes in the cores ask for, and in the end.

    Parameters
    ----------
    cores
        Arrays of shape (left, site, right), the first with left bond 1; there may be none.
    states
        Integers of shape (shots, number of cores).
    ranges
        :func:`log_ranges` of these cores.

    >>> core = np.array([[[2.0], [3.0]]])
    >>> rows, logs = carried([core, core], np.array([[0, 1]]), log_ranges([core, core]))
    >>> print(rows.tolist(), f"{np.exp(logs[0]):.6f}")
    [[1.0]] 6.000000
    """
    shots, columns = len(states), np.ascontiguousarray(states.T)
    dtype = np.result_type(np.float32, *cores)
    rescaled = _rescaling_sites(ranges, dtype)
    order, departs, depth = _shared_depth(cores, columns)
    rows: Array = np.ones((1 if depth else shots, 1), dtype=dtype)
    logs = np.zeros(len(rows))
    if depth:
        columns = columns[:, order]
    for site, core in enumerate(cores):
        local = columns[site]
        if site < depth:
            # The first of each group of sorted rows that are equal up to this site stands for it.
            heads = np.flatnonzero(departs <= site)
            if len(heads) > len(rows):
                parents = np.cumsum(departs < site)[heads] - 1 if site else np.zeros_like(heads)
                rows, logs = rows[parents], logs[parents]
            local = local[heads]
        elif site == depth and depth:
            rows, logs = _spread(rows, logs, departs, depth)
        rows = step(rows, core, local)
        if rescaled[site]:
            rows, logs = rescale(rows, logs)
    if depth == len(cores) and depth:
        rows, logs = _spread(rows, logs, departs, depth)
    rows, logs = rescale(rows, logs)
    if not depth:
        return rows, logs
    back = np.empty_like(order)
    back[order] = np.arange(shots)
    return rows[back], logs[back]


def step(rows: Array, core: Array, states: Array) -> Array:
    """Rows (shots, left) times the slice of a core that belongs to the state of each row.

    >>> step(np.ones((2, 1)), np.array([[[2.0], [3.0]]]), np.array([1, 0])).tolist()
    [[3.0], [2.0]]
    """
    left, dim, right = core.shape
    if len(rows) * left * right * (dim - 1) <= _WASTE:
        every = (rows @ core.reshape(left, dim * right)).reshape(-1, right)
        picked: Array = every.take(states + np.arange(0, len(rows) * dim, dim), axis=0)
        return picked
    result = np.empty((len(rows), right), dtype=np.result_type(rows, core))
    for state in range(dim):
        chosen = np.flatnonzero(states == state)
        result[chosen] = rows[chosen] @ core[:, state]
    return result


def through_output(rows: Array, core: Array, states: Array) -> Array:
    """Rows (shots, left) through the core with the output leg, shape (shots, right, outputs).

    >>> through_output(np.ones((1, 1)), np.ones((1, 2, 1, 3)), np.array([0])).shape
    (1, 1, 3)
    """
    left, dim, right, outputs = core.shape
    flat = core.reshape(left, dim, right * outputs)
    return step(rows, flat, states).reshape(len(rows), right, outputs)


def features(rows: Array, logs: FloatArray) -> Array:
    """Rows of :func:`carried` with their log magnitudes as a last column.

    >>> features(np.ones((1, 2)), np.zeros(1)).tolist()
    [[1.0, 1.0, 0.0]]
    """
    return np.concatenate((rows, logs[..., None]), axis=-1)


def output_features(wide: Array, logs: FloatArray, cores: Sequence[Array], states: Array) -> Array:
    """Features of rows that hold the output leg, taken through more cores.

    Parameters
    ----------
    wide
        Array of shape (shots, bond, outputs), from :func:`through_output`.
    logs
        Log magnitudes of shape (shots,).
    cores, states
        What follows; integers of shape (shots, number of cores).

    Returns
    -------
    Array of shape (shots, outputs, last bond + 1).

    >>> output_features(np.ones((1, 2, 3)), np.zeros(1), [], np.zeros((1, 0), dtype=int)).shape
    (1, 3, 3)
    """
    shots, bond, outputs = wide.shape
    rows = wide.transpose(0, 2, 1).reshape(shots * outputs, bond)
    rows, logs = rescale(rows, np.repeat(logs, outputs))
    for core, column in zip(cores, np.repeat(states, outputs, axis=0).T, strict=True):
        rows, logs = rescale(step(rows, core, column), logs)
    return features(rows.reshape(shots, outputs, -1), logs.reshape(shots, outputs))


def extended(known: Array, core: Array, states: Array) -> Array:
    """Features taken through one more core, for the state of each row.

    Parameters
    ----------
    known
        From :func:`features` or :func:`output_features`.
    core
        Array of shape (left, site, right), or (left, site, right, outputs) where the output leg
        is new.
    states
        Integers of shape (shots,).

    >>> core = np.array([[[2.0], [4.0]]])
    >>> rows = extended(features(np.ones((2, 1)), np.zeros(2)), core, np.array([0, 1]))
    >>> rows.round(4).tolist()
    [[1.0, 0.6931], [1.0, 1.3863]]
    """
    rows, logs = known[..., :-1], known[..., -1].real
    if core.ndim == 4:
        return output_features(through_output(rows, core, states), logs, [], states[:, None][:, :0])
    if known.ndim == 2:
        return features(*rescale(step(rows, core, states), logs))
    shots, outputs = logs.shape
    flat = step(rows.reshape(shots * outputs, -1), core, np.repeat(states, outputs))
    flat, sizes = rescale(flat, logs.reshape(-1))
    return features(flat.reshape(shots, outputs, -1), sizes.reshape(shots, outputs))


def rescale(rows: Array, logs: FloatArray) -> tuple[Array, FloatArray]:
    """Rows with largest magnitude 1 (rows of zeros stay), and the log magnitudes they then have.

    >>> rows, logs = rescale(np.array([[3.0, -4.0], [0.0, 0.0]]), np.zeros(2))
    >>> print(rows.tolist(), logs.round(4).tolist())
    [[0.75, -1.0], [0.0, 0.0]] [1.3863, 0.0]
    """
    size = np.abs(rows).max(axis=1, initial=0.0)
    size[size == 0.0] = 1.0
    return rows / size[:, None], logs + np.log(size, dtype=np.float64)


def _rescaling_sites(ranges: FloatArray, dtype: np.dtype[Any]) -> list[bool]:
    """Whether the rows must be rescaled after each site, so that the next step stays in range."""
    limit = 0.4 * float(np.log(np.finfo(dtype).max))
    chosen, grown, fallen = [False] * len(ranges), 0.0, 0.0
    for site, (up, down) in enumerate(ranges.tolist()):
        if site and (grown + up > limit or fallen + down > limit):
            chosen[site - 1], grown, fallen = True, 0.0, 0.0
        grown, fallen = grown + up, fallen + down
    return chosen


def _shared_depth(cores: Sequence[Array], columns: Array) -> tuple[Array, Array, int]:
    """How much of the sorted rows to multiply only once.

    Returns the order that sorts the rows, the site where each sorted row departs from the one
    before, and the number of first sites up to which sharing pays (0 if it never does).
    """
    nothing = np.zeros(0, dtype=np.int64)
    work = np.array([core.shape[0] * core.shape[2] for core in cores])
    shots = columns.shape[1]
    if shots < 2 or len(work) == 0 or work.mean() < _SORT_COST:
        return nothing, nothing, 0
    order = np.lexsort(_keys(columns, [core.shape[1] for core in cores]))
    ordered = columns[:, order]
    new = ordered[:, 1:] != ordered[:, :-1]
    departs = np.where(new.any(axis=0), new.argmax(axis=0), len(cores))
    departs = np.concatenate(([0], departs))
    distinct = np.cumsum(np.bincount(departs, minlength=len(cores) + 1))[:-1]
    saved = (shots - distinct) * work - _PARENT_COST * shots
    # The sum up to each site, because sites that do not pay may lead to sites that do.
    gains = np.cumsum(saved)
    best = int(np.argmax(gains))
    return order, departs, best + 1 if gains[best] > 0 else 0


def _keys(columns: Array, dims: Sequence[int]) -> list[Array]:
    """Integers that sort as the rows do; the last one is the most significant."""
    keys: list[Array] = []
    room = 0
    for column, dim in zip(columns, dims, strict=True):
        if dim > room:
            keys.append(np.zeros(len(column), dtype=np.int64))
            room = 2**62
        keys[-1] = keys[-1] * dim + column
        room //= dim
    return keys[::-1]


def _spread(rows: Array, logs: FloatArray, departs: Array, depth: int) -> tuple[Array, FloatArray]:
    """Distinct rows, repeated for each sorted row that shares them."""
    shared = np.cumsum(departs < depth) - 1
    return rows[shared], logs[shared]
