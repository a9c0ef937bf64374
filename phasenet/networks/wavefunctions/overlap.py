"""Fidelity of a network with the state that it was fitted to, from exact amplitudes of shots."""

import numpy as np
import torch

from phasenet.networks.wavefunctions.recurrent import RecurrentWavefunction, unit
from phasenet.networks.wavefunctions.teacher import Lesson, Teacher
from phasenet.seeds import stream
from phasenet.trains.train import Array, FloatArray
from phasenet.wavefunctions import Overlap

_ROWS = 1024


def overlap_of(
    network: RecurrentWavefunction, teacher: Teacher, *, shots: int, seed: int
) -> Overlap:
    r"""Fidelity of a network in float64 with a state, estimated from shots of the state.

    The overlap is the mean of :math:`z=\psi_\theta/\psi` over shots. A product over sites like z is
    a sum of steps, and the mean of each step over the outcomes of its site is known:

    .. math:: \langle\psi|\psi_\theta\rangle=1+\sum_k\big\langle z_{<k}\,(m_k-1)\big\rangle,\qquad
        m_k=\sum_s\sqrt{p_k(s)\,p_{\theta,k}(s)}\,e^{i(\varphi_{\theta,k}-\varphi_k)(s)}

    The bracket is as small as what is missing from the overlap, and so is its spread, where that of
    z is the square root of it. And a sign that is wrong for one configuration in a million, which
    no shot shows, is seen from all prefixes that lead to it.

    Parameters
    ----------
    network
        In float64.
    teacher
        The state.
    shots
        At least 2.
    seed
        Of the shots.

    >>> from phasenet.networks.wavefunctions.sector import Sector
    >>> from phasenet.phases.exact import product_chain
    >>> from phasenet.trains.form import state_form
    >>> up = state_form(product_chain([0, 0, 0], 2))
    >>> network = RecurrentWavefunction(
    ...     length=3, sector=Sector.of(up), width=2, depth=1, is_complex=False
    ... ).double()
    >>> print(f"{overlap_of(network, Teacher(up), shots=10, seed=0).fidelity:.6f}")
    1.000000
    """
    numbers = stream(seed, "wavefunction", "overlap").random((shots, teacher.length))
    return overlap_on(network, teacher.draw(numbers))


def overlap_on(network: RecurrentWavefunction, lesson: Lesson) -> Overlap:
    """Fidelity of a network with a state, from shots that are drawn already."""
    shots = len(lesson.spins)
    parts = [
        _compared(network, lesson, slice(start, start + _ROWS)) for start in range(0, shots, _ROWS)
    ]
    means, phases = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    mean = means.mean()
    common = np.conj(mean) / abs(mean) if abs(mean) > 0.0 else 1.0
    along = (means * common).real
    # The modulus of a mean with an error is too large by it.
    bias = float(np.var(means, ddof=1)) / shots
    return Overlap(
        fidelity=max(0.0, float(abs(mean) ** 2) - bias),
        error=float(np.sqrt(4 * abs(mean) ** 2 * np.var(along, ddof=1) / shots + 2 * bias**2)),
        sign_agreement=float((phases * common).real.mean()),
        shots=shots,
    )


@torch.no_grad()
def _compared(network: RecurrentWavefunction, lesson: Lesson, rows: slice) -> tuple[Array, Array]:
    """Estimates of the overlap from each shot, and differences of the phases of amplitudes."""
    device = next(network.parameters()).device

    def moved(array: Array) -> torch.Tensor:
        return torch.from_numpy(array[rows]).to(device)

    p, spins = moved(lesson.conditionals), moved(lesson.spins.astype(np.int64))
    logs, vectors = network(spins)
    turns = unit(vectors) * moved(lesson.turns).conj()
    steps = (p * logs.exp()).sqrt() * turns
    chosen = spins[..., None]
    ratios = (steps / p.clamp(min=torch.finfo(p.dtype).tiny)).gather(2, chosen)[..., 0]
    before = torch.nn.functional.pad(ratios.cumprod(1)[:, :-1], (1, 0), value=1.0)
    means = 1.0 + (before * (steps.sum(2) - 1.0)).sum(1)
    return means.cpu().numpy(), turns.gather(2, chosen)[..., 0].prod(1).cpu().numpy()


@torch.no_grad()
def amplitudes_of(network: RecurrentWavefunction, spins: Array) -> tuple[Array, FloatArray]:
    """Phases and logarithms of the magnitudes of amplitudes of a network, as arrays."""
    device = next(network.parameters()).device
    parts = torch.split(torch.from_numpy(spins.astype(np.int64)), _ROWS)
    found = [network.log_amplitudes(part.to(device)) for part in parts]
    phases, logs = (np.concatenate([f[k].cpu().numpy() for f in found]) for k in (0, 1))
    return phases, logs
