"""What phase a state is in: string orders, invariants, entanglement, local orders."""

from phasenet.phases.conditional import (
    bulk_string_of_snapshots,
    conditional_bulk_string_order,
    conditional_string_order,
    conditional_string_orders,
)
from phasenet.phases.entanglement import (
    doublet_splitting,
    entropies,
    is_even_degenerate,
    schmidt_entropy,
    schmidt_values,
)
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
from phasenet.phases.local_orders import LocalOrders, local_orders, spin_correlations
from phasenet.phases.orders import MeasuredOrder, chain_order, measured_orders, order_parameter
from phasenet.phases.spins import (
    Axis,
    magnetic_numbers,
    on_site,
    pi_rotation,
    spin_matrix,
)
from phasenet.phases.spt import (
    Invariant,
    commutation_invariant,
    invariants,
    inversion_invariant,
    time_reversal_invariant,
)
from phasenet.phases.strings import (
    bulk_blocks,
    bulk_pair,
    bulk_string_order,
    identity_string,
    identity_string_limit,
    string_order,
    string_order_at,
    string_order_limit,
    string_orders,
)
from phasenet.trains.correlation import correlation_length

__all__ = [
    "Axis",
    "Invariant",
    "LocalOrders",
    "MeasuredOrder",
    "aklt_cell",
    "aklt_chain",
    "bulk_blocks",
    "bulk_pair",
    "bulk_string_of_snapshots",
    "bulk_string_order",
    "chain_order",
    "cluster_cell",
    "cluster_chain",
    "commutation_invariant",
    "conditional_bulk_string_order",
    "conditional_string_order",
    "conditional_string_orders",
    "correlation_length",
    "doublet_splitting",
    "entropies",
    "identity_string",
    "identity_string_limit",
    "invariants",
    "inversion_invariant",
    "is_even_degenerate",
    "large_d_cell",
    "large_d_chain",
    "local_orders",
    "magnetic_numbers",
    "measured_orders",
    "on_site",
    "order_parameter",
    "pi_rotation",
    "product_cell",
    "product_chain",
    "schmidt_entropy",
    "schmidt_values",
    "spin_correlations",
    "spin_matrix",
    "string_order",
    "string_order_at",
    "string_order_limit",
    "string_orders",
    "time_reversal_invariant",
]
