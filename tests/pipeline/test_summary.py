"""The lines that a run ends with."""

import pytest

from phasenet.phases.boundaries import boundaries
from phasenet.pipeline.summary import boundary_lines, percent, phase_lines, score_lines
from phasenet.points import ParameterPoint
from phasenet.records import PhaseDiagram, Score, Table, TrainedNetwork


def diagram(delta: float) -> PhaseDiagram:
    points = tuple(ParameterPoint.of(D=d, Delta=delta) for d in (0.0, 0.9, 1.0, 1.1))
    table = Table(
        rows=tuple(map(str, points)),
        points=points,
        labels=("haldane", "haldane", "", "large_d"),
        reasons=("",) * 4,
        columns=(),
    )
    return PhaseDiagram(table=table, boundaries=boundaries(table, ("D",)))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.9731, 0.0018, "97.3(2) %"),
        (0.5, 0.05, "50.0(50) %"),
        (0.99996, 0.00004, "99.996(4) %"),
        (1.0, 0.0, "100.0(1) %"),
    ],
)
def test_percent(value, error, text):
    assert percent(value, error) == text


def test_boundary_names_its_bracket_its_method_and_the_literature(haldane):
    (line,) = boundary_lines(diagram(1.0), haldane.card())
    assert "D = 1.000 +- 0.100 (phase labels)" in line
    assert "literature 0.96847 (Tzeng" in line


def test_literature_of_another_line_is_left_out(haldane):
    (line,) = boundary_lines(diagram(0.5), haldane.card())
    assert "literature" not in line


def test_phases_name_their_stretch_and_what_is_undetermined(haldane):
    (line,) = phase_lines(diagram(1.0).table, haldane.card())
    assert "Haldane from D = 0 to 0.9" in line
    assert "undetermined at 1" in line


def scored(**shots_of_splits):
    """Lines of a network with the same accuracies on all splits."""
    names = ("network", "local features", "Bayes optimum")
    scores = tuple(
        Score(classifier=name, split=split.replace("_", " "), accuracy=a, error=0.01, shots=shots)
        for split, shots in shots_of_splits.items()
        for name, a in zip(names, (0.9, 0.8, 0.95), strict=True)
    )
    network = TrainedNetwork(
        architecture={}, weights={}, classes=("a", "b"), history={}, scores=scores, outcome=""
    )
    return score_lines(network)


def test_an_accuracy_never_stands_without_its_nulls():
    (line,) = scored(test=100)
    assert "90.0(10) % (local features 80.0(10) %, Bayes optimum 95.0(10) %)" in line


def test_each_part_of_the_held_out_shots_has_a_title_in_words():
    lines = scored(
        **{"test": 100, "test: of Toy chain": 50, "critical": 9, "control: sign scramble": 9}
    )
    assert [line.split(":")[0] for line in lines] == [
        "classifier on held-out points",
        "  on Toy chain",
        "  near the transition, never trained on",
        "  after sign scramble",
    ]
    assert all("90.0(10) % (local features 80.0(10) %" in line for line in lines)


@pytest.mark.parametrize(
    ("fresh", "line"),
    [
        (995, "  repeats of training snapshots among them: 0.5 %"),
        (
            880,
            "  repeats of training snapshots among them: 12 %; without them: 90.0(10) % (local "
            "features 80.0(10) %, Bayes optimum 95.0(10) %)",
        ),
        (0, "  repeats of training snapshots among them: 100 %; without them: nothing is left"),
    ],
)
def test_repeats_of_training_snapshots_are_told(fresh, line):
    assert scored(**{"test": 1000, "test: not in training": fresh})[1] == line
