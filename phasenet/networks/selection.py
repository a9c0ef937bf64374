"""Which shots of a dataset are wanted, and what is to be learned from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.shots import Shots, SnapshotsHead
from phasenet.trains.train import Array, FloatArray

_LABEL = "label"
_SOFT_LABEL = "soft label"
_LIKELIHOODS = "log likelihoods"


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Points of a dataset whose shots are wanted, and what is to be learned from them.

    Parameters
    ----------
    head
        Of the whole file.
    members
        Whether each point of the head is wanted, bool of shape (points,).
    sites
        Number of sites of each shot.
    target
        What is to be learned.
    table
        The target of each point; None for what each shot has of its own.
    """

    head: SnapshotsHead
    members: NDArray[np.bool_]
    sites: int
    target: str
    table: Array | None

    @property
    def categories(self) -> int:
        """Number of values that an entry of a batch can have.

        The local states d, and d for a lost site. Where the basis was drawn for each site, an entry
        is state + (d + 1) basis, so that a network sees all that was measured.
        """
        return (self.head.site_dim + 1) * max(1, len(self.head.basis_names))

    def inputs(self, shots: Shots) -> NDArray[np.uint8]:
        """Entries of shape (shots, sites), each below ``categories``."""
        spins = shots.spins[:, : self.sites]
        if shots.basis_index is None:
            return spins
        bases = shots.basis_index[:, : self.sites] * np.uint8(self.head.site_dim + 1)
        return np.asarray(spins + bases, dtype=np.uint8)

    def targets(self, shots: Shots) -> Array:
        """What is to be learned from each shot, shape (shots,) or (shots, classes)."""
        if self.table is not None:
            return np.asarray(self.table[shots.point_index])
        values = shots.class_log_likelihood.astype(np.float32)
        if np.isnan(values).any():
            raise SettingsError(
                "the likelihoods of these shots were not computed; sample again with "
                "sample.likelihood = 'all', or choose another target"
            )
        return values


def part_of(
    head: SnapshotsHead, split: str, target: str, control: str, source: int | str | None
) -> Part:
    """Part of a dataset, asked for as in :func:`phasenet.networks.datasets.load_dataset`.

    Raises
    ------
    SettingsError, ShapeError
    """
    members = np.zeros(len(head.points), dtype=bool)
    members[head.points_in(split)] = True
    for index, point in enumerate(head.points):
        study = head.sources[point.source].study
        members[index] &= source is None or source in (point.source, study)
        members[index] &= not control or control == point.control
    if not members.any():
        raise SettingsError(_nothing(head, split, control, source))
    lengths = sorted({head.sources[head.points[k].source].sites for k in np.flatnonzero(members)})
    if len(lengths) > 1:
        raise ShapeError(
            f"these shots have {', '.join(map(str, lengths))} sites; wanted chains of one length: "
            f"take one source at a time, of 0 to {len(head.sources) - 1}"
        )
    table = None if target == _LIKELIHOODS else _table(head, target, members)
    return Part(head=head, members=members, sites=lengths[0], target=target, table=table)


def _nothing(head: SnapshotsHead, split: str, control: str, source: int | str | None) -> str:
    asked = f"split {split}" + (f", control {control!r}" if control else "")
    asked += "" if source is None else f", source {source!r}"
    there = {
        f"{p.split}{f' ({p.control})' if p.control else ''} of {p.source} = "
        f"{head.sources[p.source].study!r}"
        for p in head.points
    }
    return f"there are no shots of {asked}; the file has {'; '.join(sorted(there))}"


def _table(head: SnapshotsHead, target: str, members: NDArray[np.bool_]) -> Array:
    """What is to be learned at each point of the head."""
    if target == _LABEL:
        return head.label_of_point
    if target == _SOFT_LABEL:
        unknown = (np.nan,) * len(head.classes)
        values: FloatArray = np.asarray([p.soft_label or unknown for p in head.points])
    else:
        values = _numbers(head, target)
    lacking = int((members & ~np.isfinite(values).reshape(len(members), -1).all(axis=1)).sum())
    if lacking:
        raise SettingsError(
            f"{target} is unknown or infinite at {lacking} of the {int(members.sum())} points; "
            "choose another target, or one source= that has it"
        )
    return values.astype(np.float32)


def _numbers(head: SnapshotsHead, target: str) -> FloatArray:
    columns = {column.name: column.values for column in head.targets}
    points = [p.point.as_dict() for p in head.points]
    couplings = sorted({name for point in points for name in point})
    if target in columns:
        return columns[target]
    if target in couplings:
        return np.asarray([point.get(target, np.nan) for point in points])
    wanted = ", ".join([_LABEL, _SOFT_LABEL, _LIKELIHOODS, *couplings, *columns])
    raise SettingsError(f"target is {target!r}; wanted one of {wanted}")
