"""Observables of a state by groups: size, entanglement, local orders, correlations."""

import math

import numpy as np

from phasenet.phases.central_charge import central_charge_of_chain
from phasenet.phases.correlations import connected_correlations
from phasenet.phases.cuts import windows_of
from phasenet.phases.decay import chain_correlation_length
from phasenet.phases.entanglement import entanglement_spectrum, entropies
from phasenet.phases.estimates import Estimate
from phasenet.phases.local_orders import local_orders
from phasenet.phases.observables import Observed, Quantity, estimated, number, profile
from phasenet.phases.spins import Axis
from phasenet.phases.spt import XI_PER_LENGTH
from phasenet.phases.structure_factor import structure_factor
from phasenet.phases.transfer_spectrum import transfer_spectrum
from phasenet.trains.correlation import correlation_length
from phasenet.trains.form import StateForm
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

_AXES: tuple[Axis, ...] = ("x", "y", "z")
# Of an infinite state; an open chain has as many wavenumbers as sites.
_WAVENUMBERS = 64


def where(form: StateForm) -> str:
    """End of the names of all observables of a state: ``infinite`` or ``finite``.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> where(state_form(aklt_cell()))
    'infinite'
    """
    return "infinite" if form.infinite else "finite"


def size_observables(form: StateForm) -> Observed:
    """Length of a chain or of a cell, and the largest bond dimension.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> [int(one.value) for one in size_observables(state_form(aklt_chain(6))).quantities]
    [6, 2]
    """
    end = where(form)
    sites = "sites of the repeating cell" if form.infinite else "sites of the open chain"
    return Observed(
        quantities=(
            number(f"length_{end}", sites, form.length, "site"),
            number(
                f"max_bond_{end}", f"largest bond dimension of the {end} state", largest_bond(form)
            ),
        )
    )


def entanglement_observables(form: StateForm) -> Observed:
    """Entropies of all cuts, the spectrum of one by charge, and what else needs no spin.

    Parameters
    ----------
    form
        State of any local degrees of freedom.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> found = entanglement_observables(state_form(aklt_cell())).quantities[0]
    >>> print(f"{found.name} {found.value:.6f} {found.unit}")
    entropy_infinite 0.693147 nat
    """
    end = where(form)
    found, spectrum = entropies(form), entanglement_spectrum(form)
    cut = "the bond left of the cell" if form.infinite else "the middle bond of the open chain"
    quantities = [
        number(f"entropy_{end}", f"von Neumann entropy of {cut}", spectrum.entropy, "nat"),
        number(f"renyi_{end}", f"second Renyi entropy of {cut}", spectrum.renyi_entropy, "nat"),
        number(
            f"even_degenerate_{end}",
            f"1 if the entanglement levels of {cut} agree in pairs, else 0",
            spectrum.even_degenerate,
        ),
    ]
    profiles = [
        profile(f"entropies_{end}", "von Neumann entropy of every bond", ["bond"], found, "nat"),
        profile(
            f"spectrum_{end}",
            f"entanglement spectrum of {cut}, -2 ln s",
            ["level"],
            spectrum.levels,
            "nat",
        ),
        profile(
            f"spectrum_charge_{end}",
            f"S^z left of {cut} in each level; conserved: {spectrum.conserved}",
            ["level"],
            spectrum.charges,
        ),
    ]
    more = _transfer_observables(form) if form.infinite else _chain_charge(form)
    return Observed(quantities=tuple(quantities), profiles=tuple(profiles)) + more


def _transfer_observables(form: StateForm) -> Observed:
    spectrum = transfer_spectrum(form)
    length = number(
        "correlation_length",
        "correlation length of the infinite state, from below at finite max_bond",
        correlation_length(form),
        "site",
    )
    meanings = {
        "moduli": "leading eigenvalues of the transfer map of a cell, moduli",
        "phases": "leading eigenvalues of the transfer map of a cell, phases in turns",
        "sectors": "change of S^z that each leading eigenvalue belongs to",
    }
    return Observed(
        quantities=(length,),
        profiles=tuple(
            profile(f"transfer_{name}", meaning, ["eigenvalue"], getattr(spectrum, name))
            for name, meaning in meanings.items()
        ),
    )


def _chain_charge(form: StateForm) -> Observed:
    """Central charge of a chain, where its correlation length is not seen to end within it."""
    length = chain_correlation_length(form)
    # Of all operators, unlike the other one: a gap may show in none of the spin components.
    longest = max((window.correlation_length for window in windows_of(form)), default=math.inf)
    charge = (
        Estimate(value=math.nan, error=math.nan, method=f"a gap: xi = {longest:.1f} sites")
        if XI_PER_LENGTH * longest < form.length
        else central_charge_of_chain(form)
    )
    lengths = "correlation length of the bulk, from the decay of <S^z S^z> and <S^+ S^->"
    charges = "central charge from the entropies of all cuts; none if the chain shows a gap"
    return Observed(
        quantities=(
            estimated("correlation_length_finite", lengths, length, unit="site"),
            estimated("central_charge_finite", charges, charge),
        )
    )


