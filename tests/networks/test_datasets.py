"""Datasets for torch: the shots of the file, each once a pass, in an order fixed by the seed."""

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from phasenet.errors import FileKindError, MissingInputError, SettingsError, ShapeError
from phasenet.networks.datasets import load_dataset, stream_dataset
from phasenet.points import ParameterPoint
from phasenet.records import Column
from phasenet.shots import NO_SITE, SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import write_snapshots

SHOTS = 700
SITES = 10
KINDS = [load_dataset, stream_dataset]
ROLES = [
    ("train", "a", ""),
    ("train", "b", ""),
    ("test", "a", ""),
    ("train", "b", ""),
    ("control", "b", "block flip 4"),
    ("control", "b", "zero shuffle"),
    ("unlabelled", None, ""),
    ("train", "a", ""),
    ("validation", "b", ""),
]


def source(study="toy", sites=SITES):
    return Source(study=study, title=study, hamiltonian="", sites=sites, boundary="finite")


def snapshots_of(roles=ROLES, sources=None, origin=None, bases=(), shots=SHOTS):
    """Shots whose first four sites spell their number, so that each is found again."""
    sources = sources or (source(),)
    origin = origin or [0] * len(roles)
    points = tuple(
        SampledPoint(
            point=ParameterPoint.of(D=k / 4),
            label=label,
            split=split,
            reason="",
            source=origin[k],
            control=control,
            soft_label=() if label is None else (0.9, 0.1) if label == "a" else (0.1, 0.9),
        )
        for k, (split, label, control) in enumerate(roles)
    )
    total = shots * len(points)
    rng = np.random.default_rng(8)
    longest = max(s.sites for s in sources)
    spins = rng.integers(0, 4, (total, longest), dtype=np.uint8)
    index = np.repeat(np.arange(len(points), dtype=np.int32), shots)
    for k, place in enumerate(origin):
        spins[index == k, sources[place].sites :] = NO_SITE
    spins[:, :7] = np.arange(total)[:, None] // 4 ** np.arange(7) % 4
    energies = np.asarray([math.nan if p.label is None else -1.0 - k for k, p in enumerate(points)])
    logs = rng.normal(size=(total, 2))
    logs[np.asarray([p.split == "train" for p in points])[index]] = np.nan
    head = SnapshotsHead(
        site_dim=3,
        basis="random" if bases else "Sz",
        basis_names=bases,
        classes=("a", "b"),
        sources=sources,
        points=points,
        targets=(
            Column(name="energy", unit="1", meaning="", values=energies, errors=0 * energies),
        ),
    )
    drawn = rng.integers(0, len(bases), spins.shape, dtype=np.uint8) if bases else None
    return Snapshots(
        head=head,
        shots=Shots(
            spins=spins,
            point_index=index,
            log_probability=np.zeros(total),
            class_log_likelihood=logs,
            basis_index=drawn,
        ),
    )


def written(path, snapshots):
    header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=None)
    write_snapshots(path, header, snapshots)
    return path


@pytest.fixture(scope="module")
def snapshots():
    return snapshots_of()


@pytest.fixture(scope="module")
def path(snapshots, tmp_path_factory):
    return written(tmp_path_factory.mktemp("datasets") / "toy.snapshots.h5", snapshots)


def numbers(inputs):
    """Which shots these are, as they spell it."""
    return (inputs[:, :7].long() * 4 ** torch.arange(7)).sum(1).numpy()


def passed(loader):
    """All of one pass, and the sizes of its batches."""
    batches = list(loader)
    inputs, target = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return inputs, target, [len(b[0]) for b in batches]


@pytest.mark.parametrize("load", KINDS)
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("split", ["train", "validation", "test", "unlabelled", "control"])
def test_each_shot_of_a_split_comes_once_with_its_label(load, split, shuffle, path, snapshots):
    loader = load(path, split).loader(64, shuffle=shuffle, seed=3)
    inputs, target, sizes = passed(loader)
    wanted = snapshots.in_split(split)
    found = numbers(inputs)
    assert (inputs.dtype, target.dtype) == (torch.uint8, torch.int64)
    assert set(sizes[:-1]) == {64}
    assert np.array_equal(np.sort(found), wanted)
    assert np.array_equal(found, wanted) != shuffle
    assert np.array_equal(inputs.numpy(), snapshots.shots.spins[found])
    assert np.array_equal(target.numpy(), snapshots.label_index[found])


