"""Named random streams."""

import hashlib

import numpy as np


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
