"""tensorkrowch: tensor train by recursive sketching from samples (TT-RSS)."""

import warnings

import numpy as np
import torch
from counting import Counted, ScalarView
from problem import IntArray, Limits, Target, generator
from tensorkrowch.decompositions import tt_rss as their_tt_rss
from tensorkrowch.embeddings import basis

from peers.built import Built, from_cores
from phasenet.trains.train import FloatArray, TensorTrain

# The closest to 1 that its float32 threshold tells from 1.
CUMULATIVE = 1 - 1e-7


def small(target: Target, counted: Counted, seed: int) -> Built:
    """Sketch as the paper does trains, with 30 pivots, and networks, with 100 and 99 %."""
    if target.limits == Limits():
        return _tt_rss(target, counted, seed, 100, 0.99)
    return _tt_rss(target, counted, seed, 30, CUMULATIVE)


def large(target: Target, counted: Counted, seed: int) -> Built:
    """Sketch as the paper does functions, with 100 pivots, and networks to one in a thousand."""
    if target.limits == Limits():
        return _tt_rss(target, counted, seed, 100, 0.999)
    return _tt_rss(target, counted, seed, 100, CUMULATIVE)


def _tt_rss(target: Target, counted: Counted, seed: int, count: int, cumulative: float) -> Built:
    view = ScalarView(target, counted)
    pivots = view.extended(target.data(seed)[:count], generator("tensorkrowch", seed))
    return Built(train=sketch(view, pivots, target.max_rank, cumulative, seed))


def sketch(
    view: ScalarView, pivots: IntArray, rank: int, cumulative: float, seed: int
) -> TensorTrain:
    """Return their train from given pivots, of the function scaled as in the paper."""
    torch.manual_seed(seed)
    scale = _typical(view(pivots))
    dim = max(view.site_dims)
    # For a scalar function it takes the domain of each site from the site before.
    shifted = [*view.site_dims[1:], view.site_dims[0]]

    def function(points: torch.Tensor) -> torch.Tensor:
        values = view(points.numpy().astype(np.int64)) / scale
        return torch.from_numpy(values.astype(np.float64))[:, None]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cores = their_tt_rss(
            function=function,
            embedding=lambda points: basis(points.int(), dim=dim).double(),
            sketch_samples=torch.from_numpy(pivots).double(),
            domain=[torch.arange(each, dtype=torch.float64) for each in shifted],
            rank=rank,
            cum_percentage=cumulative,
            batch_size=1000,
            verbose=False,
        )
    arrays = [core.detach().numpy() for core in cores]
    arrays[0], arrays[-1] = arrays[0][None], arrays[-1][:, :, None]
    cut = [core[:, :each] for core, each in zip(arrays, view.site_dims, strict=True)]
    return from_cores(cut, view.output_site, scale)


def _typical(values: FloatArray) -> float:
    """Geometric mean of the magnitudes that are not zero."""
    sizes = np.abs(values[values != 0.0])
    return float(np.exp(np.log(sizes).mean())) if len(sizes) else 1.0
