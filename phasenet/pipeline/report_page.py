"""A report as one HTML page that needs no other file."""

import base64
import html
import io
from pathlib import Path

from matplotlib.figure import Figure

from phasenet.findings import Cell, FindingTable, Report, Section
from phasenet.pipeline.report_lines import shown
from phasenet.plots.findings.registry import figures_of
from phasenet.storage.atomic import atomic_path
from phasenet.storage.header import Header

_DOTS_PER_INCH = 160
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.verdict { border-left: 4px solid #0072B2; padding: .4rem .9rem; background: #f2f7fb; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; }
figcaption, caption, .notes, footer { color: #555; font-size: .9rem; }
caption { text-align: left; padding-bottom: .3rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
"""


def write_page(path: Path, header: Header, report: Report) -> None:
    """Write the page of a report."""
    with atomic_path(path) as temporary:
        temporary.write_text(report_page(header, report), encoding="utf-8")


def report_page(header: Header, report: Report) -> str:
    """HTML page with all sections, their figures within it."""
    parents = ", ".join(f"{parent.name} ({parent.id})" for parent in header.parents)
    sources = f" from {html.escape(parents)}" if parents else ""
    contents = "".join(
        f'<li><a href="#{html.escape(s.name)}">{html.escape(s.title)}</a>: '
        f"{html.escape(s.verdict)}</li>\n"
        for s in report.sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(report.title)}</h1>\n"
        f'<p class="verdict"><strong>{html.escape(report.verdict)}</strong></p>\n'
        f"<ul>\n{contents}</ul>\n"
        + "".join(_section(section) for section in report.sections)
        + f"<footer><p>phasenet {html.escape(header.version)}, {html.escape(header.created)}, "
        f"seed {header.seed}, made{sources}.</p></footer>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    notes = "".join(f"<li>{html.escape(note)}</li>\n" for note in section.notes)
    return (
        f'<h2 id="{html.escape(section.name)}">{html.escape(section.title)}</h2>\n'
        f'<p class="verdict">{html.escape(section.verdict)}</p>\n'
        + "".join(_figure(caption, figure) for caption, figure in figures_of(section))
        + "".join(_table(table) for table in section.tables)
        + (f'<ul class="notes">\n{notes}</ul>\n' if notes else "")
    )


def _figure(caption: str, figure: Figure) -> str:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DOTS_PER_INCH)
    text = base64.b64encode(image.getvalue()).decode()
    escaped = html.escape(caption)
    return (
        f'<figure><img alt="{escaped}" src="data:image/png;base64,{text}">'
        f"<figcaption>{escaped}</figcaption></figure>\n"
    )


def _table(table: FindingTable) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    return (
        f'<div class="table"><table><caption>{html.escape(table.title)}</caption>\n'
        f"<tr>{head}</tr>\n{rows}</table></div>\n"
    )


def _cell(cell: Cell) -> str:
    return f"<td>{html.escape(shown(cell))}</td>"
