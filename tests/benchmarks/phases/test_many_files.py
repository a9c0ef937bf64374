"""``phasenet measure --all`` on many files: seconds of CPU a file, by group and as a whole.

pytest tests/benchmarks/phases/test_many_files.py -n 0 -m benchmark -s; FILES=1000 measures as many.

The states are open spin-1 chains of 64 sites at bond dimension 64 after a few sweeps, Sz conserved,
at ten values of D; copies of them, each under a coupling of its own, make up the number.
"""

import dataclasses
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from phasenet.criteria import SPIN_SYMMETRIES, spin_string
from phasenet.phases import state_observables as observables
from phasenet.phases.fidelity import fidelity
from phasenet.phases.phase_observables import many_body_observables
from phasenet.phases.spt import invariants
from phasenet.phases.string_observables import pair_observables, string_observables
from phasenet.pipeline.simulate import simulate
from phasenet.points import ParameterPoint
from phasenet.storage.states import read_state, write_state
from phasenet.storage.tables import read_table
from phasenet.trains.form import state_form

ROOT = Path(__file__).resolve().parents[3]
FILES = int(os.environ.get("FILES", "40"))
TARGET_SECONDS, TARGET_FILES = 480.0, 1000
STUDY = f"""
import dataclasses
from phasenet import Grid, RunSettings, load_study

STUDY = dataclasses.replace(
    load_study({str(ROOT / "simulations" / "haldane.py")!r}),
    name="many",
    grid=Grid.product(Delta=[1.0], D=[0.2 * i for i in range(10)]),
    settings=RunSettings.checked({{
        "finite": {{"length": 64, "first_bond": 32, "max_bond": 64, "max_sweeps": 4,
                   "energy_atol": 1e-5, "entropy_atol": 1e-2}},
        "sweep": {{"boundaries": ("finite",), "chain": 10, "second_start": 50}},
    }}),
)
"""
AXES = [spin_string(axis, 3) for axis in ("x", "y", "z")]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Ten distinct states; STATES names a folder that has them."""
    if "STATES" in os.environ:
        return sorted(Path(os.environ["STATES"]).glob("*.state.h5"))
    folder = tmp_path_factory.mktemp("many")
    (folder / "study.py").write_text(STUDY)
    return simulate(folder / "study.py", folder / "run", workers=1)


@pytest.mark.benchmark
def test_seconds_of_each_group(sources, capsys):
    seconds = defaultdict(float)

    def clocked(name, work):
        start = time.process_time()
        result = work()
        seconds[name] += time.process_time() - start
        return result

    before = None
    for path in sources:
        _, state = clocked("reading", lambda path=path: read_state(path))
        form = clocked("canonical form", lambda state=state: state_form(state.train))
        for name, measure in {
            "strings": lambda form: string_observables(form, AXES),
            "spt": invariants,
            "entanglement": observables.entanglement_observables,
            "local": observables.local_observables,
            "correlations": observables.correlation_observables,
            "many-body": lambda form: many_body_observables(form, SPIN_SYMMETRIES, 2),
            "fidelity": lambda form, other=before: fidelity(form, other or form),
            "pairs (not in --all)": lambda form: pair_observables(form, AXES),
        }.items():
            clocked(name, lambda measure=measure, form=form: measure(form))
        before = form
    with capsys.disabled():
        print(f"\nseconds of CPU a file, over {len(sources)} states of 64 sites, 64 bond states:")
        for name, total in seconds.items():
            print(f"  {name:<22}{total / len(sources):.3f}")


@pytest.mark.benchmark
def test_many_files(sources, tmp_path, capsys):
    for number in range(FILES):
        header, state = read_state(sources[number % len(sources)])
        point = ParameterPoint.of(Delta=1.0, D=state.point["D"] + 1e-6 * number)
        settings = {**header.settings, "point": point.as_dict()}
        write_state(
            tmp_path / f"{number // 100}" / f"{point}.finite.state.h5",
            dataclasses.replace(header, settings=settings),
            dataclasses.replace(state, point=point),
        )
    out = tmp_path / "many.table.h5"
    command = ["measure", str(tmp_path), "--all", "--workers", "2", "--out", str(out)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "phasenet.cli.main", *command], check=True)
    wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    _, table = read_table(out)
    assert len(table.rows) == FILES
    each = cpu / FILES
    with capsys.disabled():
        print(
            f"\n{FILES} files with --all and 2 workers: {wall:.0f} s, {cpu:.0f} s of CPU, "
            f"{each:.2f} s of CPU a file (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
            f"cores); {TARGET_FILES} files on two idle cores would take "
            f"{each * TARGET_FILES / 2:.0f} s (wanted: {TARGET_SECONDS:.0f} s); table of "
            f"{out.stat().st_size / FILES / 1000:.0f} kB a file"
        )
