"""String orders of all pairs beside TeNPy: pytest tests/benchmarks/phases -n 0 -m benchmark -s.

Only values are judged. States are those of an open spin-1 Heisenberg chain with pinned ends and Sz
conserved after a few sweeps at the full bond dimension: the time does not depend on convergence.
Ours starts from dense cores, as a file holds them, and includes their canonical form. R^x does not
conserve Sz, so TeNPy takes the string along x from the same state without charges; for 128 sites
that takes it minutes, and is left out.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tenpy
import tenpy.linalg.np_conserved as npc
from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.models.spins import SpinChain
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinSite

from phasenet.groundstates.convert import to_train
from phasenet.phases.spins import Axis
from phasenet.phases.strings import string_pairs
from phasenet.trains.train import FloatArray

SIZES = ((64, 64), (128, 128))
ROUNDS = {64: 5, 128: 2}
HEAD = "  L  chi  string  TeNPy/CPU s  ours/CPU s  ratio  difference"


def chain(length: int, bond: int) -> Any:
    """Matrix product state of TeNPy, with its bonds as large as allowed."""
    field = np.zeros(length)
    field[0], field[-1] = 0.5, -0.5
    with warnings.catch_warnings():
        # About options that the engine never read.
        warnings.simplefilter("ignore")
        model = SpinChain({"S": 1, "L": length, "hz": field, "bc_MPS": "finite", "conserve": "Sz"})
        psi = MPS.from_product_state(
            model.lat.mps_sites(), ["up", "down"] * (length // 2), unit_cell_width=length
        )
        options = {
            "mixer": True,
            "mixer_params": {"amplitude": 1e-4},
            "chi_list": {0: 32, 2: bond},
            "trunc_params": {"svd_min": 1e-12},
            "min_sweeps": 5,
            "max_sweeps": 5,
        }
        TwoSiteDMRGEngine(psi, model, options).run()
        psi.canonical_form()
    assert max(psi.chi) == bond
    return psi


def without_charges(psi: Any) -> Any:
    """The same state, without charges."""
    free = SpinSite(S=1, conserve=None)
    names = ("-1.0", "0.0", "1.0")
    tensors = []
    for index, site in enumerate(psi.sites):
        old = psi.get_B(index).itranspose(["p", "vL", "vR"]).to_ndarray()
        new = np.empty_like(old)
        new[[free.state_index(n) for n in names]] = old[[site.state_index(n) for n in names]]
        tensors.append(new)
    schmidt = [np.asarray(psi.get_SL(index)) for index in range(psi.L)] + [np.ones(1)]
    return MPS.from_Bflat([free] * psi.L, tensors, SVs=schmidt, unit_cell_width=psi.L)


def by_tenpy(psi: Any, axis: Axis) -> FloatArray:
    """String orders of all pairs i < j, with our sign."""
    name = f"S{axis}"
    inside = []
    for site in psi.sites:
        spin = site.get_op(name)
        # exp(i pi S) = 1 - 2 S^2 for a spin 1.
        inside.append(site.get_op("Id") - 2 * npc.tensordot(spin, spin, axes=["p*", "p"]))
    found = psi.correlation_function(name, name, opstr=inside, str_on_first=False)
    return np.where(np.triu(np.ones(found.shape), 1) > 0, -np.real(found), np.nan)


def timed(work: Callable[[], FloatArray], rounds: int) -> tuple[float, FloatArray]:
    """Least processor seconds of a few calls, and the value."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        found = work()
        seconds.append(time.process_time() - start)
    return min(seconds), found


@pytest.mark.benchmark
def test_all_pairs_beside_tenpy() -> None:
    print(f"\nTeNPy {tenpy.__version__}, numpy {np.__version__}, one thread\n{HEAD}")
    cases: list[tuple[int, int, Axis]] = [(*size, "z") for size in SIZES]
    cases.append((*SIZES[0], "x"))
    states = {length: chain(length, bond) for length, bond in SIZES}
    for length, bond, axis in cases:
        psi = states[length]
        theirs_of = psi if axis == "z" else without_charges(psi)
        train = to_train(psi)
        theirs, wanted = timed(lambda p=theirs_of, a=axis: by_tenpy(p, a), 1)
        ours, found = timed(lambda t=train, a=axis: string_pairs(t, a), ROUNDS[length])
        difference = float(np.nanmax(np.abs(found - wanted)))
        print(
            f"{length:3d} {bond:4d}  {axis:6s}  {theirs:11.3f} {ours:11.3f}  {theirs / ours:5.1f}"
            f"  {difference:.1e}"
        )
        np.testing.assert_allclose(found, wanted, atol=1e-10)
