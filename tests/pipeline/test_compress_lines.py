"""What is said and drawn about a compression."""

import dataclasses

import numpy as np
import pytest

from phasenet.compression import Candidate, Compressed, CompressionCurve, Starts
from phasenet.pipeline.compress_lines import choice_line, curve_lines, verdict_lines, write_csv
from phasenet.plots.compression import compression_figure
from phasenet.trained import Score


def row(family, size, parameters, test, at_once=0.6):
    test = np.asarray(test, float)
    return Compressed(
        candidate=Candidate(family=family, size=size),
        parameters=parameters,
        flops=3.0 * parameters,
        time=0.5,
        at_once=np.full(len(test), at_once),
        test_at_once=np.full(len(test), at_once),
        validation=test,
        test=test,
        weights={"w": np.zeros(1)},
    )


ORIGINAL = row("original", 1.0, 1000, [0.95])
CURVE = CompressionCurve(
    name="net.network.h5",
    classes=("a", "b"),
    original=ORIGINAL,
    rows=(
        row("tucker", 2.0, 500, [0.94, 0.96]),
        row("narrow dense", 2.0, 490, [0.90, 0.91], at_once=np.nan),
        row("mpo", 5.0, 190, [0.80, 0.81]),
        row("narrow dense", 5.0, 200, [0.90, 0.91], at_once=np.nan),
        row("cp", 9.0, 100, [0.80, 0.90]),
        row("narrow dense", 9.0, 100, [0.81, 0.91], at_once=np.nan),
        Compressed(candidate=Candidate(family="low rank", size=50.0), note="nothing is as small"),
        dataclasses.replace(row("one train, cross", 4.0, 300, [0.7, 0.72]), weights={}),
    ),
    nulls=(Score(classifier="local features", split="test", accuracy=0.7, error=0.01, shots=900),),
    shots=(3000, 900, 900),
    starts=Starts(
        rank=4,
        epochs=np.array([0.0, 0.5, 1.0]),
        validation={"identity": np.full((2, 3), 0.5)},
        test={"identity": np.full((2, 3), 0.5)},
    ),
)


def test_every_candidate_is_a_line_beside_the_original_and_the_nulls():
    lines = curve_lines(CURVE)
    assert lines[0].startswith("net.network.h5: 1000 parameters, 3 kFLOP a shot, 95.00 % of 900")
    assert lines[1] == "beside it: local features 70.0(10) %"
    assert len(lines) == 6 + len(CURVE.rows)
    assert lines[-3].endswith("and noisy")
    assert lines[-1] == "  identity  50.00 +- 0.00 % -> 50.00 +- 0.00 %"
    wanted = "tucker 2x 500 2.0x 0.50 0.50 60.00 +- 0.00 % 95.00 +- 1.41 % +0.00"
    assert " ".join(lines[3].split()) == wanted
    assert lines[9] == f"{'low rank 50x':26} nothing is as small"


def test_a_narrow_network_that_wins_is_said_to():
    better, worse, same = verdict_lines(CURVE)
    assert better.startswith("at 2x tucker")
    assert "is 4.50 +- 1.58 points better than a narrow dense network" in better
    assert "is 10.00 +- 1.00 points worse than a narrow dense network: train that instead" in worse
    assert "does as well as a narrow dense network (-1.00 +- 10.00 points apart)" in same


def test_the_choice_is_told_with_what_it_loses():
    line = choice_line(CURVE, CURVE.rows[2], "best at 5x")
    assert "mpo 5x, 5.26 times smaller" in line
    assert line.endswith("80.50 +- 0.71 %, the network that is kept 81.00 %: 14.50 points lost")


def test_the_table_marks_the_choice_and_leaves_unknown_numbers_out(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(CURVE, CURVE.rows[0], path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + len(CURVE.rows)
    assert "nan" not in "".join(lines)
    assert lines[2].endswith(",yes,")


@pytest.mark.parametrize("curve", [CURVE, dataclasses.replace(CURVE, starts=None, nulls=())])
def test_the_figure_has_a_line_for_each_family_and_marks_the_choice(curve):
    figure = compression_figure(curve, curve.rows[0])
    assert len(figure.axes) == (2 if curve.starts is None else 3)
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert {"tucker", "mpo", "cp", "narrow dense", "one train, cross", "original"} <= set(labels)
    assert "chosen on validation" in labels
    without = compression_figure(curve, None).axes[0].get_legend_handles_labels()[1]
    assert "chosen on validation" not in without
    low, high = figure.axes[0].get_ylim()
    assert low < 80.5 < 95 < high
