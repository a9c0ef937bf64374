"""Which states a folder is to hold: ``journal/plan.json``, written before the first of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError
from phasenet.points import ParameterPoint
from phasenet.storage.atomic import atomic_path
from phasenet.study import Boundary

_NAME = "plan.json"


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """All states of a sweep.

    Parameters
    ----------
    name
        Name of the study.
    keys
        For each boundary, the digest of all that decides its states beside the point.
    points
        The grid.
    source
        Digest of the file of the study, which tells without loading it whether it has changed.
    """

    name: str
    keys: Mapping[Boundary, str]
    points: tuple[ParameterPoint, ...]
    source: str = ""

    def states(self) -> dict[str, Boundary]:
        """Return the names of all states with their boundaries, in the order of the work."""
        texts = [str(point) for point in self.points]
        return {f"{text}.{boundary}": boundary for boundary in self.keys for text in texts}


def source_digest(study_path: Path) -> str:
    """Digest of the bytes of a study file."""
    return hashlib.sha256(study_path.read_bytes()).hexdigest()[:16]


def write_plan(folder: Path, plan: SweepPlan) -> None:
    """Write a plan into the folder of the journals, unless it is there already.

    Raises
    ------
    PhasenetError
        The folder cannot be written.
    """
    names = list(dict(plan.points[0].couplings)) if plan.points else []
    values = {
        "name": plan.name,
        "source": plan.source,
        "keys": {boundary.value: key for boundary, key in plan.keys.items()},
        "couplings": names,
        "values": [[value for _, value in point.couplings] for point in plan.points],
    }
    path, text = folder / _NAME, json.dumps(values, separators=(",", ":"))
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_plan(folder: Path) -> SweepPlan:
    """Plan in a folder of journals.

    Raises
    ------
    MissingInputError, FileKindError
    """
    path = folder / _NAME
    if not path.is_file():
        raise MissingInputError(f"no sweep has begun in {folder.parent}: there is no {path}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names = [str(name) for name in values["couplings"]]
        return SweepPlan(
            name=str(values["name"]),
            source=str(values["source"]),
            keys={Boundary(name): str(key) for name, key in values["keys"].items()},
            points=tuple(
                ParameterPoint(tuple(zip(names, map(float, row), strict=True)))
                for row in values["values"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileKindError(f"{path} is damaged ({error}); simulate writes it again") from error
