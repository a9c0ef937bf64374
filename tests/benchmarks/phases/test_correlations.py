"""Correlations of all pairs beside TeNPy, and what one file costs.

pytest tests/benchmarks/phases/test_correlations.py -n 0 -m benchmark -s. Only values are judged.
The state is that of an open spin-1 Heisenberg chain with pinned ends and S^z conserved, after a few
sweeps: the time does not depend on convergence. Times are processor seconds, with the canonical
form of dense cores, as a file holds them.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tenpy
from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.models.spins import SpinChain
from tenpy.networks.mps import MPS

from phasenet.groundstates.convert import to_train
from phasenet.phases.central_charge import central_charge_of_chain
from phasenet.phases.correlations import connected_correlations, correlation_matrix
from phasenet.phases.decay import chain_correlation_length
from phasenet.phases.entanglement import entanglement_spectrum, entropies
from phasenet.phases.local_orders import local_orders
from phasenet.phases.structure_factor import structure_factor
from phasenet.trains.form import State, state_form

LENGTH, BOND, ROUNDS = 64, 64, 5
TURNS = np.arange(LENGTH // 2 + 1) / LENGTH


def chain() -> Any:
    """Matrix product state of TeNPy."""
    field = np.zeros(LENGTH)
    field[0], field[-1] = 0.5, -0.5
    with warnings.catch_warnings():
        # About options that the engine never read.
        warnings.simplefilter("ignore")
        model = SpinChain({"S": 1, "L": LENGTH, "hz": field, "bc_MPS": "finite", "conserve": "Sz"})
        psi = MPS.from_product_state(
            model.lat.mps_sites(), ["up", "down"] * (LENGTH // 2), unit_cell_width=LENGTH
        )
        options = {
            "mixer": True,
            "mixer_params": {"amplitude": 1e-4},
            "trunc_params": {"chi_max": BOND, "svd_min": 1e-12},
            "max_sweeps": 4,
        }
        TwoSiteDMRGEngine(psi, model, options).run()
        psi.canonical_form()
    return psi


def timed(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Least processor seconds of a few calls, and the value."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        found = work()
        seconds.append(time.process_time() - start)
    return min(seconds), found


def whole_file(state: State) -> None:
    """All that is measured here of one state."""
    form = state_form(state)
    entropies(form), entanglement_spectrum(form), central_charge_of_chain(form)
    local_orders(form), chain_correlation_length(form)
    for axis in ("x", "z"):
        connected_correlations(form, f"S{axis}", f"S{axis}")
        structure_factor(form, axis, TURNS)


@pytest.mark.benchmark
def test_all_pairs_beside_tenpy() -> None:
    psi = chain()
    train = to_train(psi)
    print(f"\nTeNPy {tenpy.__version__}, L = {LENGTH}, bond {max(psi.chi)}, one thread")
    for first, second in (("Sz", "Sz"), ("Sp", "Sm")):
        theirs, wanted = timed(lambda a=first, b=second: psi.correlation_function(a, b), 1)
        ours, found = timed(lambda a=first, b=second: correlation_matrix(train, a, b))
        np.testing.assert_allclose(found, wanted, atol=1e-10)
        print(
            f"<{first} {second}>: TeNPy {theirs:.3f} s, ours {ours:.3f} s, "
            f"{theirs / ours:.1f} times; difference {np.abs(found - wanted).max():.1e}"
        )
    seconds, _ = timed(lambda: whole_file(train))
    print(f"entanglement, local orders, correlations, structure factors: {seconds:.3f} s a file")
