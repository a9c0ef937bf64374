"""Points and grids: what counts as the same point."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.points import Grid, ParameterPoint

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
