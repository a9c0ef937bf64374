"""Transitions by networks and principal components that see shots without labels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from phasenet.networks.architectures.registry import architecture_of, build
from phasenet.networks.discovery.indicators import Indicator, indicator
from phasenet.networks.discovery.line import Line
from phasenet.networks.discovery.optimal import balanced_accuracy, cells
from phasenet.networks.fitting import one_thread
from phasenet.seeds import derived_seed, stream
from phasenet.settings import TrainSettings
from phasenet.trains.train import Array, FloatArray

Progress = Callable[[int, str], None]
_FARTHEST = 4
_HIDDEN, _LATENT = 32, 4
_LEAST_WIDTH = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Halves:
    """Readings of each point of a line, shape (shots, sites), to learn from and to judge on."""

    known: tuple[Array, ...]
    held_out: tuple[Array, ...]


def confusion(
    line: Line,
    halves: Halves,
    settings: TrainSettings,
    *,
    seeds: int,
    seed: int,
    progress: Progress,
) -> Indicator:
    """Learning by confusion: the accuracy of networks at telling both sides of a trial boundary.

    One network has an output for each trial boundary (E. van Nieuwenburg, Y. Liu, S. Huber, Nature
    Physics 13, 435 (2017), with a network each); both sides of a boundary count alike, and on each
    side all points. It is trained for ``max_epochs``.

    Parameters
    ----------
    line, halves
        Points and their shots.
    settings
        Architecture and optimiser.
    seeds
        Networks, each from weights of its own.
    seed
        Of the run.
    progress
        Hears of each epoch, counted over all networks.
    """
    trials = len(line.points) - 1
    x = torch.from_numpy(np.concatenate(halves.known))
    point = np.repeat(np.arange(trials + 1), [len(part) for part in halves.known])
    right = torch.from_numpy(point[:, None] > np.arange(trials)).float()
    weights = torch.from_numpy(_weights(point, line.grid)).float()
    architecture = architecture_of(settings, line.readings, [x.shape[1]], trials)
    found = []
    with one_thread():
        for number in range(seeds):
            torch.manual_seed(derived_seed(seed, "discover", "confusion", str(number)))
            network = build(architecture)

            def loss(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
                return nn.functional.binary_cross_entropy_with_logits(
                    network(x[batch]), right[batch], weight=weights[batch]
                )

            _train(network, len(x), loss, settings, number, progress)
            found.append(
                [_on_their_side(network, part, k) for k, part in enumerate(halves.held_out)]
            )
    grid = line.grid
    return indicator(
        "learning by confusion",
        (grid[1:] + grid[:-1]) / 2,
        found,
        lambda means: balanced_accuracy(grid, means),
        peaked=True,
        grid=grid,
        rng=stream(seed, "discover", "confusion", "errors"),
    )


def autoencoder(
    line: Line,
    halves: Halves,
    settings: TrainSettings,
    *,
    ends: int,
    seeds: int,
    seed: int,
    progress: Progress,
) -> Indicator:
    """Share of shots that look less like the first points than like the last, to autoencoders.

    One autoencoder of :func:`pair_features` knows the first points alone, one the last (K. Kottmann
    et al., Phys. Rev. Lett. 125, 170603 (2020), with one end and states in the place of shots). The
    anomaly score is the squared error over its median on the shots that are known.

    Parameters
    ----------
    ends
        Points on either side that are known.

    The others are those of :func:`confusion`.
    """
    found = []
    with one_thread():
        for number in range(seeds):
            torch.manual_seed(derived_seed(seed, "discover", "autoencoder", str(number)))
            scores = []
            for side, (known, held_out) in enumerate(_standardised(line, halves, ends)):
                network = _autoencoder(
                    torch.from_numpy(known).float(), settings, 2 * number + side, progress
                )
                usual = np.median(_restored(network, known))
                scores.append([_restored(network, part) / usual for part in held_out])
            found.append(_beyond(*scores))
    return _anomaly("autoencoders of both ends", line, found, seed)


def principal_components(line: Line, halves: Halves, *, ends: int, seed: int) -> Indicator:
    """Share of shots that lie farther from the first points than from the last.

    The anomaly score is the squared distance in the principal components of the
    :func:`pair_features` of one end, each in units of its standard deviation, plus the logarithms
    of these (that of a normal distribution); to each variance the inverse number of shots is added.

    Parameters
    ----------
    line, halves, seed
        Those of :func:`confusion`.
    ends
        Points on either side that are known.
    """
    scores = []
    for known, held_out in _standardised(line, halves, ends):
        variances, axes = np.linalg.eigh(np.cov(known, rowvar=False))
        # Each group of shares adds up to one, so that some directions do not vary.
        kept = len(variances) - 1 - _distances(halves.known[0].shape[1])
        # What none of the shots shows may still be seen in the next one.
        variances, axes = variances[-kept:] + 1 / len(known), axes[:, -kept:]
        scaled = axes / np.sqrt(variances)
        scores.append(
            [((part @ scaled) ** 2).sum(axis=1) + np.log(variances).sum() for part in held_out]
        )
    return _anomaly("principal components of both ends", line, [_beyond(*scores)], seed)


def pair_features(spins: Array, site_dim: int) -> FloatArray:
    """Shares of the local states, and of pairs of them at distances up to four, of each shot.

    Chains of four sites or fewer have no pairs so far apart.

    Parameters
    ----------
    spins
        Local states, shape (shots, sites).
    site_dim
        Number of local states d.

    Returns
    -------
    Shape (shots, d + 4 d^2), or with fewer distances less.

    >>> pair_features(np.array([[0, 1, 0, 1, 0, 1]]), 2)[0, :6].round(2).tolist()
    [0.5, 0.5, 0.0, 0.6, 0.4, 0.0]
    """
    counts = [(spins == s).mean(axis=1) for s in range(site_dim)]
    for distance in range(1, _distances(spins.shape[1]) + 1):
        pairs = spins[:, :-distance].astype(np.int64) * site_dim + spins[:, distance:]
        counts += [(pairs == p).mean(axis=1) for p in range(site_dim**2)]
    return np.stack(counts, axis=1)


def _distances(sites: int) -> int:
    return min(_FARTHEST, sites - 1)


def _standardised(
    line: Line, halves: Halves, ends: int
) -> Iterator[tuple[FloatArray, list[FloatArray]]]:
    """For each end, features of its known shots and of all held-out ones, all in the same units."""
    count = line.readings.count
    known = [pair_features(part, count) for part in halves.known]
    everything = np.concatenate(known)
    centre, width = everything.mean(axis=0), everything.std(axis=0) + _LEAST_WIDTH
    held_out = [(pair_features(part, count) - centre) / width for part in halves.held_out]
    for end in (known[:ends], known[-ends:]):
        yield (np.concatenate(end) - centre) / width, held_out


def _autoencoder(
    x: torch.Tensor, settings: TrainSettings, number: int, progress: Progress
) -> nn.Module:
    size = x.shape[1]
    network = nn.Sequential(
        nn.Linear(size, _HIDDEN),
        nn.SiLU(),
        nn.Linear(_HIDDEN, _LATENT),
        nn.Linear(_LATENT, _HIDDEN),
        nn.SiLU(),
        nn.Linear(_HIDDEN, size),
    )

    def loss(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(network(x[batch]), x[batch])

    _train(network, len(x), loss, settings, number, progress)
    return network


@torch.inference_mode()
def _restored(network: nn.Module, features: FloatArray) -> FloatArray:
    x = torch.from_numpy(features).float()
    return np.asarray(((network(x) - x) ** 2).mean(dim=1).double().numpy())


def _beyond(first: list[FloatArray], last: list[FloatArray]) -> list[FloatArray]:
    """Whether each shot is less anomalous to the last points than to the first, (shots, 1)."""
    return [(a > b)[:, None].astype(np.float64) for a, b in zip(first, last, strict=True)]


def _anomaly(name: str, line: Line, found: list[list[FloatArray]], seed: int) -> Indicator:
    return indicator(
        name,
        line.grid,
        found,
        lambda means: np.asarray([mean[0] for mean in means]),
        peaked=False,
        grid=line.grid,
        rng=stream(seed, "discover", name, "errors"),
    )


def _train(
    network: nn.Module,
    shots: int,
    loss: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    settings: TrainSettings,
    number: int,
    progress: Progress,
) -> None:
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.max_epochs)
    for epoch in range(settings.max_epochs):
        total = 0.0
        batches = torch.split(torch.randperm(shots), settings.batch)
        for batch in batches:
            optimiser.zero_grad()
            value = loss(network, batch)
            torch.autograd.backward(value)
            optimiser.step()
            total += float(value.detach())
        decay.step()
        progress(number * settings.max_epochs + epoch + 1, f"loss {total / len(batches):.4f}")
    network.eval()


def _weights(point: Array, grid: FloatArray) -> FloatArray:
    """Weight of each shot at each trial boundary: both sides alike, each a mean over the line."""
    shots, width = np.bincount(point, minlength=len(grid)), cells(grid)
    before = np.cumsum(width)[:-1]
    below = point[:, None] < np.arange(1, len(grid))
    weights = (width / shots)[point][:, None] / np.where(below, before, width.sum() - before)
    return np.asarray(weights / weights.mean(axis=0))


@torch.inference_mode()
def _on_their_side(network: nn.Module, part: Array, place: int) -> FloatArray:
    """Whether each shot of a point is put on the side of the point, shape (shots, trials)."""
    above = network(torch.from_numpy(part)).numpy() > 0
    return np.asarray(above == (place > np.arange(above.shape[1])), dtype=np.float64)
