"""Correlation length of an infinite state."""

import numpy as np

from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.transfer import leading_eigenpairs


def correlation_length(train: InfiniteTrain) -> float:
    r"""Correlation length in sites, :math:`-c/\ln|\lambda_2/\lambda_1|` for a cell of c sites.

    :math:`\lambda_k` are the eigenvalues of the transfer map of one cell. At a finite bond
    dimension this is a lower estimate. Infinite for a cat state, zero for a product state.

    Parameters
    ----------
    train
        Infinite state.

    >>> product = InfiniteTrain(cores=(np.ones((1, 1, 1)),), schmidt_values=(np.ones(1),))
    >>> print(correlation_length(product))
    0.0
    """
    moduli = np.abs(leading_eigenpairs(train.cores, train.cores, 2)[0])
    if len(moduli) < 2 or moduli[1] < 1e-14 * moduli[0]:
        return 0.0
    rate = float(np.log(moduli[0] / moduli[1]))
    return train.cell / rate if rate > 1e-12 else float("inf")
