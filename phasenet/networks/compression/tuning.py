"""Training of a small network on labels and on what a large one makes of the same shots."""

from dataclasses import dataclass

import torch
from torch import nn

from phasenet.compression import CompressSettings
from phasenet.networks.compression.measures import outputs_of
from phasenet.networks.compression.task import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """Logits of a large network at the training and at the validation shots, (shots, classes)."""

    train: torch.Tensor
    validation: torch.Tensor


def tuned(
    network: nn.Module,
    task: Task,
    teacher: Teacher,
    settings: CompressSettings,
    *,
    epochs: int,
    seed: int,
) -> nn.Module:
    """Train a network in place, keep the epoch of the least validation loss, and return it.

    The loss is the cross entropy with the labels, classes balanced, and that with the softened
    probabilities of the large network: Hinton, Vinyals, Dean, arXiv:1503.02531.

    Parameters
    ----------
    network
        What is trained.
    task
        Shots.
    teacher
        Logits of the large network.
    settings
        Batch, rate, temperature and the share of distillation in the loss.
    epochs
        Passes, more where the shots are few, by Adam with a rate that falls to zero along a
        cosine; 0 leaves the network as it is.
    seed
        Of the batches.
    """
    if epochs == 0:
        return network
    batches = -(-len(task.train.y) // settings.batch)
    epochs = max(epochs, -(-settings.least_steps // batches))
    loss = DistillationLoss(task.balance, settings)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    generator = torch.Generator().manual_seed(seed)
    best, kept = _held_out(network, task, teacher, loss), _copied(network)
    for _ in range(epochs):
        network.train()
        for batch in torch.split(
            torch.randperm(len(task.train.y), generator=generator), settings.batch
        ):
            optimiser.zero_grad()
            value = loss(network(task.train.x[batch]), task.train.y[batch], teacher.train[batch])
            torch.autograd.backward(value)
            optimiser.step()
        decay.step()
        found = _held_out(network, task, teacher, loss)
        if found < best:
            best, kept = found, _copied(network)
    network.load_state_dict(kept)
    return network.eval()


class DistillationLoss:
    """Cross entropy with labels and with softened probabilities of another network.

    Parameters
    ----------
    balance
        Weight of each class among the labels.
    settings
        Temperature, and the share of distillation.
    """

    def __init__(self, balance: torch.Tensor, settings: CompressSettings) -> None:
        self._labels = nn.CrossEntropyLoss(weight=balance)
        self._share, self._temperature = settings.distillation, settings.temperature

    def __call__(
        self, logits: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor
    ) -> torch.Tensor:
        """Loss of a batch."""
        value: torch.Tensor = (1 - self._share) * self._labels(logits, labels)
        if self._share == 0.0:
            return value
        warm = self._temperature
        wanted = torch.softmax(teacher / warm, dim=1)
        # The square keeps the size of the gradient at any temperature.
        softened = nn.functional.kl_div(
            torch.log_softmax(logits / warm, dim=1), wanted, reduction="batchmean"
        )
        return value + self._share * warm**2 * softened


def _held_out(network: nn.Module, task: Task, teacher: Teacher, loss: DistillationLoss) -> float:
    logits = outputs_of(network, task.validation.x)
    return float(loss(logits, task.validation.y, teacher.validation))


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
