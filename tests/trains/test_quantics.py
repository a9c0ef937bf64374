"""Bits and numbers, there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.quantics import BitLayout, QuanticsGrid

layouts = st.builds(
    BitLayout,
    bits=st.lists(st.integers(1, 62), min_size=1, max_size=4).map(tuple),
    order=st.sampled_from(["interleaved", "sequential"]),
)
grids = st.builds(
    lambda bits, order, points, lower, width: QuanticsGrid(
        layout=BitLayout(bits=bits, order=order),
        lower=(lower,) * len(bits),
        upper=(lower + width,) * len(bits),
        points=points,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=3).map(tuple),
    st.sampled_from(["interleaved", "sequential"]),
    st.sampled_from(["lower", "upper", "centre", "both"]),
    st.floats(-10, 10),
    st.floats(0.1, 100),
)


@given(layouts, st.data())
def test_numbers_survive_the_way_there_and_back(layout, data):
    rows = data.draw(
        st.lists(st.tuples(*(st.integers(0, 2**count - 1) for count in layout.bits)), max_size=8)
    )
    numbers = np.array(rows, dtype=np.int64).reshape(-1, len(layout.bits))
    bits = layout.to_bits(numbers)
    assert bits.shape == (len(rows), layout.length)
    np.testing.assert_array_equal(layout.to_numbers(bits), numbers)


@given(layouts, st.integers(0, 10**6))
def test_bits_survive_the_way_there_and_back(layout, seed):
    bits = np.random.default_rng(seed).integers(2, size=(5, layout.length))
    np.testing.assert_array_equal(layout.to_bits(layout.to_numbers(bits)), bits)


@given(layouts)
def test_each_site_is_one_bit_and_the_first_is_the_most_significant(layout):
    assert len(set(layout.sites)) == layout.length
    for variable, count in enumerate(layout.bits):
        powers = [power for owner, power in layout.sites if owner == variable]
        assert powers == list(range(count - 1, -1, -1))
    owners = [owner for owner, _ in layout.sites]
    if layout.order == "sequential":
        assert owners == sorted(owners)
    else:
        assert owners[: len(layout.bits)] == list(range(len(layout.bits)))


def test_orders_are_those_of_the_words():
    numbers = np.array([[0b101, 0b01]])
    interleaved = BitLayout(bits=(3, 2), order="interleaved")
    sequential = BitLayout(bits=(3, 2), order="sequential")
    assert interleaved.to_bits(numbers).tolist() == [[1, 0, 0, 1, 1]]
    assert sequential.to_bits(numbers).tolist() == [[1, 0, 1, 0, 1]]
    assert interleaved.site_dims == (2,) * 5


@given(grids, st.integers(0, 10**6))
def test_points_survive_the_way_there_and_back(grid, seed):
    bits = np.random.default_rng(seed).integers(2, size=(20, grid.layout.length))
    points = grid.coordinates(bits)
    np.testing.assert_array_equal(grid.nearest_bits(points), bits)
    near = points + 0.4 * grid.spacing
    np.testing.assert_array_equal(grid.nearest_bits(near), bits)
    ends = np.abs([grid.lower, grid.upper]).max()
    assert np.all(points >= np.array(grid.lower) - 1e-12 * ends)
    assert np.all(points <= np.array(grid.upper) + 1e-12 * ends)


@pytest.mark.parametrize(
    ("points", "wanted"),
    [
        ("lower", [0.0, 0.25, 0.5, 0.75]),
        ("upper", [0.25, 0.5, 0.75, 1.0]),
        ("centre", [0.125, 0.375, 0.625, 0.875]),
        ("both", [0.0, 1 / 3, 2 / 3, 1.0]),
    ],
)
def test_points_lie_where_they_are_said_to(points, wanted):
    grid = QuanticsGrid(layout=BitLayout(bits=(2,)), lower=(0.0,), upper=(1.0,), points=points)
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_allclose(grid.coordinates(bits)[:, 0], wanted, atol=1e-15)
    np.testing.assert_allclose(grid.function(lambda x: 2 * x[:, 0])(bits), 2 * np.array(wanted))


def test_points_outside_go_to_the_ends():
    grid = QuanticsGrid(layout=BitLayout(bits=(62,)), lower=(-1.0,), upper=(1.0,))
    assert grid.nearest_bits(np.array([[-9.0], [9.0]])).tolist() == [[0] * 62, [1] * 62]


def test_what_makes_no_grid_is_an_error():
    layout = BitLayout(bits=(2, 2))
    with pytest.raises(SettingsError, match="wanted 1 to 62"):
        BitLayout(bits=(63,))
    with pytest.raises(SettingsError, match="wanted one of interleaved, sequential"):
        BitLayout(bits=(2,), order="mixed")
    with pytest.raises(SettingsError, match="outside 0"):
        layout.to_bits(np.array([[4, 0]]))
    with pytest.raises(ShapeError, match="wanted \\(shots, 4\\)"):
        layout.to_numbers(np.zeros((1, 3), dtype=int))
    with pytest.raises(ShapeError, match="wanted integers"):
        layout.to_numbers(np.zeros((1, 4)))
    with pytest.raises(SettingsError, match="neither 0 nor 1"):
        layout.to_numbers(np.full((1, 4), 2))
    with pytest.raises(SettingsError, match="must be finite and rise"):
        QuanticsGrid(layout=layout, lower=(0.0, 1.0), upper=(1.0, 1.0))
    with pytest.raises(ShapeError, match="1 lower and 2 upper"):
        QuanticsGrid(layout=layout, lower=(0.0,), upper=(1.0, 1.0))
    with pytest.raises(SettingsError, match="wanted one of lower, upper, centre, both"):
        QuanticsGrid(layout=layout, lower=(0.0, 0.0), upper=(1.0, 1.0), points="left")
    grid = QuanticsGrid(layout=layout, lower=(0.0, 0.0), upper=(1.0, 1.0))
    with pytest.raises(ShapeError, match="coordinates have shape"):
        grid.nearest_bits(np.zeros((1, 3)))
