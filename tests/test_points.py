"""Points and grids: what counts as the same point."""

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import MissingInputError, SettingsError
from phasenet.points import Grid, ParameterPoint, parse_values

values = st.floats(-1e6, 1e6)
couplings = st.dictionaries(
    st.text("abcdefgDJ", min_size=1, max_size=4), values, min_size=1, max_size=4
)


@pytest.mark.parametrize(
    ("given_couplings", "name"),
    [
        # Literals: they are in the names of stored files and in their parents' lists.
        ({"D": 0, "Delta": 1}, "18225163b4b87f96"),
        ({"Delta": 1.0, "D": 0.1 + 0.2}, "ead0b7dcc31a8c1a"),
        ({"J": -1.5e-7}, "5cea608e776b1d7c"),
    ],
)
def test_ids_are_pinned(given_couplings, name):
    assert ParameterPoint.of(given_couplings).id == name


@pytest.mark.parametrize(
    "same",
    [
        ParameterPoint.of(Delta=1, D=0.0),
        ParameterPoint.of(D=-0.0, Delta=1.0),
        ParameterPoint.of({"D": 1e-320 * 0, "Delta": np.float64(1.0)}),
        ParameterPoint.of({"D": 0}, Delta=np.int64(1)),
        ParameterPoint.of(D=0, Delta=1.0 + 1e-14),
    ],
)
def test_the_same_point_by_other_ways(same):
    point = ParameterPoint.of(D=0, Delta=1)
    assert same == point
    assert hash(same) == hash(point)
    assert same.id == point.id
    assert str(same) == str(point) == "D=0,Delta=1"


@pytest.mark.parametrize(
    "other",
    [{"D": 0}, {"D": 1, "Delta": 0}, {"D": 1e-9, "Delta": 1}, {"d": 0, "Delta": 1}],
)
def test_other_points_have_other_ids(other):
    assert ParameterPoint.of(other) != ParameterPoint.of(D=0, Delta=1)
    assert ParameterPoint.of(other).id != ParameterPoint.of(D=0, Delta=1).id


@given(couplings)
def test_order_does_not_matter(mapping):
    point = ParameterPoint.of(mapping)
    for order in itertools.permutations(mapping):
        again = ParameterPoint.of({name: mapping[name] for name in order})
        assert again == point
        assert again.id == point.id
    assert ParameterPoint.of(point.as_dict()) == point
    assert all(point[name] == pytest.approx(mapping[name], rel=1e-11) for name in mapping)


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "one", None, 1j, [1.0]])
def test_a_coupling_must_be_a_finite_real_number(value):
    with pytest.raises(SettingsError, match=r"coupling D is .*; it must be a finite real number"):
        ParameterPoint.of(D=value)


def test_a_missing_coupling_is_named_with_those_there_are():
    with pytest.raises(SettingsError, match="no coupling 'J'; it has D, Delta"):
        ParameterPoint.of(D=0, Delta=1)["J"]


def test_a_grid_is_a_product_with_the_last_axis_fastest():
    grid = Grid.product(Delta=[0.5, 1.0], D=[0.0, 0.1 + 0.2, 1])
    assert len(grid) == 6
    assert [str(point) for point in grid] == [
        "D=0,Delta=0.5",
        "D=0.3,Delta=0.5",
        "D=1,Delta=0.5",
        "D=0,Delta=1",
        "D=0.3,Delta=1",
        "D=1,Delta=1",
    ]
    assert grid.varied == ("Delta", "D")
    assert Grid.product(Delta=[1], D=[0, 1]).varied == ("D",)
    assert Grid.product(D=[1]).varied == ()


@given(st.lists(st.floats(-10, 10).map(lambda x: round(x, 6) + 0.0), min_size=1, unique=True))
def test_every_point_of_a_grid_is_another(numbers):
    points = list(Grid.product(a=numbers, b=[0, 1]))
    assert len({point.id for point in points}) == len(points) == 2 * len(numbers)


@pytest.mark.parametrize("axis", [[0.3, 0.1 + 0.2], [0.0, -0.0], [1, 1.0]])
def test_a_value_named_twice(axis):
    with pytest.raises(SettingsError, match="grid axis D names a value twice"):
        Grid.product(D=axis)


def test_an_empty_axis():
    with pytest.raises(SettingsError, match="grid axis D is empty; give at least one value"):
        Grid.product(Delta=[1], D=[])


@pytest.mark.parametrize("value", [math.nan, math.inf, "one"])
def test_a_grid_value_must_be_a_finite_real_number(value):
    with pytest.raises(SettingsError, match=r"coupling D is .*; it must be a finite real number"):
        Grid.product(D=[0.0, value])


