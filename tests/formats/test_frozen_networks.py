"""Classifiers of every format so far stay readable, with what was not written then left open."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from phasenet.networks.functions import stored_functions
from phasenet.pipeline.summary import network_lines
from phasenet.storage.networks import read_network

FROZEN = Path(__file__).resolve().parent
SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"


def test_a_classifier_of_format_1():
    header, network = read_network(SAMPLE / "haldane.network.h5")
    with h5py.File(SAMPLE / "haldane.network.h5") as file:
        assert file.attrs["format_version"] == 1
    assert header.study.name == "haldane"
    assert (network.members, network.candidates, network.cross_validation) == ((), (), ())
    assert (network.calibrations, network.temperature, network.settings) == ({}, 1.0, {})
    assert np.isnan(network.flops)
    assert all(np.isnan(score.spread) for score in network.scores)
    logits, _ = stored_functions(network)
    assert logits(np.zeros((1, 16), dtype=np.uint8)).shape == (1, 2)
    assert "local features" in "\n".join(network_lines(network))


def test_a_classifier_of_format_2():
    path = FROZEN / "format_2.network.h5"
    header, network = read_network(path)
    assert (header.id, header.key) == ("05feb02c8d13fdab", "57cffbc9fd0a5c8c")
    with h5py.File(path) as file:
        assert file.attrs["format_version"] == 2
        assert set(file) == {"calibration", "history", "members", "record", "weights"}
    [member] = network.members
    np.testing.assert_array_equal(member.weights["readout.bias"], np.ones(2, dtype=np.float32))
    assert (member.best_epoch, network.all_members[0].best_epoch) == (3, 2)
    assert network.scores[0].spread == 0.02
    assert np.isnan(network.scores[1].spread)
    assert network.temperature == 1.25
    calibration = network.calibrations["network"]
    assert calibration.before.error == pytest.approx(0.1)
    assert calibration.after.shots.tolist() == [3, 4]
    assert network.cross_validation[0].split == "D = 0 to 1 and D = 2"
    [candidate] = network.candidates
    assert candidate.values == {"width": 32, "channels": [4, 4], "learning_rate": 1e-3}
    assert candidate.validation_loss == np.inf
    assert (network.settings["width"], network.flops) == (32, 1234.0)
