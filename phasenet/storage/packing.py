"""Lists of arrays as one flat array with its shapes."""

from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.errors import FileKindError
from phasenet.trains.train import Array


def pack(name: str, arrays: Sequence[Array]) -> dict[str, Array]:
    """Datasets ``name`` (all entries, C order, one after the other) and ``name_shapes``.

    >>> {k: v.tolist() for k, v in pack("cores", [np.zeros((1, 2)), np.ones((2, 1))]).items()}
    {'cores': [0.0, 0.0, 1.0, 1.0], 'cores_shapes': [[1, 2], [2, 1]]}
    """
    shapes = np.asarray([array.shape for array in arrays], dtype=np.int64)
    return {name: np.concatenate([a.reshape(-1) for a in arrays]), f"{name}_shapes": shapes}


def unpack(name: str, datasets: Mapping[str, Array]) -> tuple[Array, ...]:
    """Arrays back from the two datasets."""
    flat, shapes = datasets[name], datasets[f"{name}_shapes"]
    sizes = shapes.prod(axis=1)
    if flat.ndim != 1 or sizes.sum() != flat.size:
        raise FileKindError(f"dataset {name} has {flat.size} entries; its shapes ask {sizes.sum()}")
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
