"""Files of snapshots: streams, rows, several processes, and what is refused."""

import itertools
import multiprocessing
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import FileKindError, MissingInputError, PhasenetError, ShapeError
from phasenet.points import ParameterPoint
from phasenet.records import Column
from phasenet.shots import NO_SITE, SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.storage.container import Content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshot_heads import head_content
from phasenet.storage.snapshot_writer import CHUNK, no_shots
from phasenet.storage.snapshots import (
    SnapshotFile,
    read_head,
    read_snapshots,
    stream_snapshots,
    write_snapshots,
)

HEADER = Header(kind=Kind.SNAPSHOTS, settings={}, seed=1, parents=(), study=None)
SITES = 9


def head(sites=SITES, classes=("a", "b"), points=4):
    return SnapshotsHead(
        site_dim=3,
        basis="Sz",
        classes=classes,
        sources=(Source(study="s", title="", hamiltonian="", sites=sites, boundary="finite"),),
        points=tuple(
            SampledPoint(
                point=ParameterPoint.of(D=k),
                label=classes[k % len(classes)] if classes else None,
                split=("train", "test")[k % 2],
                reason="known",
            )
            for k in range(points)
        ),
    )


def shots(count, sites=SITES, classes=2, seed=0, **more):
    draw = np.random.default_rng(seed)
    return Shots(
        spins=draw.integers(0, 3, (count, sites), dtype=np.uint8),
        point_index=np.sort(draw.integers(0, 4, count)).astype(np.int32),
        log_probability=-draw.random(count),
        class_log_likelihood=np.where(draw.random((count, classes)) < 0.5, np.nan, -1.0),
        **more,
    )


def same_shots(one, other):
    for field in fields(Shots):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if a is None or b is None:
            assert a is b
        else:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def cut(everything, edges):
    edges = [0, *sorted(edges), len(everything)]
    return [everything.at(slice(a, b)) for a, b in itertools.pairwise(edges)]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "a.snapshots.h5"
    value = Snapshots(head=head(), shots=shots(2 * CHUNK + 300))
    return path, value, write_snapshots(path, HEADER, value)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2 * CHUNK + 300), max_size=6))
def test_a_stream_gives_the_same_file_wherever_its_blocks_end(tmp_path_factory, edges):
    everything = shots(2 * CHUNK + 300)
    path = tmp_path_factory.mktemp("stream") / "a.snapshots.h5"
    header = stream_snapshots(path, HEADER, head(), iter(cut(everything, edges)))
    assert header.id == "71da82387bd17bac"
    found, value = read_snapshots(path)
    assert found == header
    same_shots(value.shots, everything)


def test_the_writer_of_a_whole_dataset_gives_the_id_of_the_stream(large):
    path, _, header = large
    assert header.id == "71da82387bd17bac"
    assert list(path.parent.iterdir()) == [path]


def test_arrays_of_shots_are_in_chunks_of_equally_many_shots(large):
    path, value, _ = large
    with h5py.File(path) as file:
        for name in (
            *("spins", "point", "label", "split", "log_probability", "class_log_likelihood"),
        ):
            assert file[name].chunks[0] == CHUNK
            assert file[name].compression == "gzip"
        np.testing.assert_array_equal(file["label"][()], value.label_index)
        assert file["point"].dtype == np.int32


def test_rows_without_the_rest(large):
    path, value, header = large
    with SnapshotFile(path) as file:
        assert (file.header, file.length, file.chunk) == (header, 2 * CHUNK + 300, CHUNK)
        assert file.head.points == value.head.points
        np.testing.assert_array_equal(file.point_index, value.shots.point_index)
        assert file.point_index.dtype == np.int32
        for start, stop in ((0, 1), (1000, 1100), (CHUNK, 2 * CHUNK), (2300, 9999), (5, 5)):
            same_shots(file.rows(start, stop), value.shots.at(slice(start, stop)))
        assert sum(len(block) for block in file.blocks()) == file.length
        file.check()
    # It opens again.
    assert len(file.rows(0, 3)) == 3
    file.close()


def test_a_head_without_the_shots(large):
    path, value, header = large
    found, only_head = read_head(path)
    assert found == header
    assert only_head.points == value.head.points


