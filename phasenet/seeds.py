"""Named random streams."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, *names: str) -> np.random.Generator:
    """Random stream fixed by its names alone, never by the order of the work.

    Parameters
    ----------
    seed
        Seed of the run.
    *names
        What the numbers are for, from the general to the particular.

    >>> one, two = stream(0, "shots", "D=1"), stream(0, "shots", "D=1")
    >>> int(one.integers(1000)) == int(two.integers(1000))
    True
    """
    return np.random.default_rng([seed, derived_seed(0, *names)])


def derived_seed(seed: int, *names: str) -> int:
    """63-bit integer fixed by a seed and names, for libraries that take only an integer."""
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def uniforms(seed: int, *names: str, start: int, rows: int, columns: int) -> NDArray[np.float64]:
    """Rows of an endless table of numbers in [0, 1), the same wherever reading starts.

    Parameters
    ----------
    seed, *names
        As in :func:`stream`; the first rows are those of ``stream(seed, *names).random``.
    start, rows
        First row, and how many.
    columns
        Numbers in a row.

    >>> whole = stream(0, "shots").random((5, 3))
    >>> bool((uniforms(0, "shots", start=2, rows=3, columns=3) == whole[2:]).all())
    True
    """
    generator = stream(seed, *names)
    # Each number takes one step of the generator, which jumps any number of them at once.
    generator.bit_generator.advance(start * columns)  # type: ignore[attr-defined]
    return generator.random((rows, columns))
