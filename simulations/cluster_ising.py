"""Spin-1/2 cluster chain with an Ising coupling.

H = - sum_i X_{i-1} Z_i X_{i+1} + lambda sum_i Y_i Y_{i+1},  X, Y and Z Pauli matrices, energies in
units of the cluster term.

The Ising coupling breaks the symmetry of each sublattice. What protects the cluster phase here is
parity together with complex conjugation, an antiunitary symmetry whose sign on the bond is -1 in
the cluster phase, at every cut; complex conjugation alone gives +1.

Parity, the product of all Z, is not used as a charge: it turns into Y on the bonds of a cluster
state, so that real states of definite parity are superpositions, twice as entangled. The search
starts from spins along x, and open chains carry a pinning field -pinning_field X on both end
sites; both hold the free spin 1/2 at each end of a cluster chain. In real numbers the
antiferromagnet along y is a superposition of both patterns, whose correlations show the order.
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
    Order,
    ParameterPoint,
    Phase,
    StringOrder,
    Study,
    Symmetry,
)


class ClusterIsingChain(CouplingMPOModel):  # type: ignore[misc]
    """Cluster terms and Ising couplings, on TeNPy's default lattice, a chain."""

    def init_sites(self, model_params: Any) -> Any:
        """Return the site of a spin 1/2."""
        return SpinHalfSite(conserve=None)

    def init_terms(self, model_params: Any) -> None:
        """Add cluster terms, Ising couplings as products of raising and lowering, and fields."""
        self.add_multi_coupling(-1.0, [("Sigmax", -1, 0), ("Sigmaz", 0, 0), ("Sigmax", 1, 0)])
        ising = model_params.get("ising", 0.0)
        self.add_coupling(ising, 0, "Sp", 0, "Sm", 1, plus_hc=True)
        self.add_coupling(-ising, 0, "Sp", 0, "Sp", 1, plus_hc=True)
        self.add_onsite(model_params.get("longitudinal", 0.0, "real_or_array"), 0, "Sigmax")


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return the model, without charges."""
    field = np.zeros(chain.length)
    field[0] = field[-1] = -chain.pinning_field
    return ClusterIsingChain(
        {
            "L": chain.length,
            "ising": point["lambda"],
            "longitudinal": field,
            "bc_MPS": chain.boundary.value,
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[Any]:
    """Return spins along x, which hold the ends of a cluster chain."""
    return [np.full(2, math.sqrt(0.5))] * length


SMACCHIA = "Smacchia et al., Phys. Rev. A 84, 022304 (2011)"

STUDY = Study(
    name="cluster_ising",
    title="Cluster chain with an Ising coupling",
    hamiltonian=r"H=-\sum_i X_{i-1}Z_iX_{i+1}+\lambda\sum_i Y_iY_{i+1}",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        **{
            "lambda": [
                *(0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.78, 0.85, 0.91, 0.96),
                *(1.04, 1.09, 1.15, 1.22, 1.3, 1.4, 1.55, 1.7, 1.85, 2.0),
            ]
        }
    ),
    symmetries=(Symmetry(name="time reversal", kind="time reversal", operators=(("Z",),)),),
    orders=(Order(name="staggered magnetisation", operators=("Y",), wavenumber=0.5),),
    strings=(StringOrder.parse("X Y [Z Z] Y X", name="parity"),),
    phases=(
        Phase(
            label="antiferromagnet",
            title="antiferromagnetic",
            orders={"staggered magnetisation": True},
            citation=SMACCHIA,
        ),
        Phase(
            label="cluster",
            title="cluster",
            invariants={"time reversal": -1},
            orders={"staggered magnetisation": False},
            citation=SMACCHIA,
        ),
    ),
    transitions=(
        KnownTransition(coupling="lambda", value=1.0, error=0.0, at={}, citation=SMACCHIA),
    ),
)
