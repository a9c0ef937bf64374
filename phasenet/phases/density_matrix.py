"""Reduced density matrices of a few neighbouring sites, of finite and infinite states."""

import math

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array

LARGEST_DENSITY_MATRIX = 729
"""Most local configurations of a stretch: six sites of three states each."""

# Entries of the amplitudes that are held at a time: 32 MB.
_ENTRIES = 2**22


def reduced_density_matrix(state: State, start: int, sites: int) -> Array:
    r"""Density matrix of neighbouring sites, everything around them traced out.

    .. math:: \rho_{s t} = \sum_{a b} \Lambda_a^2 \, (B^{s_1} \cdots B^{s_n})_{ab}
              \overline{(B^{t_1} \cdots B^{t_n})}_{ab}

    with right-canonical cores B and the Schmidt values :math:`\Lambda` on the left.

    Parameters
    ----------
    state
        Finite or infinite.
    start, sites
        First site, and how many.

    Returns
    -------
    Array of shape (d^n, d^n), real for a real state; local states in the order of the first site,
    those of the last one run fastest. Its trace is 1.

    Raises
    ------
    SettingsError
        The sites do not fit, or have more than 729 local configurations.

    >>> from phasenet.phases.exact import aklt_cell
    >>> found = reduced_density_matrix(aklt_cell(), 0, 2)
    >>> print(np.linalg.eigvalsh(found)[-4:].round(4).tolist())
    [0.2222, 0.2222, 0.2222, 0.3333]
    """
    form = state_form(state)
    if sites < 1:
        raise SettingsError(f"sites is {sites}; wanted at least 1")
    if not form.infinite and not 0 <= start <= form.length - sites:
        raise SettingsError(
            f"sites {start} .. {start + sites - 1} do not fit a chain of {form.length} sites"
        )
    dims = [form.site(site).site_dim for site in range(start, start + sites)]
    size = math.prod(dims)
    if size > LARGEST_DENSITY_MATRIX:
        raise SettingsError(
            f"a density matrix of {sites} sites has {size} rows; wanted at most "
            f"{LARGEST_DENSITY_MATRIX}: take fewer sites"
        )
    weights = form.left_weights(start)
    batch = max(1, _ENTRIES // (size * max(_core(form, start + k).shape[2] for k in range(sites))))
    rho: Array = np.zeros((size, size), dtype=np.result_type(np.float64, *form.cores))
    for first in range(0, len(weights), batch):
        rows = slice(first, first + batch)
        amplitudes = np.sqrt(weights[rows, None, None]) * _core(form, start)[rows]
        for site in range(start + 1, start + sites):
            core = _core(form, site)
            joined = np.tensordot(amplitudes, core, axes=(2, 0))
            amplitudes = joined.reshape(len(joined), -1, core.shape[2])
        matrix = amplitudes.swapaxes(0, 1).reshape(size, -1)
        rho += matrix @ matrix.conj().T
    return np.asarray(rho / np.trace(rho).real)


def _core(form: StateForm, site: int) -> Array:
    return form.cores[site % form.length]
