"""A compression in lines, and as text for programs that read no HDF5."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from phasenet.compression import NARROW, Compressed, CompressionCurve, Starts, mean_and_spread
from phasenet.pipeline.summary import percent
from phasenet.storage.atomic import atomic_path
from phasenet.trains.train import FloatArray

_LEGEND = (
    "FLOPs and time: of a shot in batches of 256, in those of the original; the time is a median "
    "of alternating calls on this machine, and noisy"
)
_COLUMNS = (
    "candidate",
    "family",
    "size",
    "parameters",
    "ratio",
    "flops",
    "time",
    "seeds",
    "test_at_once",
    "test_at_once_spread",
    "validation",
    "validation_spread",
    "test",
    "test_spread",
    "points_lost_on_test",
    "chosen",
    "note",
)


def curve_lines(curve: CompressionCurve) -> list[str]:
    """All candidates as a table, below the original and the nulls."""
    original = curve.original
    lines = [
        f"{curve.name}: {original.parameters} parameters, {_flops(original.flops)} a shot, "
        f"{accuracy(original.test)} of {curve.shots[2]} held-out shots right"
    ]
    if curve.nulls:
        nulls = (
            f"{score.classifier} {percent(score.accuracy, score.error)}" for score in curve.nulls
        )
        lines.append(f"beside it: {', '.join(nulls)}")
    lines.append(
        f"{'candidate':26} {'parameters':>10} {'smaller':>8} {'FLOPs':>6} {'time':>6}  "
        f"{'at once':16} {'tuned':16} points lost"
    )
    lines += [_table_line(curve, row) for row in curve.rows]
    return [*lines, _LEGEND, *_start_lines(curve.starts)]


def row_line(curve: CompressionCurve, row: Compressed) -> str:
    """One candidate in a sentence, as soon as it is done.

    >>> from phasenet.compression import Candidate
    >>> row = Compressed(candidate=Candidate(family="cp", size=20.0), note="nothing is as small")
    >>> row_line(CompressionCurve(
    ...     name="a", classes=(), original=row, rows=(), nulls=(), shots=(0, 0, 0)
    ... ), row)
    'cp 20x: nothing is as small'
    """
    if not row.found:
        return f"{row.candidate}: {row.note}"
    return (
        f"{row.candidate}: {row.parameters} parameters, {accuracy(row.test)} of the held-out shots "
        f"right, {accuracy(row.test_at_once)} before tuning (original "
        f"{accuracy(curve.original.test)})"
    )


def choice_line(curve: CompressionCurve, row: Compressed, rule: str) -> str:
    """The chosen candidate, with what it loses on the test shots."""
    kept = float(row.test[row.best])
    return (
        f"chosen on the validation shots ({rule}): {row.candidate}, {curve.ratio(row):.3g} times "
        f"smaller; on the held-out shots {accuracy(row.test)}, the network that is kept "
        f"{100 * kept:.2f} %: {_points(curve.original.test.mean() - row.test.mean())} lost"
    )


def verdict_lines(curve: CompressionCurve) -> list[str]:
    """How the decomposed networks do beside narrower ones that are trained from nothing."""
    lines = []
    sizes = dict.fromkeys(
        row.candidate.size for row in curve.rows if row.candidate.family == NARROW
    )
    for size in sizes:
        same = [r for r in curve.rows if r.candidate.size == size and not r.candidate.method]
        narrow = [r for r in same if r.candidate.family == NARROW and r.found]
        others = [r for r in same if r.candidate.family != NARROW and r.found]
        if narrow and others:
            best = max(others, key=lambda row: float(row.validation.mean()))
            lines.append(_verdict(size, narrow[0], best))
    return lines


def write_csv(curve: CompressionCurve, chosen: Compressed | None, path: Path) -> None:
    """One line for the original and each candidate, numbers in full; accuracies are fractions."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in (curve.original, *curve.rows):
            writer.writerow(_fields(curve, row, row is chosen))


def accuracy(values: FloatArray) -> str:
    """Mean and spread over seeds, in percent.

    >>> import numpy as np
    >>> accuracy(np.array([0.97, 0.975])), accuracy(np.array([0.5])), accuracy(np.array([np.nan]))
    ('97.25 +- 0.35 %', '50.00 %', '-')
    """
    mean, spread = mean_and_spread(values)
    if math.isnan(mean):
        return "-"
    return (
        f"{100 * mean:.2f} %" if math.isnan(spread) else f"{100 * mean:.2f} +- {100 * spread:.2f} %"
    )


def _verdict(size: float, narrow: Compressed, best: Compressed) -> str:
    (wide, spread), (slim, slim_spread) = (mean_and_spread(r.test) for r in (best, narrow))
    gain, error = (
        wide - slim,
        math.hypot(*(0.0 if math.isnan(s) else s for s in (spread, slim_spread))),
    )
    who = f"at {size:g}x {best.candidate.family}, the best decomposition on the validation shots,"
    if abs(gain) <= error:
        return f"{who} does as well as a narrow dense network ({_points(gain, error)} apart)"
    if gain > 0:
        return f"{who} is {_points(gain, error)} better than a narrow dense network"
    return f"{who} is {_points(-gain, error)} worse than a narrow dense network: train that instead"


def _start_lines(starts: Starts | None) -> list[str]:
    if starts is None:
        return []
    title = (
        f"one train of rank {starts.rank} trained on labels from each start, accuracy before and "
        f"after {starts.epochs[-1]:g} passes (the train of the network knows what that learned):"
    )
    width = max(len(name) for name in starts.test)
    return [
        title,
        *(
            f"  {name:{width}}  {accuracy(found[:, 0])} -> {accuracy(found[:, -1])}"
            for name, found in starts.test.items()
        ),
    ]


def _points(difference: float, error: float | None = None) -> str:
    spread = "" if error is None else f" +- {100 * error:.2f}"
    return f"{100 * difference:.2f}{spread} points"


def _table_line(curve: CompressionCurve, row: Compressed) -> str:
    if not row.found:
        return f"{row.candidate!s:26} {row.note}"
    lost = 100 * (float(curve.original.test.mean()) - float(row.test.mean()))
    return (
        f"{row.candidate!s:26} {row.parameters:>10} {curve.ratio(row):>7.1f}x "
        f"{row.flops / curve.original.flops:>6.2f} {row.time:>6.2f}  "
        f"{accuracy(row.test_at_once):16} {accuracy(row.test):16} {lost:+.2f}"
    )


def _fields(curve: CompressionCurve, row: Compressed, chosen: bool) -> Sequence[object]:
    pairs = [mean_and_spread(a) for a in (row.test_at_once, row.validation, row.test)]
    numbers = [value for pair in pairs for value in pair]
    lost = 100 * (float(curve.original.test.mean()) - pairs[2][0])
    return [
        str(row.candidate),
        row.candidate.family,
        f"{row.candidate.size:g}",
        row.parameters,
        _number(curve.ratio(row) if row.parameters else math.nan),
        _number(row.flops),
        _number(row.time),
        len(row.test),
        *(_number(value) for value in numbers),
        _number(lost),
        "yes" if chosen else "",
        row.note,
    ]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _flops(value: float) -> str:
    """Operations with a prefix.

    >>> _flops(1.5e6), _flops(200.0)
    ('1.5 MFLOP', '200 FLOP')
    """
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}FLOP"
    return f"{value:.3g} FLOP"
