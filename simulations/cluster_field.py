"""Spin-1/2 cluster chain in a field.

H = - sum_i X_{i-1} Z_i X_{i+1} - h sum_i Z_i,  X and Z Pauli matrices, energies in units of the
cluster term. Our X is what most papers call Z: so snapshots show the spins along the field. Along
our x they would be the same on both sides, because the duality h -> 1/h is diagonal there.

The cluster phase is protected by the products of Z over the even and over the odd sites; at every
cut alike. Self-duality puts its transition to the paramagnet at h = 1.

Parity, the product of all Z, is not used as a charge: it turns into Y on the bonds of a cluster
state, so that real states of definite parity are superpositions, twice as entangled. The search
starts from spins along x, and open chains carry a pinning field -pinning_field X on both end
sites; both hold the free spin 1/2 at each end of a cluster chain.
"""

import math
from typing import Any

import numpy as np
from tenpy.models.model import CouplingMPOModel
from tenpy.networks.site import SpinHalfSite

from phasenet import (
    Chain,
    Grid,
    KnownTransition,
    ParameterPoint,
    Phase,
    StringOrder,
    Study,
    Symmetry,
)


class ClusterChain(CouplingMPOModel):  # type: ignore[misc]
    """Cluster terms and fields, on TeNPy's default lattice, a chain."""

    def init_sites(self, model_params: Any) -> Any:
        """Return the site of a spin 1/2."""
        return SpinHalfSite(conserve=None)

    def init_terms(self, model_params: Any) -> None:
        """Add cluster terms and fields."""
        self.add_multi_coupling(-1.0, [("Sigmax", -1, 0), ("Sigmaz", 0, 0), ("Sigmax", 1, 0)])
        self.add_onsite(-model_params.get("h", 0.0), 0, "Sigmaz")
        self.add_onsite(model_params.get("longitudinal", 0.0, "real_or_array"), 0, "Sigmax")


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return the model, without charges."""
    field = np.zeros(chain.length)
    field[0] = field[-1] = -chain.pinning_field
    return ClusterChain(
        {
            "L": chain.length,
            "h": point["h"],
            "longitudinal": field,
            "bc_MPS": chain.boundary.value,
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[Any]:
    """Return spins along x, which hold the ends of a cluster chain."""
    return [np.full(2, math.sqrt(0.5))] * length


STUDY = Study(
    name="cluster_field",
    title="Cluster chain in a field",
    hamiltonian=r"H=-\sum_i X_{i-1}Z_iX_{i+1}-h\sum_i Z_i",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        h=[
            *(0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.78, 0.85, 0.91, 0.96),
            *(1.04, 1.09, 1.15, 1.22, 1.3, 1.4, 1.55, 1.7, 1.85, 2.0),
        ]
    ),
    symmetries=(Symmetry(name="Z2xZ2", kind="commutation", operators=(("Z", "1"), ("1", "Z"))),),
    strings=tuple(
        StringOrder(
            name=f"stabilisers of {which} sites",
            left=("X",),
            inside=("Z", "1"),
            right=("Z", "X"),
            start=start,
            period=2,
        )
        for start, which in enumerate(("odd", "even"))
    ),
    phases=(
        Phase(
            label="cluster",
            title="cluster",
            invariants={"Z2xZ2": -1},
            citation="Son et al., Europhys. Lett. 95, 50001 (2011)",
        ),
        Phase(
            label="paramagnet",
            title="paramagnetic",
            invariants={"Z2xZ2": 1},
            citation="Son et al., Europhys. Lett. 95, 50001 (2011)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="h",
            value=1.0,
            error=0.0,
            at={},
            citation="Pachos, Plenio, Phys. Rev. Lett. 93, 056402 (2004)",
        ),
    ),
)
