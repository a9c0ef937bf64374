"""Time to the canonical form of a state: pytest tests/benchmarks/phases -n 0 -m benchmark -s.

Only values are judged. A random chain of 64 spins 1 at bond dimension 64 with conserved Sz.
"""

import statistics
import time

import numpy as np
import pytest

from phasenet.trains.cells import canonical_cell, canonical_defect
from phasenet.trains.charges import site_charges
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

LENGTH, MAX_BOND, ROUNDS = 64, 64, 5


def bond(site):
    """Charges of one bond, as of a ground state: most of them small."""
    charges = np.arange(-8, 9, 2)
    weights = np.exp(-(charges**2) / 12.0)
    counts = np.maximum(1, np.round(weights / weights.sum() * MAX_BOND)).astype(int)
    reach = 2 * min(site, LENGTH - site)
    return np.repeat(charges, counts)[np.abs(np.repeat(charges, counts)) <= reach][: 3**reach]


def cores(rng):
    found = []
    for site in range(LENGTH):
        left, right = bond(site), bond(site + 1)
        excess = left[:, None, None] + site_charges(3, 0)[:, None] - right
        found.append(rng.normal(size=excess.shape) * (excess == 0))
    return found


def mixed(rng, cores, is_complex):
    turns = []
    for core in cores:
        turn = rng.normal(size=(len(core),) * 2)
        turn = turn + 1j * rng.normal(size=turn.shape) if is_complex else turn
        turns.append(np.linalg.qr(turn)[0])
    turns.append(np.eye(1))
    return [
        np.einsum("ab,bsc,dc->asd", turns[k], core, turns[k + 1].conj(), optimize=True)
        for k, core in enumerate(cores)
    ]


def seconds(run):
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


@pytest.mark.benchmark
def test_forms():
    rng = np.random.default_rng(0)
    chain = cores(rng)
    form = state_form(TensorTrain(cores=tuple(chain)))
    cases = {
        "canonical, charges": form.cores,
        "not canonical, charges": chain,
        "not canonical, real": mixed(rng, chain, is_complex=False),
        "not canonical, complex": mixed(rng, chain, is_complex=True),
    }
    for name, case in cases.items():
        train = TensorTrain(cores=tuple(case))
        print(f"\n{name}: {1e3 * seconds(lambda train=train: state_form(train)):.0f} ms", end="")
        assert state_form(train).modulus == (0 if "charges" in name else 1)
    cell = chain[LENGTH // 2 : LENGTH // 2 + 2]
    print(f"\ncell of two sites: {1e3 * seconds(lambda: canonical_cell(cell)):.0f} ms")
    assert canonical_defect(canonical_cell(cell)) < 1e-9
