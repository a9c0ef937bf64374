"""Many-body invariants of ground states of 64 sites: values, and cost, by block and bond."""

import functools
import time
import warnings
from pathlib import Path

import pytest

from phasenet import ParameterPoint, load_study
from phasenet.groundstates.convert import to_train
from phasenet.phases.haegeman import haegeman_order
from phasenet.phases.partial import partial_reflection, partial_time_reversal
from phasenet.study import Boundary, Chain
from phasenet.trains.form import state_form

ROOT = Path(__file__).resolve().parents[3]
LENGTH = MAX_BOND = 64


@functools.cache
def ground_state(anisotropy):
    from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
    from tenpy.networks.mps import MPS

    study = load_study(ROOT / "simulations" / "haldane.py")
    chain = Chain(boundary=Boundary.FINITE, length=LENGTH, pinning_field=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        point = ParameterPoint.of(Delta=1, D=anisotropy)
        model = study.build_model(point, chain)
        psi = MPS.from_product_state(model.lat.mps_sites(), study.product_state(point, LENGTH))
        mixer = {"amplitude": 1e-4, "decay": 2.0, "disable_after": 4}
        options = {"mixer": True, "mixer_params": mixer, "max_sweeps": 8}
        options["trunc_params"] = {"chi_max": MAX_BOND, "svd_min": 1e-10}
        TwoSiteDMRGEngine(psi, model, options).run()
        psi.canonical_form()
    return state_form(to_train(psi))


def block_swap(form, sites, *, max_bond):
    return haegeman_order(form, ["Rz"], ["Rx"], sites, max_bond=max_bond)


FUNCTIONS = (partial_reflection, partial_time_reversal, block_swap)


@pytest.mark.benchmark
@pytest.mark.parametrize("anisotropy", [0.0, 0.5, 2.0])
def test_blocks_and_bonds(anisotropy, capsys):
    form = ground_state(anisotropy)
    lines = [f"\nD = {anisotropy}, {LENGTH} sites, bond {MAX_BOND}: reflection, reversal, swap"]
    for max_bond in (8, 12, 16, 24):
        for sites in (4, 8, 12, 16):
            found, seconds = [], []
            for function in FUNCTIONS:
                start = time.process_time()
                found.append(function(form, sites, max_bond=max_bond))
                seconds.append(time.process_time() - start)
            values = "  ".join(f"{invariant.value:+.4f}" for invariant in found)
            times = "  ".join(f"{1e3 * second:4.0f}" for second in seconds)
            lost = found[0].discarded
            lines.append(
                f"{max_bond:2d} states, {sites:2d} sites  {values}  {times} ms  {lost:.0e}"
            )
    with capsys.disabled():
        print("\n".join(lines))
