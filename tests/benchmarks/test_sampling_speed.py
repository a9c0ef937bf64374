"""Batched perfect sampling beside TeNPy's, on the same ground states in one run.

pytest tests/benchmarks/test_sampling_speed.py -n 0 -m benchmark -s; CPU seconds of one thread.
"""

import time
import warnings
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from phasenet import ParameterPoint, load_study
from phasenet.groundstates.convert import to_train
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.places import IN_MEMORY, Memory
from phasenet.snapshots.sampling import draw_shots
from phasenet.study import Boundary, Chain
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from tests.trains.charged import filled

ROOT = Path(__file__).resolve().parents[2]
LENGTH, PEER_SHOTS = 64, 20

pytestmark = pytest.mark.benchmark


@lru_cache(maxsize=4)
def ground_state(max_bond, D):
    """Spin-1 chain with conserved Sz, by few sweeps of DMRG, as TeNPy holds it."""
    from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
    from tenpy.networks.mps import MPS

    study = load_study(ROOT / "simulations" / "haldane.py")
    chain = Chain(boundary=Boundary.FINITE, length=LENGTH, pinning_field=0.5)
    point = ParameterPoint.of(Delta=1, D=D)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = study.build_model(point, chain)
        start = study.product_state(point, LENGTH)
        psi = MPS.from_product_state(model.lat.mps_sites(), start)
        for bond in (max_bond // 2, max_bond):
            options = {"trunc_params": {"chi_max": bond}, "max_sweeps": 3, "min_sweeps": 3}
            TwoSiteDMRGEngine(psi, model, options).run()
        psi.canonical_form()
    return psi


def form(max_bond, D=0.0):
    return state_form(to_train(ground_state(max_bond, D)))


def prepared(max_bond, name, place=IN_MEMORY):
    basis = basis_of(name, 3)
    return MeasuredState(form(max_bond), basis, place=place), basis


def seconds(run):
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def drawn_in(measured, basis, shots):
    """CPU seconds of the better of two runs, and what was drawn."""
    runs = [
        seconds(lambda: draw_shots(measured, basis, 0, "speed", start=0, shots=shots))
        for _ in range(2)
    ]
    return min(taken for taken, _ in runs), runs[0][1]


def told(capsys, text):
    with capsys.disabled():
        print(f"\n{text}", end="")


@pytest.mark.parametrize(("shots", "max_bond"), [(1000, 64), (10_000, 128)])
def test_sampling_beside_tenpy(capsys, shots, max_bond):
    psi, rng = ground_state(max_bond, 0.0), np.random.default_rng(0)
    psi.sample_measurements(rng=rng)
    theirs, _ = seconds(lambda: [psi.sample_measurements(rng=rng) for _ in range(PEER_SHOTS)])
    train = to_train(psi)
    preparation, measured = seconds(lambda: MeasuredState(state_form(train), basis_of("Sz", 3)))
    taken, _ = drawn_in(measured, measured.basis, shots)
    ours, theirs = taken / shots, theirs / PEER_SHOTS
    whole = (preparation + taken) / shots
    told(
        capsys,
        f"{shots} shots, L = {LENGTH}, bond {max(psi.chi)}: {1e6 * ours:.1f} us a shot, "
        f"{1e6 * whole:.1f} with {1e3 * preparation:.0f} ms of preparation; TeNPy "
        f"{version('physics-tenpy')} {1e6 * theirs:.0f} us: {theirs / ours:.0f} times, "
        f"{theirs / whole:.0f} with preparation",
    )


@pytest.mark.parametrize("max_bond", [64, 128])
def test_other_bases(capsys, max_bond):
    for name in ("Sz", "Sx", "Sy", "Sx,Sz", "random", "unbiased"):
        measured, basis = prepared(max_bond, name)
        taken, (drawn, index) = drawn_in(measured, basis, 2000)
        again, _ = seconds(lambda: measured.log_probability(drawn.spins, index))  # noqa: B023
        told(
            capsys,
            f"{name}, bond {max_bond}: {taken / 2e-3:.1f} us a shot, "
            f"log-probability {again / 2e-3:.1f} us",
        )


def test_precision_and_torch(capsys):
    from phasenet.networks.devices import torch_place

    for name in ("Sz", "Sx"):
        for label, place in (
            ("numpy float64", IN_MEMORY),
            ("numpy float32", Memory(precision="float32")),
            ("torch cpu float64", torch_place("cpu", "float64")),
            ("torch cpu float32", torch_place("cpu", "float32")),
        ):
            measured, basis = prepared(64, name, place)
            taken, _ = drawn_in(measured, basis, 5000)
            told(capsys, f"{name}, bond 64, {label}: {taken / 5e-3:.1f} us a shot")


def test_scores_of_bayes(capsys):
    shots = 100_000
    basis = basis_of("Sz", 3)
    states = [MeasuredState(form(64, D), basis) for D in (0.0, 0.5)]
    sampling, (drawn, _) = seconds(
        lambda: draw_shots(states[0], basis, 0, "speed", start=0, shots=shots)
    )
    scores, _ = seconds(lambda: [state.log_probability(drawn.spins) for state in states])
    told(
        capsys,
        f"likelihoods of {shots} shots for 2 states, L = {LENGTH}, bond 64: {scores:.2f} s; "
        f"sampling them {sampling:.2f} s: {scores / sampling:.2f} times",
    )


def test_windows(capsys):
    basis = basis_of("Sz", 3)
    measured = MeasuredState(form(64), basis, start=16, sites=32)
    taken, (drawn, _) = drawn_in(measured, basis, 2000)
    again, _ = seconds(lambda: measured.log_probability(drawn.spins))
    told(
        capsys,
        f"window of 32 sites with a bond of 64 on its left: {taken / 2e-3:.1f} us a shot, "
        f"log-probability {again / 2e-3:.1f} us",
    )


def synthetic(max_bond):
    """Random chain with conserved Sz, most charges small as in a ground state; no DMRG needed."""
    bonds = []
    for site in range(LENGTH + 1):
        charges = np.arange(-8, 9, 2)
        weights = np.exp(-(charges**2) / 12.0)
        counts = np.maximum(1, np.round(weights / weights.sum() * max_bond)).astype(int)
        reach = 2 * min(site, LENGTH - site)
        bond = np.repeat(charges, counts)
        bonds.append(bond[np.abs(bond) <= reach][: 3 ** min(reach, 9)])
    cores = filled(np.random.default_rng(0), 3, bonds, 0, is_complex=False)
    return state_form(TensorTrain(cores=tuple(cores)))


def operations(form):
    """Additions and multiplications of a shot, averaged over the charges that it goes through."""
    total = 0.0
    for site, core in enumerate(form.blocks):
        width = max(map(len, core.right))
        shares = [form.left_weights(site)[group].sum() for group in core.left]
        sizes = [2 * len(group) * core.site_dim * width for group in core.left]
        total += float(np.dot(shares, sizes))
    return total


def test_on_a_gpu(capsys):
    import torch

    from phasenet.networks.devices import torch_place

    if not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    form, basis, shots = synthetic(128), basis_of("Sz", 3), 1_000_000
    start = time.perf_counter()
    draw_shots(MeasuredState(form, basis), basis, 0, "speed", start=0, shots=20_000)
    cpu = (time.perf_counter() - start) / 20_000
    for precision in ("float64", "float32"):
        measured = MeasuredState(form, basis, place=torch_place("cuda", precision))
        draw_shots(measured, basis, 0, "speed", start=0, shots=20_000)
        start = time.perf_counter()
        draw_shots(measured, basis, 0, "speed", start=0, shots=shots)
        taken = time.perf_counter() - start
        told(
            capsys,
            f"{shots} shots, L = {LENGTH}, bond 128, {torch.cuda.get_device_name()}, {precision}: "
            f"{taken:.2f} s, {cpu * shots / taken:.0f} times as fast as numpy float64, "
            f"{operations(form) * shots / taken / 1e12:.2f} Tflop/s",
        )
