"""Loading of shuffled batches beside a bare tensor in memory, and beside a network that trains."""

import itertools
import time

import numpy as np
import pytest
import torch

from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.networks.datasets import load_dataset, stream_dataset
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import write_snapshots

SHOTS, SITES, POINTS = 1_000_000, 64, 100
BATCHES = (256, 4096)
PASSES = 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A million shots of random spins, most of them 0 as in a large-D phase."""
    rng = np.random.default_rng(0)
    points = tuple(
        SampledPoint(
            point=ParameterPoint.of(D=k), label=("a", "b")[k % 2], split="train", reason=""
        )
        for k in range(POINTS)
    )
    chain = Source(study="toy", title="", hamiltonian="", sites=SITES, boundary="finite")
    snapshots = Snapshots(
        head=SnapshotsHead(
            site_dim=3, basis="Sz", classes=("a", "b"), sources=(chain,), points=points
        ),
        shots=Shots(
            spins=np.asarray([1, 0, 2, 1], dtype=np.uint8)[
                rng.integers(0, 4, (SHOTS, SITES), dtype=np.uint8)
            ],
            point_index=np.repeat(np.arange(POINTS, dtype=np.int32), SHOTS // POINTS),
            log_probability=rng.normal(size=SHOTS),
            class_log_likelihood=rng.normal(size=(SHOTS, 2)),
        ),
    )
    place = tmp_path_factory.mktemp("loading") / "toy.snapshots.h5"
    header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=None)
    write_snapshots(place, header, snapshots)
    return place


def bare(inputs, target, batch):
    """What a script does that has all shots in a tensor."""
    order = torch.randperm(len(inputs))
    for chosen in torch.split(order, batch):
        yield inputs[chosen], target[chosen]


def rate(make):
    """Shots a second, the best of some whole passes after a first one that starts the workers."""
    for _ in itertools.islice(make(), 1):
        pass
    seconds = []
    for _ in range(PASSES):
        start = time.perf_counter()
        shots = sum(len(inputs) for inputs, _ in make())
        seconds.append(time.perf_counter() - start)
    assert shots == SHOTS
    return SHOTS / min(seconds)


def trained(make, steps):
    """Shots a second of a small network that trains on the first batches of a pass."""
    torch.manual_seed(0)
    network = ConvolutionalClassifier(site_dim=4, channels=(8, 8), kernel=3, classes=2)
    optimiser = torch.optim.Adam(network.parameters())
    loss = torch.nn.CrossEntropyLoss()
    shots, start = 0, time.perf_counter()
    for inputs, target in itertools.islice(make(), steps):
        optimiser.zero_grad()
        loss(network(inputs), target).backward()
        optimiser.step()
        shots += len(inputs)
    return shots / (time.perf_counter() - start)


@pytest.mark.benchmark
def test_loading_beside_a_bare_tensor(path, capsys):
    torch.set_num_threads(1)
    start = time.perf_counter()
    dataset = load_dataset(path)
    seconds = time.perf_counter() - start
    stream = stream_dataset(path)
    lines = [f"loading into memory: {SHOTS / seconds / 1e6:.2f} million shots/s"]
    for batch in BATCHES:
        makers = {"bare tensor": lambda batch=batch: bare(dataset.inputs, dataset.target, batch)}
        for workers in (0, 2):
            for name, source in (("in memory", dataset), ("stream", stream)):
                loader = source.loader(batch, workers=workers)
                makers[f"{name}, {workers} workers"] = loader.__iter__
        steps = 200_000 // batch
        for name, make in makers.items():
            lines.append(
                f"batch {batch:4}, {name:20}: {rate(make) / 1e6:6.2f} million shots/s alone, "
                f"{trained(make, steps) / 1e3:6.1f} thousand/s with a network that trains"
            )
    with capsys.disabled():
        print("\n" + "\n".join(lines))
