"""What phase a state is in: string orders, invariants, entanglement, local orders."""

from phasenet.phases.central_charge import (
    central_charge_of_chain,
    central_charge_of_cuts,
    central_charge_of_growth,
)
from phasenet.phases.conditional import (
    bulk_string_of_snapshots,
    conditional_bulk_string_order,
    conditional_string_order,
    conditional_string_orders,
)
from phasenet.phases.correlations import (
    connected_correlations,
    connected_matrix,
    correlation_matrix,
    correlations,
    expectations,
)
from phasenet.phases.decay import chain_correlation_length
from phasenet.phases.entanglement import (
    EntanglementSpectrum,
    doublet_splitting,
    entanglement_spectrum,
    entropies,
    is_even_degenerate,
    renyi_entropy,
    schmidt_entropy,
    schmidt_values,
)
from phasenet.phases.estimates import Estimate
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    cluster_chain,
    large_d_cell,
    large_d_chain,
    product_cell,
    product_chain,
)
from phasenet.phases.fidelity import fidelity, susceptibility
from phasenet.phases.haegeman import haegeman_order
from phasenet.phases.local_orders import LocalOrders, local_orders
from phasenet.phases.many_body import many_body_invariants
from phasenet.phases.many_body_values import ManyBodyInvariant
from phasenet.phases.orders import MeasuredOrder, chain_order, measured_orders, order_parameter
from phasenet.phases.partial import partial_reflection, partial_time_reversal
from phasenet.phases.spins import Axis, magnetic_numbers, on_site, pi_rotation, spin_matrix
from phasenet.phases.spt import (
    Invariant,
    commutation_invariant,
    invariants,
    inversion_invariant,
    time_reversal_invariant,
)
from phasenet.phases.string_report import StringReport, string_report
from phasenet.phases.strings import (
    StringProfile,
    bulk_blocks,
    bulk_pair,
    bulk_string_order,
    string_order,
    string_pairs,
    string_profile,
)
from phasenet.phases.structure_factor import bragg_weights, structure_factor
from phasenet.phases.transfer_spectrum import TransferSpectrum, transfer_spectrum
from phasenet.trains.correlation import correlation_length

__all__ = [
    "Axis",
    "EntanglementSpectrum",
    "Estimate",
    "Invariant",
    "LocalOrders",
    "ManyBodyInvariant",
    "MeasuredOrder",
    "StringProfile",
    "StringReport",
    "TransferSpectrum",
    "aklt_cell",
    "aklt_chain",
    "bragg_weights",
    "bulk_blocks",
    "bulk_pair",
    "bulk_string_of_snapshots",
    "bulk_string_order",
    "central_charge_of_chain",
    "central_charge_of_cuts",
    "central_charge_of_growth",
    "chain_correlation_length",
    "chain_order",
    "cluster_cell",
    "cluster_chain",
    "commutation_invariant",
    "conditional_bulk_string_order",
    "conditional_string_order",
    "conditional_string_orders",
    "connected_correlations",
    "connected_matrix",
    "correlation_length",
    "correlation_matrix",
    "correlations",
    "doublet_splitting",
    "entanglement_spectrum",
    "entropies",
    "expectations",
    "fidelity",
    "haegeman_order",
    "invariants",
    "inversion_invariant",
    "is_even_degenerate",
    "large_d_cell",
    "large_d_chain",
    "local_orders",
    "magnetic_numbers",
    "many_body_invariants",
    "measured_orders",
    "on_site",
    "order_parameter",
    "partial_reflection",
    "partial_time_reversal",
    "pi_rotation",
    "product_cell",
    "product_chain",
    "renyi_entropy",
    "schmidt_entropy",
    "schmidt_values",
    "spin_matrix",
    "string_order",
    "string_pairs",
    "string_profile",
    "string_report",
    "structure_factor",
    "susceptibility",
    "time_reversal_invariant",
    "transfer_spectrum",
]
