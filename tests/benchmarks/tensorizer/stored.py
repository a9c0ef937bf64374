"""Arrays that take seconds to make, kept in a folder outside the repository."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from phasenet.trains.train import Array


def stored(name: str, build: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays by name, from the file of that name or built now and written there.

    The folder is ``PHASENET_BENCH_CACHE``, or ``~/.cache/phasenet-bench``.
    """
    folder = os.environ.get("PHASENET_BENCH_CACHE", "~/.cache/phasenet-bench")
    path = Path(folder).expanduser() / f"{name}.npz"
    if not path.exists():
        arrays = build()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A second process may build the same arrays: the file appears whole or not at all.
        partial = path.with_name(f"{name}.{os.getpid()}.npz")
        np.savez(partial, **arrays)
        partial.replace(path)
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}
