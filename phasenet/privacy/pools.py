"""Shots that attacked networks and shadow networks are trained on, half of them each.

Splits of a dataset are made by points: its held-out shots come from other states than those of the
training, and a network answers them differently without remembering anything. Members and others
are therefore shots of the same points here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.networks.fitting import network_of
from phasenet.networks.functions import logits_function
from phasenet.networks.readings import readings_of
from phasenet.privacy.membership import Answers
from phasenet.seeds import stream
from phasenet.shots import NO_SITE, UNLABELLED, Shots, Snapshots
from phasenet.trained import Member
from phasenet.trains.train import Array, FloatArray, IntArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Labelled shots of the points that are trained on, and those of validation.

    Parameters
    ----------
    snapshots
        The shots of the pool have the split ``train``.
    members
        Indices of the shots of the pool.
    inside
        Whether the attacked network was trained on each of them, shape (members,).
    judged
        Whether attacks are judged by each of them: its configuration occurs once in the pool,
        because a shot whose twin is in the training set cannot be told from a member; and of each
        point there are as many members as others.
    """

    snapshots: Snapshots
    members: IntArray
    inside: Mask
    judged: Mask

    def training_set(self, inside: Mask) -> Snapshots:
        """Return a dataset whose split ``train`` has some shots of the pool only."""
        held_out = self.snapshots.in_split("validation")
        return chosen_shots(self.snapshots, np.sort([*self.members[inside], *held_out]))

    def answers(self, architecture: dict[str, object], member: Member, inside: Mask) -> Answers:
        """Return what a network that was trained on some shots answers to those that judge."""
        rows = self.members[self.judged]
        function = logits_function(network_of(architecture, member))
        logits: FloatArray = np.asarray(
            function(readings_of(self.snapshots).of(self.snapshots, rows)), dtype=np.float64
        )
        return Answers(
            logits=logits, labels=self.snapshots.label_index[rows], inside=inside[self.judged]
        )

    def shadow_halves(self, count: int, seed: int) -> list[Mask]:
        """Return random halves of the pool in complementary pairs: each shot is in half of them.

        Parameters
        ----------
        count
            How many, an even number.
        seed
            Of the draws.
        """
        if count % 2:
            raise SettingsError(
                f"{count} shadow networks; wanted an even number, because they come in pairs on "
                "complementary halves"
            )
        index = self.snapshots.shots.point_index[self.members].astype(np.int64)
        halves = [
            half_of_points(index, stream(seed, "membership", "shadows", str(k)))
            for k in range(count // 2)
        ]
        return [mask for half in halves for mask in (half, ~half)]


def halved_pool(snapshots: Snapshots, *, seed: int) -> Pool:
    """Pool of the shots of ``train``, half of which at each point are members.

    Parameters
    ----------
    snapshots
        A dataset of chains of one length.
    seed
        Of the halves.
    """
    members = _trained_on(snapshots)
    index = snapshots.shots.point_index[members].astype(np.int64)
    inside = half_of_points(index, stream(seed, "membership", "members"))
    return _pool(snapshots, members, inside, np.ones(len(members), dtype=bool))


def joined_pool(snapshots: Snapshots, fresh: Snapshots) -> Pool:
    """Pool of the shots of ``train``, which are members, and of fresh shots of the same points.

    Parameters
    ----------
    snapshots
        The dataset that a network was trained on, of chains of one length.
    fresh
        Another one; of each point at most as many shots are taken as there are members.

    Raises
    ------
    SettingsError
        The fresh shots are of no point that was trained on, were measured in another way, or are
        the same shots.
    """
    known = _trained_on(snapshots)
    rows, index = _matched(snapshots, fresh, known)
    kept = np.sort(np.concatenate([known, snapshots.in_split("validation")]))
    added = replace(fresh.shots.at(rows), point_index=index.astype(np.int32))
    width = max(part.spins.shape[1] for part in (snapshots.shots, added))
    parts = [_filled(part, width) for part in (snapshots.shots.at(kept), added)]
    joined = _concatenated(parts, len(snapshots.head.classes))
    whole = Snapshots(head=snapshots.head, shots=joined)
    members = np.concatenate(
        [np.flatnonzero(np.isin(kept, known)), len(kept) + np.arange(len(rows))]
    )
    return _pool(whole, members, members < len(kept), _as_many(whole, members, len(kept)))


def half_of_points(index: IntArray, rng: np.random.Generator) -> Mask:
    """Random half of the shots of each point; of an odd number the smaller half.

    Parameters
    ----------
    index
        Point of each shot.
    rng
        Draws the halves.

    >>> half = half_of_points(np.repeat([0, 1], 10), np.random.default_rng(0))
    >>> half[:10].sum(), half[10:].sum()
    (np.int64(5), np.int64(5))
    """
    inside = np.zeros(len(index), dtype=bool)
    for point in np.unique(index):
        rows = rng.permutation(np.flatnonzero(index == point))
        inside[rows[: len(rows) // 2]] = True
    return inside


def chosen_shots(snapshots: Snapshots, rows: IntArray) -> Snapshots:
    """A dataset with some of its shots only, and all of its points."""
    return replace(snapshots, shots=snapshots.shots.at(rows))


def _pool(snapshots: Snapshots, members: IntArray, inside: Mask, fair: Mask) -> Pool:
    judged = _single(snapshots, members) & fair
    for kind, mask in (("members", inside), ("others", ~inside)):
        if (judged & mask).sum() < 10:
            raise SettingsError(
                f"{int((judged & mask).sum())} of {int(mask.sum())} {kind} have a configuration "
                "that no other shot has; wanted at least 10: take longer chains or more shots"
            )
    return Pool(snapshots=snapshots, members=members, inside=inside, judged=judged)


def _as_many(snapshots: Snapshots, members: IntArray, first_fresh: int) -> Mask:
    """Whether each shot is fresh, or one of as many members of its point as it has fresh ones.

    Without it, a point of few fresh shots would be told by its couplings.
    """
    index = snapshots.shots.point_index[members]
    fresh, fair = members >= first_fresh, np.ones(len(members), dtype=bool)
    for point in np.unique(index):
        rows = np.flatnonzero((index == point) & ~fresh)
        fair[rows[int((fresh & (index == point)).sum()) :]] = False
    return fair


def _single(snapshots: Snapshots, members: IntArray) -> Mask:
    """Whether each shot of a pool is the only one of its configuration, in its basis."""
    shots = snapshots.shots
    columns = [shots.spins[members]]
    if shots.basis_index is not None:
        columns.append(shots.basis_index[members])
    _, inverse, counts = np.unique(
        np.hstack(columns), axis=0, return_inverse=True, return_counts=True
    )
    return np.asarray(counts[inverse.reshape(-1)] == 1)


def _trained_on(snapshots: Snapshots) -> IntArray:
    members = snapshots.in_split("train")
    members = members[snapshots.label_index[members] != UNLABELLED]
    if len(members) == 0:
        raise SettingsError("the dataset has no labelled shots to train on; wanted split train")
    return np.asarray(members)


def _matched(snapshots: Snapshots, fresh: Snapshots, known: IntArray) -> tuple[IntArray, IntArray]:
    """Fresh shots of points that were trained on, and the points that they belong to."""
    for name in ("site_dim", "basis", "basis_names", "transform"):
        one, other = getattr(snapshots.head, name), getattr(fresh.head, name)
        if one != other:
            raise SettingsError(
                f"the fresh shots have {name} {other!r}, those that were trained on {one!r}; "
                "wanted shots that were measured in the same way"
            )
    places = [
        {(p.point, head.sources[p.source].sites, head.sources[p.source].boundary): k for k, p in e}
        for head, e in (
            (s.head, [(k, p) for k, p in enumerate(s.head.points) if not p.control])
            for s in (snapshots, fresh)
        )
    ]
    sizes = np.bincount(snapshots.shots.point_index[known], minlength=len(snapshots.head.points))
    rows, index = [], []
    for place, k in places[0].items():
        if sizes[k] and place in places[1]:
            found = np.flatnonzero(fresh.shots.point_index == places[1][place])[: sizes[k]]
            rows.append(found)
            index.append(np.full(len(found), k))
    if not rows:
        raise SettingsError(
            "the fresh shots are of no point that the network was trained on; wanted another "
            "dataset of the same states, such as one of another seed"
        )
    chosen, points = np.concatenate(rows), np.concatenate(index)
    one, other = snapshots.shots.spins[known][:50], fresh.shots.spins[chosen][:50]
    if one.shape == other.shape and (one == other).all():
        raise SettingsError(
            "the fresh shots are those that the network was trained on; wanted a dataset of "
            "another seed"
        )
    return chosen, points


def _filled(shots: Shots, width: int) -> Shots:
    def fill(values: Array, number: int) -> Array:
        more = width - values.shape[1]
        return np.pad(values, ((0, 0), (0, more)), constant_values=number)

    basis = shots.basis_index
    return replace(
        shots,
        spins=fill(shots.spins, NO_SITE),
        basis_index=None if basis is None else fill(basis, 0),
    )


def _concatenated(parts: Sequence[Shots], classes: int) -> Shots:
    bases = [part.basis_index for part in parts if part.basis_index is not None]
    count = sum(map(len, parts))
    return Shots(
        spins=np.concatenate([part.spins for part in parts]),
        point_index=np.concatenate([part.point_index for part in parts]),
        log_probability=np.full(count, np.nan),
        class_log_likelihood=np.full((count, classes), np.nan),
        basis_index=np.concatenate(bases) if len(bases) == len(parts) else None,
    )
