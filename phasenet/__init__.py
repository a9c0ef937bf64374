"""phasenet: ground states, labelled snapshots, phase classifiers and their tensor trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasenet.errors import PhasenetError
    from phasenet.points import Grid, ParameterPoint
    from phasenet.settings import RunSettings
    from phasenet.study import Chain, KnownTransition, Phase, Study, load_study
    from phasenet.tensorizer import tensorize
    from phasenet.trains import InfiniteTrain, TensorTrain

__version__ = "0.1.0"

_HOME = {
    "PhasenetError": "errors",
    "Grid": "points",
    "ParameterPoint": "points",
    "RunSettings": "settings",
    "Chain": "study",
    "KnownTransition": "study",
    "Phase": "study",
    "Study": "study",
    "load_study": "study",
    "tensorize": "tensorizer",
    "InfiniteTrain": "trains",
    "TensorTrain": "trains",
}
__all__ = [
    "Chain",
    "Grid",
    "InfiniteTrain",
    "KnownTransition",
    "ParameterPoint",
    "Phase",
    "PhasenetError",
    "RunSettings",
    "Study",
    "TensorTrain",
    "load_study",
    "tensorize",
]


def __getattr__(name: str) -> Any:
    # Heavy libraries are loaded on first use, so that `import phasenet` stays instant.
    if name not in _HOME:
        raise AttributeError(f"module 'phasenet' has no attribute {name!r}")
    return getattr(import_module(f"phasenet.{_HOME[name]}"), name)
