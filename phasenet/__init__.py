"""phasenet: ground states, labelled snapshots, phase classifiers and their tensor trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasenet.card import KnownTransition, Phase
    from phasenet.criteria import SPIN_SYMMETRIES, Order, StringOrder, Symmetry, spin_string
    from phasenet.errors import PhasenetError
    from phasenet.networks.compression.foreign import load_compressed
    from phasenet.networks.datasets import load_dataset, stream_dataset
    from phasenet.networks.stored import load_network
    from phasenet.networks.wavefunctions.functions import amplitude_function
    from phasenet.pipeline.analysis import (
        as_state,
        central_charge_of_chain,
        connected_correlations,
        correlation_matrix,
        correlations,
        entanglement_spectrum,
        entropies,
        expectations,
        fidelity,
        haegeman_order,
        local_orders,
        many_body_invariants,
        partial_reflection,
        partial_time_reversal,
        reduced_density_matrix,
        schmidt_values,
        spt_invariants,
        string_order,
        string_pairs,
        string_profile,
        string_report,
        structure_factor,
        transfer_spectrum,
    )
    from phasenet.pipeline.drawing import amplitudes, draw_snapshots, log_probabilities
    from phasenet.pipeline.estimate_targets import Asked, shot_estimates
    from phasenet.pipeline.simulate import simulate
    from phasenet.points import Grid, ParameterPoint
    from phasenet.settings import RunSettings
    from phasenet.storage.networks import read_network
    from phasenet.storage.snapshots import read_snapshots
    from phasenet.storage.states import read_state
    from phasenet.storage.tables import read_table
    from phasenet.storage.tenpy_files import read_tenpy_state
    from phasenet.storage.trains import read_black_box, read_train
    from phasenet.storage.wavefunctions import read_wavefunction
    from phasenet.study import Boundary, Chain, Study, load_study
    from phasenet.tensorizer import tensorize
    from phasenet.trains import InfiniteTrain, TensorTrain
    from phasenet.trains.cells import canonical_cell

__version__ = "0.1.0"

_HOME = {
    "PhasenetError": "errors",
    "Grid": "points",
    "ParameterPoint": "points",
    "RunSettings": "settings",
    "SPIN_SYMMETRIES": "criteria",
    "KnownTransition": "card",
    "Order": "criteria",
    "Phase": "card",
    "StringOrder": "criteria",
    "Symmetry": "criteria",
    "spin_string": "criteria",
    "Boundary": "study",
    "Chain": "study",
    "Study": "study",
    "load_study": "study",
    "simulate": "pipeline.simulate",
    "as_state": "pipeline.analysis",
    "central_charge_of_chain": "pipeline.analysis",
    "connected_correlations": "pipeline.analysis",
    "correlation_matrix": "pipeline.analysis",
    "correlations": "pipeline.analysis",
    "entanglement_spectrum": "pipeline.analysis",
    "entropies": "pipeline.analysis",
    "expectations": "pipeline.analysis",
    "fidelity": "pipeline.analysis",
    "haegeman_order": "pipeline.analysis",
    "local_orders": "pipeline.analysis",
    "many_body_invariants": "pipeline.analysis",
    "partial_reflection": "pipeline.analysis",
    "partial_time_reversal": "pipeline.analysis",
    "reduced_density_matrix": "pipeline.analysis",
    "schmidt_values": "pipeline.analysis",
    "spt_invariants": "pipeline.analysis",
    "string_order": "pipeline.analysis",
    "string_pairs": "pipeline.analysis",
    "string_profile": "pipeline.analysis",
    "string_report": "pipeline.analysis",
    "structure_factor": "pipeline.analysis",
    "transfer_spectrum": "pipeline.analysis",
    "amplitudes": "pipeline.drawing",
    "draw_snapshots": "pipeline.drawing",
    "log_probabilities": "pipeline.drawing",
    "load_compressed": "networks.compression.foreign",
    "load_dataset": "networks.datasets",
    "load_network": "networks.stored",
    "stream_dataset": "networks.datasets",
    "Asked": "pipeline.estimate_targets",
    "shot_estimates": "pipeline.estimate_targets",
    "read_black_box": "storage.trains",
    "read_network": "storage.networks",
    "read_snapshots": "storage.snapshots",
    "read_state": "storage.states",
    "read_table": "storage.tables",
    "read_tenpy_state": "storage.tenpy_files",
    "read_train": "storage.trains",
    "read_wavefunction": "storage.wavefunctions",
    "amplitude_function": "networks.wavefunctions.functions",
    "tensorize": "tensorizer",
    "InfiniteTrain": "trains",
    "TensorTrain": "trains",
    "canonical_cell": "trains.cells",
}
__all__ = [
    "SPIN_SYMMETRIES",
    "Asked",
    "Boundary",
    "Chain",
    "Grid",
    "InfiniteTrain",
    "KnownTransition",
    "Order",
    "ParameterPoint",
    "Phase",
    "PhasenetError",
    "RunSettings",
    "StringOrder",
    "Study",
    "Symmetry",
    "TensorTrain",
    "amplitude_function",
    "amplitudes",
    "as_state",
    "canonical_cell",
    "central_charge_of_chain",
    "connected_correlations",
    "correlation_matrix",
    "correlations",
    "draw_snapshots",
    "entanglement_spectrum",
    "entropies",
    "expectations",
    "fidelity",
    "haegeman_order",
    "load_compressed",
    "load_dataset",
    "load_network",
    "load_study",
    "local_orders",
    "log_probabilities",
    "many_body_invariants",
    "partial_reflection",
    "partial_time_reversal",
    "read_black_box",
    "read_network",
    "read_snapshots",
    "read_state",
    "read_table",
    "read_tenpy_state",
    "read_train",
    "read_wavefunction",
    "reduced_density_matrix",
    "schmidt_values",
    "shot_estimates",
    "simulate",
    "spin_string",
    "spt_invariants",
    "stream_dataset",
    "string_order",
    "string_pairs",
    "string_profile",
    "string_report",
    "structure_factor",
    "tensorize",
    "transfer_spectrum",
]


def __getattr__(name: str) -> Any:
    # Heavy libraries are loaded on first use, so that `import phasenet` stays instant.
    if name not in _HOME:
        raise AttributeError(f"module 'phasenet' has no attribute {name!r}")
    return getattr(import_module(f"phasenet.{_HOME[name]}"), name)
