"""TT-RSS as published, from the same pivots: phasenet's beside tensorkrowch's, in CPU seconds."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before numpy is loaded.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from counting import Counted, ScalarView
from judge import true_errors
from peers.krowch import CUMULATIVE
from peers.krowch import sketch as their_sketch
from problem import IntArray, Target
from targets import TARGETS

from phasenet.tensorizer.sketch import sketch_plain
from phasenet.trains.train import TensorTrain

# Target, number of pivots, largest rank.
CASES = (
    ("aklt100", 14, 2),
    ("aklt100", 50, 2),
    ("aklt200", 14, 2),
    ("rand_train", 30, 10),
    ("quant20", 30, 10),
    ("lorentz", 30, 10),
)
_UNLIMITED = 10**9


def compared(name: str, pivots: int, rank: int, seeds: int) -> dict[str, object]:
    """Median seconds and errors of both on one target."""
    target = TARGETS[name]()
    results: dict[str, list[tuple[float, float, float, int]]] = {"phasenet": [], "tensorkrowch": []}
    for seed in range(seeds):
        samples = target.data(seed)[:pivots]
        for peer, build in (("phasenet", _ours), ("tensorkrowch", _theirs)):
            results[peer].append(_timed(target, build, samples, rank, seed))
    row: dict[str, object] = {"target": name, "pivots": pivots, "rank": rank}
    for peer, runs in results.items():
        seconds, own, errors, evaluations = zip(*runs, strict=True)
        row[f"{peer}_seconds"] = float(np.median(seconds))
        row[f"{peer}_own_seconds"] = float(np.median(own))
        row[f"{peer}_error"] = float(np.median(errors))
        row[f"{peer}_evaluations"] = int(np.median(evaluations))
    return row


def _ours(counted: Counted, target: Target, samples: IntArray, rank: int, seed: int) -> TensorTrain:
    found = sketch_plain(
        counted,
        samples=samples,
        site_dims=target.site_dims,
        max_rank=rank,
        cumulative=CUMULATIVE,
        seed=seed,
    )
    return found.train


def _theirs(
    counted: Counted, target: Target, samples: IntArray, rank: int, seed: int
) -> TensorTrain:
    return their_sketch(ScalarView(target, counted), samples, rank, CUMULATIVE, seed)


def _timed(
    target: Target,
    build: Callable[[Counted, Target, IntArray, int, int], TensorTrain],
    samples: IntArray,
    rank: int,
    seed: int,
) -> tuple[float, float, float, int]:
    """CPU seconds with and without the function, error on held-out samples, evaluations."""
    counted = Counted(target, _UNLIMITED)
    start = time.process_time()
    train = build(counted, target, samples, rank, seed)
    seconds = time.process_time() - start - counted.own_seconds
    own = seconds - counted.function_seconds
    return seconds, own, true_errors(target, train)["data"], counted.distinct()


def main() -> int:
    """Write same_pivots.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in CASES:
        row = compared(*case, seeds=options.seeds)
        rows.append(row)
        print(
            f"{row['target']}, {row['pivots']} pivots: {row['phasenet_seconds']:.3f} s, "
            f"tensorkrowch {row['tensorkrowch_seconds']:.3f} s",
            flush=True,
        )
    (options.out / "same_pivots.json").write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
