"""Torch modules of strangers, taken in and put together again."""

import numpy as np
import pytest
import torch
from torch import nn

import phasenet
from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks.compression.foreign import (
    nulls_of_task,
    subject_of_module,
    task_of_file,
)
from phasenet.networks.compression.task import task_of_arrays
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import write_network
from phasenet.trained import TrainedNetwork

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
TASK = task_of_arrays(X, Y, None, seed=0)
HEADER = Header(kind=Kind.NETWORK, settings={}, seed=0, parents=(), study=None)


def dense():
    return nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 2))


def wide(width=1.0):
    return nn.Sequential(
        nn.Linear(6, max(1, int(20 * width))), nn.Linear(max(1, int(20 * width)), 2)
    )


def record(network, architecture):
    return TrainedNetwork(
        architecture={"kind": "foreign", "name": "net", **architecture},
        weights={name: value.numpy() for name, value in network.state_dict().items()},
        classes=("0", "1"),
        history={},
        scores=(),
        outcome="",
    )


def test_weights_come_from_a_state_dict_and_nothing_else(tmp_path):
    network, path = dense(), tmp_path / "net.pt"
    torch.save(network.state_dict(), path)
    subject = subject_of_module(dense, path, TASK, name="net")
    x = TASK.test.x
    assert torch.equal(subject.network(x), network(x))
    torch.save(network, path)
    with pytest.raises(FileKindError, match=r"holds no state_dict of this module"):
        subject_of_module(dense, path, TASK, name="net")
    torch.save(nn.Linear(6, 2).state_dict(), path)
    with pytest.raises(FileKindError, match=r"torch\.save"):
        subject_of_module(dense, path, TASK, name="net")
    with pytest.raises(MissingInputError, match="no file"):
        subject_of_module(dense, tmp_path / "none.pt", TASK, name="net")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 3, "net returned a int; wanted a torch module"),
        (lambda: 1 / 0, "net failed: ZeroDivisionError"),
        (lambda: nn.Linear(5, 2), r"net failed when called with a torch.float32 .* \(2, 6\)"),
        (lambda: nn.Linear(6, 1), r"logits of shape \(2, 1\) for 2 shots; wanted \(2, classes\)"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_sentence(make, message):
    with pytest.raises(SettingsError, match=message):
        subject_of_module(make, None, TASK, name="net")


def test_narrow_networks_come_from_an_argument_or_from_a_sequential():
    by_argument = subject_of_module(wide, None, TASK, name="net").narrowed
    by_layers = subject_of_module(dense, None, TASK, name="net").narrowed
    for narrowed in (by_argument, by_layers):
        network, architecture = narrowed(0.25)
        assert network[0].out_features == 5
        assert architecture["width"] == 0.25
    other = subject_of_module(lambda: nn.Linear(6, 2), None, TASK, name="net")
    assert other.narrowed is None


def test_nulls_are_the_largest_class_and_a_regression_that_learns():
    largest, regression = nulls_of_task(TASK)
    assert largest.accuracy == pytest.approx(
        float((TASK.test.y == TASK.test.y.mode()[0]).float().mean()), abs=0.2
    )
    assert regression.accuracy > 0.9


def test_a_compressed_module_is_put_together_again(tmp_path):
    from phasenet.networks.layers.forms import LayerForm, dense_layers, from_dense, replaced

    network, path = dense(), tmp_path / "net.compressed.network.h5"
    form = LayerForm(form="cp", in_modes=(6,), out_modes=(20,), ranks=(2,))
    small = replaced(network, {"0": from_dense(dense_layers(network)["0"], form)})
    write_network(path, HEADER, record(small, {"layers": {"0": form.as_dict()}}))
    again = phasenet.load_compressed(path, dense())
    x = TASK.test.x
    torch.testing.assert_close(again(x), small(x))
    with pytest.raises(FileKindError, match="tensorized layers 0, which the module lacks"):
        phasenet.load_compressed(path, nn.ReLU())


@pytest.mark.parametrize("make", [dense, lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 2))])
def test_a_narrow_module_is_put_together_from_the_dense_or_the_narrow_one(tmp_path, make):
    path = tmp_path / "net.compressed.network.h5"
    narrow, architecture = subject_of_module(dense, None, TASK, name="net").narrowed(0.25)
    if make is not dense:
        narrow = make()
    write_network(path, HEADER, record(narrow, architecture))
    again = phasenet.load_compressed(path, make())
    torch.testing.assert_close(again(TASK.test.x), narrow(TASK.test.x))


def test_data_files_are_read_without_running_them(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=X, y=Y, split=np.repeat([0, 1, 2], 100))
    assert task_of_file(path, seed=0).shots == (100, 100, 100)
    np.savez(path, x=X)
    with pytest.raises(FileKindError, match="holds x; wanted x, y and split"):
        task_of_file(path, seed=0)
    np.savez(path, x=np.array([object()]), y=Y)
    with pytest.raises(FileKindError, match=r"no \.npz of plain arrays"):
        task_of_file(path, seed=0)
    path.write_bytes(b"nonsense")
    with pytest.raises(FileKindError, match=r"np\.savez"):
        task_of_file(path, seed=0)
    with pytest.raises(MissingInputError, match="no file"):
        task_of_file(tmp_path / "none.npz", seed=0)
