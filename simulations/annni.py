"""Spin-1/2 Ising chain with competing next-nearest neighbours in a transverse field (ANNNI).

H = - sum_i X_i X_{i+1} + kappa sum_i X_i X_{i+2} - h sum_i Z_i,  X and Z Pauli matrices, energies
in units of the nearest-neighbour coupling. Our X is what most papers call Z.

The antiphase repeats + + - -, hence cells and chains of a multiple of four sites. Between antiphase
and paramagnet lies a floating phase, gapless, incommensurate, and of disputed width: the grid
leaves it out like the multicritical point kappa = 1/2, h = 0, and a paramagnet must show its gap.

Parity, the product of all Z, is not used as a charge: of the four antiphase patterns a state of
definite parity superposes two or more, which the infinite search finds slowly or not at all. It
starts from one pattern instead, and open chains carry a pinning field -pinning_field X on the first
site, which chooses the same one.
"""

from typing import Any

import numpy as np
from tenpy.models.model import CouplingMPOModel
from tenpy.networks.site import SpinHalfSite

from phasenet import Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, RunSettings, Study
from phasenet.settings import InfiniteSettings


class AnnniChain(CouplingMPOModel):  # type: ignore[misc]
    """Ising chain with next-nearest neighbours, on TeNPy's default lattice, a chain."""

    def init_sites(self, model_params: Any) -> Any:
        """Return the site of a spin 1/2."""
        return SpinHalfSite(conserve=None)

    def init_terms(self, model_params: Any) -> None:
        """Add couplings and fields."""
        self.add_coupling(-1.0, 0, "Sigmax", 0, "Sigmax", 1)
        self.add_coupling(model_params.get("kappa", 0.0), 0, "Sigmax", 0, "Sigmax", 2)
        self.add_onsite(-model_params.get("h", 0.0), 0, "Sigmaz")
        self.add_onsite(model_params.get("longitudinal", 0.0, "real_or_array"), 0, "Sigmax")


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return the model, without charges."""
    field = np.zeros(chain.length)
    field[0] = -chain.pinning_field
    return AnnniChain(
        {
            "L": chain.length,
            "kappa": point["kappa"],
            "h": point["h"],
            "longitudinal": field,
            "bc_MPS": chain.boundary.value,
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[Any]:
    """Return the classical pattern, all + or + + - -, whose spins point along +x or -x."""
    pattern = [1.0, 1.0, 1.0, 1.0] if point["kappa"] < 0.5 else [1.0, 1.0, -1.0, -1.0]
    return [np.array([1.0, sign]) / np.sqrt(2.0) for sign in np.resize(pattern, length)]


REVIEW = "Selke, Phys. Rep. 170, 213 (1988)"
FIELD = "Beccaria, Campostrini, Feo, Phys. Rev. B 73, 052402 (2006)"

STUDY = Study(
    name="annni",
    title="Ising chain with competing neighbours in a transverse field",
    hamiltonian=r"H=-\sum_i X_iX_{i+1}+\kappa\sum_i X_iX_{i+2}-h\sum_i Z_i",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        kappa=[0.0, 0.15, 0.3, 0.7, 0.8, 0.9],
        h=[0.05, 0.1, 0.15, 0.2, 0.7, 0.8, 0.95, 1.1, 1.3],
    ),
    symmetries=(),
    orders=(
        Order(name="magnetisation", operators=("X",)),
        Order(name="antiphase order", operators=("X",), wavenumber=0.25),
    ),
    phases=(
        Phase(
            label="ferromagnet",
            title="ferromagnetic",
            orders={"magnetisation": True},
            citation=FIELD,
        ),
        Phase(
            label="antiphase",
            title="antiphase",
            orders={"antiphase order": True},
            citation=REVIEW,
        ),
        Phase(
            label="floating",
            title="floating",
            central_charge=1.0,
            orders={"magnetisation": False, "antiphase order": False},
            citation="Allen, Azaria, Lecheminant, J. Phys. A 34, L305 (2001)",
        ),
        Phase(
            label="paramagnet",
            title="paramagnetic",
            orders={"magnetisation": False, "antiphase order": False},
            citation=FIELD,
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="h",
            value=1.0,
            error=0.0,
            at={"kappa": 0.0},
            citation="Pfeuty, Ann. Phys. 57, 79 (1970)",
        ),
    ),
    settings=RunSettings(infinite=InfiniteSettings(cell=4)),
)
