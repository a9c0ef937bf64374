"""Phase diagrams from one table or several, as files and in words."""

import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import SettingsError
from phasenet.phases.boundaries import boundaries, with_estimates
from phasenet.phases.scaling import AT_INFINITE_LENGTH
from phasenet.pipeline.chart import chart_product
from phasenet.pipeline.summary import boundary_lines, estimate_lines
from phasenet.points import ParameterPoint
from phasenet.records import Column, PhaseDiagram, Table
from phasenet.storage.header import Header, Kind
from phasenet.storage.tables import read_chart, write_table

D = np.round(np.arange(0.6, 1.41, 0.05), 2)


def table(length, transition=0.97):
    """Open chains whose fidelity susceptibility has its peak below the transition."""
    place = transition - 4 / length**2
    middles = (D[1:] + D[:-1]) / 2
    peaks = 1 / ((middles - place) ** 2 + 4 / length**2)
    columns = {
        "length_finite": np.full(len(D), float(length)),
        "fidelity_D_finite": [*(-1e-3 * peaks * 0.05**2 / 2), np.nan],
    }
    points = tuple(ParameterPoint.of(D=d, Delta=1.0) for d in D)
    return Table(
        rows=tuple(map(str, points)),
        points=points,
        labels=tuple("haldane" if d < transition else "large_d" for d in D),
        reasons=("",) * len(D),
        columns=tuple(
            Column(
                name=name,
                unit="1",
                meaning="",
                values=np.asarray(values),
                errors=np.full(len(D), np.nan),
            )
            for name, values in columns.items()
        ),
    )


@pytest.fixture
def tables(tmp_path, haldane):
    paths = []
    for length in (48, 16, 24, 32):
        path = tmp_path / f"L{length}.table.h5"
        header = Header(
            kind=Kind.TABLE,
            settings={"length": length},
            seed=0,
            parents=(),
            study=haldane.card(),
        )
        write_table(path, header, table(length))
        paths.append(path)
    return paths


def chart(*paths):
    return main(["chart", *map(str, paths)])


@pytest.mark.slow
def test_tables_of_several_lengths_are_extrapolated(tables, capsys):
    assert chart(*tables) == 0
    out = capsys.readouterr().out
    (line,) = (text for text in out.splitlines() if AT_INFINITE_LENGTH in text)
    assert "D = 0.97" in line
    header, found = read_chart(tables[0].with_name("L48.chart.h5"))
    assert [parent.name for parent in header.parents] == [path.name for path in tables]
    ((bracket, estimates),) = with_estimates(found.boundaries)
    assert np.isnan(bracket.error)
    (limit,) = (b for b in estimates if b.method.endswith(AT_INFINITE_LENGTH))
    assert abs(limit.value - 0.97) < 2 * limit.error < 0.02
    assert chart(*tables) == 0
    assert "nothing to do" in capsys.readouterr().out
    # With fewer tables it is another chart.
    assert chart(tables[0]) == 0
    assert AT_INFINITE_LENGTH not in capsys.readouterr().out


def test_tables_of_different_studies_are_refused(tables, tmp_path, haldane):
    other = tmp_path / "other.table.h5"
    card = haldane.card()
    stranger = type(card)(**{**vars(card), "name": "stranger"})
    header = Header(kind=Kind.TABLE, settings={}, seed=0, parents=(), study=stranger)
    write_table(other, header, table(64))
    out = tmp_path / "x.chart.h5"
    with pytest.raises(SettingsError, match=r"other.table.h5 belongs to study stranger, .*haldane"):
        chart_product(tables[0], out, card, [other])


def test_each_estimate_is_a_line_with_its_method_and_without_the_literature(haldane):
    shown = table(48)
    diagram = PhaseDiagram(table=shown, boundaries=boundaries(shown, ("D",)))
    bracket, *lines = estimate_lines(diagram, haldane.card())
    assert "literature 0.96847" in bracket
    assert len(lines) == len(diagram.boundaries) - 1 > 0
    for line, boundary in zip(lines, diagram.boundaries[1:], strict=True):
        assert line.startswith(f"  {boundary.method}")
        assert boundary.note in line
        assert "literature" not in line
    compact = boundary_lines(diagram, haldane.card())
    assert compact[0] == bracket
    assert len(compact) == 2
    assert all(boundary.method in compact[1] for boundary in diagram.boundaries[1:])
