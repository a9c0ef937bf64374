"""Named random streams."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phasenet.seeds import derived_seed, stream, uniforms

names = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=3)


def test_streams_are_pinned():
    # Literals: another value means that results of older files cannot be made again.
    assert derived_seed(0, "shots", "D=1") == 803099058304905235
    assert stream(0, "shots", "D=1").integers(0, 2**32, 3).tolist() == [
        3060954384,
        2876993756,
        2900542929,
    ]


@given(seed=st.integers(0, 2**63 - 1), path=names)
def test_the_same_names_give_the_same_stream(seed, path):
    one, two = stream(seed, *path), stream(seed, *path)
    np.testing.assert_array_equal(one.random(5), two.random(5))
    assert 0 <= derived_seed(seed, *path) < 2**63
    assert derived_seed(seed, *path) == derived_seed(seed, *path)


def test_seed_names_and_their_order_and_division_all_count():
    ways = [
        (0, "shots"),
        (1, "shots"),
        (0, "shots", ""),
        (0, "shot", "s"),
        (0, "s", "shot"),
        (0,),
    ]
    assert len({stream(*way).integers(0, 2**62) for way in ways}) == len(ways)
    assert len({derived_seed(*way) for way in ways}) == len(ways)


def test_the_order_of_the_work_does_not_matter():
    first = [stream(5, name).random() for name in ("a", "b", "c")]
    last = [stream(5, name).random() for name in ("c", "b", "a")]
    assert first == last[::-1]


def test_streams_are_uncorrelated():
    draws = np.array([stream(0, "point", str(k)).standard_normal(400) for k in range(40)])
    correlations = np.corrcoef(draws)[np.triu_indices(40, 1)]
    # Each is about normal of width 1/sqrt(400); 780 of them.
    assert np.abs(correlations).max() < 5 / 20
    assert abs(correlations.mean()) < 5 / 20 / np.sqrt(780)


@given(
    start=st.integers(0, 40),
    rows=st.integers(0, 40),
    columns=st.integers(1, 9),
    seed=st.integers(0, 2**63 - 1),
    path=names,
)
def test_rows_of_the_table_of_random_numbers_are_those_of_the_stream(
    start, rows, columns, seed, path
):
    whole = stream(seed, *path).random((start + rows, columns))
    part = uniforms(seed, *path, start=start, rows=rows, columns=columns)
    np.testing.assert_array_equal(part, whole[start:])


def test_the_table_has_no_end():
    far = uniforms(0, "shots", start=10**15, rows=2, columns=64)
    np.testing.assert_array_equal(
        far[1:], uniforms(0, "shots", start=10**15 + 1, rows=1, columns=64)
    )
