"""SeeMPS: three kinds of cross interpolation from one point."""

from dataclasses import replace

import numpy as np
from counting import Counted, ScalarView
from problem import IntArray, Target, generator
from seemps.analysis.cross import (
    CrossStrategy,
    CrossStrategyDMRG,
    CrossStrategyGreedy,
    CrossStrategyMaxvol,
    cross_interpolation,
)
from seemps.analysis.cross.black_box import BlackBox
from seemps.analysis.cross.cross_dmrg import DEFAULT_CROSS_DMRG_STRATEGY

from peers.built import Built, from_cores
from phasenet.trains.train import Array, FloatArray


class _Points(BlackBox):
    """Black box of integer points, without the mesh of real coordinates."""

    def __getitem__(self, mps_indices: Array) -> FloatArray:
        self.record_evaluations(len(mps_indices))
        return self.func(mps_indices)


def dmrg(target: Target, counted: Counted, seed: int) -> Built:
    """Two sites at a time, split by singular values."""
    view, start, _ = _start(target, counted, seed)
    truncation = DEFAULT_CROSS_DMRG_STRATEGY.replace(
        tolerance=(0.1 * target.tol) ** 2, max_bond_dimension=target.max_rank
    )
    return _cross(target, view, start, seed, CrossStrategyDMRG(strategy=truncation))


def maxvol(target: Target, counted: Counted, seed: int) -> Built:
    """One site at a time, with rectangular maxvol."""
    view, start, _ = _start(target, counted, seed)
    return _cross(target, view, start, seed, CrossStrategyMaxvol(rank_kick=(1, 2)))


def greedy(target: Target, counted: Counted, seed: int) -> Built:
    """One pivot at a time."""
    view, start, size = _start(target, counted, seed)
    return _cross(target, view, start, seed, CrossStrategyGreedy(pivot_tol=0.1 * target.tol * size))


def _start(target: Target, counted: Counted, seed: int) -> tuple[ScalarView, IntArray, float]:
    """Return the largest of 64 samples: more than one point gives a state that does not fit."""
    view = ScalarView(target, counted)
    point = view.start(target.data(seed), generator("seemps", seed))
    return view, point, float(np.abs(view(point[None])[0]))


def _cross(
    target: Target, view: ScalarView, start: IntArray, seed: int, strategy: CrossStrategy
) -> Built:
    strategy = replace(
        strategy,
        # Where uniform configurations miss the support, its error is 0 / 0 and must not count.
        tol=-1.0 if target.amplitudes else target.tol,
        error_norm=2,
        error_relative=not target.amplitudes,
        range_max_bonds=(1, target.max_rank),
        rng=np.random.default_rng(seed),
    )
    with np.errstate(all="ignore"):
        found = cross_interpolation(_Points(view, list(view.site_dims)), strategy, start)
    cores = [np.asarray(core) for core in found.mps]
    converged = float(found.errors[-1]) <= strategy.tol
    claim = "error <= tol" if converged else "bond stopped growing or limit"
    return Built(train=from_cores(cores, view.output_site), claim=claim)
