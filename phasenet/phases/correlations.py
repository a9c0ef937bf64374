r"""Two-point functions :math:`\langle A_i B_j \rangle`, from one site and of all pairs.

Those of a state with a conserved charge are contracted block by block, and those of all pairs as
one batch of all sites that lie to the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.errors import SettingsError
from phasenet.operators import Operator
from phasenet.phases.spins import on_site
from phasenet.trains.blocks import BlockCore, Environment, Key, joined, overlap, through
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array, FloatArray

_DISTANCES = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """An operator on the sites of a state, real where a factor makes it so.

    Parameters
    ----------
    form
        The state.
    factor
        1 or i.
    matrices
        Operator divided by the factor, for each local dimension.
    """

    form: StateForm
    factor: complex
    matrices: dict[int, Array]

    @classmethod
    def of(cls, form: StateForm, operator: Operator) -> "Probe":
        """Probe of an operator by its name or its matrix."""
        matrices = {dim: on_site(operator, dim) for dim in set(form.site_dims)}
        # S^y is i times a real matrix, and real contractions are four times as fast.
        if all(np.iscomplexobj(m) and not m.real.any() for m in matrices.values()):
            real = {dim: np.ascontiguousarray(m.imag) for dim, m in matrices.items()}
            return cls(form=form, factor=1j, matrices=real)
        return cls(form=form, factor=1.0, matrices=matrices)

    @cached_property
    def is_hermitian(self) -> bool:
        """Whether the operator is its own adjoint."""
        wholes = [self.factor * matrix for matrix in self.matrices.values()]
        return all(np.array_equal(matrix, matrix.conj().T) for matrix in wholes)

    def matrix(self, site: int) -> Array:
        """Return the operator on a site, without its factor."""
        return self.matrices[self.form.site(site).site_dim]

    def begun(self, site: int) -> dict[Key, Array]:
        """Left environment that ends with the operator on a site."""
        return _inserted(self.form.site(site), self.form.left_weights(site), self.matrix(site))

    def ended(self, site: int) -> dict[Key, Array]:
        """Right environment that begins with the operator on a site."""
        core = self.form.site(site).mirrored
        return _inserted(core, np.ones(sum(map(len, core.left))), self.matrix(site))


def expectations(state: State, operator: Operator) -> Array:
    r"""Expectation value :math:`\langle A_i \rangle` of each site, of the chain or of the cell.

    Parameters
    ----------
    state
        Finite or infinite.
    operator
        Name or matrix, see :data:`phasenet.operators.Operator`.

    Returns
    -------
    Array of shape (length,), real for a Hermitian operator.

    >>> from phasenet.phases.exact import product_chain
    >>> print(expectations(product_chain([0, 2], 3), "Sz").tolist())
    [1.0, -1.0]
    """
    form = state_form(state)
    probe = Probe.of(form, operator)
    values = [site_value(form, site, probe.matrix(site)) for site in range(form.length)]
    return _real(probe.factor * np.array(values), probe.is_hermitian)


def correlations(
    state: State,
    first: Operator,
    second: Operator,
    start: int | None = None,
    longest: int | None = None,
) -> Array:
    r"""Correlations :math:`\langle A_i B_{i+r} \rangle` for r = 1, 2, ..., not connected.

    Parameters
    ----------
    state
        Finite or infinite.
    first, second
        The operators A and B, names or matrices.
    start
        Site i; by default a quarter of an open chain, or the first site of the cell.
    longest
        Largest distance r; by default the end of an open chain, or 64 sites.

    Returns
    -------
    Array of shape (longest,), real for Hermitian operators.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(correlations(aklt_cell(), "Sz", "Sz", longest=3).round(6).tolist())
    [-0.444444, 0.148148, -0.049383]
    """
    form = state_form(state)
    start, longest = _reach(form, start, longest)
    a, b = Probe.of(form, first), Probe.of(form, second)
    environment, values = a.begun(start), []
    for site in range(start + 1, start + longest + 1):
        values.append(overlap(environment, b.ended(site))[0, 0])
        if site < start + longest:
            environment = through(environment, form.site(site), form.site(site))
    return _real(a.factor * b.factor * np.array(values), a.is_hermitian and b.is_hermitian)


def connected_correlations(
    state: State,
    first: Operator,
    second: Operator,
    start: int | None = None,
    longest: int | None = None,
) -> Array:
    r"""Connected correlations from one site.

    .. math:: \langle A_i B_{i+r} \rangle - \langle A_i \rangle \langle B_{i+r} \rangle

    Parameters and result as of :func:`correlations`.

    >>> from phasenet.phases.exact import product_cell
    >>> print(connected_correlations(product_cell([0, 2], 3), "Sz", "Sz", longest=3).tolist())
    [0.0, 0.0, 0.0]
    """
    form = state_form(state)
    start, longest = _reach(form, start, longest)
    whole = correlations(form, first, second, start, longest)
    sites = np.arange(start, start + longest + 1) % form.length
    left, right = expectations(form, first)[sites[0]], expectations(form, second)[sites[1:]]
    return np.asarray(whole - left * right)


def correlation_matrix(
    state: State, first: Operator, second: Operator, sites: range | None = None
) -> Array:
    r"""Correlations :math:`\langle A_i B_j \rangle` of all pairs of sites, not connected.

    Parameters
    ----------
    state
        Finite or infinite.
    first, second
        The operators A and B, names or matrices; on the diagonal their product acts.
    sites
        Consecutive sites; all of an open chain by default.

    Returns
    -------
    Array of shape (sites, sites), real for Hermitian operators that are the same.

    >>> from phasenet.phases.exact import product_chain
    >>> print(correlation_matrix(product_chain([0, 2], 3), "Sz", "Sz").tolist())
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    form = state_form(state)
    chosen = _stretch(form, sites)
    a, b = Probe.of(form, first), Probe.of(form, second)
    upper = _upper_pairs(form, a, b, chosen)
    # A_i B_j with j to the left is B_j A_i, for operators on different sites commute.
    lower = upper if first == second else _upper_pairs(form, b, a, chosen)
    same = [site_value(form, site, a.matrix(site) @ b.matrix(site)) for site in chosen]
    values = a.factor * b.factor * (upper + lower.T + np.diag(same))
    return _real(values, a.is_hermitian and first == second)


