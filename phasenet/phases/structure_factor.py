r"""Static structure factor of spins, of a chain from all pairs and of an infinite state exactly.

.. math:: S^a(q) = \frac{1}{L} \sum_{ij} e^{2 \pi i q (j - i)} \langle S^a_i S^a_j \rangle
"""

import numpy as np
from numpy.typing import ArrayLike

from phasenet.phases.correlations import Probe, correlation_matrix, expectations
from phasenet.phases.resolvent import CellSums, cell_sums
from phasenet.phases.spins import Axis
from phasenet.trains.form import State, state_form
from phasenet.trains.train import Array, FloatArray

_PEAK_ATOL = 1e-5


def structure_factor(state: State, axis: Axis, wavenumbers: ArrayLike) -> FloatArray:
    r"""Structure factor :math:`S^a(q)` of spins.

    Of an open chain, the whole double sum divided by its length, with all that is ordered. Of an
    infinite state, the part without Bragg peaks; each adds :math:`w\,\delta(q)` per turn, with the
    weight w of :func:`bragg_weights`, so that
    :math:`\int_0^1 S(q)\,dq + \sum w = \langle (S^a)^2 \rangle`.

    Parameters
    ----------
    state
        State of spins in the z basis.
    axis
        Component a.
    wavenumbers
        q in turns per site, 1/2 for the staggered one.

    Returns
    -------
    Array of the shape of the wavenumbers.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(structure_factor(aklt_cell(), "z", [0.0, 0.25, 0.5]).round(6).tolist())
    [0.0, 0.4, 2.0]
    """
    form, q = state_form(state), np.asarray(wavenumbers, dtype=np.float64)
    operator = f"S{axis}"
    if not form.infinite:
        pairs = correlation_matrix(form, operator, operator)
        return _double_sum(pairs, q) / form.length
    sums = cell_sums(form, Probe.of(form, operator))
    near = correlation_matrix(form, operator, operator, range(form.length)) - sums.ordered
    far = np.array([_far(sums, float(value)) for value in q.ravel()]).reshape(q.shape)
    return np.asarray((_double_sum(near, q) + 2.0 * far) / form.length)


def bragg_weights(state: State, axis: Axis, wavenumbers: ArrayLike) -> FloatArray:
    r"""Weights of the Bragg peaks of spins: the square of the order parameter at q.

    Of an open chain :math:`|\frac{1}{L} \sum_i e^{2 \pi i q i} \langle S^a_i \rangle|^2`, which
    stands in its structure factor times the length. Of an infinite state, what is left of the
    correlations at infinite distance, of a superposition of broken states as well.

    Parameters
    ----------
    state
        State of spins in the z basis.
    axis
        Component a.
    wavenumbers
        q in turns per site.

    Returns
    -------
    Array of the shape of the wavenumbers.

    >>> from phasenet.phases.exact import product_cell
    >>> print(bragg_weights(product_cell([0, 2], 3), "z", [0.0, 0.25, 0.5]).round(6).tolist())
    [0.0, 0.0, 1.0]
    """
    form, q = state_form(state), np.asarray(wavenumbers, dtype=np.float64)
    operator = f"S{axis}"
    if not form.infinite:
        means = expectations(form, operator)
        return _double_sum(np.outer(means, means), q) / form.length**2
    sums = cell_sums(form, Probe.of(form, operator))
    total = np.zeros(q.shape)
    for peak in sums.peaks:
        met = np.abs(np.exp(2j * np.pi * q * form.length) * peak.root - 1.0) < _PEAK_ATOL
        total = total + met * _double_sum(peak.weights, q)
    return np.asarray(total / form.length**2)


def _double_sum(pairs: Array, wavenumbers: FloatArray) -> FloatArray:
    """Real part of the sum over i and j of pairs with their phases, at each wavenumber."""
    phases = np.exp(2j * np.pi * np.multiply.outer(wavenumbers, np.arange(len(pairs))))
    return np.asarray(np.einsum("...i,ij,...j->...", phases.conj(), pairs, phases).real)


def _far(sums: CellSums, wavenumber: float) -> float:
    """Sum of the decaying correlations of one cell with all later ones, with their phases."""
    cell = len(sums.resolvents)
    phases = np.exp(2j * np.pi * wavenumber * np.arange(cell))
    z = complex(np.exp(2j * np.pi * wavenumber * cell))
    parts = [phases.conj() @ found.far_sum(z) for found in sums.resolvents]
    return float((phases @ np.array(parts)).real)
