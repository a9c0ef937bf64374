"""What the root of every file says: kind, format, settings, seed, parents, study."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phasenet.card import StudyCard
from phasenet.identity import canonical_json, digest

FORMAT_VERSION = 1
_FORMAT_VERSIONS = {"state": 2, "snapshots": 2, "network": 2}
# Part of every key, so that a new format alone makes nothing stale.
_KEY_VERSION = 1


class Kind(StrEnum):
    """Kinds of file; the value is also the suffix before ``.h5``."""

    STATE = "state"
    SNAPSHOTS = "snapshots"
    NETWORK = "network"
    TRAIN = "train"
    WAVEFUNCTION = "wavefunction"
    TABLE = "table"
    CHART = "chart"
    COMPRESSION = "compression"
    REPORT = "report"


def format_version(kind: object) -> int:
    """Newest format of files of one kind, named as in the file.

    >>> format_version("state"), format_version("table")
    (2, 1)
    """
    return _FORMAT_VERSIONS.get(str(kind), FORMAT_VERSION)


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A file that another one was made from."""

    kind: Kind
    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything that a file says about itself.

    Parameters
    ----------
    kind
        Kind of file.
    settings
        All that the content depends on besides the parents: step settings, point, model.
    seed
        Seed of the run.
    parents
        Files that this one was made from.
    study
        Card of the study, or None for files of no study.
    id
        Digest of the content; empty until written.
    version
        phasenet's version when written.
    created
        UTC time in ISO format; never enters the id.
    seconds
        What the work took, in seconds of wall time; never enters the id.
    """

    kind: Kind
    settings: Mapping[str, Any]
    seed: int
    parents: tuple[Parent, ...]
    study: StudyCard | None
    id: str = ""
    version: str = ""
    created: str = ""
    seconds: float = 0.0

    @property
    def key(self) -> str:
        """Digest of all that decides the content: same key, nothing to redo."""
        return work_key(self.kind, self.settings, self.seed, [p.id for p in self.parents])

    def attributes(self) -> dict[str, str | int | float]:
        """Root attributes of the file."""
        return {
            "kind": self.kind.value,
            "format_version": format_version(self.kind),
            "phasenet_version": self.version,
            "settings": canonical_json(dict(self.settings)),
            "seed": self.seed,
            "parents": canonical_json([vars(parent) for parent in self.parents]),
            "study": "" if self.study is None else json.dumps(self.study.as_dict(), sort_keys=True),
            "id": self.id,
            "created": self.created,
            "seconds": self.seconds,
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "Header":
        """Header from root attributes; raises KeyError, TypeError or ValueError if they are off."""
        study = attributes["study"]
        return cls(
            kind=Kind(attributes["kind"]),
            settings=dict(json.loads(attributes["settings"])),
            seed=int(attributes["seed"]),
            parents=tuple(
                Parent(kind=Kind(p["kind"]), id=str(p["id"]), name=str(p["name"]))
                for p in json.loads(attributes["parents"])
            ),
            study=StudyCard.from_dict(json.loads(study)) if study else None,
            id=str(attributes["id"]),
            version=str(attributes["phasenet_version"]),
            created=str(attributes["created"]),
            seconds=float(attributes["seconds"]),
        )


def work_key(kind: Kind, settings: Mapping[str, Any], seed: int, parent_ids: list[str]) -> str:
    """Digest of all that decides the content of a file."""
    return digest([kind.value, _KEY_VERSION, dict(settings), seed, parent_ids])
