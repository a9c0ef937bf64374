"""Step 6: phase boundaries, figures and a CSV of all numbers."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.phases.boundaries import boundaries
from phasenet.pipeline.product import Product, parents_of
from phasenet.records import PhaseDiagram, Table
from phasenet.storage.atomic import atomic_path
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.tables import read_table, write_chart

_SUFFIX = f".{Kind.CHART}.h5"


def chart_product(table: Path, out: Path, card: StudyCard, others: Sequence[Path] = ()) -> Product:
    """Phase diagram, PNG, PDF and CSV that a table, and others of the same study, lead to.

    Raises
    ------
    SettingsError
        The tables belong to different studies.
    """
    check_studies([table, *others])
    known = [[k.coupling, k.value, k.error, dict(k.at), k.citation] for k in card.transitions]
    titles = [[phase.label, phase.title] for phase in card.phases]
    header = Header(
        kind=Kind.CHART,
        settings={
            "title": card.title,
            "hamiltonian": card.hamiltonian,
            "varied": list(card.varied),
            "phases": titles,
            "transitions": known,
            # Charts from before there were estimates are made again.
            "boundaries": "brackets and estimates",
        },
        seed=0,
        parents=parents_of([table, *others]),
        study=card,
    )
    suffixes = ("png", "pdf", "csv") if len(card.varied) in (1, 2) else ("csv",)
    extras = tuple(out.with_name(f"{_stem(out)}.{suffix}") for suffix in suffixes)
    return Product(path=out, header=header, extras=extras)


def chart(
    table_path: Path, product: Product, card: StudyCard, others: Sequence[Path] = ()
) -> PhaseDiagram:
    """Find the boundaries of a table, draw it over one or two couplings, and write its numbers.

    Parameters
    ----------
    table_path
        File of a table.
    product
        From :func:`chart_product`.
    card
        Titles, phases and known transitions.
    others
        Tables of the same study at other lengths or bond dimensions, for extrapolation.
    """
    from phasenet.plots import line_figure, plane_figure, save_figure  # loads matplotlib

    table, *more = [read_table(path)[1] for path in (table_path, *others)]

    def compute() -> PhaseDiagram:
        diagram = PhaseDiagram(table=table, boundaries=boundaries(table, card.varied, more))
        pictures = [path for path in product.extras if path.suffix != ".csv"]
        if pictures:
            draw = line_figure if len(card.varied) == 1 else plane_figure
            figure = draw(diagram, card)
            for path in pictures:
                save_figure(figure, path)
        write_csv(table, product.path.with_name(f"{_stem(product.path)}.csv"))
        return diagram

    return product.make(compute, write_chart)


def check_studies(tables: Sequence[Path]) -> None:
    """Raise a SettingsError unless all tables that belong to a study belong to the same one."""
    studies = {path: read_header(path).study for path in tables}
    names = {path: study.name for path, study in studies.items() if study is not None}
    for path, name in names.items():
        if name != next(iter(names.values())):
            raise SettingsError(
                f"{path} belongs to study {name}, {next(iter(names))} to "
                f"{next(iter(names.values()))}; chart takes tables of one study"
            )


def _stem(out: Path) -> str:
    return out.name.removesuffix(_SUFFIX)


def write_csv(table: Table, path: Path) -> None:
    """All numbers of a table as text: one row a point, an error column where there are errors."""
    couplings = sorted({name for point in table.points for name in point.as_dict()})
    columns: list[tuple[str, list[str]]] = []
    for column in table.columns:
        columns.append((f"{column.name} [{column.unit}]", [_digits(v) for v in column.values]))
        if any(map(math.isfinite, column.errors)):
            columns.append((f"{column.name} error", [_digits(v) for v in column.errors]))
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["state", *couplings, "label", *(name for name, _ in columns), "reason"])
        for row, name in enumerate(table.rows):
            point = table.points[row].as_dict()
            values = [_digits(point.get(coupling, math.nan)) for coupling in couplings]
            texts = [column[row] for _, column in columns]
            writer.writerow([name, *values, table.labels[row], *texts, table.reasons[row]])


def _digits(value: float) -> str:
    return f"{value:.12g}" if math.isfinite(value) else ""
