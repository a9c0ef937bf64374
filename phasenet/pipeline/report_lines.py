"""A report in words: on a terminal."""

import math
import textwrap
from collections.abc import Sequence

from phasenet.findings import Cell, FindingTable, Report

_WIDTH = 100


def shown(cell: Cell) -> str:
    """Cell as a reader sees it.

    >>> shown(0.874321), shown(1e-9), shown(None), shown(12.0)
    ('0.8743', '1e-09', '', '12')
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return cell if isinstance(cell, str) else f"{cell:.4g}"


def verdict_lines(report: Report) -> list[str]:
    """Verdict of a report and those of its sections, as paragraphs."""
    lines = [report.title, *_wrapped(report.verdict, "")]
    for section in report.sections:
        lines += ["", section.title, *_wrapped(section.verdict, "  ")]
    return lines


def report_lines(report: Report) -> list[str]:
    """Verdicts and tables of a report; what its one section says is not said twice."""
    lines = [report.title, *_wrapped(report.verdict, "")]
    for section in report.sections:
        lines += ["", section.title]
        if section.verdict != report.verdict:
            lines += _wrapped(section.verdict, "  ")
        for table in section.tables:
            lines += [f"  {table.title}", *(f"    {line}" for line in _columns(table))]
    return lines


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _columns(table: FindingTable) -> list[str]:
    rows: Sequence[tuple[str, ...]] = [
        table.columns,
        *(tuple(shown(cell) for cell in row) for row in table.rows),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if k == 0 else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
