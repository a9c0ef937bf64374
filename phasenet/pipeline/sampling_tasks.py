"""Blocks of shots, each drawn by one task and kept in a part of its own."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from phasenet.identity import digest
from phasenet.pipeline.dataset_head import Head
from phasenet.pipeline.dataset_plan import DatasetPlan
from phasenet.seeds import stream
from phasenet.settings import NoiseSettings, SampleSettings
from phasenet.shots import SampledPoint, Shots
from phasenet.snapshots.bases import Basis, basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.noise import with_noise
from phasenet.snapshots.places import Memory, Place
from phasenet.snapshots.sampling import draw_shots
from phasenet.snapshots.splits import shots_of_points
from phasenet.snapshots.transforms import control_copy, kennedy_tasaki
from phasenet.storage.shot_parts import ShotParts
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.train import Array, FloatArray

BLOCK_SHOTS = 32768
"""Shots of one task; noise and controls have a random stream for each block."""

_LIKELY_SPLITS = {
    "all": ("train", "validation", "test", "critical"),
    "held out": ("test", "critical"),
    "none": (),
}
# Prepared states that a worker keeps; one of 64 sites and bond dimension 64 takes about 2 MB.
_KEPT_STATES = 64


@dataclass(frozen=True, kw_only=True)
class BlockTask:
    """One block of shots of one point.

    Parameters
    ----------
    name
        In words.
    key
        Of its part.
    parts
        Where the part goes.
    point, control
        Index of the point, and what is done to its shots.
    state
        File of the state that is measured.
    names
        Of the random streams of the point.
    start, shots
        Which of the shots of the point.
    mixtures
        For each class, the states whose equal mixture it is; no classes if likelihoods are not
        asked for.
    classes
        Number of classes.
    seed, sample, noise
        Settings.
    device, precision
        Where and how precisely states are contracted.
    """

    name: str
    key: str
    parts: ShotParts
    point: int
    control: str
    state: Path
    names: tuple[str, ...]
    start: int
    shots: int
    mixtures: tuple[tuple[Path, ...], ...]
    classes: int
    seed: int
    sample: SampleSettings
    noise: NoiseSettings
    device: str
    precision: str


def block_tasks(
    plan: DatasetPlan, found: Head, key: str, parts: ShotParts, device: str
) -> list[BlockTask]:
    """Tasks of all points of a shard, in the order of the points.

    Parameters
    ----------
    plan, found
        The dataset.
    key
        Digest of all that decides its content.
    parts
        Where parts go.
    device
        Where states are contracted.
    """
    settings, head = plan.settings, found.head
    measured = [p for p in head.points if not p.control]
    # A control has as many shots as the point that it is made from, and its likelihoods.
    counts = shots_of_points(measured, settings.sample)
    origin = {(p.source, p.point): k for k, p in enumerate(measured)}
    tasks = []
    for index, point in enumerate(head.points):
        if not plan.shard.holds(index):
            continue
        place = origin[point.source, point.point]
        split = measured[place].split
        likely = split in _LIKELY_SPLITS[settings.sample.likelihood]
        mixtures = _mixtures(found, index, split) if likely else ()
        tasks += [
            BlockTask(
                name=f"{point.point}{f', {point.control}' if point.control else ''}",
                key=digest([key, index, start]),
                parts=parts,
                point=index,
                control=point.control,
                state=found.states[index].sampled,
                names=_stream_names(point),
                start=start,
                shots=min(BLOCK_SHOTS, counts[place] - start),
                mixtures=mixtures,
                classes=len(head.classes),
                seed=settings.seed,
                sample=settings.sample,
                noise=settings.noise,
                device=device,
                precision=plan.precision,
            )
            for start in range(0, counts[place], BLOCK_SHOTS)
        ]
    return tasks


def draw_block(task: BlockTask) -> str:
    """Draw a block and write its part; return one line about it."""
    measured, basis = _measured(task.state, task.sample, task.device, task.precision)
    drawn, basis_index = draw_shots(
        measured, basis, task.seed, *task.names, start=task.start, shots=task.shots
    )
    spins, logs, site_dim = drawn.spins, drawn.log_probability, len(basis.vectors[0])
    streams = (*task.names, str(task.start))
    if task.control:
        rng = stream(task.seed, "control", task.control, *streams)
        spins = control_copy(task.control, spins, site_dim, rng)
    if task.control or (task.sample.window and task.sample.likelihood != "none"):
        logs = measured.log_probability(spins, basis_index)
    phase: FloatArray | None = None
    if task.sample.phases:
        phase = np.angle(measured.log_amplitudes(spins, basis_index)[0])
    likelihood = _class_log_likelihood(task, spins, basis_index)
    if task.noise != NoiseSettings():
        spins = with_noise(spins, site_dim, task.noise, stream(task.seed, "noise", *streams))
    if task.sample.transform == "Kennedy-Tasaki":
        spins = kennedy_tasaki(spins, site_dim)
    shots = Shots(
        spins=spins,
        point_index=np.full(len(spins), task.point, dtype=np.int32),
        log_probability=logs,
        class_log_likelihood=likelihood,
        basis_index=basis_index,
        phase=phase,
    )
    task.parts.write(task.key, shots)
    return f"{task.name}: {len(shots)} shots"


def _class_log_likelihood(task: BlockTask, spins: Array, basis_index: Array | None) -> FloatArray:
    """Return ln p(shot | class), where a class is the equal mixture of its states."""
    result = np.full((len(spins), task.classes), np.nan)
    for column, states in enumerate(task.mixtures):
        if states:
            logs = [
                _measured(state, task.sample, task.device, task.precision)[0].log_probability(
                    spins, basis_index
                )
                for state in states
            ]
            result[:, column] = logsumexp(logs, axis=0) - np.log(len(states))
    return result


def _mixtures(found: Head, index: int, split: str) -> tuple[tuple[Path, ...], ...]:
    """States of each class in a split, of chains that are as long as that of a point."""
    head = found.head
    sites = head.sources[head.points[index].source].sites
    return tuple(
        tuple(
            states.sampled
            for point, states in zip(head.points, found.states, strict=True)
            if (point.split, point.label) == (split, name)
            and head.sources[point.source].sites == sites
        )
        for name in head.classes
    )


def _stream_names(point: SampledPoint) -> tuple[str, ...]:
    """Names of the random streams of a point; chains of one dataset may share a point."""
    chain = (f"source {point.source}",) if point.source else ()
    return (*chain, point.point.id)


@lru_cache(maxsize=_KEPT_STATES)
def _measured(
    path: Path, sample: SampleSettings, device: str, precision: str
) -> tuple[MeasuredState, Basis]:
    """State of a file, prepared for its basis."""
    _, state = read_state(path)
    form = state_form(state.train)
    basis = basis_of(sample.basis, form.site_dims[0])
    sites = sample.window or form.length
    return MeasuredState(form, basis, sites=sites, place=_place(device, precision)), basis


def _place(device: str, precision: str) -> Place:
    if device == "cpu":
        return Memory(precision=precision)
    from phasenet.networks.devices import torch_place  # loads torch

    return torch_place(device, precision)
