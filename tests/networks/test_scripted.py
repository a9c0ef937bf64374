"""TorchScript files as batch functions."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import phasenet
from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks import scripted
from phasenet.networks.scripted import scripted_function

SITES = 6
SHOTS = np.random.default_rng(0).integers(3, size=(200, SITES))


class Embedded(nn.Module):
    """Takes local states; dropout shows whether it is in evaluation mode."""

    def __init__(self, outputs: int):
        super().__init__()
        self.table = nn.Embedding(3, 2)
        self.drop = nn.Dropout(0.5)
        self.readout = nn.Linear(2 * SITES, outputs)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.readout(self.drop(self.table(states).flatten(1))))


class Phase(nn.Module):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        sums = states.sum(1).double()
        return torch.complex(sums.cos(), sums.sin())


class Conjugate(nn.Module):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        sums = states.sum(1).double()
        return torch.complex(sums.cos(), sums.sin()).conj()


class Coarse(nn.Module):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states.sum(1).to(torch.bfloat16)


class Both(nn.Module):
    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return states.sum(1), states.prod(1)


def saved(network, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network).save(path)
    return path


def test_says_what_the_network_says(tmp_path):
    network = Embedded(4)
    found = scripted_function(saved(network, tmp_path / "net.pt"), "cpu")(SHOTS)
    assert (found.shape, found.dtype) == ((len(SHOTS), 4), np.float32)
    with torch.no_grad():
        wanted = network.eval()(torch.from_numpy(SHOTS)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "wanted", "dtype"),
    [
        (Phase, np.exp(1j * SHOTS.sum(axis=1)), np.complex128),
        (Conjugate, np.exp(-1j * SHOTS.sum(axis=1)), np.complex128),
        (Coarse, SHOTS.sum(axis=1), np.float32),
    ],
)
def test_every_number_that_torch_knows_comes_through(tmp_path, network, wanted, dtype):
    found = scripted_function(saved(network(), tmp_path / "net.pt"), "cpu")(SHOTS)
    assert (found.shape, found.dtype) == ((len(SHOTS),), dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_becomes_a_train(tmp_path):
    network = Embedded(2).double()
    function = scripted_function(saved(network, tmp_path / "net.pt"), "cpu")
    found = phasenet.tensorize(function, samples=SHOTS, site_dims=(3,) * SITES, tol=1e-8)
    np.testing.assert_allclose(found.train(SHOTS), function(SHOTS), atol=1e-7)


def test_batches_shrink_until_they_fit(tmp_path, monkeypatch):
    path = saved(Phase(), tmp_path / "net.pt")
    whole = scripted_function(path, "cpu")(SHOTS)
    called, calls = scripted._called, []

    def small_memory(network, states, where, name):
        calls.append(len(states))
        if len(states) > 60:
            raise torch.cuda.OutOfMemoryError
        return called(network, states, where, name)

    monkeypatch.setattr(scripted, "_BATCH", 400)
    monkeypatch.setattr(scripted, "_called", small_memory)
    np.testing.assert_array_equal(scripted_function(path, "cpu")(SHOTS), whole)
    assert calls == [200, 200, 100, 50, 50, 50, 50]

    def no_memory(network, states, where, name):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(scripted, "_called", no_memory)
    with pytest.raises(SettingsError, match="does not hold the network at a single configuration"):
        scripted_function(path, "cpu")(SHOTS)


@pytest.mark.parametrize("network", [nn.Linear(SITES, 2), nn.Conv1d(3, 2, 1)])
def test_a_network_of_other_inputs_is_told_what_it_got(tmp_path, network):
    function = scripted_function(saved(network, tmp_path / "net.pt"), "cpu")
    wanted = r"net\.pt failed when called with an int64 tensor of shape \(200, 6\) .*RuntimeError: "
    with pytest.raises(SettingsError, match=wanted) as error:
        function(SHOTS)
    assert "\n" not in str(error.value)


def test_outputs_are_one_tensor(tmp_path):
    function = scripted_function(saved(Both(), tmp_path / "net.pt"), "cpu")
    with pytest.raises(SettingsError, match=r"returned a tuple; wanted one tensor of shape \(200,"):
        function(SHOTS)


def test_files_and_devices_that_are_none(tmp_path):
    state_dict, junk = tmp_path / "state.pt", tmp_path / "junk.pt"
    torch.save(Embedded(2).state_dict(), state_dict)
    junk.write_bytes(b"junk")
    for path in (state_dict, junk):
        with pytest.raises(FileKindError, match="is no TorchScript file"):
            scripted_function(path, "cpu")
    with pytest.raises(MissingInputError, match="no file"):
        scripted_function(tmp_path / "none.pt", "cpu")
    with pytest.raises(SettingsError, match="there is no device 'abacus'; this machine has cpu"):
        scripted_function(state_dict, "abacus")
