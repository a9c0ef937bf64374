"""Parts of a dataset: atomic, whole or missing, and joined whatever happens."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.storage.header import Header, Kind
from phasenet.storage.shot_parts import ShotParts, join_parts
from phasenet.storage.snapshots import read_snapshots, write_snapshots

HEADER = Header(kind=Kind.SNAPSHOTS, settings={"shots": 5}, seed=1, parents=(), study=None)
HEAD = SnapshotsHead(
    site_dim=2,
    basis="Sz",
    classes=("a",),
    sources=tuple(
        Source(study="s", title="", hamiltonian="", sites=n, boundary="finite") for n in (6, 9)
    ),
    points=tuple(
        SampledPoint(point=ParameterPoint.of(D=k), label="a", split="test", reason="", source=k % 2)
        for k in range(4)
    ),
)
KEYS = ("p0", "p1", "p2", "p3")


def part(point, count=700):
    draw = np.random.default_rng(point)
    return Shots(
        spins=draw.integers(0, 2, (count, 9 if point % 2 else 6), dtype=np.uint8),
        point_index=np.full(count, point, dtype=np.int32),
        log_probability=-draw.random(count),
        class_log_likelihood=draw.random((count, 1)),
        phase=draw.random(count),
    )


def unmarked(shots):
    return replace(shots, in_training=np.zeros(len(shots), dtype=bool))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.snapshots.h5"


@pytest.fixture
def parts(out):
    made = ShotParts.beside(out)
    for k, key in enumerate(KEYS):
        made.write(key, part(k))
    return made


def test_a_part_keeps_its_shots(parts, out):
    assert parts.path == out.parent / "a.snapshots.h5.parts"
    found = parts.read("p1")
    for name, value in vars(part(1)).items():
        if value is None:
            assert getattr(found, name) is None
        else:
            assert getattr(found, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(found, name), value)
    assert sorted(p.name for p in parts.path.iterdir()) == [f"{key}.h5" for key in KEYS]
    parts.remove()
    parts.remove()
    assert not any(parts.has(key) for key in KEYS)
    assert list(out.parent.iterdir()) == []


def test_what_is_no_whole_part_counts_as_missing(parts):
    whole = (parts.path / "p1.h5").read_bytes()
    assert parts.has("p1")
    assert not parts.has("p9")
    with pytest.raises(MissingInputError, match=r"no file .*p9\.h5"):
        parts.read("p9")
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        (parts.path / "p1.h5").write_bytes(whole[:length])
        assert not parts.has("p1")
    (parts.path / "p1.h5").write_bytes(whole)
    (parts.path / "p2.h5").write_bytes(whole)
    assert parts.has("p1")
    assert not parts.has("p2")
    with pytest.raises(FileKindError, match=r"p2\.h5 is no part p2 of a dataset; remove it"):
        parts.read("p2")
    with h5py.File(parts.path / "p3.h5", "r+") as file:
        file["phase"][3] += 1
    assert not parts.has("p3")


def test_parts_are_joined_in_the_order_of_the_keys(parts, out):
    header = join_parts(parts, KEYS, out, HEADER, HEAD, mark=unmarked)
    assert sorted(p.name for p in out.parent.iterdir()) == [out.name, parts.path.name]
    assert all(parts.has(key) for key in KEYS)
    found, snapshots = read_snapshots(out)
    assert found == header
    assert snapshots.shots.point_index.tolist() == [k for k in range(4) for _ in range(700)]
    assert not snapshots.shots.in_training.any()
    np.testing.assert_array_equal(snapshots.configurations(np.arange(5)), part(0).spins[:5])
    copy = out.with_name("b.snapshots.h5")
    assert write_snapshots(copy, HEADER, snapshots).id == header.id
    other = join_parts(parts, KEYS[::-1], copy, HEADER, HEAD, mark=unmarked)
    assert other.id != header.id


def test_a_missing_or_odd_part_leaves_the_older_file(parts, out):
    old = write_snapshots(out, HEADER, Snapshots(head=HEAD, shots=part(0)))
    with pytest.raises(MissingInputError, match="p4"):
        join_parts(parts, [*KEYS, "p4"], out, HEADER, HEAD, mark=unmarked)
    parts.write("p2", replace(part(2), phase=None))
    with pytest.raises(PhasenetError, match="some shots of the dataset have phase, others not"):
        join_parts(parts, KEYS, out, HEADER, HEAD, mark=unmarked)
    assert read_snapshots(out)[0] == old
    assert {p.name for p in parts.path.iterdir()} == {f"{key}.h5" for key in KEYS}


def test_a_dataset_of_no_parts_and_a_folder_in_the_way(parts, out):
    parts.remove()
    join_parts(parts, [], out, HEADER, HEAD, mark=unmarked)
    assert len(read_snapshots(out)[1].shots) == 0
    out.unlink()
    out.mkdir()
    with pytest.raises(PhasenetError, match=rf"cannot write {out}: Is a directory; free space"):
        join_parts(parts, [], out, HEADER, HEAD, mark=unmarked)


JOIN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_shot_parts import HEAD, HEADER, KEYS, unmarked
from phasenet.storage.shot_parts import ShotParts, join_parts

seen = 0
def slowly(shots):
    global seen
    seen += 1
    print(seen, flush=True)
    if seen == 3:
        time.sleep(60)
    return unmarked(shots)

out = Path(sys.argv[1])
join_parts(ShotParts.beside(out), KEYS, out, HEADER, HEAD, mark=slowly)
"""


