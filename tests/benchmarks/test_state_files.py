"""Speed and size of state files, beside TeNPy's own: pytest tests/benchmarks -n 0 -m benchmark -s.

Only sizes and values are judged. The state is the ground state of a spin-1 chain of 64 sites at
bond dimension 64 after three sweeps, with Sz conserved.
"""

import os
import pickle
import statistics
import time
import warnings

import numpy as np
import pytest
import tenpy
from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
from tenpy.models.spins import SpinChain
from tenpy.networks.mps import MPS
from tenpy.tools import hdf5_io

from phasenet.groundstates.convert import (
    bond_charges,
    charge_name,
    schmidt_values,
    tenpy_mps,
    to_train,
)
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state, write_state

LENGTH, MAX_BOND = 64, 64
ROUNDS = 9


@pytest.fixture(scope="module")
def psi():
    model = SpinChain(
        {"S": 1, "L": LENGTH, "D": 0.3, "bc_MPS": "finite", "conserve": "Sz", "sort_charge": True}
    )
    start = ["up", "down"] * (LENGTH // 2)
    options = {"trunc_params": {"chi_max": MAX_BOND, "svd_min": 1e-12}, "max_sweeps": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(model.lat.mps_sites(), start, unit_cell_width=LENGTH)
        return TwoSiteDMRGEngine(psi, model, {"mixer": True, **options}).run()[1]


@pytest.fixture(scope="module")
def state(psi):
    return GroundState(
        point=ParameterPoint.of(D=0.3, Delta=1),
        spin=1.0,
        train=to_train(psi),
        schmidt_values=schmidt_values(psi),
        charge=charge_name(psi),
        bond_charges=bond_charges(psi),
        energy=-1.2,
        variance=1e-6,
        truncation=1e-9,
        outcome=DmrgOutcome.SWEEP_LIMIT,
        sweeps=3,
        history={name: np.arange(4.0) for name in ("max_bond", "energy", "entropy", "truncation")},
    )


def seconds(work, rounds=ROUNDS):
    """Median processor seconds and median seconds on the clock of one call."""
    work()
    times = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.process_time() - processor, time.perf_counter() - clock))
    return tuple(statistics.median(column) for column in zip(*times, strict=True))


@pytest.mark.benchmark
def test_state_files_beside_tenpys(psi, state, haldane, tmp_path):
    header = Header(kind=Kind.STATE, settings={}, seed=0, parents=(), study=haldane.card())
    ours, theirs, pickled = (tmp_path / name for name in ("ours.h5", "theirs.h5", "psi.pickle"))
    rows = {
        f"TeNPy {tenpy.__version__} hdf5_io": (
            theirs,
            seconds(lambda: hdf5_io.save({"psi": psi}, theirs), 2),
            seconds(lambda: hdf5_io.load(theirs), 2),
        ),
        "pickle of TeNPy's MPS": (
            pickled,
            seconds(lambda: pickled.write_bytes(pickle.dumps(psi))),
            seconds(lambda: pickle.loads(pickled.read_bytes())),
        ),
        "phasenet": (
            ours,
            seconds(lambda: write_state(ours, header, state)),
            seconds(lambda: read_state(ours)),
        ),
    }
    sizes = {name: path.stat().st_size for name, (path, _, _) in rows.items()}
    print(
        f"\none state of {LENGTH} sites, bond dimension {max(psi.chi)}; load {os.getloadavg()[0]}"
    )
    print("ms: processor (clock); ours waits for the disk to have it, the others do not")
    reference = next(iter(rows.values()))
    for name, (_, save, load) in rows.items():
        text = "  ".join(f"{1e3 * part[0]:7.1f} ({1e3 * part[1]:7.1f})" for part in (save, load))
        ratios = [
            sum(part[kind] for part in reference[1:]) / (save[kind] + load[kind]) for kind in (0, 1)
        ]
        print(
            f"{name:25} save, load {text}  {ratios[0]:6.1f} ({ratios[1]:5.1f}) times as fast  "
            f"{sizes[name] / 1e6:.2f} MB"
        )
    print(f"back to TeNPy's MPS: {1e3 * seconds(lambda: tenpy_mps(state), 3)[0]:.0f} ms")
    assert sizes["phasenet"] < 1.2 * sizes[f"TeNPy {tenpy.__version__} hdf5_io"]
    back = tenpy_mps(read_state(ours)[1])
    for site in range(LENGTH):
        assert np.array_equal(back.get_B(site).to_ndarray(), psi.get_B(site).to_ndarray())
