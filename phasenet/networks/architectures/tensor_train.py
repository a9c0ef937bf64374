r"""A tensor-train classifier: its logits are the outputs of a train with a class leg.

.. math:: f_c(\sigma) = A_1^{\sigma_1} \cdots A_m^{\sigma_m, c} \cdots A_L^{\sigma_L}

with real matrices, one for each local state of each site (Stoudenmire and Schwab, arXiv:1605.05775,
with one-hot features). The products run from both ends to the class leg; they are divided by their
largest element site by site and the logarithms are added, so that chains of hundreds of sites
neither vanish nor overflow.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from phasenet.errors import FileKindError, ShapeError
from phasenet.networks.architectures.architecture import Architecture, count, counts
from phasenet.networks.architectures.starts import Start, started
from phasenet.settings import TrainSettings
from phasenet.trains.canonical import canonical
from phasenet.trains.train import Array, TensorTrain, check_cores

# Logits beyond are cut: exp of it is far from the largest float32.
_LARGEST_LOG = 60.0


class TrainClassifier(nn.Module):
    """Train over one-hot local states whose outputs are the logits.

    Parameters
    ----------
    site_dim
        Number of local states.
    bonds
        Dimension of each inner bond, one less than there are sites.
    output_site
        Site of the class leg.
    classes
        Number of outputs.

    >>> network = TrainClassifier(site_dim=3, bonds=(3, 4, 3), output_site=2, classes=2)
    >>> tuple(network(torch.zeros(5, 4, dtype=torch.long)).shape)
    (5, 2)
    """

    def __init__(
        self, *, site_dim: int, bonds: Sequence[int], output_site: int, classes: int
    ) -> None:
        super().__init__()
        self.site_dim, self.output_site, self.classes = site_dim, output_site, classes
        shapes = [(left, site_dim, right) for left, right in pairwise((1, *bonds, 1))]
        self.cores = nn.ParameterList(
            nn.Parameter(core) for core in started(shapes, output_site, classes, "identity")
        )

    @property
    def bonds(self) -> tuple[int, ...]:
        """Dimension of each inner bond."""
        return tuple(core.shape[2] for core in self.cores)[:-1]

    @classmethod
    def of(cls, train: TensorTrain) -> Self:
        """Classifier with the outputs of a real train as its logits, in float64.

        The train may have any gauge: what the classifier holds has orthonormal cores on both sides
        of the class leg, times the root of the number of local states, which suits an optimiser
        that takes steps of one size everywhere.

        >>> core = np.ones((1, 2, 1))
        >>> train = TensorTrain(cores=(core, core[..., None], core), output_site=1)
        >>> network = TrainClassifier.of(train)
        >>> print(f"{network(torch.zeros(1, 3, dtype=torch.long)).item():.6f}")
        1.000000
        """
        site = train.output_site
        if site is None or len(set(train.site_dims)) != 1:
            raise ShapeError(
                f"the train has output site {site} and local dimensions {train.site_dims}; wanted "
                "a class leg and one local dimension"
            )
        gauged = canonical(train, site)
        root = 0.5 * math.log(train.site_dims[0])
        factors = [root] * train.length
        factors[site] = gauged.log_scale - root * (train.length - 1)
        classes = gauged.cores[site].shape[3]
        # The cores that it would start from are thrown away.
        with torch.random.fork_rng(devices=[]):
            network = cls(
                site_dim=train.site_dims[0],
                bonds=gauged.bond_dims,
                output_site=site,
                classes=classes,
            ).double()
        pairs = zip(gauged.cores, factors, strict=True)
        network.set_cores([core * math.exp(factor) for core, factor in pairs])
        return network

    def set_cores(self, cores: Sequence[Array]) -> None:
        """Take real cores (left, site, right), that of the class leg with a fourth axis.

        The bonds may differ from those before.

        Raises
        ------
        ShapeError
            They do not fit together or to the classifier.
        """
        check_cores(cores, self.output_site)
        dims = {core.shape[1] for core in cores}
        classes = cores[self.output_site].shape[3]
        outer = (cores[0].shape[0], cores[-1].shape[2])
        if (
            (len(cores), dims, classes) != (len(self.cores), {self.site_dim}, self.classes)
            or outer != (1, 1)
            or any(np.iscomplexobj(core) for core in cores)
        ):
            raise ShapeError(
                f"got {len(cores)} cores of {sorted(dims)} local states and {classes} classes; "
                f"wanted {len(self.cores)} real ones of {self.site_dim} states and "
                f"{self.classes} classes, with outer bonds of 1"
            )
        like = self.cores[0]
        for site, core in enumerate(cores):
            values = torch.tensor(np.asarray(core), dtype=like.dtype, device=like.device)
            self.cores[site] = nn.Parameter(values)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of local states of shape (shots, sites)."""
        states, site = spins.long(), self.output_site
        # Of a shape that a recorded graph follows.
        start = torch.ones_like(states[:, :1], dtype=self.cores[0].dtype)
        left, log_left = self._carried(start, states, range(site))
        right, log_right = self._carried(start, states, range(len(self.cores) - 1, site, -1))
        wide = _through(left, self.cores[site].flatten(2), states[:, site])
        middle = wide.reshape(wide.shape[0], right.shape[1], self.classes)
        values = (right[:, :, None] * middle).sum(dim=1)
        logits: torch.Tensor = values * (log_left + log_right).clamp(max=_LARGEST_LOG).exp()
        return logits

    def _carried(
        self, vector: torch.Tensor, states: torch.Tensor, sites: range
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Product of the cores from one end on, as a vector and a logarithm of its scale."""
        logs = torch.zeros_like(vector)
        for site in sites:
            core = self.cores[site] if sites.step > 0 else self.cores[site].transpose(0, 2)
            vector = _through(vector, core, states[:, site])
            # A factor that is taken out and put back has no gradient of its own.
            scale = vector.detach().abs().amax(dim=1, keepdim=True)
            scale = scale.clamp(min=torch.finfo(scale.dtype).tiny)
            vector, logs = vector / scale, logs + scale.log()
        return vector, logs


def restart(network: TrainClassifier, start: Start) -> None:
    """Draw all cores of a classifier anew, by torch's global generator.

    Parameters
    ----------
    network
        Keeps its bonds.
    start
        One of :data:`~phasenet.networks.architectures.starts.STARTS`; what they mean is said at
        :func:`~phasenet.networks.architectures.starts.started`.

    >>> network = TrainClassifier(site_dim=3, bonds=(3, 4, 3), output_site=2, classes=2)
    >>> restart(network, "unitary")
    >>> print(f"{network.cores[0][0, 0].norm().item():.6f}")
    1.000000
    """
    shapes = [(core.shape[0], core.shape[1], core.shape[2]) for core in network.cores]
    cores = started(shapes, network.output_site, network.classes, start)
    network.set_cores([core.numpy() for core in cores])


def as_train(network: TrainClassifier) -> TensorTrain:
    """Train of the logits of a tensor-train classifier, exact but for rounding.

    >>> network = TrainClassifier(site_dim=3, bonds=(3, 4, 3), output_site=2, classes=2)
    >>> as_train(network).bond_dims
    (3, 4, 3)
    """
    cores = tuple(core.detach().cpu().double().numpy().copy() for core in network.cores)
    return TensorTrain(cores=cores, output_site=network.output_site)


def train_architecture(network: TrainClassifier, readings: Mapping[str, Any]) -> dict[str, Any]:
    """Architecture of a tensor-train classifier, as a file holds it.

    Parameters
    ----------
    network
        Any classifier, such as one that was made of a train.
    readings
        Of its sites, as :meth:`~phasenet.networks.readings.Readings.as_dict` gives them; an
        architecture over the same readings will do.

    >>> network = TrainClassifier(site_dim=3, bonds=(3, 4, 3), output_site=2, classes=2)
    >>> train_architecture(network, {"site_dim": 3})["bonds"]
    [3, 4, 3]
    """
    known = {name: readings[name] for name in ("site_dim", "lost", "bases") if name in readings}
    values = {"bonds": list(network.bonds), "output_site": network.output_site}
    return {"kind": "train", **known, **values, "classes": network.classes}


def _through(vector: torch.Tensor, core: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Vectors (shots, left) times the matrices of one state each, shape (shots, right)."""
    wide = (vector @ core.flatten(1)).reshape(vector.shape[0], core.shape[1], core.shape[2])
    chosen = states[:, None, None].expand(-1, 1, wide.shape[2])
    return wide.gather(1, chosen)[:, 0]


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    length = lengths[0]
    middle = length // 2
    # No bond needs more than the states of the sites on its side without the class leg.
    sides = [bond + 1 if bond < middle else length - 1 - bond for bond in range(length - 1)]
    bonds = [min(settings.bond, site_dim ** min(side, 16)) for side in sides]
    return {"bonds": bonds, "output_site": middle}


def _make(architecture: Mapping[str, Any]) -> TrainClassifier:
    bonds = counts(architecture, "bonds")
    site = architecture.get("output_site")
    if isinstance(site, bool) or not isinstance(site, int) or not 0 <= site <= len(bonds):
        raise FileKindError(
            f"architecture 'train' has output_site {site!r:.60}; wanted one of its "
            f"{len(bonds) + 1} sites, counted from 0"
        )
    return TrainClassifier(
        site_dim=count(architecture, "site_dim"),
        bonds=bonds,
        output_site=site,
        classes=count(architecture, "classes"),
    )


TRAIN = Architecture(uses=("bond",), one_length=True, values=_values, make=_make)
