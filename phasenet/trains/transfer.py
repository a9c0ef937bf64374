"""Transfer of environments through the sites of a state, and the spectrum of a transfer map.

An environment is everything to one side of a bond, contracted: axes (batch, ket bond, one bond per
function, bra bond). A *function* is a real train that acts as a diagonal operator in the local
basis. Environments are rescaled at every site and carry the logarithm of what was taken out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg

from phasenet.errors import SettingsError, ShapeError
from phasenet.seeds import stream
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, TensorTrain

_DENSE_SIZE = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Environment:
    """One side of a bond, contracted: ``values * exp(log_scale)``.

    Parameters
    ----------
    values
        Array of shape (batch, ket bond, one bond per function, bra bond).
    log_scale
        Natural logarithm of a positive factor.
    """

    values: Array
    log_scale: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Stretch of sites between a left and a right environment.

    Parameters
    ----------
    cores
        Cores of the state, axes (left, site, right).
    left, right
        What lies outside, without functions: values of shape (1, ket bond, bra bond).
    """

    cores: tuple[Array, ...]
    left: Environment
    right: Environment


def finite_chain(state: TensorTrain) -> Chain:
    """All sites of a finite state, which need not be canonical or normalised.

    >>> print(len(finite_chain(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)).cores))
    3
    """
    if state.output_site is not None:
        raise ShapeError(f"the state has an output leg at site {state.output_site}; wanted none")
    edge = Environment(values=np.ones((1, 1, 1)))
    return Chain(cores=state.cores, left=edge, right=edge)


def infinite_stretch(train: InfiniteTrain, start: int, sites: int) -> Chain:
    """``sites`` sites of an infinite state, from site ``start`` (counted modulo the cell) on.

    >>> cell = InfiniteTrain(cores=(np.ones((1, 1, 1)),), schmidt_values=(np.ones(1),))
    >>> print(len(infinite_stretch(cell, 0, 5).cores))
    5
    """
    if sites < 1:
        raise SettingsError(f"a stretch of {sites} sites is empty; ask for at least one site")
    first = start % train.cell
    cores = tuple(train.cores[(first + k) % train.cell] for k in range(sites))
    left = np.diag(np.asarray(train.schmidt_values[first]) ** 2)
    right = np.eye(cores[-1].shape[2])
    return Chain(
        cores=cores, left=Environment(values=left[None]), right=Environment(values=right[None])
    )


def apply_operator(core: Array, operator: Array | None) -> Array:
    """Core of the state after an on-site operator, a matrix or the vector of a diagonal one.

    >>> apply_operator(np.ones((1, 2, 1)), np.array([1.0, -1.0]))[0, :, 0].tolist()
    [1.0, -1.0]
    """
    if operator is None:
        return core
    if operator.shape[0] != core.shape[1]:
        raise ShapeError(
            f"an on-site operator has dimension {operator.shape[0]}; the site has {core.shape[1]}"
        )
    if operator.ndim == 1:
        return np.asarray(core * operator[:, None])
    return np.asarray(np.einsum("st,ltr->lsr", operator, core))


def step_right(
    environment: Environment, ket: Array, bra: Array, diagonals: Sequence[Array] = ()
) -> Environment:
    """Left environment, taken through one more site.

    Parameters
    ----------
    environment
        Everything to the left of the site.
    ket, bra
        Cores of the site; ``bra`` is conjugated here.
    diagonals
        One core per function. Those with a fourth axis (output) share that index, and it becomes
        the batch of the result.
    """
    outputs = [core.shape[3] for core in diagonals if core.ndim == 4]
    if not outputs:
        values = contract_site(environment.values, ket, bra, diagonals)
        return _rescaled(values, environment.log_scale)
    if environment.values.shape[0] != 1:
        raise ShapeError("the output leg must be met once; give functions with one output_site")
    parts = []
    for output in range(outputs[0]):
        chosen = [core[..., output] if core.ndim == 4 else core for core in diagonals]
        parts.append(contract_site(environment.values, ket, bra, chosen))
    return _rescaled(np.concatenate(parts), environment.log_scale)


def step_left(
    environment: Environment, ket: Array, bra: Array, diagonals: Sequence[Array] = ()
) -> Environment:
    """Right environment, taken through one more site; see :func:`step_right`."""
    mirrored = [core.swapaxes(0, 2) for core in diagonals]
    return step_right(environment, ket.swapaxes(0, 2), bra.swapaxes(0, 2), mirrored)


def contract_site(values: Array, ket: Array, bra: Array, diagonals: Sequence[Array] = ()) -> Array:
    """Values of an environment, contracted with one site from the left, without rescaling.

    The cost is ``d n (chi_f chi^3 + chi_f^2 chi^2)`` for one function of bond ``chi_f``.
    """
    shape = (values.shape[0], bra.shape[2], *(core.shape[2] for core in diagonals), ket.shape[2])
    total = np.zeros(shape, dtype=np.result_type(values, ket, bra, *diagonals))
    for state in range(ket.shape[1]):
        if not ket[:, state].any():
            continue
        part = np.tensordot(values, bra[:, state].conj(), axes=(-1, 0))
        for core in diagonals:
            # Each contraction moves its bond to the end, so the next function is at axis 2 again.
            part = np.tensordot(part, core[:, state], axes=(2, 0))
        total += np.tensordot(part, ket[:, state], axes=(1, 0))
    return np.moveaxis(total, (1, -1), (-1, 1))


