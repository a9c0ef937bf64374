"""The best that a rank can do: the singular value decomposition of all values, where they fit."""

import math

import numpy as np
from judge import true_errors
from problem import Target

from phasenet.trains.train import TensorTrain

_LARGEST = 2**17


def optimum_errors(target: Target) -> dict[str, float] | None:
    """True errors of the truncated decomposition at the largest rank; None for large domains.

    It is within sqrt(length - 1) of the best train in the norm of all configurations (Oseledets,
    SIAM J. Sci. Comput. 33, 2295 (2011)).
    """
    if math.prod(target.site_dims) > _LARGEST:
        return None
    grid = np.indices(target.site_dims).reshape(target.length, -1).T
    rest, cores = target.function(grid).reshape(1, -1), []
    outputs = target.outputs
    for dim in target.site_dims[:-1]:
        matrix = rest.reshape(rest.shape[0] * dim, -1)
        # Left singular vectors of wide matrices: their squares are small enough here.
        vectors = np.linalg.eigh(matrix @ matrix.T)[1][:, ::-1][:, : target.max_rank]
        cores.append(vectors.reshape(rest.shape[0], dim, -1))
        rest = vectors.T @ matrix
    last = rest.reshape(rest.shape[0], target.site_dims[-1], 1, outputs or 1)
    if outputs is None:
        return true_errors(target, TensorTrain(cores=(*cores, last[..., 0])))
    return true_errors(target, TensorTrain(cores=(*cores, last), output_site=target.length - 1))