def test_a_join_that_is_killed_leaves_the_parts_and_no_file(parts, out):
    script = [sys.executable, "-c", JOIN, str(out), str(Path(__file__).parent)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert [process.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert not out.exists()
    assert [p.name for p in out.parent.iterdir()] == [parts.path.name]
    leftovers = [p for p in parts.path.iterdir() if p.name.startswith(".")]
    assert len(leftovers) == 1
    assert all(parts.has(key) for key in KEYS)
    header = join_parts(parts, KEYS, out, HEADER, HEAD, mark=unmarked)
    assert {p.name for p in parts.path.iterdir()} == {f"{key}.h5" for key in KEYS}
    undisturbed = out.with_name("b.snapshots.h5")
    others = ShotParts.beside(undisturbed)
    for k, key in enumerate(KEYS):
        others.write(key, part(k))
    assert join_parts(others, KEYS, undisturbed, HEADER, HEAD, mark=unmarked).id == header.id


@pytest.mark.slow
def test_a_join_that_is_killed_at_any_time(parts, out):
    script = [sys.executable, "-c", JOIN.replace("time.sleep(60)", "0"), str(out)]
    wanted = join_parts(parts, KEYS, out, HEADER, HEAD, mark=unmarked).id
    for delay in np.linspace(0.3, 1.2, 8):
        out.unlink(missing_ok=True)
        with subprocess.Popen([*script, str(Path(__file__).parent)], stdout=subprocess.PIPE) as one:
            time.sleep(float(delay))
            os.kill(one.pid, signal.SIGKILL)
        assert all(parts.has(key) for key in KEYS)
        if out.exists():
            assert read_snapshots(out)[0].id == wanted


def test_a_full_disk_while_parts_are_written(small_disk):
    parts = ShotParts.beside(small_disk / "a.snapshots.h5")
    parts.write("p0", part(0))
    with pytest.raises(PhasenetError, match=r"cannot write .*p1.h5: No space left on device"):
        parts.write("p1", part(1, 20_000))
    with pytest.raises(PhasenetError, match=r"cannot write .*: No space left on device; free"):
        join_parts(parts, ["p0"] * 40, small_disk / "a.snapshots.h5", HEADER, HEAD, mark=unmarked)
    assert [p.name for p in small_disk.rglob("*")] == ["a.snapshots.h5.parts", "p0.h5"]
    assert parts.has("p0")
