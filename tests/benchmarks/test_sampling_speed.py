"""Batched perfect sampling beside TeNPy's, on one ground state in one run."""

import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from phasenet import ParameterPoint, load_study
from phasenet.groundstates.convert import to_train
from phasenet.snapshots.sampling import sample
from phasenet.study import Boundary, Chain

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.benchmark
def test_sampling_beside_tenpy(capsys):
    from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
    from tenpy.networks.mps import MPS

    study = load_study(ROOT / "simulations" / "haldane.py")
    settings = study.settings.finite
    chain = Chain(boundary=Boundary.FINITE, length=settings.length, pinning_field=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        point = ParameterPoint.of(Delta=1, D=0)
        model = study.build_model(point, chain)
        start = study.product_state(point, chain.length)
        psi = MPS.from_product_state(model.lat.mps_sites(), start)
        options = {"trunc_params": {"chi_max": settings.max_bond}, "max_sweeps": 4}
        TwoSiteDMRGEngine(psi, model, options).run()
        rng = np.random.default_rng(0)
        start = time.process_time()
        for _ in range(20):
            psi.sample_measurements(rng=rng)
        theirs = (time.process_time() - start) / 20
    train = to_train(psi)
    start = time.process_time()
    sample(train, 4000, rng)
    ours = (time.process_time() - start) / 4000
    with capsys.disabled():
        print(
            f"\nsampling, L = {chain.length}, bond {max(psi.chi)}: {1e6 * ours:.0f} us a shot; "
            f"TeNPy {version('physics-tenpy')} {1e6 * theirs:.0f} us: {theirs / ours:.0f} times"
        )
