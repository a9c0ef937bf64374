"""A sweep of ground states beside a plain TeNPy loop, both in one run.

The loop is what a user writes: at each point the Neel state, TwoSiteDMRGEngine with its mixer and
max_E_err 1e-9. Ours are the points of the same grid in chains of neighbours, each point from the
one before, with the guard that the sweep has. Spin-1 chains without pinning fields, whose free
spins at the ends meet only after many sweeps: an energy counts if it is lower, or within 1e-8.

Run alone it takes points to compare: ``python test_sweep_cost.py 0 0.5 1 1.5 2``.
"""

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.networks.mps import MPS

from phasenet import ParameterPoint, RunSettings, Study, load_study
from phasenet.groundstates.solve import solve
from phasenet.groundstates.starts import chain_of
from phasenet.records import GroundState
from phasenet.study import Boundary

ROOT = Path(__file__).resolve().parents[3]
LENGTH, BOND, CHAIN = 64, 64, 7
GRID = tuple(round(0.1 * step, 1) for step in range(21))
ENERGY_TOL = 1e-8


@dataclass(frozen=True, kw_only=True)
class Row:
    """One point, by both: CPU seconds and total energies."""

    anisotropy: float
    theirs: float
    ours: float
    their_energy: float
    our_energy: float
    their_sweeps: int
    state: GroundState

    @property
    def excess(self) -> float:
        """How much higher our energy is, relative to theirs."""
        return (self.our_energy - self.their_energy) / abs(self.their_energy)

    def __str__(self) -> str:
        return (
            f"{self.anisotropy:4.2f} {self.theirs:9.1f} {self.their_sweeps:7d} {self.ours:8.1f} "
            f"{self.state.sweeps:7d} {self.ours / self.theirs:7.2f} {self.our_energy:15.8f} "
            f"{self.excess:+9.1e}  {self.state.start}"
        )


HEAD = "   D  TeNPy/s  sweeps   ours/s  sweeps   ratio          energy    excess  start"


def study_of_the_sweep() -> Study:
    """Spin-1 chains at a fixed bond dimension, as the peer has it."""
    finite = {
        "length": LENGTH,
        "max_bond": BOND,
        "pinning_field": 0.0,
        "truncation_atol": 1e-14,
    }
    study = load_study(ROOT / "simulations" / "haldane.py")
    return replace(study, settings=RunSettings.checked({"finite": finite}))


def by_tenpy(study: Study, point: ParameterPoint) -> tuple[float, float, int]:
    """CPU seconds, total energy and sweeps of the plain loop."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = study.build_model(point, chain_of(study.settings.finite))
        psi = MPS.from_product_state(model.lat.mps_sites(), ["up", "down"] * (LENGTH // 2))
        options = {
            "mixer": True,
            "trunc_params": {"chi_max": BOND, "svd_min": 1e-10},
            "max_E_err": 1e-9,
        }
        engine = TwoSiteDMRGEngine(psi, model, options)
        energy, _ = engine.run()
    return time.process_time() - start, float(energy), int(engine.sweeps)


def rows(grid: Sequence[float]) -> Iterator[Row]:
    """Each point as soon as both have it, in chains of neighbours."""
    study, before = study_of_the_sweep(), None
    every = study.settings.sweep.second_start
    for index, anisotropy in enumerate(grid):
        position = index % CHAIN
        point = ParameterPoint.of(D=anisotropy, Delta=1.0)
        theirs, their_energy, their_sweeps = by_tenpy(study, point)
        start = time.process_time()
        before = solve(
            study,
            point,
            Boundary.FINITE,
            neighbour=before if position else None,
            second_start=(position + 1) % every == 0,
        )
        yield Row(
            anisotropy=anisotropy,
            theirs=theirs,
            ours=time.process_time() - start,
            their_energy=their_energy,
            our_energy=before.energy * LENGTH,
            their_sweeps=their_sweeps,
            state=before,
        )


def compared(grid: Sequence[float]) -> tuple[float, float]:
    """Ratio of all CPU seconds and largest excess; prints the table."""
    print(HEAD)
    found = []
    for row in rows(grid):
        print(row, flush=True)
        found.append(row)
    theirs, ours = sum(row.theirs for row in found), sum(row.ours for row in found)
    excess = max(row.excess for row in found)
    print(
        f"{len(found)} points, L = {LENGTH}, bond {BOND}: TeNPy {theirs:.0f} s, ours {ours:.0f} s "
        f"of CPU, ratio {ours / theirs:.3f}; largest excess {excess:.1e}"
    )
    return ours / theirs, excess


@pytest.mark.benchmark
def test_a_sweep_costs_less_than_half(capsys):
    with capsys.disabled():
        print()
        ratio, excess = compared(GRID)
    assert np.isfinite(ratio)
    assert excess <= ENERGY_TOL


if __name__ == "__main__":
    compared([float(text) for text in sys.argv[1:]] or GRID)