def test_a_dataset_in_memory_is_indexed_like_an_array(path, snapshots):
    dataset = load_dataset(path, "test")
    wanted = snapshots.in_split("test")
    assert len(dataset) == len(wanted) == SHOTS
    assert len(dataset.loader(300)) == len(list(dataset.loader(300))) == 3
    one, label = dataset[5]
    assert np.array_equal(one.numpy(), snapshots.shots.spins[wanted[5]])
    assert int(label) == 0
    several, labels = dataset[np.asarray([2, 0, 2])]
    assert numbers(several).tolist() == wanted[[2, 0, 2]].tolist()
    assert labels.tolist() == [0, 0, 0]
    assert np.array_equal(dataset.point_index.numpy(), snapshots.shots.point_index[wanted])
    assert (dataset.sites, dataset.site_dim, dataset.categories) == (SITES, 3, 4)
    assert (dataset.classes, dataset.points) == (("a", "b"), snapshots.head.points)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("load", KINDS)
def test_torchs_own_loader_takes_them_too(load, workers, path, snapshots):
    dataset = load(path, "train")
    orders = []
    for epoch in range(2):
        if load is stream_dataset:
            dataset.set_epoch(epoch)
        inputs, target, sizes = passed(DataLoader(dataset, batch_size=100, num_workers=workers))
        found = numbers(inputs)
        assert sizes[:12] == [100] * 12
        assert np.array_equal(np.sort(found), snapshots.in_split("train"))
        assert np.array_equal(target.numpy(), snapshots.label_index[found])
        orders.append(found)
    assert np.array_equal(*orders) == (load is load_dataset)


