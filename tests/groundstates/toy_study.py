"""A study without physics: a fake finds its ground states at once, and they depend on their past.

Loading it puts the fake in the place of the solver, in this process or in a worker. What is to go
wrong is said in ``trouble.json`` beside the file: for each state how long it takes, how often it
raises, and how often it kills its worker. Every call leaves a line in ``calls.txt``.
"""

import json
import os
import signal
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np

from phasenet import Chain, Grid, ParameterPoint, RunSettings, Study
from phasenet.records import DmrgOutcome, GroundState
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

HERE = Path(__file__).parent


def build_model(point: ParameterPoint, chain: Chain) -> object:
    return object()


def product_state(point: ParameterPoint, length: int) -> list[str]:
    return ["up"] * length


def solve(
    study, point, boundary, *, neighbour=None, second_start=False, resume=None, should_stop=None
):
    name = f"{point}.{boundary}"
    start = "product state" if neighbour is None else f"neighbour {neighbour.point}"
    words = [name, start, "second start" * second_start, "resumed" * (resume is not None)]
    with (HERE / "calls.txt").open("a") as file:
        file.write(", ".join(filter(None, words)) + "\n")
    trouble = HERE / "trouble.json"
    asked = json.loads(trouble.read_text()) if trouble.exists() else {}
    mine = {**asked.get("all", {}), **asked.get(name, {})}
    if _again(name, "kill", mine):
        os.kill(os.getpid(), signal.SIGKILL)
    if _again(name, "raise", mine):
        raise ValueError(f"no luck at {point}")
    steps = 0 if resume is None else resume.sweeps
    while steps < mine.get("steps", 1):
        steps += 1
        time.sleep(mine.get("seconds", 0.0))
        if steps < mine.get("steps", 1) and should_stop():
            return _state(point, boundary, start, neighbour, DmrgOutcome.INTERRUPTED, steps)
    state = _state(point, boundary, start, neighbour, DmrgOutcome.CONVERGED, 1)
    return replace(state, rival=mine.get("rival", float("nan")))


def _again(name, what, mine):
    count = HERE / f"{name}.{what}"
    before = len(count.read_bytes()) if count.exists() else 0
    if before >= mine.get(what, 0):
        return False
    with count.open("ab") as file:
        file.write(b".")
    return True


def _state(point, boundary, start, neighbour, outcome, sweeps):
    energy = -1.0 - sum(value for _, value in point.couplings)
    if neighbour is not None:
        energy += 1e-6 * neighbour.energy
    cores = (np.eye(2)[:1].reshape(1, 2, 1),) * 2
    schmidt = (np.ones(1),) * 2
    finite = boundary == Boundary.FINITE
    train = (
        TensorTrain(cores=cores) if finite else InfiniteTrain(cores=cores, schmidt_values=schmidt)
    )
    return GroundState(
        point=point,
        spin=0.5,
        train=train,
        schmidt_values=schmidt,
        charge="",
        bond_charges=(np.zeros(0, np.int64),) * 3,
        energy=energy,
        variance=0.0 if finite else float("nan"),
        truncation=1e-9 * (1 + point["D"]),
        outcome=outcome,
        sweeps=sweeps,
        start=start,
    )


_fake = types.ModuleType("phasenet.groundstates.solve")
_fake.solve = solve
sys.modules[_fake.__name__] = _fake

STUDY = Study(
    name="toy",
    title="Toy",
    hamiltonian="H=0",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(D=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    phases=(),
    settings=RunSettings.checked({"sweep": {"chain": 3, "second_start": 2}}),
)