def sums(file):
    return [int(file.rows(start, start + 100).spins.sum()) for start in range(0, 2300, 100)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
# Python warns that a process with threads forks; that is what a loader of torch does.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_an_open_file_in_several_processes(large, method):
    path, _, _ = large
    with SnapshotFile(path) as file:
        wanted = sums(file)
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            found = [pool.submit(sums, file) for _ in range(3)]
            assert all(future.result(timeout=60) == wanted for future in found)
        assert sums(file) == wanted
        same_shots(pickle.loads(pickle.dumps(file)).rows(5, 9), file.rows(5, 9))


def test_chains_of_several_lengths(tmp_path):
    short = shots(5, sites=4, basis_index=np.ones((5, 4), dtype=np.uint8))
    long = shots(6, basis_index=np.zeros((6, SITES), dtype=np.uint8))
    path = tmp_path / "a.snapshots.h5"
    header = stream_snapshots(path, HEADER, head(), [short, long])
    _, value = read_snapshots(path)
    assert value.shots.spins.shape == (11, SITES)
    np.testing.assert_array_equal(value.shots.spins[:5, :4], short.spins)
    for rows in (value.shots.spins, value.shots.basis_index):
        assert (rows[:5, 4:] == NO_SITE).all()
    np.testing.assert_array_equal(value.shots.spins[5:], long.spins)
    assert write_snapshots(path, HEADER, value).id == header.id
    with pytest.raises(ShapeError, match="have 10 sites; the longest chain of the dataset has 9"):
        stream_snapshots(path, HEADER, head(), [shots(2, sites=10)])
    with pytest.raises(ShapeError, match="some shots of the dataset have phase, others not"):
        stream_snapshots(path, HEADER, head(), [shots(2), shots(2, phase=np.zeros(2))])
    # Whatever went wrong, the file is the one before it.
    assert read_snapshots(path)[0].id == header.id
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_no_shots_and_no_classes(tmp_path, classes):
    path = tmp_path / "a.snapshots.h5"
    empty = stream_snapshots(path, HEADER, head(classes=classes), [])
    assert write_snapshots(path, HEADER, read_snapshots(path)[1]).id == empty.id
    with SnapshotFile(path) as file:
        file.check()
        assert file.length == 0
        assert file.rows(0, 10).spins.shape == (0, SITES)
    some = Snapshots(head=head(classes=classes), shots=shots(7, classes=len(classes)))
    header = write_snapshots(path, HEADER, some)
    assert header.id != empty.id
    same_shots(read_snapshots(path)[1].shots, some.shots)
    with SnapshotFile(path) as file:
        file.check()
    assert len(no_shots(len(classes))) == 0


def test_a_head_with_very_many_points(tmp_path):
    path = tmp_path / "a.snapshots.h5"
    many = head(points=3000)
    many = replace(
        many, points=tuple(replace(p, reason="because " * 20 + str(p.point)) for p in many.points)
    )
    write_snapshots(path, HEADER, Snapshots(head=many, shots=shots(5)))
    assert read_head(path)[1].points == many.points


@pytest.mark.parametrize(
    "name", ["spins", "point", "label", "log_probability", "couplings", "point_source"]
)
def test_a_changed_number_is_noticed(large, tmp_path, name):
    path = tmp_path / "a.snapshots.h5"
    path.write_bytes(large[0].read_bytes())
    with h5py.File(path, "r+") as file:
        file[name][1] = file[name][1] + 1
    with pytest.raises(FileKindError, match="damaged: its content does not match its id"):
        read_snapshots(path)
    with (
        SnapshotFile(path) as file,
        pytest.raises(FileKindError, match=r"a\.snapshots\.h5 is damaged"),
    ):
        file.check()


def test_ids_change_with_every_part_of_the_content():
    column = Column(name="e", unit="J", meaning="", values=np.zeros(4), errors=np.zeros(4))
    heads = [
        head(),
        replace(head(), basis="Sx"),
        replace(head(), classes=("b", "a")),
        replace(head(), targets=(column,)),
        replace(head(), targets=(replace(column, values=-np.zeros(4)),)),
    ]
    assert len({head_content(one).id for one in heads}) == len(heads)


def test_a_lost_array_is_noticed(large, tmp_path):
    path = tmp_path / "a.snapshots.h5"
    path.write_bytes(large[0].read_bytes())
    with h5py.File(path, "r+") as file:
        del file["log_probability"]
    with pytest.raises(FileKindError, match="damaged"):
        read_snapshots(path)
    with h5py.File(path, "r+") as file:
        del file["spins"]
    for read in (read_head, SnapshotFile):
        with pytest.raises(FileKindError, match="truncated, or no HDF5 file") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_a_file_that_is_cut_or_goes_away(large, tmp_path):
    path = tmp_path / "a.snapshots.h5"
    whole = large[0].read_bytes()
    for length in (0, 1000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FileKindError, match="make it again"):
            SnapshotFile(path)
    path.write_bytes(whole)
    with SnapshotFile(path) as file:
        path.unlink()
        with pytest.raises(MissingInputError, match="no file"):
            file.rows(0, 1)


def test_another_kind(tmp_path):
    path = tmp_path / "a.table.h5"
    header = replace(HEADER, kind=Kind.TABLE)
    write_file(path, header, Content(arrays={"spins": np.zeros(3)}, values={}))
    for read in (read_head, SnapshotFile, read_snapshots):
        with pytest.raises(FileKindError, match="is a table file; wanted a snapshots file"):
            read(path)


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from phasenet.errors import PhasenetError
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint, Shots, SnapshotsHead, Source
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import stream_snapshots

source = Source(study="s", title="", hamiltonian="", sites=64, boundary="finite")
point = SampledPoint(point=ParameterPoint.of(D=0), label="a", split="train", reason="")
head = SnapshotsHead(site_dim=3, basis="Sz", classes=("a",), sources=(source,), points=(point,))
rng = np.random.default_rng(0)
drawn = 0

def blocks():
    global drawn
    for _ in range(40):
        drawn += 1
        yield Shots(
            spins=rng.integers(0, 3, (3000, 64), dtype=np.uint8),
            point_index=np.zeros(3000, dtype=np.int32),
            log_probability=rng.random(3000),
            class_log_likelihood=rng.random((3000, 1)),
        )

header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=None)
if sys.argv[2] != "none":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    print(stream_snapshots(Path(sys.argv[1]), header, head, blocks()).id)
except PhasenetError as error:
    print(error)
