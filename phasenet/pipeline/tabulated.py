"""Tables as text: every number of a few states, the main ones of many, what they mean once."""

import math
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np

from phasenet.phases.estimates import shown
from phasenet.records import Table

_MAIN = ("string_x", "string_z", "entropy", "z2xz2", "z2xz2_eta", "time_reversal")
_ALWAYS = ("correlation_length", "central_charge", "string_x_finite", "string_z_finite")
# Of these a table has many; the others belong to the study, or were asked for.
_USUAL_STRINGS = ("string_x", "string_y", "string_z")
_USUAL_INVARIANTS = ("z2xz2", "time_reversal", "bond_inversion")
_FEW_ROWS = 3
_FIRST_COLUMNS = 8
_NARROWEST = 10
_WIDTH = 100
_ROUNDING = 1e-12
_MISSING = " not measured: "
_CONVENTIONS = (
    (
        ("string",),
        "string orders of spins carry the sign that makes them positive, -<S prod R S> for integer "
        "spins: +4/9 for AKLT; the same strings with ends 1 are not negated",
    ),
    (
        ("entrop", "spectrum"),
        "entropies in nats, from natural logarithms; levels of a spectrum are -2 ln s, and their "
        "charges are S^z of the sites left of the cut",
    ),
    (
        ("_eta_",),
        "invariants are +1 or -1 at the cut that is named, 0 where undetermined; |eta| is 1 where "
        "the state has the symmetry",
    ),
    (("energy",), "energies in units of the exchange J, per site"),
    (("structure",), "wavenumbers in turns per site: 1/2 is staggered"),
    (("fidelity",), "fidelities as ln |<a|b>| per site, with the next point along the coupling"),
)


def measured_lines(table: Table) -> list[str]:
    """A table as text: every observable of a few states, the main ones of many; conventions once.

    Parameters
    ----------
    table
        Of ``measure``.
    """
    if len(table.rows) <= _FEW_ROWS:
        return [*observable_lines(table), *convention_lines(table)]
    more = f"{len(table.columns)} numbers and {len(table.curves)} curves for each row in all"
    return [*table_lines(table), *_missing_lines(table), more, *convention_lines(table)]


def table_lines(table: Table) -> list[str]:
    """A table as aligned text: the observables that a phase diagram is read from."""
    known = [column for column in table.columns if not np.isnan(column.values).all()]
    names = {column.name for column in known}
    columns = [column for column in known if _is_main(column.name, names)]
    columns = columns or known[:_FIRST_COLUMNS]
    cells = [[_cell(*both) for both in zip(c.values, c.errors, strict=True)] for c in columns]
    width = max((len(row) for row in table.rows), default=0)
    widths = [
        max(len(column.name), *map(len, texts), _NARROWEST)
        for column, texts in zip(columns, cells, strict=True)
    ]
    heads = "  ".join(f"{c.name:>{w}}" for c, w in zip(columns, widths, strict=True))
    lines = [f"{'':{width}}  {'label':<12} {heads}"]
    for k, row in enumerate(table.rows):
        numbers = "  ".join(f"{t[k]:>{w}}" for t, w in zip(cells, widths, strict=True))
        lines.append(f"{row:<{width}}  {table.labels[k] or '-':<12} {numbers}")
    return lines


def observable_lines(table: Table) -> list[str]:
    """What is known of each row, then its observables, one a line: value(error), unit, meaning."""
    lines = []
    for k, row in enumerate(table.rows):
        label = f" {table.labels[k]}" if table.labels[k] else ""
        lines.append(f"{row}:{label}")
        lines += [f"  {part}" for part in table.reasons[k].split("; ") if part]
        for column in table.columns:
            if not math.isnan(column.values[k]):
                value = _cell(column.values[k], column.errors[k]) + _unit(column.unit)
                lines.append(f"  {column.name:<34} {value:<18} {column.meaning}")
        for curve in table.curves:
            if curve.values[k].size:
                size = " x ".join(map(str, curve.values[k].shape))
                value = f"[{size}]{_unit(curve.unit)}"
                axes = ", ".join(curve.axes)
                lines.append(f"  {curve.name:<34} {value:<18} {curve.meaning}; by {axes}")
    return lines


def convention_lines(table: Table) -> list[str]:
    """What the numbers of a table mean, of the kinds that it has."""
    names = [column.name for column in table.columns] + [curve.name for curve in table.curves]
    lines: list[str] = []
    for parts, text in _CONVENTIONS:
        if any(part in name for name in names for part in parts):
            lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return ["conventions:", *lines] if lines else []


def _missing_lines(table: Table) -> Iterator[str]:
    """What could not be measured, each reason once with the number of its rows."""
    parts = (part for reason in table.reasons for part in reason.split("; "))
    for part, count in Counter(part for part in parts if _MISSING in part).items():
        yield f"{part} (in {count} of {len(table.rows)} rows)"


def _is_main(name: str, names: Collection[str]) -> bool:
    if name in _ALWAYS or name.startswith("order_"):
        return True
    # Open chains alone stand for themselves.
    end = "_infinite" if "length_infinite" in names else "_finite"
    if not name.endswith(end):
        return False
    base = name.removesuffix(end)
    if base.startswith("string_"):
        own = base not in _USUAL_STRINGS and not base.endswith(("_ends_1", "_plateau"))
    else:
        own = f"{base}_eta{end}" in names and base not in _USUAL_INVARIANTS
    return own or base in _MAIN


def _cell(value: float, error: float) -> str:
    return shown(0.0 if abs(value) < _ROUNDING else value, error)


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" {unit}"
