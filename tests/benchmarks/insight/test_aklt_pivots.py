"""What the AKLT state of 500 sites takes, from one sample each time.

`pytest -n 0 -s -m benchmark tests/benchmarks/insight/test_aklt_pivots.py` prints the table; the
figure is `bash scripts/reproduce_aklt.sh`.
"""

import numpy as np
import pytest

from phasenet.insight.aklt_pivots import aklt_amplitudes
from phasenet.insight.pivot_curve import ADAPTIVE, PivotSettings, pivot_curve
from phasenet.insight.state_facts import StateQuestions
from phasenet.phases.exact import aklt_chain
from phasenet.trains.born import sample_born


@pytest.mark.benchmark
@pytest.mark.parametrize("length", [100, 200, 500])
def test_adaptive_pivots_from_one_sample(length, capsys):
    chain, runs = aklt_chain(length), 100
    samples, _ = sample_born(chain, 1000, np.random.default_rng(length))
    curve = pivot_curve(
        aklt_amplitudes,
        samples,
        chain,
        [2],
        1,
        0,
        questions=StateQuestions(symmetries=(), strings=()),
        settings=PivotSettings(published_rank=2, adaptive_runs=runs),
    )
    found = curve.of(ADAPTIVE)
    seconds, evaluations = (
        np.array([getattr(run, name) for run in found]) for name in ("seconds", "evaluations")
    )
    lack = max(1.0 - run.facts.fidelity for run in found)
    with capsys.disabled():
        print(
            f"\nn = {length}: exact in {curve.exact_share(ADAPTIVE):.0%} of {runs} runs "
            f"(1 - F < {lack:.0e}), evaluations {np.median(evaluations):.0f} "
            f"(at most {evaluations.max()}), CPU {np.median(seconds):.2f} s "
            f"(at most {seconds.max():.2f} s)"
        )
    assert curve.exact_share(ADAPTIVE) == 1.0
