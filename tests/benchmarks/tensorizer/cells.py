"""All runs of one peer on one target, as medians."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from judge import KINDS
from measure import Row
from targets import TARGETS

_MICROSECOND = 1e-6
OURS = ("phasenet", "phasenet_sketch")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """All seeds of one peer on one target, as medians over those that ended.

    Parameters
    ----------
    seeds, ended, right
        Number of runs, of those that returned a train, of those whose every error is in its limit.
    judged
        Whether the target has limits.
    errors
        By kind.
    cpu_seconds, own_seconds, at_microsecond
        With the function, without it, and with a function of 1 microsecond in its place.
    remark
        Outcomes of the runs, each once.
    """

    target: str
    peer: str
    version: str
    seeds: int
    ended: int
    right: int
    judged: bool
    errors: dict[str, float]
    evaluations: float
    requested: float
    calls: float
    cpu_seconds: float
    own_seconds: float
    at_microsecond: float
    rank: float
    agreement: float | None
    overclaimed: int
    remark: str

    @property
    def always_right(self) -> bool:
        """Whether each seed is right; where nothing is judged, whether each seed ended."""
        return self.right == self.seeds if self.judged else self.ended == self.seeds

    @property
    def worst(self) -> float:
        """Largest error on data and on uniform configurations."""
        return max((self.errors[kind] for kind in ("data", "uniform")), default=float("inf"))


def cells(rows: Iterable[Row]) -> dict[str, dict[str, Cell]]:
    """Cells by target and peer, in the order of the runs."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["target"], row["peer"]].append(row)
    table: dict[str, dict[str, Cell]] = defaultdict(dict)
    for target in TARGETS:
        for (name, peer), group in groups.items():
            if name == target:
                table[target][peer] = _cell(group)
    return dict(table)


def _cell(group: Sequence[Row]) -> Cell:
    ended = [row for row in group if row["status"] == "done"]
    counted = [row for row in ended or group if "cpu_seconds" in row]

    def median(values: Sequence[float]) -> float:
        return float(np.median(values)) if values else float("nan")

    own = [row["cpu_seconds"] - row["function_seconds"] for row in counted]
    agreements = [row["agreement"] for row in ended if row["agreement"] is not None]
    remarks = [row["claim"] if row["status"] == "done" else row["status"] for row in group]
    kinds = [kind for kind in KINDS if any(kind in row["errors"] for row in ended)]
    return Cell(
        target=group[0]["target"],
        peer=group[0]["peer"],
        version=group[0]["version"],
        seeds=len(group),
        ended=len(ended),
        right=sum(row["right"] is True for row in ended),
        judged=any(row["right"] is not None for row in ended) or _has_limits(group[0]["target"]),
        errors={kind: median([row["errors"][kind] for row in ended]) for kind in kinds},
        evaluations=median([row["evaluations"] for row in counted]),
        requested=median([row["requested"] for row in counted]),
        calls=median([row["calls"] for row in counted]),
        cpu_seconds=median([row["cpu_seconds"] for row in counted]),
        own_seconds=median(own),
        at_microsecond=median(
            [
                seconds + _MICROSECOND * row["requested"]
                for seconds, row in zip(own, counted, strict=True)
            ]
        ),
        rank=median([row["rank"] for row in ended]),
        agreement=median(agreements) if agreements else None,
        overclaimed=sum(row["right"] is False and row["claim"] == "CONVERGED" for row in ended),
        remark=", ".join(dict.fromkeys(remark for remark in remarks if remark)),
    )


def _has_limits(target: str) -> bool:
    limits = TARGETS[target]().limits
    return any(getattr(limits, kind) is not None for kind in KINDS)