def connected_matrix(
    state: State, first: Operator, second: Operator, sites: range | None = None
) -> Array:
    r"""Connected correlations of all pairs of sites.

    .. math:: \langle A_i B_j \rangle - \langle A_i \rangle \langle B_j \rangle

    Parameters and result as of :func:`correlation_matrix`.

    >>> from phasenet.phases.exact import product_chain
    >>> print(connected_matrix(product_chain([0, 2], 3), "Sz", "Sz").tolist())
    [[0.0, 0.0], [0.0, 0.0]]
    """
    form = state_form(state)
    chosen = np.asarray(_stretch(form, sites)) % form.length
    left, right = (expectations(form, operator)[chosen] for operator in (first, second))
    return np.asarray(correlation_matrix(form, first, second, sites) - np.outer(left, right))


def _upper_pairs(form: StateForm, first: Probe, second: Probe, sites: Sequence[int]) -> Array:
    """Correlations with the first operator to the left, zero elsewhere; without the factors."""
    columns: list[Array] = []
    batch: Environment = {}
    for count, site in enumerate(sites):
        column = np.zeros(len(sites), dtype=np.complex128)
        if count:
            column[:count] = overlap(batch, second.ended(site))[:, 0] if batch else 0.0
        columns.append(column)
        moved = through(batch, form.site(site), form.site(site))
        batch = joined([moved, first.begun(site)], [count, 1])
    found = np.stack(columns, axis=1)
    return found if np.any(found.imag) else np.ascontiguousarray(found.real)


def _inserted(core: BlockCore, weights: FloatArray, matrix: Array) -> dict[Key, Array]:
    """Environment after one site with a matrix on it, from a diagonal one before it."""
    result: dict[Key, Array] = {}
    for row, column in np.argwhere(matrix).tolist():
        factor = matrix[row, column]
        for group, members in enumerate(core.left):
            bra = core.conjugate.blocks.get((group, row))
            ket = core.blocks.get((group, column))
            if bra is not None and ket is not None:
                part = (ket[1].T * (factor * weights[members])) @ bra[1]
                key = (ket[0], bra[0])
                part = part[:, None] if key not in result else result[key] + part[:, None]
                result[key] = part
    return result


def site_value(form: StateForm, site: int, matrix: Array) -> complex:
    """Expectation value of a matrix on one site."""
    core, weights = form.site(site), form.left_weights(site)
    total = 0.0 + 0.0j
    for row, column in np.argwhere(matrix).tolist():
        for group, members in enumerate(core.left):
            bra, ket = core.blocks.get((group, row)), core.blocks.get((group, column))
            if bra is not None and ket is not None and bra[0] == ket[0]:
                share = np.sum(bra[1].conj() * ket[1] * weights[members, None])
                total += complex(matrix[row, column] * share)
    return total


def _reach(form: StateForm, start: int | None, longest: int | None) -> tuple[int, int]:
    first = (0 if form.infinite else form.length // 4) if start is None else start
    last = _DISTANCES if form.infinite else form.length - 1 - first
    chosen = last if longest is None else longest
    if chosen < 1 or (not form.infinite and (first < 0 or first + chosen >= form.length)):
        raise SettingsError(
            f"sites {first} .. {first + chosen} do not fit a chain of {form.length} sites"
        )
    return first, chosen


def _stretch(form: StateForm, sites: range | None) -> range:
    if sites is None:
        if form.infinite:
            raise SettingsError(
                "an infinite state has no matrix of all pairs; give sites, such as range(20)"
            )
        return range(form.length)
    fits = form.infinite or (sites and sites[0] >= 0 and sites[-1] < form.length)
    if sites.step != 1 or not sites or not fits:
        raise SettingsError(
            f"sites are {sites}; wanted consecutive ones of a state of {form.length} sites"
        )
    return sites


def _real(values: Array, known_real: bool) -> Array:
    return np.ascontiguousarray(values.real) if known_real else np.asarray(values)
