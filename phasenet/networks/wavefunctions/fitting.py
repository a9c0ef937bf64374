"""Fit of an autoregressive network to a state, from exact amplitudes of the state's own shots."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from phasenet.networks.convolutional import load_weights, weights_of
from phasenet.networks.fitting import one_thread
from phasenet.networks.functions import torch_device
from phasenet.networks.wavefunctions.overlap import overlap_of, overlap_on
from phasenet.networks.wavefunctions.recurrent import RecurrentWavefunction, unit
from phasenet.networks.wavefunctions.sector import Sector
from phasenet.networks.wavefunctions.teacher import Lesson, Teacher
from phasenet.points import ParameterPoint
from phasenet.seeds import derived_seed, stream
from phasenet.settings import FitSettings
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array
from phasenet.wavefunctions import FittedWavefunction

Progress = Callable[[int, str], None]
"""Receives the number of the epoch and one line about it."""

INTERRUPTED = "interrupted; this is the best so far"

_VALIDATION_SHOTS = 2048
_WARM_UP = 0.1
_LARGEST_STEP = 1.0
# Of the learning rate, while the fidelity itself is raised.
_REFINING = 0.1
_Loss = Callable[[RecurrentWavefunction, "Batch"], torch.Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """A lesson as tensors, in the precision of the network; names are those of the lesson."""

    spins: torch.Tensor
    conditionals: torch.Tensor
    turns: torch.Tensor
    phase: torch.Tensor
    log_probability: torch.Tensor

    @classmethod
    def of(cls, lesson: Lesson, rows: slice, device: torch.device) -> "Batch":
        """Some rows of a lesson, on a device."""

        def moved(array: Array) -> torch.Tensor:
            tensor = torch.from_numpy(array[rows])
            return tensor.to(device, torch.complex64 if tensor.is_complex() else torch.float32)

        return cls(
            spins=torch.from_numpy(lesson.spins[rows].astype(np.int64)).to(device),
            conditionals=moved(lesson.conditionals),
            turns=moved(lesson.turns),
            phase=moved(lesson.phase),
            log_probability=moved(lesson.log_probability),
        )


@dataclass(kw_only=True)
class _Course:
    """A fit under way: the best weights so far, and what has happened."""

    network: RecurrentWavefunction
    teacher: Teacher
    settings: FitSettings
    device: torch.device
    progress: Progress
    check: Lesson
    best: float = np.inf
    best_epoch: int = 0
    epoch: int = 0
    kept: dict[str, Array] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)


def fit_wavefunction(
    form: StateForm,
    settings: FitSettings,
    *,
    point: ParameterPoint,
    state: str,
    progress: Progress,
    device: str = "cpu",
) -> FittedWavefunction:
    """Fit a network to an open chain; an interruption keeps the best so far.

    Parameters
    ----------
    form
        The state: an open chain of equal sites.
    settings
        Network, optimiser and seed.
    point, state
        Couplings of the state, and its name.
    progress
        Receives the number of the epoch and one line about it.
    device
        Where the network is fitted: "cpu", "cuda", "cuda:1", ...

    Raises
    ------
    SettingsError, ShapeError
        The state has no amplitudes, or unequal sites; or there is no such device.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.points import ParameterPoint
    >>> from phasenet.trains.form import state_form
    >>> quick = FitSettings(width=4, max_epochs=1, shots=128, overlap_shots=100)
    >>> chain = state_form(aklt_chain(4))
    >>> found = fit_wavefunction(
    ...     chain, quick, point=ParameterPoint.of(), state="AKLT", progress=lambda epoch, text: None
    ... )
    >>> print(found.outcome.split(";")[0], found.overlap.fidelity < 1.0)
    max_epochs reached True
    """
    where = torch_device(device)
    teacher = Teacher(form)
    size = (_VALIDATION_SHOTS, teacher.length)
    with one_thread():
        torch.manual_seed(derived_seed(settings.seed, "wavefunction", "initial weights"))
        network = RecurrentWavefunction(
            length=teacher.length,
            sector=Sector.of(form),
            width=settings.width,
            depth=settings.depth,
            is_complex=teacher.is_complex,
        ).to(where)
        course = _Course(
            network=network,
            teacher=teacher,
            settings=settings,
            device=where,
            progress=progress,
            check=teacher.draw(stream(settings.seed, "wavefunction", "validation").random(size)),
            kept=weights_of(network.cpu()),
        )
        network.to(where)
        outcome = _taught(course)
        _load(course)
        network.double()
        overlap = overlap_of(network, teacher, shots=settings.overlap_shots, seed=settings.seed)
    return FittedWavefunction(
        architecture=network.architecture,
        weights=course.kept,
        point=point,
        state=state,
        overlap=overlap,
        history={name: np.asarray(curve) for name, curve in course.curves.items()},
        outcome=outcome,
    )


def _taught(course: _Course) -> str:
    """Outcome of a fit; the best weights are kept in the course."""
    settings = course.settings
    try:
        reached = _stage(course, lesson_loss, settings.max_epochs, settings.learning_rate)
        if settings.refine_epochs:
            _load(course)
            course.best = _checked(course, distance)
            rate = _REFINING * settings.learning_rate
            reached = _stage(course, distance, settings.refine_epochs, rate)
    except KeyboardInterrupt:
        return INTERRUPTED
    stopped = "max_epochs reached" if reached else "no better for patience epochs"
    return f"{stopped}; best loss {course.best:.2e} at epoch {course.best_epoch} of {course.epoch}"


def _stage(course: _Course, loss: _Loss, epochs: int, rate: float) -> bool:
    """Some epochs with one loss; return whether all of them went by."""
    settings = course.settings
    optimiser = torch.optim.Adam(course.network.parameters(), lr=rate)
    steps = epochs * -(-settings.shots // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=_WARM_UP
    )
    first, course.best_epoch = course.epoch, course.epoch
    while course.epoch - first < epochs and course.epoch - course.best_epoch < settings.patience:
        course.epoch += 1
        losses = []
        for batch in _batches(course):
            optimiser.zero_grad()
            value = loss(course.network, batch)
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_(course.network.parameters(), _LARGEST_STEP)
            optimiser.step()
            schedule.step()
            losses.append(float(value.detach()))
        _note(course, float(np.mean(losses)), loss)
    return course.epoch - first == epochs


def _batches(course: _Course) -> Iterator[Batch]:
    """Fresh shots of one epoch."""
    settings = course.settings
    numbers = stream(settings.seed, "wavefunction", "epoch", str(course.epoch))
    lesson = course.teacher.draw(numbers.random((settings.shots, course.teacher.length)))
    for start in range(0, settings.shots, settings.batch):
        yield Batch.of(lesson, slice(start, start + settings.batch), course.device)


@torch.no_grad()
def _note(course: _Course, train_loss: float, loss: _Loss) -> None:
    """Loss on the fixed shots; the best weights are kept."""
    found = _checked(course, loss)
    overlap = overlap_on(course.network, course.check)
    row = {
        "train_loss": train_loss,
        "validation_loss": found,
        "fidelity": overlap.fidelity,
        "sign_agreement": overlap.sign_agreement,
    }
    for name, value in row.items():
        course.curves.setdefault(name, []).append(value)
    if found < course.best:
        course.best, course.best_epoch = found, course.epoch
        course.kept = weights_of(course.network.cpu())
        course.network.to(course.device)
    course.progress(course.epoch, f"loss {found:.2e}, fidelity {overlap.fidelity:.5f}")


@torch.no_grad()
def _checked(course: _Course, loss: _Loss) -> float:
    return float(loss(course.network, Batch.of(course.check, slice(None), course.device)))


def _load(course: _Course) -> None:
    load_weights(course.network.cpu(), course.kept)
    course.network.to(course.device)


def lesson_loss(network: RecurrentWavefunction, batch: Batch) -> torch.Tensor:
    r"""Relative entropy of a network's shots to the state's, plus the loss of all turns.

    The relative entropy is :math:`\sum_k\langle KL(p_k\|p_{\theta,k})\rangle`, with all outcomes of
    each site summed exactly. The loss of an outcome's turn is logistic for signs and
    :math:`1-\cos` for phases, in the weight of the outcome.
    """
    logs, phases = network(batch.spins)
    p = batch.conditionals
    entropy = (p * (p.clamp(min=torch.finfo(p.dtype).tiny).log() - logs)).sum((1, 2))
    if network.is_complex:
        turns = 1.0 - (unit(phases) * _corrected(batch, phases).conj()).real
    else:
        turns = nn.functional.softplus(-batch.turns * phases[..., 0])
    loss: torch.Tensor = (entropy + (p * turns).sum((1, 2))).mean()
    return loss


def _corrected(batch: Batch, phases: torch.Tensor) -> torch.Tensor:
    """Turns that lead from the network's own phase of each prefix to that of the state.

    Small errors of phases would add up along a chain; those of signs are none.
    """
    chosen = batch.spins[..., None]
    own = unit(phases).detach().gather(2, chosen)[..., 0].cumprod(1)
    right = batch.turns.gather(2, chosen)[..., 0].cumprod(1)
    error = nn.functional.pad((right * own.conj())[:, :-1], (1, 0), value=1.0)
    return batch.turns * error[..., None]


def distance(network: RecurrentWavefunction, batch: Batch) -> torch.Tensor:
    r"""Half the squared distance of the states, 1 - Re :math:`\langle\psi|\psi_\theta\rangle`.

    It is the mean of :math:`\tfrac12|\psi_\theta/\psi-1|^2` over shots of the state, because both
    norms are 1; in this form nothing is left to average over where the two agree. A sign counts
    with its expectation value, a number between -1 and 1.
    """
    logs, phases = network(batch.spins)
    chosen = batch.spins[..., None]
    log = logs.gather(2, chosen)[..., 0].sum(1) - batch.log_probability
    turns = unit(phases) if network.is_complex else phases[..., 0].tanh()
    turn = turns.gather(2, chosen)[..., 0].prod(1)
    ratio = (log / 2).exp() * turn * batch.phase.conj()
    loss: torch.Tensor = ((ratio - 1.0).abs() ** 2).mean() / 2
    return loss
