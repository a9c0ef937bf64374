"""The container of all files: atomic, self-describing, plain, and clear about what it refuses."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.storage.atomic import atomic_path, remove_leftovers
from phasenet.storage.container import (
    Content,
    current_header,
    read_content,
    read_header,
    write_file,
)
from phasenet.storage.header import FORMAT_VERSION, Header, Kind, Parent, format_version, work_key
from phasenet.storage.packing import pack, unpack

HEADER = Header(
    kind=Kind.TABLE,
    settings={"shots": 100, "tol": 1e-6, "point": {"D": 0.3}},
    seed=3,
    parents=(Parent(kind=Kind.STATE, id="0123456789abcdef", name="a.state.h5"),),
    study=None,
)
CONTENT = Content(
    arrays={
        "small": np.arange(5, dtype=np.int8),
        "large": np.random.default_rng(0).standard_normal((40, 50)),
        "deep/er/complex": np.array([[1 + 2j, np.nan], [0, -0.0]]),
        "empty": np.zeros((0, 3)),
    },
    values={"text": "σ = ±1", "number": 0.1, "count": 7, "nothing": "", "nan": float("nan")},
)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "a.table.h5"
    return path, write_file(path, HEADER, CONTENT)


def one_line(error, path):
    text = str(error.value)
    return "\n" not in text and str(path) in text


def same_bits(one, two):
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def test_content_survives_bit_by_bit(written):
    path, header = written
    read, content = read_content(path, Kind.TABLE)
    assert read == header
    assert content.arrays.keys() == CONTENT.arrays.keys()
    for name, array in CONTENT.arrays.items():
        assert same_bits(content.arrays[name], array)
    assert np.isnan(content.values["nan"])
    assert {**content.values, "nan": 0} == {**CONTENT.values, "nan": 0}
    assert content.id == CONTENT.id == header.id


def test_header_survives_with_what_was_filled_in(written, haldane):
    path, header = written
    assert read_header(path) == header
    assert (header.kind, header.seed, header.parents) == (Kind.TABLE, 3, HEADER.parents)
    assert header.settings == HEADER.settings
    assert header.version
    assert header.created.endswith("+00:00")
    assert header.key == HEADER.key
    again = write_file(path, replace(HEADER, study=haldane.card(), seconds=1.5), CONTENT)
    assert read_header(path) == again
    assert read_header(path).study == haldane.card()
    assert read_header(path).seconds == 1.5


def test_h5py_alone_shows_plain_arrays_and_texts(written, haldane):
    path, _ = written
    write_file(path, replace(HEADER, study=haldane.card()), CONTENT)
    with h5py.File(path) as file:
        assert file.attrs["kind"] == "table"
        assert file.attrs["format_version"] == FORMAT_VERSION
        assert json.loads(file.attrs["settings"])["shots"] == 100
        assert json.loads(file.attrs["parents"])[0]["name"] == "a.state.h5"
        assert json.loads(file.attrs["study"])["name"] == "haldane"
        np.testing.assert_array_equal(file["deep/er/complex"], CONTENT.arrays["deep/er/complex"])
        found = []
        file.visititems(lambda name, item: found.append(item))
        for item in [file, *found]:
            if isinstance(item, h5py.Dataset):
                assert item.dtype.kind in "biufc"
            for value in item.attrs.values():
                assert isinstance(value, (str, np.integer, np.floating))
        names = {item.name for item in found if isinstance(item, h5py.Dataset)}
        assert names == {f"/{name}" for name in CONTENT.arrays}
    assert b"pickle" not in path.read_bytes()


packed = st.integers(1, 3).flatmap(
    lambda axes: st.lists(
        hnp.arrays(
            st.sampled_from([np.dtype(np.float64)]),
            hnp.array_shapes(min_dims=axes, max_dims=axes, min_side=0, max_side=4),
        ),
        min_size=1,
        max_size=5,
    )
)


@given(packed)
def test_packed_arrays_come_back(arrays):
    datasets = pack("cores", arrays)
    assert set(datasets) == {"cores", "cores_shapes"}
    assert datasets["cores"].ndim == 1
    unpacked = unpack("cores", datasets)
    assert len(unpacked) == len(arrays)
    for one, two in zip(unpacked, arrays, strict=True):
        assert same_bits(one, two)


def test_packed_arrays_get_a_common_type():
    arrays = [np.ones((2, 2)), np.ones((2, 1), dtype=np.complex128)]
    unpacked = unpack("cores", pack("cores", arrays))
    assert [array.dtype for array in unpacked] == [np.complex128] * 2
    assert all(np.array_equal(one, two) for one, two in zip(unpacked, arrays, strict=True))


def test_packed_arrays_that_do_not_fit_their_shapes():
    datasets = pack("cores", [np.ones((2, 2)), np.ones((2, 1))])
    datasets["cores"] = datasets["cores"][:-1]
    with pytest.raises(FileKindError, match="dataset cores has 5 entries; its shapes ask 6"):
        unpack("cores", datasets)


def test_another_kind(written):
    path, _ = written
    with pytest.raises(FileKindError, match="is a table file; wanted a state file") as error:
        read_content(path, Kind.STATE)
    assert one_line(error, path)


def test_a_missing_file(tmp_path):
    path = tmp_path / "none.h5"
    for read in (read_header, lambda p: read_content(p, Kind.TABLE)):
        with pytest.raises(MissingInputError, match="no file") as error:
            read(path)
        assert one_line(error, path)
    assert current_header(path, "") is None
    with pytest.raises(MissingInputError):
        read_header(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(written, share):
    path, header = written
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FileKindError, match="truncated, or no HDF5 file of phasenet") as error:
        read_content(path, Kind.TABLE)
    assert one_line(error, path)
    assert current_header(path, header.key) is None


@pytest.mark.parametrize("text", ["", "kind = state", "\x89HDF\r\n\x1a\n but nothing else"])
def test_a_text_file(tmp_path, text):
    path = tmp_path / "a.state.h5"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(FileKindError) as error:
        read_header(path)
    assert one_line(error, path)


def test_a_foreign_hdf5_file(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(3)
    with pytest.raises(FileKindError, match="but not one of phasenet: it names no kind") as error:
        read_content(path, Kind.TABLE)
    assert one_line(error, path)


def test_a_newer_format(written):
    path, header = written
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = FORMAT_VERSION + 1
        file.attrs["kind"] = "hologram"
    with pytest.raises(FileKindError, match=r"has format 2, .* reads up to 1; update") as error:
        read_header(path)
    assert one_line(error, path)
    assert current_header(path, header.key) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "hologram"),
        ("kind", 3),
        ("kind", np.void(b"\x00\x01")),
        ("format_version", "one"),
        ("settings", "{"),
        ("settings", "[1]"),
        ("settings", h5py.Empty("f")),
        ("seed", "many"),
        ("parents", '[{"kind": "state"}]'),
        ("parents", "[3]"),
        ("study", '{"name": "x"}'),
        ("study", "[1]"),
        (
            "study",
            '{"name":"x","title":"","hamiltonian":"","varied":[],"phases":[3],'
            '"transitions":[],"settings":{}}',
        ),
        ("id", None),
        ("seconds", "long"),
    ],
)
def test_an_odd_header(written, name, value):
    path, header = written
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value
    with pytest.raises(FileKindError) as error:
        read_content(path, Kind.TABLE)
    assert one_line(error, path)
    assert current_header(path, header.key) is None


@pytest.mark.parametrize("value", [np.void(b"\x00"), h5py.Empty("f"), np.arange(3), b"bytes"])
def test_an_odd_scalar(written, value):
    path, _ = written
    with h5py.File(path, "r+") as file:
        file["record"].attrs["odd"] = value
    with pytest.raises(FileKindError) as error:
        read_content(path, Kind.TABLE)
    assert one_line(error, path)


@pytest.mark.parametrize("name", ["small", "large", "deep/er/complex"])
def test_a_changed_number_is_noticed(written, name):
    path, _ = written
    with h5py.File(path, "r+") as file:
        flat = file[name][()].reshape(-1)
        flat[0] += 1
        file[name][...] = flat.reshape(file[name].shape)
    with pytest.raises(FileKindError, match="damaged: its content does not match its id") as error:
        read_content(path, Kind.TABLE)
    assert one_line(error, path)


def test_a_changed_scalar_and_a_lost_dataset_are_noticed(written):
    path, _ = written
    with h5py.File(path, "r+") as file:
        file["record"].attrs["number"] = 0.1 + 1e-16
    with pytest.raises(FileKindError, match="damaged"):
        read_content(path, Kind.TABLE)
    write_file(path, HEADER, CONTENT)
    with h5py.File(path, "r+") as file:
        del file["small"]
    with pytest.raises(FileKindError, match="damaged"):
        read_content(path, Kind.TABLE)
    with h5py.File(path, "r+") as file:
        del file["record"]
    with pytest.raises(FileKindError, match="make it again"):
        read_content(path, Kind.TABLE)


def test_a_flipped_byte_anywhere_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "a.table.h5"
    arrays = {"large": np.random.default_rng(1).standard_normal((30, 30)), "small": np.arange(9)}
    content = Content(arrays=arrays, values={"text": "words", "number": 1.5})
    write_file(path, HEADER, content)
    whole = path.read_bytes()
    noticed = 0
    for position in np.random.default_rng(2).choice(len(whole), 250, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            _, read = read_content(path, Kind.TABLE)
        except FileKindError as error:
            noticed += 1
            assert "\n" not in str(error)
            assert str(path) in str(error)
        else:
            assert all(same_bits(read.arrays[name], array) for name, array in arrays.items())
            assert read.values == content.values
    assert noticed > 100  # more than half of the bytes are numbers


def test_ids_change_with_every_bit_of_the_content_and_only_with_it():
    other = {
        "value": replace(CONTENT, values={**CONTENT.values, "count": 8}),
        "name": replace(CONTENT, values={**CONTENT.values, "more": 8}),
        "bit": replace(
            CONTENT, arrays={**CONTENT.arrays, "small": np.array([0, 1, 2, 3, 5], "i1")}
        ),
        "dtype": replace(CONTENT, arrays={**CONTENT.arrays, "small": np.arange(5)}),
        "shape": replace(
            CONTENT, arrays={**CONTENT.arrays, "small": np.arange(5, dtype=np.int8)[:, None]}
        ),
        "array": replace(CONTENT, arrays={"small": CONTENT.arrays["small"]}),
        "sign of zero": replace(
            CONTENT,
            arrays={
                **CONTENT.arrays,
                "deep/er/complex": np.array([[1 + 2j, np.nan], [0, 0.0]]),
            },
        ),
    }
    assert len({CONTENT.id, *(content.id for content in other.values())}) == len(other) + 1
    shuffled = Content(
        arrays=dict(reversed(CONTENT.arrays.items())), values=dict(reversed(CONTENT.values.items()))
    )
    assert shuffled.id == CONTENT.id
    in_steps = {**CONTENT.arrays, "large": np.asfortranarray(CONTENT.arrays["large"])}
    assert replace(CONTENT, arrays=in_steps).id == CONTENT.id


def test_each_kind_has_its_own_format(tmp_path):
    path = tmp_path / "a.state.h5"
    write_file(path, replace(HEADER, kind=Kind.STATE), CONTENT)
    newest = format_version("state")
    with h5py.File(path, "r+") as file:
        assert file.attrs["format_version"] == newest > FORMAT_VERSION
        file.attrs["format_version"] = newest + 1
    with pytest.raises(FileKindError, match=rf"has format {newest + 1}, .* up to {newest}; update"):
        read_header(path)


def test_a_new_format_makes_no_key_stale():
    assert work_key(Kind.STATE, {"D": 0.5}, 0, []) == "d94dca17be7c9c0a"


def test_keys_change_exactly_with_what_decides_the_content(haldane):
    parent = HEADER.parents[0]
    same = [
        replace(HEADER, study=haldane.card()),
        replace(HEADER, seconds=3.0, created="yesterday", version="0.0", id="f" * 16),
        replace(HEADER, parents=(replace(parent, name="elsewhere.h5"),)),
        replace(HEADER, settings={"point": {"D": 0.1 + 0.2}, "tol": 1e-6, "shots": 100}),
    ]
    assert {header.key for header in same} == {HEADER.key}
    other = [
        replace(HEADER, kind=Kind.CHART),
        replace(HEADER, seed=4),
        replace(HEADER, settings={**HEADER.settings, "shots": 101}),
        replace(HEADER, settings={**HEADER.settings, "more": None}),
        replace(HEADER, parents=()),
        replace(HEADER, parents=(parent, parent)),
        replace(HEADER, parents=(replace(parent, id="0" * 16),)),
    ]
    assert len({HEADER.key, *(header.key for header in other)}) == len(other) + 1
    ids = [parent.id for parent in HEADER.parents]
    assert work_key(HEADER.kind, HEADER.settings, HEADER.seed, ids) == HEADER.key


def test_current_header_asks_for_the_key(written):
    path, header = written
    assert current_header(path, HEADER.key) == header
    assert current_header(path, replace(HEADER, seed=4).key) is None


def test_a_card_with_unknown_settings_leaves_the_file_readable(written, haldane):
    path, _ = written
    newer = {"seed": 1, "telescope": {"lens": 3}}
    header = write_file(
        path, replace(HEADER, study=replace(haldane.card(), settings=newer)), CONTENT
    )
    assert read_content(path, Kind.TABLE)[0] == header
    assert read_header(path).study.settings == newer


def test_an_error_inside_leaves_nothing(tmp_path):
    path = tmp_path / "new" / "a.h5"
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []


def test_an_error_inside_leaves_the_previous_version(written):
    path, header = written
    wrong = replace(CONTENT, arrays={"ragged": np.array([None, "x"], dtype=object)})
    with pytest.raises(TypeError):
        write_file(path, HEADER, wrong)
    assert read_content(path, Kind.TABLE)[0] == header
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_seen_before_all_is_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["file/a.h5", "file/deeper/a.h5", "x" * 300 + ".h5", "folder"])
def test_a_place_that_cannot_be_written_gives_one_line(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    path = tmp_path / place
    with pytest.raises(
        PhasenetError, match=r"cannot write .*; free space there or choose"
    ) as error:
        write_file(path, HEADER, CONTENT)
    assert one_line(error, path)
    assert {item.name for item in tmp_path.iterdir()} == {"file", "folder"}


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from phasenet.errors import PhasenetError
from phasenet.storage.container import Content, write_file
from phasenet.storage.header import Header, Kind

path = Path(sys.argv[1])
header = Header(kind=Kind.TABLE, settings={}, seed=0, parents=(), study=None)
numbers = np.random.default_rng(0).standard_normal(200_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    write_file(path, header, Content(arrays={"numbers": numbers}, values={}))
except PhasenetError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 2_000, 300_000])
def test_a_full_disk_gives_one_line_and_keeps_the_previous_version(written, limit):
    path, header = written
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"cannot write {path}: ")
    assert read_content(path, Kind.TABLE)[0] == header
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_really_is_full(small_disk, written):
    path, _ = written
    old = small_disk / "a.table.h5"
    shutil.copy(path, old)
    rest = small_disk / "filler"
    numbers = np.random.default_rng(0).standard_normal(20_000)
    with pytest.raises(
        PhasenetError, match=r"cannot write .*No space left on device; free"
    ) as full:
        write_file(old, HEADER, Content(arrays={"numbers": numbers}, values={}))
    assert one_line(full, old)
    assert read_content(old, Kind.TABLE)[1].id == CONTENT.id
    assert list(small_disk.iterdir()) == [old]
    rest.write_bytes(bytes(8))
    # Not even an empty file of ours.
    with pytest.raises(OSError, match="No space left"):
        rest.write_bytes(bytes(100_000))
    with pytest.raises(PhasenetError, match="cannot write"):
        write_file(small_disk / "new.h5", HEADER, CONTENT)
    assert set(small_disk.iterdir()) == {old, rest}


def test_leftovers_of_dead_processes_only_are_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    deep = tmp_path / "states"
    deep.mkdir()
    gone = deep / f".a.h5.{host}.{dead.pid}.partial"
    kept = [
        deep / f".a.h5.{host}.{os.getpid()}.partial",
        deep / f".a.h5.elsewhere.{dead.pid}.partial",
        deep / f"a.h5.{host}.{dead.pid}.partial",
        deep / ".hidden",
        deep / ".odd.partial",
        deep / f".a.{host}.word.partial",
        deep / "a.h5",
    ]
    for path in (gone, *kept):
        path.touch()
    assert remove_leftovers(tmp_path) == 1
    assert set(deep.iterdir()) == set(kept)


def test_the_temporary_file_is_one_that_is_found_as_a_leftover(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from phasenet.storage.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as path:\n    path.touch(); os._exit(9)"
    )
    path = tmp_path / "D=0.5,Delta=1.finite.state.h5"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    assert remove_leftovers(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=20)
@given(
    values=st.dictionaries(
        st.text("abc_", min_size=1),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False),
        max_size=4,
    ),
    array=hnp.arrays(
        st.sampled_from([np.dtype(t) for t in ("u1", "i1", "i4", "i8", "f4", "f8", "c16")]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
)
def test_any_content_survives(tmp_path_factory, values, array):
    path = tmp_path_factory.mktemp("any") / "a.table.h5"
    header = write_file(path, HEADER, Content(arrays={"a": array}, values=values))
    read, content = read_content(path, Kind.TABLE)
    assert read == header
    assert content.values == values
    assert same_bits(content.arrays["a"], array)
