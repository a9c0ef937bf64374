"""torchTT: cross interpolation of two sites at a time with a singular value decomposition."""

import numpy as np
import torch
import torchtt
from counting import Counted, ScalarView
from problem import Target

from peers.built import Built, from_cores


def dmrg_cross(target: Target, counted: Counted, seed: int) -> Built:
    """Return the result from torchTT's own random start."""
    torch.manual_seed(seed)
    view = ScalarView(target, counted)

    def function(points: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(view(points.numpy()).astype(np.float64))

    found = torchtt.interpolate.dmrg_cross(
        function, list(view.site_dims), eps=target.tol, nswp=20, rmax=target.max_rank
    )
    return Built(train=from_cores([core.numpy() for core in found.cores], view.output_site))
