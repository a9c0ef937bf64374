"""Chains of neighbours: fixed by the points alone, short enough, every point in one of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.groundstates.units import Sweep, chains, cut, state_header, sweep_key
from phasenet.identity import digest
from phasenet.points import Grid, ParameterPoint
from phasenet.settings import RunSettings
from phasenet.study import Boundary


def lengths(points, longest):
    return [len(chain) for chain in chains(list(points), longest)]


def texts(chain):
    return " ".join(str(point) for point in chain)


def test_grid_of_the_main_job_is_cut_into_few_chains_of_one_length(haldane):
    assert lengths(haldane.grid, 8) == [8, 8, 7]
    assert lengths(haldane.grid, 7) == [6, 6, 6, 5]
    settings = RunSettings.checked({"sweep": {"chain": 7}})
    study = replace(haldane, settings=settings)
    sweep = Sweep.of(study, Path("haldane.py"), Path("run"), stop_file=Path("stop"))
    units = cut(sweep, study.grid)
    assert [unit.index for unit in units] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [unit.boundary for unit in units] == [Boundary.INFINITE] * 4 + [Boundary.FINITE] * 4
    assert str(units[3]) == "the infinite states D=1.5,Delta=1 to D=2,Delta=1"


def test_points_of_a_line_are_neighbours_whatever_their_order():
    values = [0.4, 0.0, 0.3, 0.1, 0.2]
    (chain,) = chains(list(Grid.product(D=values)), 8)
    assert texts(chain) == "D=0 D=0.1 D=0.2 D=0.3 D=0.4"


def test_lines_run_along_the_longest_side():
    found = chains(list(Grid.product(D=[0, 1, 2, 3], Delta=[5, 6])), 8)
    assert [texts(chain) for chain in found] == [
        "D=0,Delta=5 D=1,Delta=5 D=2,Delta=5 D=3,Delta=5",
        "D=0,Delta=6 D=1,Delta=6 D=2,Delta=6 D=3,Delta=6",
    ]


def test_of_equal_sides_the_fastest_is_taken():
    found = chains(list(Grid.product(b=[0, 1], a=[5, 6])), 8)
    assert [texts(chain) for chain in found] == ["a=5,b=0 a=6,b=0", "a=5,b=1 a=6,b=1"]


def test_couplings_that_run_together_are_a_line_too():
    points = [ParameterPoint.of(D=x, Delta=2 * x) for x in (0, 4, 1, 3, 2, 5)]
    assert [texts(chain) for chain in chains(points, 3)] == [
        "D=0,Delta=0 D=1,Delta=2 D=2,Delta=4",
        "D=3,Delta=6 D=4,Delta=8 D=5,Delta=10",
    ]


def test_chain_of_one_starts_every_point_cold():
    assert lengths(Grid.product(D=[0, 1, 2]), 1) == [1, 1, 1]


coupling = st.integers(0, 6).map(float)
points = st.lists(st.tuples(coupling, coupling), min_size=1, max_size=40, unique=True)


@given(points, st.integers(1, 9))
def test_every_point_is_in_one_chain_that_is_short_enough(rows, longest):
    given_points = [ParameterPoint.of(a=a, b=b) for a, b in rows]
    found = chains(given_points, longest)
    assert sorted(str(p) for chain in found for p in chain) == sorted(map(str, given_points))
    assert all(1 <= len(chain) <= longest for chain in found)


@given(points)
def test_pieces_of_a_line_are_nearly_equal(rows):
    line = [ParameterPoint.of(a=a) for a in sorted({a + b / 10 for a, b in rows})]
    sizes = lengths(line, 5)
    assert max(sizes) - min(sizes) <= 1


def test_key_of_the_sweep_is_that_of_every_state_without_its_point(haldane):
    card, spin, code = haldane.card(), haldane.spin, haldane.code_digest
    header = state_header(card, spin, code, ParameterPoint.of(D=0, Delta=1), Boundary.FINITE)
    shared = {name: value for name, value in header.settings.items() if name != "point"}
    assert digest(shared) == sweep_key(card, spin, code, Boundary.FINITE)
    assert digest(shared) != sweep_key(card, spin, code, Boundary.INFINITE)


@pytest.mark.benchmark
def test_hundred_thousand_points_are_cut_in_seconds():
    import random
    import time

    random.seed(1)
    grid = list(Grid.product(a=[k / 1e2 for k in range(100)], b=[k / 1e3 for k in range(1000)]))
    cloud = [ParameterPoint.of(a=random.random(), b=random.random()) for _ in range(100_000)]
    for name, sample in (("grid", grid), ("cloud", cloud)):
        start = time.process_time()
        chains(sample, 8)
        print(f"{name}: {time.process_time() - start:.2f} s")
