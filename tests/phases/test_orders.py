"""Local orders of closed-form states, of broken states and of their superpositions."""

import functools
import itertools
import math

import numpy as np
import pytest

from phasenet.criteria import Order
from phasenet.errors import SettingsError
from phasenet.phases import orders as module
from phasenet.phases.exact import aklt_cell, aklt_chain, product_cell, product_chain
from phasenet.phases.orders import MeasuredOrder, chain_order, measured_orders, order_parameter
from phasenet.phases.spins import on_site
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from phasenet.trains.transfer import contract_site

STAGGERED = Order(name="staggered magnetisation", operators=("Sz",), wavenumber=0.5)
UNIFORM = Order(name="magnetisation", operators=("Sz",))
DIMER = Order(name="dimer order", operators=("Sz", "Sz"), wavenumber=0.5)
ANTIPHASE = Order(name="antiphase", operators=("Z",), wavenumber=0.25)
SINGLET = (
    np.array([[[1.0, 0.0], [0.0, 1.0]]]) * np.sqrt(0.5),
    np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
)


def dimers(shift=0):
    schmidt = (np.ones(1), np.full(2, np.sqrt(0.5)))
    places = (shift, 1 - shift)
    return InfiniteTrain(
        cores=tuple(SINGLET[k] for k in places), schmidt_values=tuple(schmidt[k] for k in places)
    )


def superposed(cells):
    """Equal superposition of product states, each given by one local state a site."""
    count = len(cells)
    cores = []
    for states in zip(*cells, strict=True):
        core = np.zeros((count, 2, count))
        for branch, state in enumerate(states):
            core[branch, state, branch] = 1.0
        cores.append(core)
    values = np.full(count, 1 / np.sqrt(count))
    return InfiniteTrain(cores=tuple(cores), schmidt_values=(values,) * len(cores))


def fixed_point(cores):
    """Leading right fixed point of X -> sum_s A X A^T over the cell, at each bond; eigenvalue 1."""
    maps = functools.reduce(
        np.matmul, [np.einsum("asb,csd->acbd", c, c).reshape(c.shape[0] ** 2, -1) for c in cores]
    )
    values, columns = np.linalg.eig(maps)
    best = np.argmax(np.abs(values))
    right = columns[:, best].real.reshape(len(cores[0]), -1)
    found = [right / np.trace(right)]
    for core in reversed(cores):
        found.insert(0, np.einsum("asb,bc,dsc->ad", core, found[0], core))
    return found, float(values[best].real)


def random_cell(cell, dim, bond, seed):
    """Random infinite state in canonical form."""
    rng = np.random.default_rng(seed)
    cores = [rng.normal(size=(bond, dim, bond)) for _ in range(cell)]
    cores[0] = cores[0] / np.sqrt(fixed_point(cores)[1])
    rights = fixed_point(cores)[0]
    roots = [np.linalg.cholesky(right) for right in (*rights[:-1], rights[0])]
    cores = [
        np.einsum("ab,bsc,cd->asd", np.linalg.inv(roots[k]), core, roots[k + 1])
        for k, core in enumerate(cores)
    ]
    mirrored = [core.swapaxes(0, 2) for core in reversed(cores)]
    lefts = fixed_point(mirrored)[0][::-1]
    squares, turns = zip(*(np.linalg.eigh(left / np.trace(left)) for left in lefts), strict=True)
    turns = (*turns[:-1], turns[0])
    return InfiniteTrain(
        cores=tuple(
            np.einsum("ba,bsc,cd->asd", turns[k], core, turns[k + 1])
            for k, core in enumerate(cores)
        ),
        schmidt_values=tuple(np.sqrt(values) for values in squares[:-1]),
    )


def one_site_expectation(train, site, operator):
    core, weights = train.cores[site], train.schmidt_values[site] ** 2
    return np.einsum("a,asb,st,atb->", weights, core, operator, core).real


