"""How well each score finds what is known to matter, beside what was measured of others' scores.

`pytest -n 0 -s -m slow tests/benchmarks/insight/test_planted_truth.py` prints the table.
"""

import numpy as np
import pytest
import torch

from phasenet.insight.importance_scores import RECOMMENDED
from tests.benchmarks.insight.planted import areas

pytestmark = pytest.mark.slow

SEEDS = range(5)
# Of another training of the same kind of problem, for equal and unequal rows: row norms of the
# gradient as in arXiv:1903.06133, and scores without it.
KNOWN = {
    "gradient norm, first epoch": (0.919, 0.531),
    "gradient norm, all steps": (0.130, 0.333),
    "gradient norm, full batch, ends of 4 epochs": (0.848, 0.850),
    "gradient x weight, all steps": (0.986, 0.948),
    "weight energy": (1.000, 1.000),
    "factor norm": (1.000, 0.958),
}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_recommended_score_finds_the_planted_rows_and_columns_at_any_scale():
    found = {kind: [areas(s, unequal=kind) for s in SEEDS] for kind in (False, True)}
    print(table(found))
    for runs in found.values():
        assert np.mean([run[RECOMMENDED] for run in runs]) >= 0.99
    raw = [run["gradient norm, first epoch"] for run in found[True]]
    assert np.mean(raw) < 0.9


def table(found):
    lines = [f"{'area under the ROC curve, mean (least)':46}{'equal rows':>24}{'unequal rows':>24}"]
    for name in found[False][0]:
        known = KNOWN.get(name, (None, None))
        cells = []
        for kind, other in zip((False, True), known, strict=True):
            values = [value for run in found[kind] for value in run[name]]
            said = "" if other is None else f"  known {other:.3f}"
            cells.append(f"{np.mean(values):.3f} ({np.min(values):.2f}){said:13}")
        lines.append(f"{name:46}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n" + "\n".join(lines)