def closed(left: Environment, right: Environment) -> tuple[Array, float]:
    """Contraction of the two sides of a bond: values of shape (batch,), logarithm of a factor."""
    rows, columns = (env.values.reshape(env.values.shape[0], -1) for env in (left, right))
    values: Array = (rows * columns).sum(axis=1)
    return values, left.log_scale + right.log_scale


def expectation(
    chain: Chain,
    operators: Sequence[Array | None],
    functions: Sequence[TensorTrain] = (),
) -> Array:
    r"""Expectation value :math:`\langle\prod_k O_k \prod f\rangle`, shape (batch,).

    Parameters
    ----------
    chain
        The state.
    operators
        One matrix, vector or None (the identity) per site.
    functions
        Trains on the same sites; all outputs at one common site.

    >>> chain = finite_chain(TensorTrain(cores=(np.ones((1, 2, 1)),) * 2))
    >>> print(f"{expectation(chain, [np.array([1.0, 0.0])] * 2)[0]:.2f}")
    0.25
    """
    _check_functions(chain, functions)
    if len(operators) != len(chain.cores):
        raise ShapeError(f"{len(operators)} on-site operators for {len(chain.cores)} sites")
    # Left and right meet at the output leg, so that neither sweep carries the outputs.
    sites = [f.output_site for f in functions if f.output_site is not None]
    meeting = sites[0] if sites else len(chain.cores) // 2
    kets = [apply_operator(*pair) for pair in zip(chain.cores, operators, strict=True)]
    left, right = (_open(env, len(functions)) for env in (chain.left, chain.right))
    for site in range(meeting + 1):
        left = step_right(left, kets[site], chain.cores[site], _diagonals(functions, site))
    for site in range(len(kets) - 1, meeting, -1):
        right = step_left(right, kets[site], chain.cores[site], _diagonals(functions, site))
    values, log = closed(left, right)
    return np.asarray(values * np.exp(log + _log_factor(chain, functions)))


def site_expectations(
    chain: Chain, operators: Sequence[Array], functions: Sequence[TensorTrain] = ()
) -> Array:
    r"""Expectation values :math:`\langle O_j \prod f\rangle` at each site j, shape (length, batch).

    >>> chain = finite_chain(TensorTrain(cores=(np.ones((1, 2, 1)),) * 2))
    >>> print(site_expectations(chain, [np.array([1.0, 0.0])] * 2)[:, 0].round(2).tolist())
    [0.5, 0.5]
    """
    rights = _right_environments(chain, functions)
    left = _open(chain.left, len(functions))
    factor, rows = _log_factor(chain, functions), []
    for site, (core, operator) in enumerate(zip(chain.cores, operators, strict=True)):
        diagonals = _diagonals(functions, site)
        inserted = step_right(left, apply_operator(core, operator), core, diagonals)
        values, log = closed(inserted, rights[site])
        rows.append(values * np.exp(log + factor))
        left = step_right(left, core, core, diagonals)
    return np.stack(rows)


def string_sums(
    chain: Chain,
    ends: Sequence[Array],
    middle: Sequence[Array],
    starts: Collection[int],
    functions: Sequence[TensorTrain] = (),
) -> Array:
    r"""Strings summed over where they start, for every site where they end.

    .. math:: \sum_{i \in \mathrm{starts},\, i<j}
              \Big\langle e_i \prod_{i<k<j} m_k \, e_j \prod f\Big\rangle

    One start gives every string from that site; many starts cost the same.

    Parameters
    ----------
    chain
        The state.
    ends, middle
        The operators e and m of each site, matrices or vectors.
    starts
        Sites i.
    functions
        Trains on the same sites; all outputs at one common site.

    Returns
    -------
    Array of shape (length, batch), zero where no string can end.

    >>> chain = finite_chain(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))
    >>> half = [np.array([1.0, 0.0])] * 3
    >>> print(string_sums(chain, half, half, (0,))[:, 0].round(3).tolist())
    [0.0, 0.25, 0.125]
    """
    if not starts or min(starts) < 0 or max(starts) >= len(chain.cores):
        raise SettingsError(f"strings start at {starts}; wanted sites 0 .. {len(chain.cores) - 1}")
    rights = _right_environments(chain, functions)
    factor = _log_factor(chain, functions)
    plain, string = _open(chain.left, len(functions)), None
    rows = []
    for site, core in enumerate(chain.cores):
        diagonals = _diagonals(functions, site)
        end = apply_operator(core, ends[site])
        if string is None:
            rows.append(np.zeros(1))
        else:
            values, log = closed(step_right(string, end, core, diagonals), rights[site])
            rows.append(values * np.exp(log + factor))
            string = step_right(string, apply_operator(core, middle[site]), core, diagonals)
        if site in starts:
            begun = step_right(plain, end, core, diagonals)
            string = begun if string is None else _added(string, begun)
        if site < max(starts):
            plain = step_right(plain, core, core, diagonals)
    width = max(len(row) for row in rows)
    return np.stack([np.broadcast_to(row, (width,)) for row in rows])