@pytest.mark.parametrize(
    ("cell", "wavenumber"), [(1, 0.0), (2, 0.0), (2, 0.5), (4, 0.25), (3, 0.5)]
)
def test_a_state_with_one_branch_has_the_fourier_component_of_its_sites(cell, wavenumber):
    train = random_cell(cell, 3, 4, 1)
    for core in train.cores:
        np.testing.assert_allclose(
            np.einsum("asb,csb->ac", core, core), np.eye(len(core)), atol=1e-10
        )
    count = math.lcm(cell, round(1 / wavenumber) if wavenumber else 1)
    operator = on_site("Sz", 3)
    sites = [one_site_expectation(train, k % cell, operator) for k in range(count)]
    wanted = np.abs(np.exp(2j * np.pi * wavenumber * np.arange(count)) @ sites) / count
    found = order_parameter(train, Order(name="o", operators=("Sz",), wavenumber=wavenumber))
    # What is left of the correlations at ten correlation lengths.
    assert found == pytest.approx(wanted, abs=1e-4)


def test_a_product_of_operators_in_a_state_with_one_branch():
    train, x, z = random_cell(2, 2, 3, 2), *(on_site(n, 2) for n in ("Sx", "Sz"))
    pairs = []
    for site in (0, 1):
        first, second = train.cores[site], train.cores[1 - site]
        weights = train.schmidt_values[site] ** 2
        pairs.append(
            np.einsum("a,asb,st,ate,buc,uv,evc->", weights, first, x, first, second, z, second)
        )
    for wavenumber, wanted in ((0.0, sum(pairs) / 2), (0.5, (pairs[0] - pairs[1]) / 2)):
        order = Order(name="o", operators=("Sx", "Sz"), wavenumber=wavenumber)
        assert order_parameter(train, order) == pytest.approx(abs(wanted), abs=1e-6)


@pytest.mark.parametrize("cells", [1, 5, 30, 300, 4000])
@pytest.mark.parametrize("bond", [3, 12])
def test_powers_on_a_krylov_space_are_powers_of_the_map(cells, bond):
    train = random_cell(2, 2, bond, 3)
    cores, edge = module._symmetric_gauge(train)
    rng = np.random.default_rng(0)
    right, left = (rng.normal(size=edge.shape) for _ in range(2))
    wanted = right
    for _ in range(cells):
        for core in reversed(cores):
            wanted = contract_site(wanted[None], core.swapaxes(0, 2), core.swapaxes(0, 2))[0]
    found = module._far_overlap(left, right, cores, cells)
    assert found == pytest.approx(np.sum(left * wanted), rel=1e-8)


def test_neel_order_of_broken_states_and_of_their_superposition():
    for cell in (product_cell([0, 1], 2), product_cell([1, 0] * 2, 2)):
        assert order_parameter(cell, STAGGERED) == pytest.approx(0.5, abs=1e-12)
        assert order_parameter(cell, UNIFORM) == 0.0
    cat = superposed([(0, 1), (1, 0)])
    assert order_parameter(cat, STAGGERED) == pytest.approx(0.5, abs=1e-12)
    assert order_parameter(cat, UNIFORM) == pytest.approx(0.0, abs=1e-12)


def test_the_superposition_may_be_translation_invariant():
    # One site in the cell: a translation exchanges the two branches.
    core = np.zeros((2, 2, 2))
    core[0, 0, 1] = core[1, 1, 0] = 1.0
    cat = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    assert order_parameter(cat, STAGGERED) == pytest.approx(0.5, abs=1e-12)
    assert order_parameter(cat, UNIFORM) == pytest.approx(0.0, abs=1e-12)


def test_ghz_states_are_magnetised():
    ghz = superposed([(0,), (1,)])
    assert order_parameter(ghz, UNIFORM) == pytest.approx(0.5, abs=1e-12)
    assert order_parameter(ghz, STAGGERED) == pytest.approx(0.0, abs=1e-12)
    assert order_parameter(ghz, Order(name="x", operators=("X",))) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("shift", range(4))
def test_antiphase_order_does_not_depend_on_where_the_cell_begins(shift):
    states = np.roll([0, 0, 1, 1], shift)
    assert order_parameter(product_cell(states, 2), ANTIPHASE) == pytest.approx(np.sqrt(0.5))
    assert order_parameter(product_cell(states, 2), STAGGERED) == pytest.approx(0.0, abs=1e-12)
    cat = superposed([np.roll([0, 0, 1, 1], k) for k in range(4)])
    assert order_parameter(cat, ANTIPHASE) == pytest.approx(np.sqrt(0.5))
    assert order_parameter(cat, UNIFORM) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("shift", [0, 1])
