"""Refinement of a sweep, with exact states in the place of DMRG."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import PhasenetError, SettingsError
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_cell, large_d_chain, product_cell
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.refine import refine_study, refinement_lines, write_points
from phasenet.pipeline.reporting import SilentReporter
from phasenet.points import Grid, ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.container import read_header
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain

STUDY = Path(__file__).resolve().parents[2] / "simulations" / "haldane.py"
BOUNDARY = 0.6217


class Solver:
    """AKLT below the boundary, large D above, a Neel state close to it."""

    def __init__(self, window=0.0, poisoned=()):
        self.window, self.poisoned = window, poisoned
        self.calls = []

    def __call__(self, study, point, boundary, *, neighbour, second_start, resume, should_stop):
        before = neighbour.point["D"] if neighbour else None
        self.calls.append((point["D"], boundary, before, second_start))
        if point["D"] in self.poisoned:
            raise ValueError("poison")
        train = self.train(point["D"], boundary)
        values = train.schmidt_values if isinstance(train, InfiniteTrain) else (np.ones(1),) * 6
        return GroundState(
            point=point,
            spin=1.0,
            train=train,
            schmidt_values=values,
            charge="",
            bond_charges=(np.zeros(0, dtype=np.int64),) * (len(train.cores) + 1),
            energy=-1.0,
            variance=math.nan,
            truncation=0.0,
            outcome=DmrgOutcome.CONVERGED,
            sweeps=1,
        )

    def train(self, d, boundary):
        if boundary == Boundary.FINITE:
            return aklt_chain(6) if d < BOUNDARY else large_d_chain(6)
        if abs(d - BOUNDARY) < self.window:
            return product_cell([0, 2], 3)
        return aklt_cell() if d < BOUNDARY else large_d_cell()


@pytest.fixture
def study(haldane):
    grid = Grid.product(Delta=[1.0], D=[0.0, 0.5, 1.0, 1.5, 2.0])
    sweep = haldane.settings.sweep.model_copy(update={"boundaries": ("infinite",)})
    return replace(
        haldane, grid=grid, settings=haldane.settings.model_copy(update={"sweep": sweep})
    )


@pytest.fixture
def run(study, tmp_path, monkeypatch):
    def go(solver, *, given=study, resolution=0.01):
        monkeypatch.setattr("phasenet.groundstates.solve.solve", solver)
        with ThreadPoolExecutor(2) as executor:
            return refine_study(
                given,
                STUDY,
                tmp_path,
                resolution=resolution,
                engine=Engine(executor=executor),
                reporter=SilentReporter(),
            )

    return go


def states(folder, boundary="infinite"):
    return sorted((folder / "states").glob(f"*.{boundary}.state.h5"))


def test_a_boundary_is_bracketed_with_few_points(run, study, tmp_path):
    solver = Solver()
    found = run(solver)
    (bracket,) = found.refinement.brackets
    assert bracket.lower < BOUNDARY < bracket.upper
    assert bracket.width <= 0.01
    assert (bracket.below, bracket.above) == ("haldane", "large_d")
    assert (found.coarse, len(found.points), found.uniform, found.new) == (5, 11, 201, 11)
    assert len(states(tmp_path)) == len(solver.calls) == 11
    assert set(Grid.from_csv(found.file)) == set(found.points)
    lines = refinement_lines(found, study.card())
    assert bracket.window == (bracket.lower, bracket.upper)
    assert lines[0].startswith("boundary Haldane to large D at Delta = 1: D = 0.62109 +- 0.00391")
    assert "literature 0.96847 (Tzeng" in lines[0]
    assert "11 points (5 of the grid); a uniform grid of resolution 0.01" in lines[1]
    assert "has 201: 5% of it" in lines[1]


def test_new_points_start_from_the_end_of_their_bracket_and_a_second_time(run):
    solver = Solver()
    run(solver)
    new = [call for call in solver.calls if call[0] not in (0, 0.5, 1, 1.5, 2)]
    assert [d for d, *_ in new] == [0.75, 0.625, 0.5625, 0.59375, 0.609375, 0.6171875]
    # AKLT has the longer correlations.
    assert [before for _, _, before, _ in new] == [0.5, 0.5, 0.5, 0.5625, 0.59375, 0.609375]
    assert all(second for *_, second in new)


def test_the_same_call_finds_nothing_new_and_a_finer_one_goes_on(run):
    first = run(Solver(), resolution=0.1)
    solver = Solver()
    again = run(solver, resolution=0.1)
    assert (solver.calls, again.new) == ([], 0)
    assert (again.points, again.refinement) == (first.points, first.refinement)
    finer = run(solver, resolution=0.01)
    assert (len(finer.points), finer.new) == (11, 11 - len(first.points))


def test_a_call_that_was_cut_short_takes_the_same_steps(run, tmp_path):
    whole = run(Solver())
    texts = {path.name: path.read_bytes() for path in states(tmp_path)}
    for path in states(tmp_path)[::2]:
        path.unlink()
    solver = Solver()
    assert run(solver).points == whole.points
    assert {path.name for path in states(tmp_path)} == set(texts)
    assert len(solver.calls) == len(range(0, len(texts), 2))


def test_undetermined_points_without_a_peak_keep_the_bracket_wide(run, study):
    # Exact product states have no correlation length to go by.
    found = run(Solver(window=0.03))
    (bracket,) = found.refinement.brackets
    assert bracket.lower == pytest.approx(BOUNDARY - 0.03, abs=0.01)
    assert bracket.upper == pytest.approx(BOUNDARY + 0.03, abs=0.01)
    line = refinement_lines(found, study.card())[0]
    assert "D from 0.5859 to 0.6562 (undetermined in between, no peak of the corr" in line


def test_a_peak_is_said_with_the_window_around_it(run, study, monkeypatch):
    def length(train):
        return 9.0 if train.bond_dims == (1, 1) else 1.0

    monkeypatch.setattr("phasenet.pipeline.refine.correlation_length", length)
    found = run(Solver(window=0.03))
    (bracket,) = found.refinement.brackets
    assert bracket.width <= 0.01
    assert bracket.window[0] < BOUNDARY - 0.03 < bracket.lower
    line = refinement_lines(found, study.card())[0]
    assert "(correlation length peak, undetermined from 0.5" in line


def test_a_point_that_fails_does_not_stop_the_others(run, study, tmp_path):
    found = run(Solver(poisoned=(0.75,)))
    assert "poison" in str(found.failure)
    (bracket,) = found.refinement.brackets
    assert bracket.width <= 0.01
    assert not [path for path in states(tmp_path) if "D=0.75," in path.name]


def test_if_every_point_fails_there_is_nothing_to_refine(run):
    with pytest.raises(PhasenetError, match=r"5 of 5 ground states failed .*poison"):
        run(Solver(poisoned=(0, 0.5, 1, 1.5, 2)))


def test_open_chains_of_all_points_come_last(run, study, tmp_path):
    sweep = study.settings.sweep.model_copy(update={"boundaries": ("infinite", "finite")})
    finite = study.settings.finite.model_copy(update={"length": 6})
    settings = study.settings.model_copy(update={"sweep": sweep, "finite": finite})
    solver = Solver()
    found = run(solver, given=replace(study, settings=settings), resolution=0.1)
    assert len(states(tmp_path, "finite")) == len(states(tmp_path)) == len(found.points)
    assert [call[1] for call in solver.calls] == ["infinite"] * 8 + ["finite"] * 8
    assert found.new == 16


def test_what_cannot_be_refined(run, study):
    sweep = study.settings.sweep.model_copy(update={"boundaries": ("finite",)})
    finite = replace(study, settings=study.settings.model_copy(update={"sweep": sweep}))
    with pytest.raises(SettingsError, match=r"add 'infinite' to sweep.boundaries of haldane"):
        run(Solver(), given=finite)
    with pytest.raises(SettingsError, match="no two points that differ in one coupling only"):
        run(Solver(), given=replace(study, grid=Grid.zipped(D=[0, 1], Delta=[0, 1])))
    with pytest.raises(SettingsError, match="resolution is -1; it must be a positive number"):
        run(Solver(), resolution=-1)


def test_nothing_to_bracket_is_said(run, study):
    found = run(Solver(), given=replace(study, grid=Grid.product(Delta=[1.0], D=[0.0, 0.25])))
    assert refinement_lines(found, study.card())[0] == (
        "no boundary on this grid: no two points carry different labels"
    )
    solver = Solver(window=1)
    found = run(solver, given=replace(study, grid=Grid.product(Delta=[1.0], D=[0.1, 0.3, 0.6])))
    assert refinement_lines(found, study.card())[0] == (
        "undetermined at Delta = 1 from D = 0.1 to 0.6: no peak of the correlation length to go by"
    )


def test_points_survive_their_file(tmp_path):
    points = [ParameterPoint.of(D=1 / 3, Delta=-1e-9), ParameterPoint.of(D=0, Delta=1e6)]
    path = write_points(points, tmp_path / "x.points.csv")
    assert list(Grid.from_csv(path)) == points


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--refine"], "--refine needs --resolution R"),
        (["--resolution", "0.1"], "--resolution belongs to --refine"),
        (["--refine", "--resolution", "0.1", "--shard", "1/2"], "leave out --shard, or refine"),
        (["--refine", "--resolution", "0"], "resolution is 0.0; it must be a positive number"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, options, message):
    assert main(["simulate", str(STUDY), "--out", str(tmp_path), *options]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_line(tmp_path, capsys):
    study = STUDY.with_name("ising.py")
    line = ["simulate", str(study), "--out", str(tmp_path), "--refine", "--resolution", "0.5"]
    changes = [
        "--set",
        "h=0.4,1.9",
        "--set",
        "boundaries=infinite",
        "--set",
        "max_bond=12",
        "--set",
        "title=T",
    ]
    assert main([*line, *changes]) == 0
    out = capsys.readouterr().out
    assert "boundary ferromagnetic to paramagnetic: h = 0.96" in out
    grid = Grid.from_csv(tmp_path / "ising.points.csv")
    assert [point["h"] for point in grid] == [0.4, 0.775, 1.15, 1.9]
    assert len(states(tmp_path)) == 4
    card = read_header(states(tmp_path)[0]).study
    assert card.settings["infinite"]["max_bond"] == 12
    assert (card.name, card.title, card.varied) == ("ising", "T", ("h",))
    again = ["--points", str(tmp_path / "ising.points.csv"), *changes[2:]]
    assert main(["simulate", str(study), "--out", str(tmp_path), *again]) == 0
    assert "4 ground states" in capsys.readouterr().out
