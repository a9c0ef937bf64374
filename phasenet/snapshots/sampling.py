"""Shots in batches, each from its own place in the streams of random numbers."""

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.seeds import uniforms
from phasenet.snapshots.bases import Basis
from phasenet.snapshots.measured import Drawn, MeasuredState


def draw_shots(
    measured: MeasuredState, basis: Basis, seed: int, *names: str, start: int, shots: int
) -> tuple[Drawn, NDArray[np.uint8] | None]:
    """Shots ``start`` to ``start + shots`` of the endless series of a seed and names.

    The numbers of a shot follow from the seed, the names, its place in the series and the site
    alone, so that a series may be drawn in any parts.

    Parameters
    ----------
    measured
        The state, prepared for the basis.
    basis
        The same basis.
    seed, *names
        Name the series.
    start, shots
        First shot, and how many.

    Returns
    -------
    The shots, and the index of the basis of each site of each shot, uint8 of shape (shots, sites),
    where it is drawn.

    >>> from phasenet.snapshots.bases import basis_of
    >>> from phasenet.trains.form import state_form
    >>> from phasenet.trains.train import TensorTrain
    >>> up = state_form(TensorTrain(cores=(np.array([[[1.0], [0.0]]]),) * 3))
    >>> sz = basis_of("Sz", 2)
    >>> draw_shots(MeasuredState(up, sz), sz, 0, "example", start=0, shots=2)[0].spins.tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    if start < 0 or shots < 0:
        raise SettingsError(f"shots {start} to {start + shots} are asked for; wanted none below 0")
    sites = measured.sites
    spins = np.empty((shots, sites), dtype=np.uint8)
    logs = np.empty(shots)
    index = np.empty((shots, sites), dtype=np.uint8) if basis.drawn else None
    for first in range(0, shots, measured.batch):
        rows, part = min(measured.batch, shots - first), slice(first, first + measured.batch)
        place = start + first
        numbers = uniforms(seed, "shots", *names, start=place, rows=rows, columns=measured.columns)
        chosen = None
        if index is not None:
            numbers_of_bases = uniforms(
                seed, "bases", *names, start=place, rows=rows, columns=sites
            )
            chosen = index[part] = basis.draw(numbers_of_bases)
        drawn = measured.draw(numbers, chosen)
        spins[part], logs[part] = drawn.spins, drawn.log_probability
    return Drawn(spins=spins, log_probability=logs), index
