"""A report that is made section by section, each kept as soon as it is there."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.findings import Report, Section
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.storage.container import current_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.reports import read_report, write_report

_SUFFIX = f".{Kind.REPORT}.h5"

Progress = Callable[[int, str], None]
"""Hears how many pieces of work are done, and a few words on the latest."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One section to make.

    Parameters
    ----------
    name
        Of the section.
    title
        Of the section, and of its progress.
    compute
        Makes it; a SettingsError says why there is none.
    total
        Pieces of work; 0 where nobody knows how many.
    """

    name: str
    title: str
    compute: Callable[[Progress], Section]
    total: int = 0


def report_files(path: Path) -> tuple[Path, Path]:
    """HTML page and JSON that go beside a ``*.report.h5``.

    >>> [file.name for file in report_files(Path("x.report.h5"))]
    ['x.report.html', 'x.report.json']
    """
    stem = path.name.removesuffix(".h5")
    return path.with_name(f"{stem}.html"), path.with_name(f"{stem}.json")


def make_report(
    product: Product,
    title: str,
    parts: Sequence[Part],
    verdict: Callable[[Sequence[Section]], str],
    reporter: Reporter,
) -> Report:
    """Make the sections of a report, write it, and draw its page.

    Sections that are done when the work is stopped are kept, and not computed again.

    Parameters
    ----------
    product
        Its extras are those of :func:`report_files`.
    title
        Of the report.
    parts
        Its sections, in the order in which they are read.
    verdict
        First sentence of the report, from its sections.
    reporter
        Hears of each section.
    """

    def compute() -> Report:
        sections = tuple(_made(part, product, reporter) for part in parts)
        return Report(title=title, verdict=verdict(sections), sections=sections)

    if current_header(product.path, product.header.key) is None:
        report = product.make(compute, write_report)
        shutil.rmtree(_folder(product.path), ignore_errors=True)
    header, report = read_report(product.path)
    draw_report(product, header, report)
    return report


def draw_report(product: Product, header: Header, report: Report) -> None:
    """Write the page and the JSON that go beside the file."""
    from phasenet.pipeline.report_page import write_page  # loads matplotlib
    from phasenet.storage.reports import write_report_json

    page, numbers = product.extras
    write_page(page, header, report)
    write_report_json(numbers, report)


def _made(part: Part, product: Product, reporter: Reporter) -> Section:
    path = _folder(product.path) / f"{part.name}{_SUFFIX}"
    header = replace(product.header, settings={**product.header.settings, "part": part.name})
    kept = _kept(path, header)
    if kept is not None:
        return kept
    with stage(reporter, part.title, part.total):
        try:
            section = part.compute(reporter.advance)
        except SettingsError as reason:
            section = Section(
                name=part.name, title=part.title.capitalize(), verdict=f"not shown: {reason}"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report(path, header, Report(title=part.title, verdict="", sections=(section,)))
    return section


def _kept(path: Path, header: Header) -> Section | None:
    """What was computed before the work was stopped."""
    if current_header(path, header.key) is None:
        return None
    try:
        return read_report(path)[1].sections[0]
    except (MissingInputError, FileKindError):
        return None


def _folder(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")