print(drawn)
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    path = tmp_path_factory.mktemp("old") / "a.snapshots.h5"
    write_snapshots(path, HEADER, Snapshots(head=head(), shots=shots(3)))
    return path.read_bytes()


@pytest.mark.parametrize("limit", [0, 100, 5_000, 200_000, 1_111_111, 2_700_000])
def test_a_full_disk_ends_a_stream_in_one_line(tmp_path, old, limit):
    path = tmp_path / "a.snapshots.h5"
    path.write_bytes(old)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    line, drawn = done.stdout.splitlines()
    assert line.startswith(f"cannot write {path}: File too large; free space there or choose --out")
    # It ended soon: a block of 3000 shots has some 75 kB.
    assert int(drawn) <= limit / 60_000 + 2
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_amid_a_stream_leaves_the_older_file(tmp_path, old):
    path = tmp_path / "a.snapshots.h5"
    path.write_bytes(old)
    seen = []

    def blocks():
        for k in range(5):
            seen.append(k)
            if k == 2:
                signal.raise_signal(signal.SIGINT)
            yield shots(2000)

    with pytest.raises(KeyboardInterrupt):
        stream_snapshots(path, HEADER, head(), blocks())
    assert seen == [0, 1, 2]
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


STREAM = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_snapshot_files import HEADER, head, shots, stream_snapshots

print("started", flush=True)
try:
    stream_snapshots(Path(sys.argv[1]), HEADER, head(), (shots(3000) for _ in range(10_000)))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.slow
def test_an_interruption_at_any_time_crashes_nothing(tmp_path):
    path = tmp_path / "a.snapshots.h5"
    script = [sys.executable, "-c", STREAM, str(path), str(Path(__file__).parent)]
    for delay in np.linspace(0.05, 0.6, 6):
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "started\n"
            time.sleep(float(delay))
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[0] == "interrupted\n"
            assert process.returncode == 0
        assert list(tmp_path.iterdir()) == []


def test_a_disk_that_really_is_full(small_disk):
    path = small_disk / "a.snapshots.h5"
    header = stream_snapshots(path, HEADER, head(), [shots(100)])
    for count in (100, 3_000, 10_000, 100_000):
        with pytest.raises(PhasenetError, match=r"cannot write .*No space left on device; free"):
            stream_snapshots(path, HEADER, head(), [shots(count)] * 30)
        assert read_snapshots(path)[0] == header
        assert list(small_disk.iterdir()) == [path]
