"""Real digits: what the pictures of importance say is what the network needs."""

import numpy as np
import pytest
import torch

from phasenet.insight.importance_pictures import picture_section
from tests.benchmarks.insight.digits import DIGITS, small_digits, trained

pytestmark = pytest.mark.slow


def test_pixels_said_to_matter_cost_more_decisions_than_others_that_vary_as_much():
    train, (x, y) = small_digits()
    network, half = trained(train).eval(), len(x) // 2
    section = picture_section(network, x[:half], y[:half], classes=DIGITS)
    shares = np.bincount(y[:half], minlength=10) / half
    pixels = np.tensordot(shares, section.arrays["pixels"], axes=1).ravel()
    varied = x[:half].std(dim=0).numpy()
    assert np.all(pixels[varied == 0] == 0)
    order = np.argsort(-pixels)
    most, ranked = order[:12], np.argsort(-varied)
    others = [k for k in ranked if k not in order[:32]][:12]
    assert varied[others].mean() > 0.7 * varied[most].mean()
    lost = [right(network, x[half:], y[half:]) - without(network, x[half:], y[half:], chosen)
            for chosen in (most, others)]  # fmt: skip
    print(f"accuracy lost: {lost[0]:.3f} without the 12 most important pixels, {lost[1]:.3f}")
    assert lost[0] > 2 * max(lost[1], 0.01)


def test_a_zero_is_known_by_its_empty_middle():
    train, test = small_digits()
    section = picture_section(trained(train), *test, classes=DIGITS)
    row, column = np.unravel_index(section.arrays["pixels"][0].argmax(), (8, 8))
    assert row in (3, 4) and column in (3, 4)
    assert section.arrays["mean_picture"][0, row, column] < 0.1


@torch.no_grad()
def right(network, x, y):
    return float((network(x).argmax(dim=1) == y).double().mean())


def without(network, x, y, pixels):
    shuffled = x.clone()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    shuffled[:, pixels] = x[order][:, pixels]
    return right(network, shuffled, y)
