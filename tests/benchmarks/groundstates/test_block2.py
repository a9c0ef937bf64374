"""One ground state of an open spin-1 Heisenberg chain beside block2, whose core is compiled C++.

block2 starts from a random state of a small bond dimension, ours from the Neel state; both conserve
Sz, take one thread, and have no pinning field. ``pip install block2`` (extra ``bench``).
"""

import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from phasenet import Boundary, ParameterPoint, RunSettings, load_study
from phasenet.groundstates.solve import solve

ROOT = Path(__file__).resolve().parents[3]
LENGTH, BOND = 64, 128
BONDS = [32] * 2 + [64] * 2 + [BOND] * 8
NOISES = [1e-5] * 4 + [1e-6] * 2 + [0.0] * 6


def by_block2(folder: Path) -> tuple[float, float]:
    """CPU seconds and total energy."""
    core = pytest.importorskip("pyblock2.driver.core")
    driver = core.DMRGDriver(
        scratch=str(folder), symm_type=core.SymmetryTypes.SGB, n_threads=1, stack_mem=2**30
    )
    driver.initialize_system(n_sites=LENGTH, heis_twos=2, heis_twosz=0)
    builder = driver.expr_builder()
    for site in range(LENGTH - 1):
        builder.add_term("PM", [site, site + 1], 0.5)
        builder.add_term("MP", [site, site + 1], 0.5)
        builder.add_term("ZZ", [site, site + 1], 1.0)
    start = time.process_time()
    hamiltonian = driver.get_mpo(builder.finalize(), iprint=0)
    state = driver.get_random_mps(tag="KET", bond_dim=BONDS[0], nroots=1)
    energy = driver.dmrg(
        hamiltonian,
        state,
        n_sweeps=len(BONDS),
        bond_dims=BONDS,
        noises=NOISES,
        thrds=[1e-8] * len(BONDS),
        tol=1e-9 * LENGTH,
        iprint=0,
    )
    return time.process_time() - start, float(energy)


def by_us() -> tuple[float, float]:
    """CPU seconds and total energy."""
    finite = {"length": LENGTH, "max_bond": BOND, "pinning_field": 0.0}
    study = load_study(ROOT / "simulations" / "haldane.py")
    study = replace(study, settings=RunSettings.checked({"finite": finite}))
    start = time.process_time()
    state = solve(study, ParameterPoint.of(D=0.0, Delta=1.0), Boundary.FINITE)
    return time.process_time() - start, state.energy * LENGTH


@pytest.mark.benchmark
def test_one_ground_state_beside_block2(tmp_path, capsys):
    theirs, their_energy = by_block2(tmp_path)
    ours, our_energy = by_us()
    with capsys.disabled():
        print(
            f"\nL = {LENGTH}, bond {BOND}: block2 {version('block2')} {theirs:.1f} s, "
            f"E = {their_energy:.8f}; ours {ours:.1f} s, E = {our_energy:.8f}; "
            f"ours takes {ours / theirs:.1f} times its CPU seconds"
        )
    # The singlet and the triplet of the end spins differ by 1e-7.
    assert our_energy == pytest.approx(their_energy, rel=2e-7)
