r"""An autoregressive recurrent network that gives normalised amplitudes.

.. math:: \psi(\sigma)=\prod_k\sqrt{p(\sigma_k\mid\sigma_{<k})}\,e^{i\varphi_k(\sigma_{\le k})}

Sharir et al., Phys. Rev. Lett. 124, 020503 (2020), arXiv:1902.04057; Hibat-Allah et al., Phys. Rev.
Research 2, 023358 (2020), arXiv:2002.02973. The norm is 1 whatever the weights are, shots are
independent, and the phase is a product of one factor for each site: a string of signs needs no
more than a memory of what the sites before were.
"""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import nn

from phasenet.errors import FileKindError
from phasenet.networks.wavefunctions.sector import Sector

KIND = "recurrent"
# Charges further from zero share an embedding.
_FARTHEST = 16
_FORBIDDEN = -1e9
_SPREAD = 0.5


class RecurrentWavefunction(nn.Module):
    """Gated recurrent units along an open chain, with heads for probabilities and for phases.

    Parameters
    ----------
    length
        Number of sites.
    sector
        Configurations outside of it have amplitude zero.
    width, depth
        Units of each layer, and number of layers.
    is_complex
        Whether amplitudes have phases, or only signs.
    """

    def __init__(
        self, *, length: int, sector: Sector, width: int, depth: int, is_complex: bool
    ) -> None:
        super().__init__()
        self.length, self.sector, self.is_complex = length, sector, is_complex
        dim = sector.site_dim
        self.before = nn.Embedding(dim + 1, width)
        self.place = nn.Embedding(length, width)
        self.charge = nn.Embedding(2 * _FARTHEST + 1, width)
        for table in (self.before, self.place, self.charge):
            nn.init.normal_(table.weight, std=_SPREAD)
        self.memory = nn.GRU(width, width, depth, batch_first=True)
        self.heads = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, dim * (3 if is_complex else 2))
        )

    @classmethod
    def of(cls, architecture: Mapping[str, Any]) -> Self:
        """Untrained network of an architecture, as a file holds it; raises FileKindError."""
        kind = architecture.get("kind")
        if kind != KIND:
            raise FileKindError(f"the wavefunction has architecture {kind!r}; wanted {KIND!r}")
        numbers = {name: int(architecture[name]) for name in ("length", "width", "depth")}
        sector = Sector(
            site_dim=int(architecture["site_dim"]),
            modulus=int(architecture["modulus"]),
            total=int(architecture["total"]),
        )
        return cls(**numbers, sector=sector, is_complex=bool(architecture["is_complex"]))

    @property
    def architecture(self) -> dict[str, Any]:
        """Plain values that :meth:`of` rebuilds the network from."""
        return {
            "kind": KIND,
            "length": self.length,
            "site_dim": self.sector.site_dim,
            "modulus": self.sector.modulus,
            "total": self.sector.total,
            "is_complex": self.is_complex,
            "width": self.memory.hidden_size,
            "depth": self.memory.num_layers,
        }

    def forward(self, spins: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of the conditional probabilities and vectors of the phases.

        Both are for all outcomes at all sites of shots of shape (shots, sites): of shape (shots,
        sites, outcomes), and (shots, sites, outcomes, 1 or 2): a number whose sign is the sign, or
        a vector whose direction is the phase.
        """
        spins = spins.long()
        charge = self._charges(spins.device)[spins].cumsum(1)
        before = nn.functional.pad(spins[:, :-1], (1, 0), value=self.sector.site_dim)
        charge = nn.functional.pad(charge[:, :-1], (1, 0))
        places = torch.arange(spins.shape[1], device=spins.device)
        values, phases, _ = self.step(before, charge, places, None)
        return values, phases

    def step(
        self,
        before: torch.Tensor,
        charge: torch.Tensor,
        places: torch.Tensor,
        memory: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Carry the memory over a few sites.

        Parameters
        ----------
        before, charge
            Local state left of each site, and charge of all sites left of it, of shape (shots,
            places); left of the first site, the state is the number of local states.
        places
            The sites.
        memory
            As returned by the call for the sites left of these, None at the first site.

        Returns
        -------
        The two arrays of :meth:`forward`, and the memory.
        """
        seen = self.before(before) + self.place(places) + self.charge(self._row(charge))
        found, memory = self.memory(seen, memory)
        values = self.heads(torch.cat((found, seen), dim=2))
        dim = self.sector.site_dim
        logits, phases = values[..., :dim], values[..., dim:]
        logits = logits.masked_fill(~self._allowed(charge, places), _FORBIDDEN)
        return torch.log_softmax(logits, dim=2), phases.unflatten(2, (dim, -1)), memory

    def log_amplitudes(self, spins: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Phases and logarithms of the magnitudes of amplitudes, both of shape (shots,).

        The phase is +1 or -1 if the amplitudes are real, and 0 outside of the sector.
        """
        logs, phases = self(spins)
        chosen = spins.long()[..., None]
        turns = unit(phases)
        turn = turns.gather(2, chosen)[..., 0].prod(dim=1)
        log = logs.gather(2, chosen)[..., 0].sum(dim=1) / 2
        inside = self.inside(self._charges(spins.device)[spins.long()].sum(1))
        return torch.where(inside, turn, 0.0), torch.where(inside, log, -torch.inf)

    def inside(self, charge: torch.Tensor) -> torch.Tensor:
        """Return which total charges are that of the sector."""
        modulus = self.sector.modulus
        excess = charge - self.sector.total
        return (excess % modulus if modulus else excess) == 0

    @torch.no_grad()
    def draw(self, uniform: torch.Tensor) -> torch.Tensor:
        """Independent shots of the network, one for each row of numbers in [0, 1).

        The numbers have shape (shots, sites) and the precision of the network; local states come
        back in that shape, as int64.
        """
        shots = len(uniform)
        changes = self._charges(uniform.device)
        before = torch.full((shots, 1), self.sector.site_dim, device=uniform.device)
        charge, memory, spins = torch.zeros_like(before), None, []
        for site in range(self.length):
            place = torch.tensor([site], device=uniform.device)
            logs, _, memory = self.step(before, charge, place, memory)
            p = logs[:, 0].exp()
            edges = p.cumsum(1)
            chosen = (uniform[:, site, None] * edges[:, -1:] >= edges).sum(1, keepdim=True)
            chosen = chosen.clamp(max=self.sector.site_dim - 1)
            # Rounding never leads to an outcome of probability zero.
            possible = p.gather(1, chosen) > 0.0
            before = torch.where(possible, chosen, p.argmax(1, keepdim=True))
            charge = charge + changes[before]
            spins.append(before)
        return torch.cat(spins, dim=1)

    def _charges(self, device: torch.device) -> torch.Tensor:
        return torch.tensor(self.sector.charges.tolist(), device=device)

    def _row(self, charge: torch.Tensor) -> torch.Tensor:
        modulus = self.sector.modulus
        charge = charge % modulus if modulus else charge
        return charge.clamp(-_FARTHEST, _FARTHEST) + _FARTHEST

    def _allowed(self, charge: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Whether the sector can still be reached after each outcome, (shots, places, outcomes)."""
        sector = self.sector
        lack = sector.total - charge[..., None] - self._charges(charge.device)
        left = (self.length - 1 - places)[:, None]
        if sector.modulus:
            # One site changes S^z by any integer, so that only the last one is bound.
            return (left > 0) | (lack % sector.modulus == 0)
        return lack.abs() <= left * (sector.site_dim - 1)


def unit(phases: torch.Tensor) -> torch.Tensor:
    """Phases of vectors in the last axis: signs of one number, unit complex numbers of two."""
    if phases.shape[-1] == 1:
        return torch.where(phases[..., 0] < 0.0, -1.0, 1.0).to(phases.dtype)
    vectors = nn.functional.normalize(phases, dim=-1)
    return torch.complex(vectors[..., 0], vectors[..., 1])
