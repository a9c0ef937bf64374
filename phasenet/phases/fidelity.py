"""How much two ground states overlap, and how fast that falls along a coupling."""

import math

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.blocks import Environment, overlap, through
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array, FloatArray
from phasenet.trains.transfer import leading_eigenpairs


def fidelity(first: State, second: State) -> float:
    r"""Logarithm of the overlap of two states for each site, in nats.

    .. math:: \ln F = \frac{1}{L} \ln \lvert\langle a | b \rangle\rvert, \qquad
              \ln F = \frac{1}{c} \ln \lvert\lambda\rvert

    of two open chains of L sites, and of two infinite states, where :math:`\lambda` is the leading
    eigenvalue of the mixed transfer map of c sites, a multiple of both cells (Zhou, Orus, Vidal,
    Phys. Rev. Lett. 100, 080601 (2008)). 0 for equal states, ``-inf`` for orthogonal ones. Of a
    state with a broken symmetry it compares the branches that happened to be found.

    Parameters
    ----------
    first, second
        States of the same sites, normalised or not.

    Raises
    ------
    ShapeError
        One is an open chain and one infinite, or their sites differ.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(f"{abs(fidelity(aklt_cell(), aklt_cell())):.6f}")
    0.000000
    """
    one, other = state_form(first), state_form(second)
    if one.infinite != other.infinite:
        raise ShapeError("one state is an open chain, the other infinite; compare two of a kind")
    sites = math.lcm(one.length, other.length) if one.infinite else one.length
    dims = [form.site_dims * (sites // form.length) for form in (one, other)]
    if dims[0] != dims[1]:
        raise ShapeError(
            f"the states have {one.length} and {other.length} sites of dimensions "
            f"{sorted(set(one.site_dims))} and {sorted(set(other.site_dims))}; wanted the same"
        )
    if one.infinite:
        return _infinite(one, other, sites)
    return _finite(one, other)


def susceptibility(log_fidelity: FloatArray, step: FloatArray) -> FloatArray:
    r"""Fidelity susceptibility for each site, in units of the inverse coupling squared.

    .. math:: \chi_F = - 2 \ln F(g, g + \delta) / \delta^2

    of the point halfway (You, Li, Gu, Phys. Rev. E 76, 022101 (2007)).

    Parameters
    ----------
    log_fidelity
        From :func:`fidelity` of states a step apart.
    step
        Difference of their couplings, in the same shape.

    >>> print(susceptibility(np.array([-0.005]), np.array([0.1])).round(6))
    [1.]
    """
    return np.asarray(-2.0 * log_fidelity / step**2)


def _finite(one: StateForm, other: StateForm) -> float:
    edge = np.ones((1, 1, 1))
    left: Environment = {(0, 0): edge}
    log = 0.0
    for site in range(one.length):
        left = through(left, one.site(site), other.site(site))
        largest = max((float(np.abs(values).max()) for values in left.values()), default=0.0)
        if largest == 0.0:
            return -math.inf
        left = {key: values / largest for key, values in left.items()}
        log += math.log(largest)
    rest = abs(complex(overlap(left, {(0, 0): edge})[0, 0]))
    return min(0.0, (log + math.log(rest)) / one.length) if rest > 0.0 else -math.inf


def _infinite(one: StateForm, other: StateForm, sites: int) -> float:
    kets, bras = (_cores(form, sites) for form in (one, other))
    values, _ = leading_eigenpairs(kets, bras, 1)
    leading = abs(complex(values[0]))
    return min(0.0, math.log(leading) / sites) if leading > 0.0 else -math.inf


def _cores(form: StateForm, sites: int) -> list[Array]:
    return [form.cores[site % form.length] for site in range(sites)]
