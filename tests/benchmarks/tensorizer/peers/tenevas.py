"""teneva: TT-cross with rectangular maxvol."""

import numpy as np
import teneva
from counting import Counted, ScalarView
from problem import Target, generator

from peers.built import Built, from_cores
from phasenet.trains.train import Array

_ANOVA_SAMPLES = 1000
_VALIDATION = 500


def random_start(target: Target, counted: Counted, seed: int) -> Built:
    """Cross from a random train of rank 2."""
    view = ScalarView(target, counted)
    return _cross(target, view, teneva.rand(list(view.site_dims), r=2, seed=seed), seed)


def anova_start(target: Target, counted: Counted, seed: int) -> Built:
    """Cross from the ANOVA of order one of 1000 samples."""
    view = ScalarView(target, counted)
    points = view.extended(target.data(seed)[:_ANOVA_SAMPLES], generator("teneva", seed))
    start = teneva.anova(points, view(points), r=2, order=1, seed=seed)
    # A state that no sample has is missing in the train of the samples.
    missing = [dim - core.shape[1] for dim, core in zip(view.site_dims, start, strict=True)]
    start = [
        np.pad(core, ((0, 0), (0, more), (0, 0))) for core, more in zip(start, missing, strict=True)
    ]
    return _cross(target, view, start, seed)


def _cross(target: Target, view: ScalarView, start: list[Array], seed: int) -> Built:
    def at_rank_cap(train: list[Array], info: dict[str, object], options: object) -> bool:
        return max(core.shape[2] for core in train) >= target.max_rank

    validation = view.extended(target.data(seed)[-_VALIDATION:], generator("teneva", seed, 1))
    # A dictionary of its own: the default one is shared by all calls. There is no rank cap but the
    # callback. Its estimate of the change of a train stops at 1e-8, so that samples have to decide.
    info: dict[str, object] = {}
    train = teneva.cross(
        lambda points: view(points.astype(np.int64)),
        start,
        m=1_000_000,
        I_vld=validation,
        y_vld=view(validation),
        e_vld=target.tol,
        dr_max=2,
        info=info,
        cache={},
        cb=at_rank_cap,
    )
    # Its truncation is no better than 1e-8, so that it is kept for what is over the cap.
    if max(core.shape[2] for core in train) > target.max_rank:
        train = teneva.truncate(train, e=target.tol / 10, r=target.max_rank)
    return Built(train=from_cores(train, view.output_site), claim=str(info["stop"]))
