"""Labelled datasets of measurement snapshots: what each shot and each of their points is."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.trains.train import FloatArray, IntArray

SPLITS = ("train", "validation", "test", "critical", "unlabelled", "control")
UNLABELLED = -1
NO_SITE = 255
"""Fills the rows of chains that are shorter than the longest one of a dataset."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A chain that shots were taken of.

    Parameters
    ----------
    study, title, hamiltonian
        As in :class:`phasenet.card.StudyCard`.
    sites
        Number of sites of each shot.
    boundary
        ``finite``: the whole of an open chain; ``infinite``: a window of the infinite state.
    """

    study: str
    title: str
    hamiltonian: str
    sites: int
    boundary: str


@dataclass(frozen=True, kw_only=True)
class SampledPoint:
    """What is known of the phase of one point that shots were taken at.

    Parameters
    ----------
    point, label, split, reason
        As in :class:`phasenet.records.PointLabel`; the split is one of SPLITS.
    source
        Index of its chain among the sources.
    control
        What was done to the shots, such as ``block flip 4``; empty for shots as they were measured.
        The label of a control is that of the point that its shots come from.
    soft_label
        Probability of each class; empty where it was not computed.
    """

    point: ParameterPoint
    label: str | None
    split: str
    reason: str
    source: int = 0
    control: str = ""
    soft_label: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MatchedPair:
    """Two points of different classes that look the same locally.

    Parameters
    ----------
    first, second
        Indices of the points.
    density_difference
        Largest difference between the densities of the local states, averaged over the sites.
    correlation_difference
        Largest difference between the averaged two-point functions <Sz Sz> and <Sz^2 Sz^2> at all
        distances up to ``reach`` sites.
    """

    first: int
    second: int
    density_difference: float
    correlation_difference: float
    reach: int


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """What the author of a dataset tells its readers; empty where there was no recipe.

    Parameters
    ----------
    title, description, licence
        Of the dataset.
    traps
        What is known to mislead.
    """

    title: str = ""
    description: str = ""
    licence: str = ""
    traps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotsHead:
    """Everything of a dataset that is no property of a single shot.

    Parameters
    ----------
    site_dim
        Number of local states d of a site; a lost site has the value d in the shots.
    basis
        As in :class:`phasenet.settings.SampleSettings`.
    basis_names
        What the entries of ``basis_index`` of the shots mean; empty if the basis is fixed.
    transform
        As in the settings: what was done to all shots after the measurement.
    classes
        Labels that occur, in the order of the study's phases.
    sources
        Chains.
    points
        One entry for each point and for each control of a point.
    labelled_by
        ``state``, ``coordinate`` or ``none``.
    targets
        Numbers for each point, to be learned by regression: values of shape (points,).
    features
        Arrays for each point, in the order of the points.
    pairs
        Points that look the same locally.
    datasheet
        For its readers.
    """

    site_dim: int
    basis: str
    classes: tuple[str, ...]
    sources: tuple[Source, ...]
    points: tuple[SampledPoint, ...]
    basis_names: tuple[str, ...] = ()
    transform: str = "none"
    labelled_by: str = "state"
    targets: tuple[Column, ...] = ()
    features: tuple[Curve, ...] = ()
    pairs: tuple[MatchedPair, ...] = ()
    datasheet: Datasheet = field(default_factory=Datasheet)

    @property
    def label_of_point(self) -> IntArray:
        """Class of each point, -1 where the label is undetermined."""
        order = {label: index for index, label in enumerate(self.classes)}
        return np.asarray(
            [UNLABELLED if p.label is None else order[p.label] for p in self.points], dtype=np.int64
        )

    def points_in(self, split: str) -> IntArray:
        """Indices of the points of one split."""
        if split not in SPLITS:
            raise SettingsError(f"split is {split!r}; wanted one of {', '.join(SPLITS)}")
        return np.flatnonzero([p.split == split for p in self.points])


@dataclass(frozen=True, kw_only=True, eq=False)
class Shots:
    """Some shots of a dataset.

    Parameters
    ----------
    spins
        Local states, uint8 of shape (shots, sites): outcome k of the basis, 0 the highest weight;
        d where the site was lost, NO_SITE beyond the end of a shorter chain.
    point_index
        For each shot, the index of its point, int32 of shape (shots,).
    log_probability
        Natural logarithm of the probability of each shot in its own state before any noise, given
        its basis, (shots,); NaN where it was not computed.
    class_log_likelihood
        ln p(shot | class), shape (shots, classes), for the equal mixture of the states of that
        class in the shot's own split (for a control: in the split that it was copied from), before
        any noise; NaN where it was not computed.
    basis_index
        Basis of each site of each shot, uint8 of shape (shots, sites); None if the basis is fixed.
    phase
        Phase of the amplitude of each shot in radians, (shots,); None if it was not asked for.
    in_training
        Whether a shot of a split other than ``train`` is also a shot of that split (the same spins
        in the same basis), bool of shape (shots,).
    """

    spins: NDArray[np.uint8]
    point_index: NDArray[np.int32]
    log_probability: FloatArray
    class_log_likelihood: FloatArray
    basis_index: NDArray[np.uint8] | None = None
    phase: FloatArray | None = None
    in_training: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shots = len(self.spins)
        lengths = {
            name: len(value) for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        for name, length in lengths.items():
            if length != shots:
                raise ShapeError(
                    f"{name} has {length} entries; wanted one for each of {shots} shots"
                )

    def __len__(self) -> int:
        return len(self.spins)

    def at(self, chosen: slice | IntArray | NDArray[np.bool_]) -> "Shots":
        """Return some of the shots: a range, indices, or a mask."""
        rows: dict[str, Any] = {n: v if v is None else v[chosen] for n, v in vars(self).items()}
        return Shots(**rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshots:
    """A labelled dataset in memory.

    Parameters
    ----------
    head
        Points, labels and what they were made from.
    shots
        All shots.
    """

    head: SnapshotsHead
    shots: Shots

    @property
    def label_index(self) -> IntArray:
        """Class of each shot, -1 where the label is undetermined."""
        return self.head.label_of_point[self.shots.point_index]

    def in_split(self, split: str) -> IntArray:
        """Indices of the shots of one split."""
        members = np.zeros(len(self.head.points), dtype=bool)
        members[self.head.points_in(split)] = True
        return np.flatnonzero(members[self.shots.point_index])

    def configurations(self, chosen: IntArray) -> NDArray[np.uint8]:
        """Local states of some shots, which must be of chains of one length, without filling.

        Raises
        ------
        ShapeError
            They are of several lengths.
        """
        points = np.unique(self.shots.point_index[chosen])
        sites = {self.head.sources[self.head.points[k].source].sites for k in points}
        if len(sites) > 1:
            raise ShapeError(
                f"these shots have {', '.join(map(str, sorted(sites)))} sites; wanted chains of "
                "one length: take one split or one source at a time"
            )
        return np.asarray(self.shots.spins[chosen][:, : max(sites, default=0)])
