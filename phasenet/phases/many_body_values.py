"""Many-body invariants as values: their blocks, their bond, and whether they have a sign."""

import math
from dataclasses import dataclass, replace

from phasenet.errors import SettingsError
from phasenet.phases.cuts import windows_of
from phasenet.phases.spins import is_integer_spin
from phasenet.trains.form import StateForm

INFINITE_SITES = 16
"""Sites of a block of an infinite state, or the next number of whole cells."""

CLOSE_ATOL = 0.25
"""How close to +1 or -1 a value must come for its sign to be an invariant."""

_HEAVY = 0.05
# A block of a fifth of a chain goes with 4 correlation lengths to a chain.
_LENGTHS_PER_BLOCK = 1.25


@dataclass(frozen=True, kw_only=True)
class ManyBodyInvariant:
    """One many-body invariant of a state: not rounded, because it depends on the size of blocks.

    Parameters
    ----------
    name
        Which one, such as ``partial reflection``.
    value
        ``raw`` in units of ``normalisation``: tends to +1 or -1 for blocks that are long beside the
        correlation length; NaN where it does not fit the state.
    raw
        The overlap itself.
    normalisation
        What the overlap would be up to its sign.
    sites
        Sites of one block.
    cut
        The bond it belongs to, in words.
    discarded
        Weight of the state lost with the Schmidt values that were left out.
    reason
        Why its sign is, or is not, determined.

    >>> many = ManyBodyInvariant(
    ...     name="partial reflection", value=-0.9993, raw=-0.4997, normalisation=0.5, sites=4,
    ...     cut="bond", discarded=0.0, reason="determined",
    ... )
    >>> print(many)
    partial reflection -0.9993 (4 sites, raw=-0.4997, discarded=0.0e+00, bond): determined
    """

    name: str
    value: float
    raw: float
    normalisation: float
    sites: int
    cut: str
    discarded: float
    reason: str

    @property
    def sign(self) -> int:
        """+1 or -1, or 0 if undetermined."""
        return int(math.copysign(1, self.value)) if self.reason == "determined" else 0

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+.4f} ({self.sites} sites, raw={self.raw:.4f}, "
            f"discarded={self.discarded:.1e}, {self.cut}): {self.reason}"
        )


def bond_of(form: StateForm, bond: int | None) -> int:
    """Bond left of a site; by default the middle of a chain, or the first of a cell.

    >>> from phasenet.phases.exact import large_d_chain
    >>> from phasenet.trains.form import state_form
    >>> bond_of(state_form(large_d_chain(16)), None)
    8
    """
    if bond is not None:
        return bond
    return 0 if form.infinite else form.length // 2


def named_bond(form: StateForm, bond: int) -> str:
    """Bond left of a site, in words.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> named_bond(state_form(aklt_cell()), 5)
    'bond left of the first site of the cell'
    """
    if not form.infinite:
        return f"bond between sites {bond - 1} and {bond}"
    place = bond % form.length
    return f"bond left of {f'site {place}' if place else 'the first site'} of the cell"


def default_sites(form: StateForm, period: int = 1) -> int:
    """Sites of a block, whole periods: a fifth of a chain; 0 where none fits.

    Blocks of half-integer spins have an even number, so that their spin is an integer.

    >>> from phasenet.phases.exact import aklt_cell, large_d_chain
    >>> from phasenet.trains.form import state_form
    >>> [default_sites(state_form(state)) for state in (large_d_chain(64), aklt_cell())]
    [12, 16]
    """
    if not all(is_integer_spin(dim) for dim in form.site_dims):
        period = math.lcm(period, 2)
    if form.infinite:
        period = math.lcm(period, form.length)
        return -(-INFINITE_SITES // period) * period
    return form.length // 5 // period * period


def checked_sites(form: StateForm, sites: int | None, period: int = 1) -> int:
    """Sites of a block, as given or by default, or SettingsError.

    >>> from phasenet.phases.exact import large_d_chain
    >>> from phasenet.trains.form import state_form
    >>> checked_sites(state_form(large_d_chain(64)), 4)
    4
    """
    found = default_sites(form, period) if sites is None else sites
    if found < 1 or found % period:
        raise SettingsError(
            f"a block has {found} sites in a state of {form.length}; wanted a positive multiple "
            f"of {period}"
        )
    return found


def _bulk_length(form: StateForm) -> float:
    """Correlation length of the bulk in sites, infinite in a chain without one."""
    lengths = [window.correlation_length for window in windows_of(form)]
    return max(lengths, default=math.inf)


def judged(invariant: ManyBodyInvariant, form: StateForm) -> ManyBodyInvariant:
    """Invariant with the reason that its value, its discarded weight and its blocks give.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> empty = missing("partial reflection", "bond", "the chain is too short")
    >>> print(judged(empty, state_form(aklt_cell())).sign)
    0
    """
    if not math.isfinite(invariant.value):
        return invariant
    length = _bulk_length(form)
    if length > _LENGTHS_PER_BLOCK * invariant.sites:
        reason = (
            f"undetermined: blocks of {invariant.sites} sites for a correlation length of "
            f"{length:.1f}"
        )
    elif invariant.discarded > _HEAVY:
        reason = (
            f"undetermined: {invariant.discarded:.1%} of the state is left out, give a larger "
            "max_bond"
        )
    elif abs(abs(invariant.value) - 1.0) > CLOSE_ATOL:
        reason = (
            f"undetermined: not within {CLOSE_ATOL} of +1 or -1, short blocks or a broken symmetry"
        )
    else:
        reason = "determined"
    return replace(invariant, reason=reason)


def missing(name: str, cut: str, cause: str) -> ManyBodyInvariant:
    """Invariant that a state has no room for.

    >>> print(missing("partial reflection", "none", "6 sites are too few").reason)
    undetermined: 6 sites are too few
    """
    nan = math.nan
    return ManyBodyInvariant(
        name=name, value=nan, raw=nan, normalisation=nan, sites=0, cut=cut, discarded=nan,
        reason=f"undetermined: {cause}",
    )  # fmt: skip