@pytest.mark.parametrize("load", KINDS)
def test_passes_differ_and_repeat(load, path):
    dataset = load(path)
    loader = dataset.loader(50, seed=1)
    first, second = (numbers(passed(loader)[0]) for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(np.sort(first), np.sort(second))
    again = dataset.loader(50, seed=1)
    again.set_epoch(1)
    assert np.array_equal(numbers(passed(again)[0]), second)
    loader.set_epoch(0)
    assert np.array_equal(numbers(passed(loader)[0]), first)
    assert not np.array_equal(numbers(passed(dataset.loader(50, seed=2))[0]), first)


def test_a_pass_leaves_the_stream_of_torch_alone(path):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    passed(load_dataset(path).loader())
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("buffer", [1, 2048, 10**6])
def test_every_batch_of_a_stream_mixes_all_points_of_a_small_file(buffer, path, snapshots):
    dataset = stream_dataset(path, buffer=buffer)
    assert dataset.shots == len(snapshots.in_split("train"))
    inputs, _, sizes = passed(dataset.loader(200, seed=0))
    assert sizes == [200] * 14
    found = numbers(inputs)
    assert np.array_equal(np.sort(found), snapshots.in_split("train"))
    assert {len(np.unique(batch)) for batch in np.split(found // SHOTS, 14)} == {4}


def test_batches_larger_than_the_buffer(path):
    assert passed(stream_dataset(path, buffer=1).loader(10_000))[2] == [4 * SHOTS]


@pytest.mark.parametrize("load", KINDS)
def test_two_workers_bring_each_shot_once(load, path, snapshots):
    dataset = load(path, buffer=1024) if load is stream_dataset else load(path)
    loader = dataset.loader(64, seed=3, workers=2)
    passes = [numbers(passed(loader)[0]) for _ in range(2)]
    for found in passes:
        assert np.array_equal(np.sort(found), snapshots.in_split("train"))
    assert not np.array_equal(*passes)
    again = dataset.loader(64, seed=3, workers=2)
    again.set_epoch(1)
    assert np.array_equal(numbers(passed(again)[0]), passes[1])
    # Left in the middle of a pass, the next one starts afresh.
    next(iter(again))
    again.set_epoch(0)
    assert np.array_equal(numbers(passed(again)[0]), passes[0])


@pytest.mark.slow
@pytest.mark.parametrize("load", KINDS)
def test_workers_may_be_new_processes(load, path):
    dataset = load(path)
    loader = dataset.loader(64, seed=3, workers=2)
    wanted = [numbers(passed(loader)[0]) for _ in range(2)]
    spawned = dataset.loader(64, seed=3, workers=2)
    spawned.multiprocessing_context = "spawn"
    for order in wanted:
        assert np.array_equal(numbers(passed(spawned)[0]), order)


@pytest.mark.parametrize("load", KINDS)
def test_what_may_be_learned(load, path, snapshots):
    index = snapshots.shots.point_index
    for target, split, values in [
        ("energy", "train", -1.0 - index),
        ("D", "unlabelled", index / 4),
        ("soft label", "test", np.asarray([[0.9, 0.1]] * len(index))),
        ("log likelihoods", "test", snapshots.shots.class_log_likelihood),
    ]:
        inputs, found, _ = passed(load(path, split, target=target).loader(100))
        assert found.dtype == torch.float32
        assert np.array_equal(found.numpy(), values[numbers(inputs)].astype(np.float32))


@pytest.mark.parametrize("load", KINDS)
def test_one_control_or_one_source_at_a_time(load, path, tmp_path):
    inputs, _, _ = passed(load(path, "control", control="zero shuffle").loader())
    assert set(numbers(inputs) // SHOTS) == {5}
    chains = (source(), source("long", SITES + 4))
    several = snapshots_of(ROLES[:4], chains, [0, 1, 0, 0], shots=30)
    other = written(tmp_path / "two.snapshots.h5", several)
    with pytest.raises(ShapeError, match=r"have 10, 14 sites; .* one source at a time, of 0 to 1"):
        load(other)
    for place in (1, "long"):
        inputs, _, _ = passed(load(other, source=place).loader(shuffle=False))
        assert numbers(inputs).tolist() == list(range(30, 60))
        assert inputs.shape[1] == SITES + 4
    inputs, _, _ = passed(load(other, source="toy").loader(shuffle=False))
    assert numbers(inputs).tolist() == [*range(30), *range(90, 120)]
    assert inputs.max() <= 3
    assert inputs.shape[1] == SITES


@pytest.mark.parametrize("load", KINDS)
def test_drawn_bases_are_part_of_what_a_network_sees(load, tmp_path):
    snapshots = snapshots_of(ROLES[:3], bases=("Sx", "Sy", "Sz"), shots=40)
    dataset = load(written(tmp_path / "r.snapshots.h5", snapshots))
    inputs, _, _ = passed(dataset.loader(shuffle=False))
    assert dataset.categories == 12
    assert np.array_equal(inputs.numpy() % 4, snapshots.shots.spins[:80])
    assert np.array_equal(inputs.numpy() // 4, snapshots.shots.basis_index[:80])


@pytest.mark.parametrize("load", KINDS)
def test_what_cannot_be_had_is_said_in_one_line(load, path, tmp_path):
    with pytest.raises(SettingsError, match=r"split is 'tset'; wanted one of train,"):
        load(path, "tset")
    with pytest.raises(SettingsError, match=r"no shots of split critical; the file has control \("):
        load(path, "critical")
    with pytest.raises(SettingsError, match="no shots of split test, control 'zero shuffle'"):
        load(path, "test", control="zero shuffle")
    with pytest.raises(SettingsError, match="no shots of split test, source 1"):
        load(path, "test", source=1)
    with pytest.raises(SettingsError, match=r"wanted one of label, soft label, .* D, energy"):
        load(path, target="enregy")
    with pytest.raises(SettingsError, match="energy is unknown or infinite at 1 of the 1 points"):
        load(path, "unlabelled", target="energy")
    with pytest.raises(SettingsError, match=r"not computed; .* sample.likelihood = 'all'"):
        list(load(path, target="log likelihoods").loader())
    with pytest.raises(SettingsError, match="batch is 0 shots; wanted at least 1"):
        load(path).loader(0)
    with pytest.raises(SettingsError, match="buffer is 0 shots; wanted at least 1"):
        stream_dataset(path, buffer=0)
    with pytest.raises(MissingInputError, match="no file"):
        load(tmp_path / "none.snapshots.h5")
    cut = tmp_path / "cut.snapshots.h5"
    cut.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FileKindError, match="truncated"):
        load(cut)
