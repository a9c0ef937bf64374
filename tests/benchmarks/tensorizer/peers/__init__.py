"""One adapter for each tensorizer: (target, counted function, seed) to what it returned."""

import warnings
from collections.abc import Callable
from importlib import import_module

from counting import Counted
from problem import Target

from peers.built import Built

Adapter = Callable[[Target, Counted, int], Built]

# Module and function of each adapter; a module is imported only when its peer is asked for.
_HOME = {
    "phasenet": ("ours", "tensorize"),
    "phasenet_sketch": ("ours", "sketch"),
    "tensorkrowch": ("krowch", "small"),
    "tensorkrowch_100": ("krowch", "large"),
    "teneva": ("tenevas", "random_start"),
    "teneva_anova": ("tenevas", "anova_start"),
    "tntorch": ("tntorchs", "cross"),
    "torchtt": ("torchtts", "dmrg_cross"),
    "seemps_dmrg": ("seempss", "dmrg"),
    "seemps_maxvol": ("seempss", "maxvol"),
    "seemps_greedy": ("seempss", "greedy"),
}
# The distribution whose version goes with the numbers.
DISTRIBUTION = {
    "phasenet": "phasenet-mps",
    "phasenet_sketch": "phasenet-mps",
    "tensorkrowch": "tensorkrowch",
    "tensorkrowch_100": "tensorkrowch",
    "teneva": "teneva",
    "teneva_anova": "teneva",
    "tntorch": "tntorch",
    "torchtt": "torchTT",
    "seemps_dmrg": "seemps",
    "seemps_maxvol": "seemps",
    "seemps_greedy": "seemps",
}
PEERS = tuple(_HOME)


def adapter(name: str) -> Adapter:
    """Adapter of that name, with everything that it needs imported."""
    module, function = _HOME[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Adapter = getattr(import_module(f"peers.{module}"), function)
    return found