def local_observables(form: StateForm) -> Observed:
    """Local order parameters of spins, averaged over the cell or over the middle half.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> found = local_observables(state_form(aklt_cell())).quantities[0]
    >>> print(f"{found.name} {found.value:.4f}")
    quadrupole_infinite 0.6667
    """
    orders, end = local_orders(form), where(form)
    mean = "over the cell" if form.infinite else "over the middle half of the open chain"
    averages = {
        "quadrupole": ("<(S^z)^2>", orders.bulk_mean(orders.quadrupole)),
        "biaxial": ("<(S^x)^2 - (S^y)^2>", orders.bulk_mean(orders.biaxial)),
        "dimer": ("(-1)^i <S_i.S_{i+1} - S_{i+1}.S_{i+2}>", orders.dimer),
        "vector_chirality": (
            "<(S_i x S_{i+1})_z>",
            orders.bulk_mean(orders.vector_chirality),
        ),
        "scalar_chirality": (
            "<S_i.(S_{i+1} x S_{i+2})>",
            orders.bulk_mean(orders.scalar_chirality),
        ),
    }
    quantities: list[Quantity] = []
    for axis, component, staggered in zip(_AXES, orders.spin, orders.staggered_spin, strict=True):
        averages[f"magnetisation_{axis}"] = (f"<S^{axis}>", orders.bulk_mean(component))
        name = "staggered_magnetisation" + ("" if axis == "z" else f"_{axis}")
        averages[name] = (f"(-1)^i <S^{axis}_i>", staggered)
    for name, (what, value) in averages.items():
        quantities.append(number(f"{name}_{end}", f"{what} averaged {mean}", value))
    profiles = [
        profile(f"magnetisation_profile_{end}", "<S^z> of each site", ["site"], orders.spin[2]),
        profile(f"quadrupole_profile_{end}", "<(S^z)^2> of each site", ["site"], orders.quadrupole),
        profile(f"exchange_profile_{end}", "<S_i.S_{i+1}>", ["site"], orders.exchange),
    ]
    return Observed(quantities=tuple(quantities), profiles=tuple(profiles))


def correlation_observables(form: StateForm) -> Observed:
    """Correlations of spins from one site, and structure factors.

    Parameters
    ----------
    form
        State of spins.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> *_, found = correlation_observables(state_form(aklt_cell())).quantities
    >>> print(f"{found.name} {found.value:.2f} {found.unit}")
    structure_z_wavenumber_infinite 0.50 turn
    """
    end = where(form)
    count = _WAVENUMBERS if form.infinite else form.length
    wavenumbers = np.arange(count // 2 + 1) / count
    first = "the first site of the cell" if form.infinite else "a quarter of the chain"
    profiles = [
        profile(
            f"wavenumbers_{end}", "wavenumbers of the structure factors", ["k"], wavenumbers, "turn"
        )
    ]
    quantities: list[Quantity] = []
    for axis in _AXES:
        operator = f"S{axis}"
        decay = connected_correlations(form, operator, operator)
        factor = structure_factor(form, axis, wavenumbers)
        top = int(np.argmax(factor))
        profiles += [
            profile(
                f"correlations_{axis}_{end}",
                f"connected <S^{axis} S^{axis}> from {first} on",
                ["distance, from 1"],
                decay,
            ),
            profile(f"structure_{axis}_{end}", f"structure factor of S^{axis}", ["k"], factor),
        ]
        quantities += [
            number(f"structure_{axis}_peak_{end}", f"largest S^{axis}(q)", factor[top]),
            number(
                f"structure_{axis}_wavenumber_{end}",
                f"wavenumber of the largest S^{axis}(q)",
                wavenumbers[top],
                "turn",
            ),
        ]
    return Observed(quantities=tuple(quantities), profiles=tuple(profiles))


def train_of(form: StateForm) -> TensorTrain | InfiniteTrain:
    """State of a form as a train.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> train_of(state_form(aklt_cell())).bond_dims
    (2,)
    """
    if form.infinite:
        return InfiniteTrain(cores=form.cores, schmidt_values=form.schmidt_values)
    return TensorTrain(cores=form.cores)


def largest_bond(form: StateForm) -> int:
    """Largest bond dimension of a state.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> largest_bond(state_form(aklt_cell()))
    2
    """
    return max(int(bond) for core in form.cores for bond in (core.shape[0], core.shape[2]))
