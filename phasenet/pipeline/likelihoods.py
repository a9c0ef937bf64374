"""Exact likelihoods of the shots along a line, under the states of all its points."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.discovery.line import Line
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.points import ParameterPoint
from phasenet.shots import Snapshots, Source
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.transforms import inverse_kennedy_tasaki
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.train import FloatArray


def states_of(folder: Path, source: Source, points: Sequence[ParameterPoint]) -> tuple[Path, ...]:
    """State file of each point: those of a study and boundary in a folder and in those below it.

    Parameters
    ----------
    folder
        Of state files; others in it are left alone.
    source
        Chain that the shots were taken of.
    points
        In the order wanted.

    Raises
    ------
    SettingsError
        A point has no state, or two.
    FileKindError
        A file is damaged, or does not say what it is.
    """
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob(f"*.{source.boundary}.{Kind.STATE}.h5")):
        header = read_header(path)
        if source.study in ("", header.study.name if header.study else ""):
            places.setdefault(_point(path, header).id, []).append(path)
    found = []
    for point in points:
        paths = places.get(point.id, [])
        if len(paths) > 1:
            raise SettingsError(
                f"{paths[0]} and {paths[1]} both hold the {source.boundary} state at {point}; name "
                "a folder with one of them"
            )
        if not paths:
            raise SettingsError(
                f"{folder} has no {source.boundary} state of study {source.study} at {point}; name "
                "the folder of the states that the shots were taken of, or leave --states out"
            )
        found.append(paths[0])
    return tuple(found)


def check_without_noise(header: Header) -> None:
    """Raise SettingsError if the states alone cannot tell how likely the shots of a dataset are."""
    noise = header.settings.get("noise")
    if noise:
        raise SettingsError(
            f"the shots carry the noise of a detector ({', '.join(noise)}), which the states do "
            "not tell; leave --states out, or draw shots without it"
        )


def line_likelihoods(
    snapshots: Snapshots, line: Line, states: Sequence[Path], reporter: Reporter
) -> list[FloatArray]:
    """Natural logarithms of the probabilities of the held-out shots of each point under all states.

    Shots after a Kennedy-Tasaki transformation are transformed back.

    Parameters
    ----------
    snapshots, line
        Dataset and line of it.
    states
        State of each point of the line.
    reporter
        Hears of each state.

    Returns
    -------
    For each point, an array of shape (shots, points); -inf where a state cannot give a shot.

    Raises
    ------
    SettingsError
        A chain has another length than the shots, sites were lost, or a shot is impossible in its
        own state.
    """
    head, rows = snapshots.head, np.concatenate(line.held_out)
    spins = snapshots.configurations(rows)
    if (spins >= head.site_dim).any():
        raise SettingsError(
            "the shots have lost sites, whose likelihoods the states do not tell; leave --states "
            "out"
        )
    if head.transform == "Kennedy-Tasaki":
        spins = inverse_kennedy_tasaki(spins, head.site_dim)
    drawn = snapshots.shots.basis_index
    bases = None if drawn is None else drawn[rows, : spins.shape[1]]
    basis = basis_of(head.basis, head.site_dim)
    table = np.empty((len(rows), len(states)))
    with stage(reporter, "likelihoods", len(states)):
        for k, path in enumerate(states):
            form = state_form(read_state(path)[1].train)
            if not form.infinite and form.length != spins.shape[1]:
                raise SettingsError(
                    f"{path} has {form.length} sites, the shots have {spins.shape[1]}; name the "
                    "folder of the states that they were taken of"
                )
            measured = MeasuredState(form, basis, sites=spins.shape[1])
            table[:, k] = measured.log_probability(spins, bases)
            reporter.advance(k + 1, str(line.points[k]))
    found = np.split(table, np.cumsum([len(part) for part in line.held_out])[:-1])
    _check_possible(found, line)
    return found


def _check_possible(found: Sequence[FloatArray], line: Line) -> None:
    for k, array in enumerate(found):
        if not np.isfinite(array[:, k]).all():
            raise SettingsError(
                f"the state at {line.points[k]} cannot give shots of that point; name the folder "
                "of the states that they were taken of"
            )


def _point(path: Path, header: Header) -> ParameterPoint:
    try:
        return ParameterPoint.of(header.settings["point"])
    except KeyError as error:
        raise FileKindError(f"{path} names no {error}; make it again") from None
