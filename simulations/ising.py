"""Spin-1/2 Ising chain in a transverse field.

H = - sum_i X_i X_{i+1} - h sum_i Z_i,  X and Z Pauli matrices, energies in units of the coupling.
Our X is what most papers call Z: so the conserved parity, the product of all Z, is diagonal.

With parity conserved the ordered ground state is a superposition of both magnetisations, whose
correlations show the order; it is unique, so that open chains need no pinning field. Where one is
asked for, it is -pinning_field X on the first site, and parity is given up.
"""

from typing import Any

import numpy as np
from tenpy.models.tf_ising import TFIChain

from phasenet import Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, RunSettings, Study
from phasenet.settings import FiniteSettings


class PinnedIsingChain(TFIChain):  # type: ignore[misc]
    """TeNPy's Ising chain with a longitudinal field on each site."""

    def init_terms(self, model_params: Any) -> None:
        """Add the terms of the chain and its field."""
        super().init_terms(model_params)
        self.add_onsite(model_params.get("longitudinal", 0.0, "real_or_array"), 0, "Sigmax")


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return the model, with parity conserved unless a field breaks it."""
    field = np.zeros(chain.length)
    field[0] = -chain.pinning_field
    return PinnedIsingChain(
        {
            "L": chain.length,
            "J": 1.0,
            "g": point["h"],
            "longitudinal": field,
            "bc_MPS": chain.boundary.value,
            "conserve": None if field.any() else "parity",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the state along the transverse field."""
    return ["up"] * length


EXACT = "Pfeuty, Ann. Phys. 57, 79 (1970)"

STUDY = Study(
    name="ising",
    title="Ising chain in a transverse field",
    hamiltonian=r"H=-\sum_i X_iX_{i+1}-h\sum_i Z_i",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        h=[
            *(0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.98),
            *(1.02, 1.04, 1.08, 1.13, 1.2, 1.3, 1.45, 1.6, 1.8, 2.0),
        ]
    ),
    symmetries=(),
    orders=(Order(name="magnetisation", operators=("X",)),),
    phases=(
        Phase(
            label="ferromagnet",
            title="ferromagnetic",
            orders={"magnetisation": True},
            citation=EXACT,
        ),
        Phase(
            label="paramagnet",
            title="paramagnetic",
            orders={"magnetisation": False},
            citation=EXACT,
        ),
    ),
    transitions=(KnownTransition(coupling="h", value=1.0, error=0.0, at={}, citation=EXACT),),
    settings=RunSettings(finite=FiniteSettings(pinning_field=0.0)),
)
