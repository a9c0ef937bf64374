"""Spectra of bonds against closed forms."""

import math

import numpy as np
import pytest
import torch

from phasenet.errors import ShapeError
from phasenet.networks.layers.spectra import BondSpectrum


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_equal_values_have_their_number_as_effective_rank(rank):
    spectrum = BondSpectrum.of(torch.full((rank,), 4.0))
    assert spectrum.effective_rank == pytest.approx(rank)
    assert spectrum.entropy == pytest.approx(math.log(rank))
    assert np.square(spectrum.values).sum() == pytest.approx(1)


def test_values_are_sorted_and_of_the_weight_divided_by_its_norm():
    matrix = torch.diag(torch.tensor([3.0, -4.0]))
    np.testing.assert_allclose(BondSpectrum.of_matrix(matrix).values, [0.8, 0.6])
    np.testing.assert_allclose(BondSpectrum.of(torch.tensor([3.0, 4.0])).values, [0.8, 0.6])


def test_two_values_have_the_binary_entropy():
    expected = -(0.36 * math.log(0.36) + 0.64 * math.log(0.64))
    assert BondSpectrum.of(torch.tensor([3.0, 4.0])).entropy == pytest.approx(expected)


def test_a_weight_of_zero_has_no_entropy():
    spectrum = BondSpectrum.of(torch.zeros(3, dtype=torch.bfloat16))
    assert spectrum.entropy == 0
    assert spectrum.values.tolist() == [0, 0, 0]


def test_what_are_no_singular_values_is_said():
    with pytest.raises(ShapeError, match="or a minus sign"):
        BondSpectrum.of(torch.tensor([1.0, -1.0]))