def test_dimers(shift):
    # <Sz Sz> is -1/4 within a singlet and 0 between two: half of the difference is 1/8.
    assert order_parameter(dimers(shift), DIMER) == pytest.approx(1 / 8, abs=1e-12)
    assert order_parameter(dimers(shift), STAGGERED) == pytest.approx(0.0, abs=1e-12)


def test_short_correlations_are_no_order():
    for order in (STAGGERED, UNIFORM, DIMER):
        assert order_parameter(aklt_cell(), order) == pytest.approx(0.0, abs=1e-2)
    # <Sz Sz> of neighbours is -4/9 everywhere (Affleck, Kennedy, Lieb, Tasaki 1988).
    uniform = Order(name="bond", operators=("Sz", "Sz"))
    assert order_parameter(aklt_cell(), uniform) == pytest.approx(4 / 9, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "present"), [(0.0, False), (0.03, False), (0.05, None), (0.069, None), (0.08, True)]
)
def test_between_present_and_absent_nothing_is_said(value, present):
    order = MeasuredOrder(name="m", threshold=0.05, value=value)
    assert order.present is present
    assert ("undetermined" in str(order)) == (present is None)


def test_several_orders_at_once():
    found = measured_orders(product_cell([0, 1], 2), (STAGGERED, UNIFORM))
    assert [(order.name, order.present) for order in found] == [
        ("staggered magnetisation", True),
        ("magnetisation", False),
    ]
    assert measured_orders(aklt_cell(), ()) == ()


def random_chain(length, dim, seed):
    rng = np.random.default_rng(seed)
    bonds = [1, *[3] * (length - 1), 1]
    return TensorTrain(
        cores=tuple(rng.normal(size=(a, dim, b)) for a, b in itertools.pairwise(bonds))
    )


@pytest.mark.parametrize("names", [("Sz",), ("Sx", "Sz")])
@pytest.mark.parametrize("wavenumber", [0.0, 0.5])
def test_open_chains_against_dense_sums(names, wavenumber):
    length, dim = 9, 2
    chain = random_chain(length, dim, 4)
    words = np.array(list(itertools.product(range(dim), repeat=length)))
    psi = chain(words)
    psi = psi / np.linalg.norm(psi)

    def dense(site):
        factors = [np.eye(dim)] * length
        for k, name in enumerate(names):
            factors[site + k] = on_site(name, dim)
        return functools.reduce(np.kron, factors)

    period, span = (2 if wavenumber else 1), len(names)
    first = length // 4
    lefts = range(first, first + period)
    last = length - first - period - span + 1
    total = sum(
        np.exp(2j * np.pi * wavenumber * (i - j)) * (psi @ dense(i) @ dense(j) @ psi)
        for i in lefts
        for j in range(last, last + period)
    )
    order = Order(name="o", operators=names, wavenumber=wavenumber)
    if first + period + span - 1 > length // 2:
        assert math.isnan(chain_order(chain, order))
    else:
        found = chain_order(chain, order)
        assert found == pytest.approx(np.sqrt(abs(total)) / period, abs=1e-10)


def test_open_chains_of_closed_form():
    assert chain_order(product_chain([0, 1] * 12, 2), STAGGERED) == pytest.approx(0.5)
    assert chain_order(product_chain([0, 0, 1, 1] * 8, 2), ANTIPHASE) == pytest.approx(np.sqrt(0.5))
    assert chain_order(aklt_chain(32), STAGGERED) < 0.02
    assert math.isnan(chain_order(product_chain([0, 1] * 2, 2), ANTIPHASE))


def test_what_cannot_be_measured_is_one_line():
    cell = product_cell([0, 1], 2)
    with pytest.raises(SettingsError, match="repeats within 64 sites"):
        order_parameter(cell, Order(name="odd", operators=("Sz",), wavenumber=0.1234567))
    with pytest.raises(SettingsError, match="'Sw' is unknown; wanted 1"):
        order_parameter(cell, Order(name="odd", operators=("Sw",)))
    with pytest.raises(SettingsError, match="Pauli matrix X acts on 2 local states"):
        order_parameter(aklt_cell(), Order(name="odd", operators=("X",)))
