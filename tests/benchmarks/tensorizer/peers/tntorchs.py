"""tntorch: TT-cross with maxvol and random kicks of the rank."""

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import tntorch
import torch
from counting import Counted, ScalarView
from problem import Target

from peers.built import Built, from_cores


def cross(target: Target, counted: Counted, seed: int) -> Built:
    """Return the cross approximation with tntorch's default kick of the rank."""
    # Without it indices and values are float32.
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - tntorch draws from it
    view = ScalarView(target, counted)

    def function(points: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(view(points.numpy().astype(np.int64)).astype(np.float64))

    with redirect_stdout(StringIO()):
        found, info = tntorch.cross(
            function=function,
            domain=[torch.arange(dim, dtype=torch.float64) for dim in view.site_dims],
            function_arg="matrix",
            rmax=target.max_rank,
            eps=target.tol,
            verbose=False,
            return_info=True,
            suppress_warnings=True,
        )
    error = float(info["val_eps"])
    cores = [core.numpy() for core in found.cores]
    claim = "val_eps <= eps" if error <= target.tol else "val_eps > eps"
    return Built(train=from_cores(cores, view.output_site), claim=claim)
