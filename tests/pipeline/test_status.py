"""Status of a large sweep: no state is opened."""

import json

from phasenet.pipeline.status import status_lines, sweep_status
from phasenet.points import ParameterPoint
from phasenet.storage.plans import SweepPlan, read_plan, write_plan
from phasenet.study import Boundary

KEY = "0123456789abcdef"


def big_sweep(root, count: int, workers: int) -> None:
    """Folder as it looks when one of a hundred states failed and all others are done."""
    points = tuple(ParameterPoint.of(D=k / 1000, Delta=1.0) for k in range(count))
    plan = SweepPlan(name="toy", keys={Boundary.FINITE: KEY}, points=points)
    states, journal = root / "states", root / "journal"
    states.mkdir()
    journal.mkdir()
    write_plan(journal, plan)
    names = list(plan.states())
    for worker in range(workers):
        lines = []
        for number in range(worker, count, workers):
            common = {"state": names[number], "key": KEY}
            done = {"energy": -1.4, "truncation": 1e-9, "seconds": 12.5, "outcome": "CONVERGED"}
            failed = [{"event": "failed", **common, "error": "ValueError: no luck"}] * 3
            ends = failed if number % 100 == 99 else [{"event": "done", **common, **done}]
            for end in ends:
                lines += [
                    json.dumps(e, separators=(",", ":"))
                    for e in ({"event": "started", **common}, end)
                ]
            if number % 100 != 99:
                (states / f"{names[number]}.state.h5").touch()
        (journal / f"node{worker}-1-aa.jsonl").write_text("\n".join(lines) + "\n")


def test_status_of_many_points_opens_no_state(tmp_path):
    # The states are empty files: whoever opened one would fail.
    big_sweep(tmp_path, 10_000, workers=64)
    lines = status_lines(sweep_status(read_plan(tmp_path / "journal"), tmp_path))
    assert lines[0] == "toy: 10000 ground states of 10000 points"
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["done", "9900"],
        ["running", "0"],
        ["waiting", "0"],
        ["failed", "100"],
    ]
    assert lines[-1] == "  and 90 more failed"
