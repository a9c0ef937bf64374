"""Speed, size and memory of snapshot files: pytest tests/benchmarks -n 0 -m benchmark -s.

Only values and the bound on memory are judged. The shots are those of a spin-1 chain in its Haldane
phase, four samples of 16 sites in a row, with log-probabilities and, of a third of the points,
likelihoods of two classes.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint, Shots, SnapshotsHead, Source
from phasenet.snapshots.repeats import Configurations
from phasenet.storage.header import Header, Kind
from phasenet.storage.shot_parts import ShotParts, join_parts
from phasenet.storage.snapshots import SnapshotFile, read_snapshots

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "haldane.snapshots.h5"
SITES, BLOCK = 64, 16384
FEW, MANY = 60, 240
HEADER = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=None)


def head(points):
    return SnapshotsHead(
        site_dim=3,
        basis="Sz",
        classes=("haldane", "large_d"),
        sources=(Source(study="s", title="", hamiltonian="", sites=SITES, boundary="finite"),),
        points=tuple(
            SampledPoint(
                point=ParameterPoint.of(D=k),
                label=("haldane", "large_d")[k % 2],
                split="train" if k % 3 else "test",
                reason="",
            )
            for k in range(points)
        ),
    )


def block(spins, point):
    draw = np.random.default_rng(point)
    rows = [spins[draw.integers(0, len(spins), BLOCK)] for _ in range(SITES // spins.shape[1])]
    likelihood = np.full((BLOCK, 2), np.nan) if point % 3 else draw.normal(-60, 5, (BLOCK, 2))
    return Shots(
        spins=np.concatenate(rows, axis=1),
        point_index=np.full(BLOCK, point, dtype=np.int32),
        log_probability=draw.normal(-60, 5, BLOCK),
        class_log_likelihood=likelihood,
    )


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name, start, count):
    spent = time.process_time() - start
    raw = count * (SITES + 4 + 1 + 1 + 8 + 16 + 1)
    print(f"{name:22} {count / spent:10.3g} shots/s  {raw / spent / 1e6:6.0f} MB/s of plain arrays")


def write(out, points):
    """Write parts and join them; print the speed, and last by how much the memory grew."""
    _, sample = read_snapshots(SAMPLE)
    parts, spent, training = ShotParts.beside(out), 0.0, Configurations()
    keys = [f"p{k}" for k in range(points)]
    # What the first file of a process loads is no part of the growth.
    parts.write("warm", block(sample.shots.spins, 0))
    before = peak_mb()
    for k, key in enumerate(keys):
        shots = block(sample.shots.spins, k)
        start = time.process_time()
        parts.write(key, shots)
        spent += time.process_time() - start
    report("parts", time.process_time() - spent, points * BLOCK)
    start = time.process_time()
    for k, key in enumerate(keys):
        if k % 3:
            training.add(parts.read(key))
    join_parts(parts, keys, out, HEADER, head(points), mark=training.marked)
    report("join, repeats marked", start, points * BLOCK)
    hashes = 16 * points * BLOCK * 2 / 3 / 1e6
    print(f"{out.stat().st_size / points / BLOCK:.1f} bytes a shot on disk")
    print(f"memory grew by {peak_mb() - before:.0f} MB, {hashes:.0f} MB of it for repeats")
    print(peak_mb() - before - hashes)


@pytest.mark.benchmark
def test_streams_of_shots(tmp_path):
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; seconds of one processor")
    growth = []
    for points in (FEW, MANY):
        out = tmp_path / f"{points}.snapshots.h5"
        done = subprocess.run(
            [sys.executable, __file__, str(out), str(points)],
            capture_output=True,
            text=True,
            check=True,
        )
        *lines, grown = done.stdout.splitlines()
        print(f"{points * BLOCK} shots of {SITES} sites")
        print("\n".join(lines))
        growth.append(float(grown))
    assert growth[1] < growth[0] + 20
    start = time.process_time()
    with SnapshotFile(out) as file:
        file.check()
        report("check", start, file.length)
        order = np.random.default_rng(0).permutation(file.length // file.chunk) * file.chunk
        start = time.process_time()
        for place in order:
            file.rows(place, place + file.chunk)
        report("rows, random chunks", start, file.length)
    with h5py.File(out) as file:
        start = time.process_time()
        for place in order:
            file["spins"][place : place + 1024]
        report("spins alone, h5py", start, len(file["spins"]))


@pytest.mark.benchmark
def test_compression_of_spins(tmp_path):
    """Why chunks of 1024 shots with gzip 1."""
    _, sample = read_snapshots(SAMPLE)
    spins = np.concatenate([block(sample.shots.spins, k).spins for k in range(8)])
    settings = {
        "gzip 1": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
        "gzip 4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
        "lzf": {"compression": "lzf", "shuffle": True},
        "none": {},
    }
    print()
    for chunk in (256, 1024, 4096):
        for name, options in settings.items():
            path = tmp_path / "spins.h5"
            start = time.process_time()
            with h5py.File(path, "w") as file:
                file.create_dataset("spins", data=spins, chunks=(chunk, SITES), **options)
            wrote = time.process_time() - start
            order = np.random.default_rng(0).permutation(len(spins) // chunk) * chunk
            start = time.process_time()
            with h5py.File(path) as file:
                data = file["spins"]
                for place in order:
                    data[place : place + chunk]
            read = time.process_time() - start
            print(
                f"{chunk:5} shots a chunk, {name:7} {path.stat().st_size / len(spins):5.1f} bytes "
                f"a shot, write {len(spins) / wrote:8.2g}, read {len(spins) / read:8.2g} shots/s"
            )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
