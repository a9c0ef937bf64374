"""What a dataset is to be made of: chains with their states, and how they are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from phasenet.card import StudyCard
from phasenet.errors import PhasenetError, SettingsError
from phasenet.pipeline.product import Product, ordered_states, parents_of
from phasenet.points import ParameterPoint
from phasenet.recipes import Region
from phasenet.settings import RunSettings, SampleSettings
from phasenet.shots import Datasheet
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.locks import Shard
from phasenet.storage.tenpy_files import is_tenpy_file
from phasenet.study import Boundary

_SUFFIX = f".{Kind.SNAPSHOTS}.h5"


@dataclass(frozen=True, kw_only=True)
class StatePair:
    """States of one point.

    Parameters
    ----------
    infinite
        What the label follows from; None where no label is asked for.
    sampled
        What is measured: the open chain, or the infinite state itself.
    """

    infinite: Path | None
    sampled: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class ChainOfDataset:
    """One chain of a dataset.

    Parameters
    ----------
    card
        Phases, what they are recognised by, and settings.
    states
        State files of its points.
    split, classes
        As in :class:`phasenet.recipes.RecipeSource`.
    """

    card: StudyCard
    states: tuple[Path, ...]
    split: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)

    def pairs(self, settings: SampleSettings) -> dict[ParameterPoint, StatePair]:
        """States of each point, in the order of the couplings.

        Parameters
        ----------
        settings
            Whether windows of infinite states are measured, and whether labels are asked for.

        Raises
        ------
        PhasenetError
            A point lacks one of its two states, or has one of them twice.
        """
        found: dict[ParameterPoint, dict[Boundary, Path]] = {}
        for path in ordered_states(self.states):
            said = read_header(path).settings
            point, boundary = ParameterPoint.of(said["point"]), Boundary(said["boundary"])
            slot = found.setdefault(point, {})
            if boundary in slot:
                raise PhasenetError(
                    f"{path} holds the {boundary} state at {point} a second time; name each state "
                    "once"
                )
            slot[boundary] = path
        sampled = Boundary.INFINITE if settings.window else Boundary.FINITE
        needed = {sampled} if settings.label == "none" else {sampled, Boundary.INFINITE}
        for point, slot in found.items():
            missing = sorted(needed - set(slot))
            if missing:
                raise PhasenetError(
                    f"point {point} has no {missing[0]} state; labels need the infinite one unless "
                    "sample.label is none, snapshots the finite one unless sample.window is set: "
                    "run phasenet simulate"
                )
        return {
            point: StatePair(
                infinite=slot[Boundary.INFINITE] if Boundary.INFINITE in needed else None,
                sampled=slot[sampled],
            )
            for point, slot in found.items()
        }

    def renamed(self, label: str | None) -> str | None:
        """Class of the label of a phase."""
        return None if label is None else self.classes.get(label, label)

    def as_dict(self) -> dict[str, Any]:
        """Return what the dataset depends on besides the states and the settings."""
        return {
            "study": self.card.name,
            "criteria": self.card.criteria(),
            "split": self.split,
            "classes": dict(self.classes),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetPlan:
    """A dataset that is to be made.

    Parameters
    ----------
    chains
        At least one; the settings of snapshots are those of the first.
    regions, labels
        As in :class:`phasenet.recipes.Recipe`.
    shard
        Part of the points whose shots are drawn.
    precision
        ``float64`` or ``float32``: of the arithmetic of sampling.
    datasheet
        For the readers of the file; it decides nothing else in it.
    """

    chains: tuple[ChainOfDataset, ...]
    regions: tuple[Region, ...] = ()
    labels: tuple[Region, ...] = ()
    shard: Shard = field(default_factory=Shard)
    precision: str = "float64"
    datasheet: Datasheet = field(default_factory=Datasheet)

    @cached_property
    def settings(self) -> RunSettings:
        """Settings of all steps."""
        return self.chains[0].card.run_settings()

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes that points may have, in the order of the phases of the studies."""
        if self.settings.sample.label == "coordinate":
            return tuple(dict.fromkeys(region.name for region in self.labels))
        names = (c.renamed(phase.label) for c in self.chains for phase in c.card.phases)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def card(self) -> StudyCard:
        """Card of the first chain, its phases named as the classes."""
        chain = self.chains[0]
        phases = tuple(
            replace(phase, label=name, title=name.replace("_", " "))
            if (name := chain.classes.get(phase.label, phase.label)) != phase.label
            else phase
            for phase in chain.card.phases
        )
        return replace(chain.card, phases=phases)

    def product(self, out: Path) -> Product:
        """File of the dataset at a path, and its picture unless it is a part."""
        states = [path for chain in self.chains for path in ordered_states(chain.states)]
        header = Header(
            kind=Kind.SNAPSHOTS,
            settings=self._identity(),
            seed=self.settings.seed,
            parents=parents_of(states),
            study=self.card,
        )
        picture = out.with_name(f"{out.name.removesuffix(_SUFFIX)}.snapshots.png")
        extras = (picture,) if self.shard.is_whole else ()
        return Product(path=out, header=header, extras=extras)

    def _identity(self) -> dict[str, Any]:
        """All that decides the content besides the states; what was not chosen is left out."""
        settings = self.settings
        found: dict[str, Any] = {"sample": settings.sample.as_dict()}
        for name in ("noise", "controls", "features"):
            chosen = getattr(settings, name).model_dump(mode="json", exclude_defaults=True)
            found |= {name: chosen} if chosen else {}
        first = self.chains[0]
        if len(self.chains) == 1 and not first.split and not first.classes:
            found["criteria"] = first.card.criteria()
        else:
            found["chains"] = [chain.as_dict() for chain in self.chains]
        for name, regions in (("regions", self.regions), ("labels", self.labels)):
            found |= {name: [[r.name, r.ranges] for r in regions]} if regions else {}
        if self.precision != "float64":
            found["precision"] = self.precision
        if self.shard.count > 1:
            found["shard"] = [self.shard.number, self.shard.count]
        return found


def card_of_states(states: Sequence[Path]) -> StudyCard:
    """Card of the study of some states; of states of no study one that knows no phases.

    Raises
    ------
    SettingsError
        The first file was saved by TeNPy.
    """
    first = states[0]
    if first.is_file() and is_tenpy_file(first):
        raise SettingsError(
            f"{first} was saved by TeNPy; make a state file of it first: phasenet import {first}"
        )
    card = read_header(first).study
    if card is not None:
        return card
    return StudyCard(
        name=first.name.split(".")[0],
        title="States of no study",
        hamiltonian="",
        varied=(),
        phases=(),
        symmetries=(),
        orders=(),
        transitions=(),
        settings=RunSettings.checked({"sample": {"label": "none"}}).as_dict(),
    )


def plan_of_states(states: Sequence[Path], card: StudyCard) -> DatasetPlan:
    """Plan of the states of one study."""
    return DatasetPlan(chains=(ChainOfDataset(card=card, states=tuple(states)),))
