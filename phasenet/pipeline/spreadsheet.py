"""Curves of a table as text, for programs that read no HDF5."""

import csv
import math
from pathlib import Path

import numpy as np

from phasenet.records import Table
from phasenet.storage.atomic import atomic_path


def curves_path(numbers: Path) -> Path:
    """Where the curves go beside a CSV file of numbers.

    >>> curves_path(Path("runs/a.csv")).as_posix()
    'runs/a.curves.csv'
    """
    return numbers.with_name(f"{numbers.stem}.curves.csv")


def write_curves(table: Table, path: Path) -> None:
    """All curves of a table in long form: one line for each number, with its place in the array.

    Parameters
    ----------
    table
        Its curves have one, two or more axes; the places along them count from 0.
    path
        Written whole or not at all; not written for a table without curves.
    """
    if not table.curves:
        return
    most = max(len(curve.axes) for curve in table.curves)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        places = [f"index {axis + 1}" for axis in range(most)]
        writer.writerow(["state", "curve", "axes", *places, "value", "unit"])
        for row, name in enumerate(table.rows):
            for curve in table.curves:
                axes, blank = " x ".join(curve.axes), [""] * (most - len(curve.axes))
                for place, value in np.ndenumerate(curve.values[row]):
                    if math.isfinite(value):
                        number = f"{value:.12g}"
                        writer.writerow(
                            [name, curve.name, axes, *place, *blank, number, curve.unit]
                        )
