"""phasenet: ground states, labelled snapshots, phase classifiers and their tensor trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasenet.card import KnownTransition, Phase
    from phasenet.criteria import SPIN_SYMMETRIES, Order, StringOrder, Symmetry
    from phasenet.errors import PhasenetError
    from phasenet.pipeline.simulate import simulate
    from phasenet.points import Grid, ParameterPoint
    from phasenet.settings import RunSettings
    from phasenet.storage.networks import read_network
    from phasenet.storage.snapshots import read_snapshots
    from phasenet.storage.states import read_state
    from phasenet.storage.tables import read_table
    from phasenet.storage.tenpy_files import read_tenpy_state
    from phasenet.storage.trains import read_black_box, read_train
    from phasenet.study import Boundary, Chain, Study, load_study
    from phasenet.tensorizer import tensorize
    from phasenet.trains import InfiniteTrain, TensorTrain

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
    "Boundary": "study",
    "Chain": "study",
    "Study": "study",
    "load_study": "study",
    "simulate": "pipeline.simulate",
    "read_black_box": "storage.trains",
    "read_network": "storage.networks",
    "read_snapshots": "storage.snapshots",
    "read_state": "storage.states",
    "read_table": "storage.tables",
    "read_tenpy_state": "storage.tenpy_files",
    "read_train": "storage.trains",
    "tensorize": "tensorizer",
    "InfiniteTrain": "trains",
    "TensorTrain": "trains",
}
__all__ = [
    "SPIN_SYMMETRIES",
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
    "load_study",
    "read_black_box",
    "read_network",
    "read_snapshots",
    "read_state",
    "read_table",
    "read_tenpy_state",
    "read_train",
    "simulate",
    "tensorize",
]


def __getattr__(name: str) -> Any:
    # Heavy libraries are loaded on first use, so that `import phasenet` stays instant.
    if name not in _HOME:
        raise AttributeError(f"module 'phasenet' has no attribute {name!r}")
    return getattr(import_module(f"phasenet.{_HOME[name]}"), name)
