"""Exact values of what is estimated from shots, averaged over the same places."""

from collections.abc import Sequence

import numpy as np

from phasenet.criteria import StringOrder
from phasenet.operators import Operator
from phasenet.phases.correlations import correlation_matrix, expectations
from phasenet.phases.strings import string_profile
from phasenet.trains.form import StateForm
from phasenet.trains.train import IntArray


def exact_string(form: StateForm, string: StringOrder, pairs: Sequence[tuple[int, int]]) -> float:
    """String order averaged over pairs of sites.

    Parameters
    ----------
    form
        Open chain, or an infinite state whose sites are counted on from its first cell.
    string
        What is measured.
    pairs
        Sites where the left and the right end begin.

    >>> from phasenet.criteria import spin_string
    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> print(f"{exact_string(state_form(aklt_cell()), spin_string('z', 3), [(0, 4), (1, 3)]):.4f}")
    0.4444
    """
    longest: dict[int, int] = {}
    for i, j in pairs:
        longest[i] = max(j - i, longest.get(i, 0))
    values: dict[tuple[int, int], float] = {}
    for first, reach in longest.items():
        found = string_profile(form, string, first, reach)
        for distance, value in zip(found.distances.tolist(), found.values.tolist(), strict=True):
            values[first, first + distance] = value
    return float(np.mean([values[pair] for pair in pairs]))


def exact_local(form: StateForm, operator: Operator, places: IntArray) -> float:
    """Expectation value of an operator, averaged over some sites; its real part.

    >>> from phasenet.phases.exact import product_chain
    >>> from phasenet.trains.form import state_form
    >>> exact_local(state_form(product_chain([0, 2, 2], 3)), "Sz", np.array([0, 1]))
    0.0
    """
    return float(expectations(form, operator)[places % form.length].real.mean())


def exact_correlation(
    form: StateForm, first: Operator, second: Operator, starts: IntArray, distance: int
) -> float:
    r"""Two-point function :math:`\langle A_i B_{i+r} \rangle` averaged over sites i; its real part.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> form = state_form(aklt_cell())
    >>> print(f"{exact_correlation(form, 'Sz', 'Sz', np.arange(3), 1):.4f}")
    -0.4444
    """
    sites = range(int(starts.max()) + distance + 1) if form.infinite else None
    found = correlation_matrix(form, first, second, sites)
    return float(found[starts, starts + distance].real.mean())


def exact_purity(form: StateForm, window: range) -> float:
    r"""Purity :math:`\mathrm{tr}\,\rho^2` of a few neighbouring sites, from their density matrix.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> print(f"{exact_purity(state_form(aklt_cell()), range(1)):.6f}")
    0.333333
    """
    bond = len(form.left_weights(window[0]))
    amplitudes = np.sqrt(form.left_weights(window[0]))[:, None, None] * np.eye(bond)[:, None]
    for site in window:
        core = form.cores[site % form.length]
        amplitudes = np.einsum("lxa,asb->lxsb", amplitudes, core, optimize=True)
        amplitudes = amplitudes.reshape(bond, -1, core.shape[2])
    rows = amplitudes.transpose(1, 0, 2).reshape(amplitudes.shape[1], -1)
    return float(np.linalg.norm(rows @ rows.conj().T) ** 2)
