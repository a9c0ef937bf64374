"""The figure of a line of points."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from phasenet.errors import PhasenetError, SettingsError
from phasenet.phases.boundaries import boundaries
from phasenet.plots import line_figure, save_figure
from phasenet.points import ParameterPoint
from phasenet.records import Column, PhaseDiagram, Table

D = np.array([0.0, 0.5, 0.9, 1.0, 1.1, 2.0])
LABELS = ("haldane", "haldane", "haldane", "", "large_d", "large_d")


def diagram(*, bare=False):
    rng = np.random.default_rng(0)
    step = 1 / (1 + np.exp(8 * (D - 1)))
    curves = {
        "correlation_length": 1 + 20 * np.exp(-(((D - 1) / 0.2) ** 2)),
        "logit_haldane": 4 * (1 - D),
        "logit_large_d": -4 * (1 - D),
        "probability_haldane": step,
        "probability_large_d": 1 - step,
        "string_z_given_haldane": 0.4 * step,
        "string_z_given_large_d": np.where(D < 0.5, np.nan, 0.1),
    }
    for where in ("infinite", "finite"):
        curves |= {f"entropy_{where}": rng.random(6), f"quadrupole_{where}": rng.random(6)}
        curves |= {f"string_{axis}_{where}": rng.random() * step for axis in "xz"}
        for name in ("z2xz2", "time_reversal", "bond_inversion"):
            curves[f"{name}_{where}"] = np.array([-1, -1, -1, 0, 1, 1.0])
            curves[f"{name}_eta_{where}"] = np.ones(6)
    points = tuple(ParameterPoint.of(D=d, Delta=1.0) for d in D)
    table = Table(
        rows=tuple(str(point) for point in points),
        points=points,
        labels=LABELS,
        reasons=("",) * 6,
        columns=tuple(
            Column(name=n, unit="1", meaning="", values=v, errors=np.full(6, 0.02))
            for n, v in ({} if bare else curves).items()
        ),
    )
    return PhaseDiagram(table=table, boundaries=boundaries(table, ("D",)))


@pytest.fixture(scope="module")
def figure(haldane):
    return line_figure(diagram(), haldane.card())


def test_a_line_is_drawn_and_written_in_both_formats(figure, tmp_path):
    assert isinstance(figure, Figure)
    for suffix, start in ((".png", b"\x89PNG\r\n\x1a\n"), (".pdf", b"%PDF-")):
        path = tmp_path / f"figure{suffix}"
        save_figure(figure, path)
        data = path.read_bytes()
        assert data.startswith(start)
        assert len(data) > 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"figure.png", "figure.pdf"}


def test_the_figure_shows_the_numbers_of_the_table(figure):
    drawn = [
        np.asarray(line.get_ydata(), dtype=float)
        for axes in figure.axes
        for line in axes.get_lines()
    ]
    shown = diagram()
    for name in (
        "string_x_infinite",
        "string_z_infinite",
        "string_z_finite",
        "correlation_length",
        "probability_haldane",
    ):
        values = shown.table.column(name).values
        assert any(len(y) == len(values) and np.allclose(y, values) for y in drawn), name


def test_a_pdf_is_the_same_each_time(haldane, tmp_path):
    paths = [tmp_path / "one.pdf", tmp_path / "two.pdf"]
    for path in paths:
        save_figure(line_figure(diagram(), haldane.card()), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_table_without_columns_is_drawn_as_well(haldane, tmp_path):
    save_figure(line_figure(diagram(bare=True), haldane.card()), tmp_path / "bare.png")
    assert (tmp_path / "bare.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("varied", "shown"), [((), "varies nothing"), (("D", "Delta"), "varies D, Delta")]
)
def test_only_one_varied_coupling_makes_a_line(haldane, varied, shown):
    card = replace(haldane.card(), varied=varied)
    with pytest.raises(SettingsError, match=rf"haldane {shown}; .* exactly one") as error:
        line_figure(diagram(), card)
    assert "\n" not in str(error.value)


def test_a_figure_that_cannot_be_written_leaves_nothing(figure, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PhasenetError, match="cannot write"):
        save_figure(figure, tmp_path / "file" / "figure.png")
    path = tmp_path / "figure.png"
    path.write_bytes(b"previous")

    class Broken(Figure):
        def savefig(self, target, **_):
            target.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(PhasenetError, match="No space left on device") as error:
        save_figure(Broken(), path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"previous"
    assert {item.name for item in tmp_path.iterdir()} == {"file", "figure.png"}