def leading_eigenpairs(
    kets: Sequence[Array], bras: Sequence[Array], count: int
) -> tuple[Array, Array]:
    r"""Leading eigenvalues and eigenvectors of :math:`E(X) = \sum_s K_s X B_s^\dagger` over a cell.

    Parameters
    ----------
    kets, bras
        Cores K and B of one cell; ``bras`` is conjugated here.
    count
        How many are wanted; a smaller space gives fewer.

    Returns
    -------
    Eigenvalues by falling modulus, and eigenvectors of shape (count, ket bond, bra bond).

    >>> values, vectors = leading_eigenpairs([np.ones((1, 1, 1))], [np.ones((1, 1, 1))], 1)
    >>> print(f"{values[0].real:.3f}")
    1.000
    """
    shape = (kets[0].shape[0], bras[0].shape[0])
    size = shape[0] * shape[1]

    def image(vector: Array) -> Array:
        values = vector.reshape(-1, *shape)
        for ket, bra in zip(reversed(kets), reversed(bras), strict=True):
            values = contract_site(values, ket.swapaxes(0, 2), bra.swapaxes(0, 2))
        return values.reshape(-1, size)

    if size <= max(_DENSE_SIZE, count + 2):
        values, columns = np.linalg.eig(image(np.eye(size)).T)
    else:
        dtype = np.result_type(np.float64, *kets, *bras)
        matvec = scipy.sparse.linalg.LinearOperator(
            (size, size), lambda v: image(v)[0], dtype=dtype
        )
        values, columns = _krylov(matvec, size, count)
    order = np.argsort(-np.abs(values), kind="stable")[:count]
    return values[order], columns[:, order].T.reshape(-1, *shape)


def _krylov(
    operator: scipy.sparse.linalg.LinearOperator, size: int, count: int
) -> tuple[Array, Array]:
    start = stream(0, "transfer", "start vector").normal(size=size)
    # Near a critical point the leading eigenvalues crowd, and a small Krylov space stalls.
    width = min(max(40, 2 * count + 1), size - 1)
    try:
        values, columns = scipy.sparse.linalg.eigs(operator, k=count, v0=start, ncv=width)
    except scipy.sparse.linalg.ArpackNoConvergence as stalled:
        if len(stalled.eigenvalues) == 0:
            raise SettingsError(f"no eigenvalue of a map of size {size} converged") from None
        values, columns = stalled.eigenvalues, stalled.eigenvectors
    return values, columns


def _right_environments(chain: Chain, functions: Sequence[TensorTrain]) -> list[Environment]:
    """Environment to the right of each site."""
    _check_functions(chain, functions)
    rights = [_open(chain.right, len(functions))]
    for site in range(len(chain.cores) - 1, 0, -1):
        core = chain.cores[site]
        rights.append(step_left(rights[-1], core, core, _diagonals(functions, site)))
    return rights[::-1]


def _log_factor(chain: Chain, functions: Sequence[TensorTrain]) -> float:
    """Logarithm of the factor from a contraction of cores to an expectation value."""
    left = chain.left
    for core in chain.cores:
        left = step_right(left, core, core)
    norm, log = closed(left, chain.right)
    if not norm[0].real > 0.0:
        raise ShapeError("the state has norm zero; it has no expectation values")
    return sum(f.log_scale for f in functions) - log - float(np.log(norm[0].real))


def _open(environment: Environment, functions: int) -> Environment:
    """Environment with a bond of dimension 1 for each function."""
    batch, ket, bra = environment.values.shape
    values = environment.values.reshape(batch, ket, *(1,) * functions, bra)
    return Environment(values=values, log_scale=environment.log_scale)


def _added(first: Environment, second: Environment) -> Environment:
    log = max(first.log_scale, second.log_scale)
    values = first.values * np.exp(first.log_scale - log)
    return Environment(
        values=values + second.values * np.exp(second.log_scale - log), log_scale=log
    )


def _rescaled(values: Array, log_scale: float) -> Environment:
    size = float(np.abs(values).max(initial=0.0))
    if size == 0.0:
        return Environment(values=values, log_scale=log_scale)
    return Environment(values=values / size, log_scale=log_scale + float(np.log(size)))


def _diagonals(functions: Sequence[TensorTrain], site: int) -> list[Array]:
    return [function.cores[site] for function in functions]


def _check_functions(chain: Chain, functions: Sequence[TensorTrain]) -> None:
    dims = tuple(core.shape[1] for core in chain.cores)
    for function in functions:
        if function.site_dims != dims:
            raise ShapeError(
                f"a function has {function.length} sites of dimensions {set(function.site_dims)}; "
                f"the state has {len(dims)} of {set(dims)}"
            )
        if any(np.iscomplexobj(core) for core in function.cores):
            raise ShapeError("a function has complex cores; a diagonal observable must be real")
