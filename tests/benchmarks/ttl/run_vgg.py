"""A small network in the manner of VGG-16 on digits: its layers replaced, and one epoch of tuning.

The time of an epoch is that of one thread, in turn with the dense network.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# Before torch is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from fit import BATCH, Split, accuracy
from run import Row, read_rows, tensors
from torch import nn
from vgg import small_vgg, small_vgg_forms

from phasenet.networks.healing import inputs_of
from phasenet.networks.layers.forms import from_dense, replaced

# Shares of the channels: Tucker-2 as in the other layers a quarter of the weights or less.
_FORMS = {"tucker": 0.4, "mpo": 0.4, "cp": 0.5}
_DENSE_EPOCHS, _SAMPLES, _TIMED = 3, 64, 12
# CP is torn apart by larger steps.
_RATE = {"dense": 1e-3, "tucker": 5e-4, "mpo": 5e-4, "cp": 2e-4}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing in the file, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the archives")
    parser.add_argument("--out", type=Path, default=Path("runs/ttl"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "vgg.jsonl"
    done = {row["seed"] for row in read_rows(path)}
    for seed in set(range(options.seeds)) - done:
        rows = _run(*tensors("mnist", options.cache, seed), seed)
        with path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    text = table(read_rows(path))
    (options.out / "vgg.md").write_text(text)
    print(text + f"written to {options.out}/vgg.md")
    return 0


def table(rows: Sequence[Row]) -> str:
    """Means over seeds, as markdown."""
    lines = ["| layers | weights | dense / weights | at once % | tuned % | epoch / dense |"]
    lines.append("|---|---|---|---|---|---|")
    dense = next(row["weights"] for row in rows if row["form"] == "dense")
    for form in ("dense", *_FORMS):
        found = [row for row in rows if row["form"] == form]
        at_once, tuned, ratio = (
            statistics.mean(row[key] for row in found) for key in ("at_once", "tuned", "epoch")
        )
        size = found[0]["weights"]
        lines.append(
            f"| {form} | {size} | {dense / size:.1f} | {100 * at_once:.2f} | {100 * tuned:.2f} | "
            f"{ratio:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _run(train: Split, test: Split, seed: int) -> list[Row]:
    train, test = (_as_images(split) for split in (train, test))
    torch.manual_seed(seed)
    dense = small_vgg(10)
    for _ in range(_DENSE_EPOCHS):
        _epoch(dense, train, _RATE["dense"])
    right = accuracy(dense, test)
    rows = [_row("dense", seed, dense, right, right, 1.0)]
    samples = inputs_of(dense, [train[0][:_SAMPLES]])
    for form, share in _FORMS.items():
        layers = {
            name: from_dense(dense.get_submodule(name), kind, samples=samples[name])
            for name, kind in small_vgg_forms(form, share).items()
        }
        small = replaced(dense, layers)
        at_once, ratio = accuracy(small, test), _ratio(small, dense, train)
        _epoch(small, train, _RATE[form])
        rows.append(_row(form, seed, small, at_once, accuracy(small, test), ratio))
    return rows


def _row(form: str, seed: int, net: nn.Module, at_once: float, tuned: float, ratio: float) -> Row:
    weights = sum(parameter.numel() for parameter in net.parameters())
    row = {"form": form, "seed": seed, "weights": weights, "at_once": at_once}
    print(f"seed {seed} {form}: {at_once:.4f}, {tuned:.4f}, epoch {ratio:.2f}", flush=True)
    return {**row, "tuned": tuned, "epoch": ratio}


def _epoch(network: nn.Module, train: Split, rate: float) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    x, y = train
    for batch in torch.split(torch.randperm(len(x)), BATCH):
        _step(network, optimiser, x[batch], y[batch])


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor
) -> None:
    optimiser.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
    optimiser.step()


def _ratio(small: nn.Module, dense: nn.Module, train: Split) -> float:
    """Median ratio of the time of a step, in turns, without a change of the weights."""
    seconds: list[list[float]] = []
    for number in range(_TIMED):
        rows = slice(number * BATCH, (number + 1) * BATCH)
        found = []
        for network in (small, dense):
            optimiser = torch.optim.Adam(network.parameters(), lr=0.0)
            start = time.process_time()
            _step(network, optimiser, train[0][rows], train[1][rows])
            found.append(time.process_time() - start)
        seconds.append(found)
    return statistics.median(one / other for one, other in seconds[2:])


def _as_images(split: Split) -> Split:
    return split[0].reshape(-1, 1, 28, 28), split[1]


if __name__ == "__main__":
    sys.exit(main())
