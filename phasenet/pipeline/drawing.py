"""Shots of a state in any form, and the exact probabilities and amplitudes of given outcomes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import ShapeError
from phasenet.pipeline.analysis import AnyState, as_state
from phasenet.snapshots.bases import Basis, basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.places import IN_MEMORY, Place
from phasenet.snapshots.readouts import Readout
from phasenet.snapshots.sampling import draw_shots
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnSnapshots:
    """Shots of a state.

    Parameters
    ----------
    spins
        Outcomes, uint8 of shape (shots, sites): 0 is the highest eigenvalue.
    log_probability
        Natural logarithm of the probability of each shot, given its basis, of shape (shots,); NaN
        for a window with a bond on its left, see :func:`log_probabilities`.
    basis
        What was measured.
    basis_index
        Where the basis was drawn: the index in ``basis.names`` for each site of each shot, uint8 of
        shape (shots, sites); else None.
    """

    spins: NDArray[np.uint8]
    log_probability: FloatArray
    basis: Basis
    basis_index: NDArray[np.uint8] | None

    @property
    def readout(self) -> Readout:
        """The shots as :func:`phasenet.shot_estimates` takes them."""
        return Readout(spins=self.spins, basis=self.basis, basis_index=self.basis_index)


def draw_snapshots(
    mps: AnyState,
    shots: int,
    *,
    basis: str | Basis = "Sz",
    seed: int = 0,
    start: int = 0,
    sites: int | None = None,
    place: Place = IN_MEMORY,
) -> DrawnSnapshots:
    """Independent shots from the exact probabilities of a state in a product basis.

    Parameters
    ----------
    mps
        State in any form, see :func:`phasenet.as_state`.
    shots
        How many. The first shots of a longer series are those of a shorter one.
    basis
        ``Sz``, ``Sx``, ``Sy``; a pattern along the chain such as ``Sx,Sz``; ``random`` for one of
        the three drawn for each site of each shot; ``unbiased`` for one of d + 1 mutually unbiased
        bases; or what :func:`phasenet.snapshots.bases.basis_of` returns.
    seed
        Of the random numbers.
    start, sites
        Window, which an infinite state needs; by default the whole chain.
    place
        Where the arrays of the work live, see :func:`phasenet.networks.devices.torch_place`.

    >>> singlet = [np.eye(2)[None], np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])]
    >>> shots = draw_snapshots(singlet, 3, basis="Sx")
    >>> shots.spins.sum(axis=1).tolist(), shots.log_probability.round(4).tolist()
    ([1, 1, 1], [-0.6931, -0.6931, -0.6931])
    """
    form = as_state(mps)
    chosen = _basis(form, basis, start)
    measured = MeasuredState(form, chosen, start=start, sites=sites, place=place)
    drawn, index = draw_shots(measured, chosen, seed, start=0, shots=shots)
    return DrawnSnapshots(
        spins=drawn.spins, log_probability=drawn.log_probability, basis=chosen, basis_index=index
    )


def log_probabilities(
    mps: AnyState,
    spins: Array,
    *,
    basis: str | Basis = "Sz",
    basis_index: NDArray[np.uint8] | None = None,
    start: int = 0,
    place: Place = IN_MEMORY,
) -> FloatArray:
    """Natural logarithms of the exact probabilities of outcomes, -inf where they are zero.

    Parameters
    ----------
    mps
        State in any form.
    spins
        Integers of shape (shots, sites) for the sites from ``start`` on.
    basis, basis_index
        As in :class:`DrawnSnapshots`.
    start
        First site of the window.
    place
        As in :func:`draw_snapshots`.

    >>> singlet = [np.eye(2)[None], np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])]
    >>> log_probabilities(singlet, np.array([[0, 1], [0, 0]])).round(4).tolist()
    [-0.6931, -inf]
    """
    form = as_state(mps)
    measured = MeasuredState(
        form, _basis(form, basis, start), start=start, sites=_sites(spins), place=place
    )
    return measured.log_probability(spins, basis_index)


def amplitudes(
    mps: AnyState, configurations: Array, *, basis: str | Basis = "Sz"
) -> tuple[Array, FloatArray]:
    """Amplitudes of configurations of an open chain, as phases and logarithms of magnitudes.

    The state is normalised. Eigenvectors of spin components have a positive component on the
    highest weight.

    Parameters
    ----------
    mps
        Open chain in any form.
    configurations
        Integers of shape (rows, sites).
    basis
        Fixed, as in :func:`draw_snapshots`.

    Returns
    -------
    Numbers of modulus 1, signs if the amplitudes are real, 0 where they vanish; and the natural
    logarithms of the magnitudes, -inf there. Both have shape (rows,).

    >>> singlet = [np.eye(2)[None], np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])]
    >>> phase, log_magnitude = amplitudes(singlet, np.array([[0, 1], [1, 0], [0, 0]]))
    >>> (phase * np.exp(log_magnitude)).round(4).tolist()
    [0.7071, -0.7071, 0.0]
    """
    form = as_state(mps)
    return MeasuredState(form, _basis(form, basis, 0)).log_amplitudes(configurations)


def _basis(form: StateForm, basis: str | Basis, start: int) -> Basis:
    if isinstance(basis, Basis):
        return basis
    return basis_of(basis, form.site_dims[start % form.length])


def _sites(spins: Array) -> int:
    if np.ndim(spins) != 2:
        raise ShapeError(f"spins have shape {np.shape(spins)}; wanted (shots, sites)")
    return int(np.shape(spins)[1])
