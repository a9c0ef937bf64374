"""Run tensorizers over the targets; each run is appended to a file of JSON lines.

A run that is in the file already is not repeated, so that an interrupted benchmark goes on.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path

# Before numpy is loaded.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Row, measured
from peers import DISTRIBUTION, PEERS, Adapter, adapter
from targets import TARGETS

_HOPELESS = ("timeout", "budget", "killed", "crashed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing in the file."""
    options = _parser().parse_args(arguments)
    adapters = _adapters(options.peers)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "runs.jsonl"
    rows = list(read_rows(path))
    done = {(row["target"], row["peer"], row["seed"]) for row in rows}
    # What ran out of time or of points once is not waited for with another seed.
    hopeless = {(row["target"], row["peer"]) for row in rows if row["status"] in _HOPELESS}
    for seed, name in product(range(options.seeds), options.targets):
        target = TARGETS[name]()
        for peer, chosen in adapters.items():
            if (name, peer, seed) in done or (name, peer) in hopeless:
                continue
            row = {"target": name, "peer": peer, "seed": seed, "version": _version(peer)}
            row |= measured(target, chosen, seed, options.limit_seconds)
            if row["status"] in _HOPELESS:
                hopeless.add((name, peer))
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(shown(row), flush=True)
    return 0


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a file of runs; none if it does not exist."""
    if path.exists():
        with path.open() as file:
            yield from (json.loads(line) for line in file)


def shown(row: Row) -> str:
    """Return one run in one line."""
    errors = " ".join(f"{kind} {error:.1e}" for kind, error in row.get("errors", {}).items())
    verdict = {True: "right", False: "WRONG", None: ""}[row.get("right")]
    counts = f"{row.get('evaluations', 0)} evaluations {row.get('cpu_seconds', 0.0):.2f} s"
    name = f"{row['target']} {row['peer']} {row['seed']}"
    return f"{name}: {row['status']} {counts} {errors} {verdict} {row.get('claim', '')}".rstrip()


def _version(peer: str) -> str:
    return version(DISTRIBUTION[peer])


def _adapters(names: Sequence[str]) -> dict[str, Adapter]:
    """Adapters by name; without the peers that are not installed."""
    found: dict[str, Adapter] = {}
    for name in names:
        try:
            found[name] = adapter(name)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit-seconds", type=float, default=60.0, help="CPU time of one run")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=_default_peers())
    return parser


def _default_peers() -> list[str]:
    return [peer for peer in PEERS if peer != "phasenet_sketch"]


if __name__ == "__main__":
    sys.exit(main())
