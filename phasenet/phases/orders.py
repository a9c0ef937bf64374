r"""Local order parameters, read off correlations at a long distance.

.. math:: m^2 = \lim_{r \to \infty} \frac{1}{n^2} \Big| \sum_{i j}
          e^{2 \pi i q (i - j)} \langle A_i A_{j + r} \rangle \Big|

over the n sites i and j of a cell: a symmetric superposition of broken states counts as broken, and
a translation changes nothing. The transfer map is taken in the gauge
:math:`\Lambda^{1/2} B \Lambda^{-1/2}`, where it is a contraction: the edges are
:math:`\Lambda` on both sides (:math:`\Lambda^2` on the left and 1 on the right of right-canonical
cores), and powers of its projection on a Krylov space stay bounded.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from phasenet.criteria import Order
from phasenet.errors import SettingsError
from phasenet.operators import Operator
from phasenet.phases.spins import on_site
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, TensorTrain
from phasenet.trains.transfer import apply_operator, contract_site

DEAD_BAND = 1.4
"""An order parameter within this factor of its threshold is neither present nor absent."""

_LENGTHS, _MOST_CELLS = 10.0, 10_000
# Every period of a broken translation up to 4, and 6, divides it: no phase is left over.
_PERIODS = 12
_LARGEST_PERIOD = 64
_KRYLOV, _CLOSED_TOL = 60, 1e-13
_SMALLEST_SCHMIDT = 1e-8


@dataclass(frozen=True, kw_only=True)
class MeasuredOrder:
    """Local order parameter of a state beside the threshold of its study.

    Parameters
    ----------
    name, threshold
        As in :class:`phasenet.card.Order`.
    value
        m, not negative.

    >>> print(MeasuredOrder(name="magnetisation", threshold=0.05, value=0.4))
    magnetisation 0.4
    """

    name: str
    threshold: float
    value: float

    @property
    def present(self) -> bool | None:
        """Whether the symmetry is broken; None within a factor DEAD_BAND of the threshold."""
        if self.value >= DEAD_BAND * self.threshold:
            return True
        return False if self.value <= self.threshold / DEAD_BAND else None

    def __str__(self) -> str:
        note = f" (undetermined: near {self.threshold:g})" if self.present is None else ""
        return f"{self.name} {self.value:.3g}{note}"


def measured_orders(train: InfiniteTrain, orders: Sequence[Order]) -> tuple[MeasuredOrder, ...]:
    """Local order parameters of an infinite state.

    >>> up = InfiniteTrain(cores=(np.eye(2)[0].reshape(1, 2, 1),), schmidt_values=(np.ones(1),))
    >>> print(*measured_orders(up, [Order(name="magnetisation", operators=("Sz",))]))
    magnetisation 0.5
    """
    length = correlation_length(train) if orders else 0.0
    return tuple(
        MeasuredOrder(name=o.name, threshold=o.threshold, value=order_parameter(train, o, length))
        for o in orders
    )


def order_parameter(train: InfiniteTrain, order: Order, length: float | None = None) -> float:
    r"""Local order parameter m of an infinite state.

    The distance r is 10 correlation lengths or more, but no more than 10 000 cells.

    Parameters
    ----------
    train
        State in the z basis.
    order
        Operators on neighbouring sites, and the wavenumber q.
    length
        Correlation length in sites; found here unless it is known.

    >>> neel = tuple(np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1))
    >>> train = InfiniteTrain(cores=neel, schmidt_values=(np.ones(1),) * 2)
    >>> print(order_parameter(train, Order(name="Neel", operators=("Sz",), wavenumber=0.5)))
    0.5
    """
    cores, edge = _symmetric_gauge(train)
    # Twice an odd cell: what alternates from cell to cell is not uniform.
    sites = math.lcm(train.cell, _period(order), 2)
    padded = sites * math.ceil((sites + len(order.operators) - 1) / sites)
    block = [cores[k % train.cell] for k in range(padded)]
    left = _collected(block, edge, order, range(sites))
    right = _mirror_collected(block, edge, order, range(sites))
    length = correlation_length(train) if length is None else length
    length = min(length, float(_MOST_CELLS * sites))
    cells = _PERIODS * math.ceil((_LENGTHS * length / sites + 1) / _PERIODS)
    square = _far_overlap(left, right, block[:sites], min(cells, _MOST_CELLS))
    return math.sqrt(abs(square)) / sites + 0.0


def chain_order(state: TensorTrain, order: Order) -> float:
    r"""Local order parameter of an open chain: i and j in two blocks of the bulk, mirror images.

    The blocks are the sites from a quarter of the chain on, as many periods of the order as fit
    within an eighth of it, at least one; NaN if the chain is too short for that.

    Parameters
    ----------
    state
        State in the z basis.
    order
        Operators on neighbouring sites, and the wavenumber q.

    >>> neel = TensorTrain(cores=tuple(np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1) * 8))
    >>> print(chain_order(neel, Order(name="Neel", operators=("Sz",), wavenumber=0.5)))
    0.5
    """
    period, span, length = _period(order), len(order.operators), state.length
    sites, first, middle = period * max(1, length // 8 // period), length // 4, length // 2
    last = length - first - sites - span + 1
    if first + sites + span - 1 > middle:
        return math.nan
    form, values = schmidt_form(state)
    beyond = length - first
    left = _collected(form.cores[first:middle], np.diag(values[first] ** 2), order, range(sites))
    right = _mirror_collected(
        form.cores[middle:beyond],
        np.eye(form.cores[beyond - 1].shape[2]),
        order,
        range(last - middle, last - middle + sites),
    )
    return math.sqrt(abs(np.sum(left * right))) / sites + 0.0


def _period(order: Order) -> int:
    """Sites after which the phase of an order repeats."""
    turns = Fraction(order.wavenumber).limit_denominator(_LARGEST_PERIOD)
    if abs(float(turns) - order.wavenumber) > 1e-9:
        raise SettingsError(
            f"order {order.name!r} has wavenumber {order.wavenumber:g}; wanted a fraction of turns "
            f"per site that repeats within {_LARGEST_PERIOD} sites"
        )
    return turns.denominator


def _symmetric_gauge(train: InfiniteTrain) -> tuple[list[Array], Array]:
    """Cores of the cell in the symmetric gauge, and both edges of a stretch of cells."""
    # A gauge may be any positive diagonal; the floor keeps rounding errors small.
    roots = [np.sqrt(np.maximum(s, _SMALLEST_SCHMIDT)) for s in train.schmidt_values]
    cores = [
        roots[site][:, None, None] * core / roots[(site + 1) % train.cell]
        for site, core in enumerate(train.cores)
    ]
    return cores, np.diag(np.asarray(train.schmidt_values[0]))


def _collected(cores: Sequence[Array], edge: Array, order: Order, starts: range) -> Array:
    r"""Left environment :math:`\sum_i e^{2 \pi i q i} A_i` over starts of A, after the cores."""
    return _swept(cores, edge, order.operators, {i: _phase(order, i) for i in starts})


def _mirror_collected(cores: Sequence[Array], edge: Array, order: Order, starts: range) -> Array:
    r"""Right environment :math:`\sum_j e^{-2 \pi i q j} A_j`, before the cores."""
    mirrored = [core.swapaxes(0, 2) for core in reversed(cores)]
    last = len(cores) - len(order.operators)
    phases = {last - j: _phase(order, -j) for j in starts}
    return _swept(mirrored, edge, order.operators[::-1], phases)


def _swept(
    cores: Sequence[Array], edge: Array, names: Sequence[Operator], phases: Mapping[int, complex]
) -> Array:
    """Environment of the sum of a product of operators over where it starts."""
    plain, total = edge, np.zeros_like(edge)
    # Environments that have met 1, 2, ... factors of the product, but not all.
    begun: list[Array | None] = [None] * (len(names) - 1)
    for site, core in enumerate(cores):
        total = _through(total, core, core)
        start = plain * phases[site] if site in phases else None
        for k, (name, values) in enumerate(zip(names, [start, *begun], strict=True)):
            ket = apply_operator(core, on_site(name, core.shape[1]))
            met = None if values is None else _through(values, ket, core)
            if k + 1 < len(names):
                begun[k] = met
            elif met is not None:
                total = total + met
        plain = _through(plain, core, core)
    return total


def _through(values: Array, ket: Array, bra: Array) -> Array:
    return np.asarray(contract_site(values[None], ket, bra)[0])


def _phase(order: Order, site: int) -> complex:
    """Phase of a site, real where it can be."""
    phase = np.exp(2j * np.pi * ((order.wavenumber * site) % 1.0))
    return float(phase.real) if abs(phase.imag) < 1e-12 else complex(phase)


def _far_overlap(left: Array, right: Array, cell: Sequence[Array], cells: int) -> complex:
    """Overlap of two environments over many cells, by powers of the map on a Krylov space."""
    size = float(np.linalg.norm(right))
    if size == 0.0:
        return 0.0
    basis, H = [right / size], np.zeros((_KRYLOV + 1, _KRYLOV), dtype=np.complex128)
    for column in range(_KRYLOV):
        image = basis[-1]
        for core in reversed(cell):
            turned = core.swapaxes(0, 2)
            image = contract_site(image[None], turned, turned)[0]
        for _ in range(2):
            for row, vector in enumerate(basis):
                share = np.vdot(vector, image)
                H[row, column] += share
                image = image - share * vector
        rest = float(np.linalg.norm(image))
        if rest < _CLOSED_TOL or column + 1 == _KRYLOV:
            break
        H[column + 1, column] = rest
        basis.append(image / rest)
    count = len(basis)
    power = np.linalg.matrix_power(H[:count, :count], cells)[:, 0]
    overlaps = np.asarray([np.sum(left * vector) for vector in basis])
    return complex(size * (power @ overlaps))
