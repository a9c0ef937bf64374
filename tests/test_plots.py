"""The figure of a line of points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from phasenet.errors import PhasenetError, SettingsError
from phasenet.phases.boundaries import boundaries, shown_boundary, with_estimates
from phasenet.plots import line_figure, plane_figure, save_figure
from phasenet.points import ParameterPoint
from phasenet.records import Column, PhaseDiagram, Table
from phasenet.study import load_study

SIMULATIONS = Path(__file__).resolve().parents[1] / "simulations"

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_pdf_is_the_same_each_time(haldane, tmp_path):
    paths = [tmp_path / "one.pdf", tmp_path / "two.pdf"]
    for path in paths:
        save_figure(line_figure(diagram(), haldane.card()), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.slow
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


def plane():
    points = tuple(ParameterPoint.of(D=d, Delta=x) for x in (0.5, 1.0) for d in (0.0, 1.0, 2.0))
    labels = ("haldane", "", "large_d") * 2
    values = np.arange(1.0, 7.0)
    columns = tuple(
        Column(name=name, unit="1", meaning="", values=values, errors=np.full(6, np.nan))
        for name in ("string_x_infinite", "correlation_length")
    )
    table = Table(
        rows=tuple(map(str, points)),
        points=points,
        labels=labels,
        reasons=("",) * 6,
        columns=columns,
    )
    return PhaseDiagram(table=table, boundaries=boundaries(table, ("Delta", "D")))


def test_a_plane_shows_each_value_at_its_place(haldane, tmp_path):
    card = replace(haldane.card(), varied=("Delta", "D"))
    figure = plane_figure(plane(), card)
    mesh = figure.axes[1].collections[0]
    # Rows are Delta from below, columns D from the left.
    assert np.asarray(mesh.get_array()).reshape(2, 3).tolist() == [[1, 2, 3], [4, 5, 6]]
    save_figure(figure, tmp_path / "plane.png")
    assert (tmp_path / "plane.png").stat().st_size > 10_000


def test_a_plane_needs_two_couplings(haldane):
    with pytest.raises(SettingsError, match="exactly two varied couplings"):
        plane_figure(plane(), haldane.card())


def test_the_literature_is_drawn_only_on_the_line_where_it_holds(haldane):
    here = diagram()
    elsewhere_points = tuple(ParameterPoint.of(D=d, Delta=0.5) for d in D)
    elsewhere = replace(here, table=replace(here.table, points=elsewhere_points))

    def red_lines(shown):
        ax = line_figure(shown, haldane.card()).axes[0]
        return [line for line in ax.get_lines() if line.get_color() == "crimson"]

    assert len(red_lines(here)) == 1
    assert red_lines(elsewhere) == []


def filled(points, labels, columns, varied):
    size = len(points)
    table = Table(
        rows=tuple(str(point) for point in points),
        points=tuple(points),
        labels=tuple(labels),
        reasons=("",) * size,
        columns=tuple(
            Column(name=n, unit="1", meaning="", values=np.asarray(v), errors=np.full(size, np.nan))
            for n, v in columns.items()
        ),
    )
    return PhaseDiagram(table=table, boundaries=boundaries(table, varied))


@pytest.mark.slow
def test_a_plane_of_four_phases_names_each_and_its_gap(tmp_path):
    card = load_study(SIMULATIONS / "xxz_d.py").card()
    points = [ParameterPoint.of(Delta=d, D=x) for d in (-0.5, 1.0, 2.0) for x in (0.0, 1.0, 2.0)]
    labels = ["xy", "large_d", "large_d", "haldane", "", "large_d", "neel", "neel", "haldane"]
    # Product states have no correlation length, and a logarithmic scale no place for them.
    columns = {"correlation_length": [0.0, 1.0, 2.0] * 3, "order_x": [0.1] * 9}
    found = filled(points, labels, columns, card.varied)
    figure = plane_figure(found, card)
    legend = figure.axes[0].get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["Néel", "XY (gapless)", "Haldane", "large D", "undetermined"]
    save_figure(figure, tmp_path / "plane.png")
    box = legend.get_window_extent()
    assert figure.axes[0].get_window_extent().y1 <= box.y0 + 1
    assert box.x0 >= 0


@pytest.mark.slow
def test_a_spin_half_chain_without_symmetries_shows_its_order_and_growth(tmp_path):
    card = load_study(SIMULATIONS / "j1_j2.py").card()
    points = [ParameterPoint.of(J2=x) for x in (0.0, 0.2, 0.5, 0.7)]
    order, growth = [0.0, 0.01, 0.12, 0.1], [1.3, 1.2, 0.0, 0.0]
    columns = {
        "order_dimer_order_infinite": order,
        "growth_exponent": growth,
        "central_charge": [1.0, 1.0, np.nan, np.nan],
        "correlation_length": [100.0, 90.0, 0.0, 1.0],
    }
    labels = ["spin_liquid"] * 2 + ["dimer"] * 2
    figure = line_figure(filled(points, labels, columns, card.varied), card)
    drawn = [np.asarray(line.get_ydata(), float) for ax in figure.axes for line in ax.get_lines()]
    for values in (order, growth):
        assert any(len(y) == 4 and np.allclose(y, values) for y in drawn)
    assert figure.axes[0].get_ylabel() == "local order"
    save_figure(figure, tmp_path / "line.png")


def crowded_line():
    """Two transitions with sharp peaks, estimates at both."""
    d = np.linspace(0.0, 2.0, 41)
    labels = ["haldane" if x < 0.5 or x > 1.5 else "large_d" for x in d]
    xi = 1 / (np.abs(d - 0.49) + 0.05) + 1 / (np.abs(d - 1.51) + 0.05)
    points = [ParameterPoint.of(D=x, Delta=1.0) for x in d]
    return filled(points, labels, {"correlation_length": xi, "entropy_infinite": xi}, ("D",))


@pytest.mark.slow
def test_each_transition_has_a_strip_of_its_estimates_beside_the_literature(haldane, tmp_path):
    found = crowded_line()
    figure = line_figure(found, haldane.card())
    strips = figure.axes[6:]
    assert [ax.get_title() for ax in strips] == ["Haldane to large D", "large D to Haldane"]
    for ax, (bracket, estimates) in zip(strips, with_estimates(found.boundaries), strict=True):
        values = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "o"]
        assert values == pytest.approx([boundary.value for boundary in estimates])
        assert {text.get_text() for text in ax.texts} == set(map(shown_boundary, estimates))
        assert len(estimates) > 1
        assert ax.get_xlim()[0] < bracket.lower < bracket.upper < ax.get_xlim()[1]
        # The literature is a red line, and none of our points is red.
        red = [line for line in ax.get_lines() if line.get_color() == "crimson"]
        assert all(line.get_linestyle() == "--" for line in red)
    save_figure(figure, tmp_path / "line.png")


def test_without_estimates_there_is_no_strip(haldane):
    assert len(line_figure(diagram(bare=True), haldane.card()).axes) == 6


def test_without_a_classifier_the_fidelity_takes_its_place(haldane):
    values = {"fidelity_D_infinite": -1e-3 * np.array([1, 4, 1, 1, 2, np.nan])}
    points = [ParameterPoint.of(D=d, Delta=1.0) for d in D]
    ax = line_figure(filled(points, LABELS, values, ("D",)), haldane.card()).axes[2]
    (drawn,) = (line for line in ax.get_lines() if len(line.get_xdata()) == 5)
    np.testing.assert_allclose(drawn.get_xdata(), (D[1:] + D[:-1]) / 2)
    np.testing.assert_allclose(
        drawn.get_ydata(), -2 * values["fidelity_D_infinite"][:-1] / np.diff(D) ** 2
    )


def test_strings_that_agree_are_one_curve(haldane):
    points = [ParameterPoint.of(D=d, Delta=1.0) for d in D]
    x = 0.4 - 0.1 * D
    for y, shown in ((x, ["x, y"]), (x + 0.1, ["x", "y"])):
        columns = {"string_x_infinite": x, "string_y_infinite": y}
        ax = line_figure(filled(points, LABELS, columns, ("D",)), haldane.card()).axes[0]
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == [rf"$-\mathcal{{O}}^{{{name}}}$, infinite" for name in shown]


def test_a_plane_shows_regions_and_one_estimate_of_each_boundary(haldane, tmp_path):
    card = replace(haldane.card(), varied=("Delta", "D"))
    d = np.linspace(0.0, 2.0, 9)
    points = [ParameterPoint.of(D=x, Delta=y) for y in (0.5, 1.0, 1.5) for x in d]
    labels = ["haldane" if p["D"] < 0.9 + 0.1 * p["Delta"] else "large_d" for p in points]
    xi = [1 / (abs(p["D"] - 0.9 - 0.1 * p["Delta"]) + 0.1) for p in points]
    found = filled(points, labels, {"correlation_length": xi}, card.varied)
    figure = plane_figure(found, card)
    ax = figure.axes[0]
    circles = [line for line in ax.get_lines() if line.get_markerfacecolor() == "white"]
    assert len(circles) == 3
    for line, delta in zip(circles, (0.5, 1.0, 1.5), strict=True):
        assert line.get_ydata()[0] == delta
        assert line.get_xdata()[0] == pytest.approx(0.9 + 0.1 * delta, abs=0.1)
    assert {text.get_text() for text in ax.texts} == {"Haldane", "large D"}
    assert sum(type(c).__name__ == "QuadMesh" for c in ax.collections) == 2
    save_figure(figure, tmp_path / "plane.png")