def test_a_zip_runs_together():
    grid = Grid.zipped(D=[0, 0, 1], Delta=[1, 2, 1])
    assert [str(point) for point in grid] == ["D=0,Delta=1", "D=0,Delta=2", "D=1,Delta=1"]
    assert len(grid) == 3
    assert grid.axes == (("D", (0.0, 1.0)), ("Delta", (1.0, 2.0)))
    assert grid.varied == ("D", "Delta")
    with pytest.raises(SettingsError, match="equally many values; D has 2, Delta has 1"):
        Grid.zipped(D=[0, 1], Delta=[1])
    with pytest.raises(SettingsError, match="grid names the point D=0,Delta=1 twice"):
        Grid.zipped(D=[0, 0], Delta=[1, 1.0])


def test_a_product_of_a_zip_and_an_axis():
    grid = Grid.zipped(a=[0, 1], c=[3, 4]) * Grid.product(b=[5, 6])
    assert len(grid) == len(list(grid)) == 4
    assert [str(point) for point in grid][:2] == ["a=0,b=5,c=3", "a=0,b=6,c=3"]
    with pytest.raises(SettingsError, match="both factors of a grid name the coupling b"):
        grid * Grid.product(b=[1])


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, unique=True))
def test_a_grid_of_points_keeps_them(pairs):
    points = [ParameterPoint.of(D=d, Delta=delta) for d, delta in pairs]
    assert list(Grid.of_points(points)) == points
    assert list(Grid.of_points(Grid.product(J=[1]) * Grid.of_points(points))) == [
        ParameterPoint.of(point.as_dict(), J=1) for point in points
    ]


def test_points_that_make_no_grid():
    for nothing in (lambda: Grid.of_points([]), lambda: Grid.zipped()):
        with pytest.raises(SettingsError, match="a grid of no points"):
            nothing()
    with pytest.raises(SettingsError, match="differ in their couplings"):
        Grid.of_points([ParameterPoint.of(D=0), ParameterPoint.of(J=0)])
    with pytest.raises(SettingsError, match="names the point D=0 twice"):
        Grid.of_points([ParameterPoint.of(D=0), ParameterPoint.of(D=0)])


def csv_file(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "points.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("D,Delta\n0,1\n0.5,1e0\n", "utf-8"),
        ("\ufeff# a comment, with commas\r\nDelta, D\r\n\r\n1 ,0\r\n# and\n,\n1,+0.5", "utf-8"),
        ('"D","Delta"\n"0","1"\n"0.5","1"', "utf-8-sig"),
    ],
)
def test_points_from_a_file(tmp_path, text, encoding):
    grid = Grid.from_csv(csv_file(tmp_path, text, encoding))
    assert [str(point) for point in grid] == ["D=0,Delta=1", "D=0.5,Delta=1"]
    assert grid.varied == ("D",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no points"),
        ("D,Delta\n\n# 0,1\n", "names no points"),
        ("D,Delta\n0,1\n0.5\n", "line 3 has 1 columns; its head has 2"),
        ("D,Delta\n0,1,2\n", "line 2 has 3 columns"),
        ("# x\nD,Delta\n0,one\n", "line 3: coupling Delta is 'one'; it must be a finite real"),
        ("D,Delta\n0,\n", "line 2: coupling Delta is ''"),
        ("D,Delta\n0,NaN\n", "line 2: coupling Delta is 'NaN'"),
        ("D,Delta\ninf,0\n", "line 2: coupling D is 'inf'"),
        ("D,Delta\n0,1\n\n0.0,1.0\n", "line 4 repeats the point of line 2; name it once"),
        ("D,D\n0,1\n", "line 1 names the coupling D twice"),
        ("D,\n0,1\n", "line 1 has a column without a name"),
        ("D,delta\n0,1\n", "line 1 names the unknown coupling 'delta'; did you mean 'Delta'"),
        ("D,qqq\n0,1\n", "unknown coupling 'qqq'; there are D, Delta"),
    ],
)
def test_files_of_points_with_mistakes(tmp_path, text, message):
    with pytest.raises(SettingsError, match=rf"points.csv.*{message}"):
        Grid.from_csv(csv_file(tmp_path, text), known=["D", "Delta"])


def test_a_file_of_points_that_is_none(tmp_path):
    with pytest.raises(MissingInputError, match=r"no points at .*none.csv"):
        Grid.from_csv(tmp_path / "none.csv")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\x89HDF\xff")
    with pytest.raises(SettingsError, match="no text in UTF-8"):
        Grid.from_csv(path)


@given(st.integers(-1000, 1000), st.integers(1, 200), st.integers(1, 50), st.integers(0, 6))
def test_ranges_do_not_drift(start, count, step, digits):
    scale = 10**digits
    texts = [f"{Decimal(start + k * step) / scale}" for k in range(count)]
    values = parse_values("D", f"{texts[0]}:{texts[-1]}:{Decimal(step) / scale}")
    assert values == tuple(float(text) for text in texts)


def test_points_of_a_large_grid_have_names_of_their_own():
    grid = Grid.product(a=range(250), b=[k / 400 for k in range(400)])
    texts = {str(point) for point in grid}
    assert len(texts) == len(grid) == 100_000
    assert Grid.of_points(grid).varied == ("a", "b")
