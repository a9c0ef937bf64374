"""What a train is as a state: fidelity with a known one, string orders and SPT invariants."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet.card import StudyCard
from phasenet.criteria import SPIN_SYMMETRIES, StringOrder, Symmetry, spin_string
from phasenet.errors import ShapeError
from phasenet.phases.haegeman import haegeman_order
from phasenet.phases.many_body_values import default_sites
from phasenet.phases.spins import is_integer_spin
from phasenet.phases.spt import DETERMINED, Invariant, invariants
from phasenet.phases.string_report import turned
from phasenet.phases.strings import bulk_string_order
from phasenet.trains.form import StateForm, state_form
from phasenet.trains.inner import inner, log_norm
from phasenet.trains.train import FloatArray, IntArray, TensorTrain

# Sites below which neither strings of the bulk nor invariants of the middle say anything.
_SHORTEST = 8
# Of the trace on a bond from +1 or -1.
_RAW_ATOL = 0.05


@dataclass(frozen=True, kw_only=True)
class StateQuestions:
    """What is asked of a state.

    Parameters
    ----------
    symmetries
        Whose invariants are asked for; the first commutation among them has an order parameter.
    strings
        String orders of the bulk.
    sites
        Sites of a block of the order parameter; None for a fifth of the chain.
    """

    symmetries: tuple[Symmetry, ...]
    strings: tuple[StringOrder, ...]
    sites: int | None = None

    @classmethod
    def of(cls, card: StudyCard | None, site_dim: int) -> "StateQuestions":
        """Those of a study; without one, and for what it leaves open, those of spins.

        >>> [string.name for string in StateQuestions.of(None, 3).strings]
        ['x', 'y', 'z']
        """
        strings = () if card is None else card.strings
        if not strings and is_integer_spin(site_dim):
            strings = tuple(spin_string(axis, site_dim) for axis in ("x", "y", "z"))
        symmetries = () if card is None else card.symmetries
        return cls(symmetries=symmetries or SPIN_SYMMETRIES, strings=strings)

    @property
    def commutation(self) -> Symmetry | None:
        """The symmetry that has an order parameter."""
        found = (symmetry for symmetry in self.symmetries if symmetry.kind == "commutation")
        return next(found, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class StateFacts:
    r"""One state as it was asked for.

    Parameters
    ----------
    fidelity
        :math:`|\langle\psi|\phi\rangle|^2` with the known state, both normalised.
    strings
        String orders, averaged over pairs of the bulk, in the order of the questions.
    invariants
        One for each symmetry.
    order
        Swap of two blocks under the two parts of the commutation, which tends to +1 or -1 for long
        blocks; NaN if there is none.
    rank
        Largest bond dimension.
    """

    fidelity: float
    strings: FloatArray
    invariants: tuple[Invariant, ...]
    order: float
    rank: int

    @property
    def determined(self) -> IntArray:
        """+1, -1 or 0 for each symmetry, where the state alone determines it."""
        return np.asarray([found.value for found in self.invariants], dtype=np.int64)

    @property
    def values(self) -> IntArray:
        """+1, -1 or 0 for each symmetry: the sign on the bond, where the bond is symmetric.

        Unlike :attr:`determined`, this does not ask for a short correlation length: of a network,
        long-range errors of tiny weight have the longest one. Whether there is a gap is asked of
        the state that it stands for.
        """
        return np.asarray(
            [
                int(math.copysign(1, found.raw))
                if found.eta >= DETERMINED and abs(abs(found.raw) - 1.0) <= _RAW_ATOL
                else 0
                for found in self.invariants
            ],
            dtype=np.int64,
        )

    @property
    def eta(self) -> float:
        """Smallest modulus of eta among the symmetries."""
        return min((found.eta for found in self.invariants), default=math.nan)


def fidelity_of(train: TensorTrain, truth: TensorTrain) -> float:
    r"""Fidelity :math:`|\langle\psi|\phi\rangle|^2` of two trains, of any norm and length.

    >>> from phasenet.phases.exact import aklt_chain
    >>> print(f"{fidelity_of(aklt_chain(500), aklt_chain(500, 0, 0)):.12f}")
    1.000000000000
    """
    value, log = inner(train, truth)
    size = abs(value)
    if size == 0.0:
        return 0.0
    return float(math.exp(2 * (math.log(size) + log - log_norm(train) - log_norm(truth))))


def facts_of(
    train: TensorTrain | StateForm, truth: TensorTrain, questions: StateQuestions
) -> StateFacts:
    """Facts of a train that stands for an open chain.

    Parameters
    ----------
    train
        The state, not normalised; a train that vanishes, as bad pivots can leave it, has fidelity
        0 and nothing else.
    truth
        The known state.
    questions
        What is asked.

    >>> from phasenet.phases.exact import aklt_chain
    >>> found = facts_of(aklt_chain(32), aklt_chain(32), StateQuestions.of(None, 3))
    >>> print(found.values.tolist(), found.strings.round(3).tolist(), f"{found.order:.3f}")
    [-1, -1, -1] [0.444, 0.444, 0.444] -1.000
    """
    if isinstance(train, TensorTrain) and not math.isfinite(log_norm(train)):
        nothing = np.full(len(questions.strings), np.nan)
        return StateFacts(fidelity=0.0, strings=nothing, invariants=(), order=math.nan, rank=0)
    form = state_form(train)
    found, order = _bulk(form, questions)
    plain = train if isinstance(train, TensorTrain) else TensorTrain(cores=form.cores)
    return StateFacts(
        fidelity=fidelity_of(plain, truth),
        strings=_strings(form, questions.strings),
        invariants=found,
        order=order,
        rank=max((core.shape[2] for core in form.cores), default=1),
    )


def _strings(form: StateForm, strings: Sequence[StringOrder]) -> FloatArray:
    if form.length < _SHORTEST:
        return np.full(len(strings), np.nan)
    return np.asarray([bulk_string_order(form, turned(string, form)) for string in strings])


def _bulk(form: StateForm, questions: StateQuestions) -> tuple[tuple[Invariant, ...], float]:
    """Invariants and order parameter, undetermined where a train of bad pivots has no bulk."""
    try:
        return invariants(form, questions.symmetries), _order(form, questions)
    except ShapeError as error:
        nothing = Invariant(
            name="", cut="none", value=0, eta=0.0, raw=0.0, reason=f"undetermined: {error}"
        )
        found = (replace(nothing, name=symmetry.name) for symmetry in questions.symmetries)
        return tuple(found), math.nan


def _order(form: StateForm, questions: StateQuestions) -> float:
    symmetry = questions.commutation
    if symmetry is None:
        return math.nan
    period = math.lcm(*(len(pattern) for pattern in symmetry.operators))
    sites = questions.sites or default_sites(form, period)
    if not 0 < 3 * sites <= form.length:
        return math.nan
    first, second = symmetry.operators
    return haegeman_order(form, first, second, sites).value
