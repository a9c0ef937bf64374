"""Every target of the benchmark by name; each is a black box, the same for all tensorizers.

A plain module: put its folder on ``sys.path`` and ``from targets import TARGETS``.
"""

from collections.abc import Callable
from functools import partial

import chains
import classifiers
import functions
from problem import Limits, Target

__all__ = ["ROBUSTNESS", "TARGETS", "Limits", "Target"]

TARGETS: dict[str, Callable[[], Target]] = {
    **{f"aklt{length}": partial(chains.aklt, length) for length in (20, 50, 100, 200, 500)},
    "xxz24": chains.xxz24,
    "cat50": chains.cat50,
    "quant": partial(functions.quantics, 30),
    "quant20": partial(functions.quantics, 20),
    "quant_narrow": functions.quant_narrow,
    "hilbert": functions.hilbert,
    "ind_sum": functions.ind_sum,
    "ind_interval": functions.ind_interval,
    "lorentz": functions.lorentz,
    "rand_train": chains.rand_train,
    "rbm": classifiers.rbm,
    "mlp16": classifiers.mlp16,
    "mlp16_rand": classifiers.mlp16_rand,
    "cnn32": classifiers.cnn32,
    "slater": functions.slater,
    **{f"local_n{length}": partial(classifiers.local, length) for length in (50, 100, 200, 400)},
}

# The ten targets without a network on which every seed has to be right.
ROBUSTNESS = (
    "aklt20",
    "aklt50",
    "aklt100",
    "xxz24",
    "cat50",
    "quant",
    "quant_narrow",
    "hilbert",
    "ind_sum",
    "ind_interval",
)
