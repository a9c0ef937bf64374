"""Spin-1/2 XXZ chain: Luttinger liquid and Neel phase.

H = sum_i Sx_i Sx_{i+1} + Sy_i Sy_{i+1} + Delta Sz_i Sz_{i+1},
energies in units of the exchange J = 1.

Left out: the ferromagnet (Delta < -1), whose magnetisation a sector of zero Sz cannot hold, and the
Neel phase close to Delta = 1, where the correlation length grows as exp(pi^2 / sqrt(8 (Delta - 1)))
and no cell tells it from the gapless phase.

Open chains carry a pinning field -h Sz_1 + h Sz_L, which chooses one of the two Neel states.
"""

from typing import Any

import numpy as np
from tenpy.models.spins import SpinChain

from phasenet import Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, Study


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's model with Sz conserved."""
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChain(
        {
            "S": 0.5,
            "L": chain.length,
            "Jx": 1.0,
            "Jy": 1.0,
            "Jz": point["Delta"],
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, which lies in the sector of least magnetisation."""
    return ["up", "down"] * (length // 2) + ["up"] * (length % 2)


EXACT = "Baxter, Exactly Solved Models in Statistical Mechanics, Academic Press (1982)"

STUDY = Study(
    name="xxz",
    title="Spin-1/2 XXZ chain",
    hamiltonian=r"H=\sum_i S^x_iS^x_{i+1}+S^y_iS^y_{i+1}+\Delta S^z_iS^z_{i+1}",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        Delta=[
            *(-0.75, -0.6, -0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9),
            *(1.8, 2.0, 2.2, 2.5, 2.8, 3.2, 3.6, 4.0),
        ]
    ),
    symmetries=(),
    orders=(Order(name="staggered magnetisation", operators=("Sz",), wavenumber=0.5),),
    phases=(
        Phase(
            label="neel",
            title="Néel",
            orders={"staggered magnetisation": True},
            citation=EXACT,
        ),
        Phase(
            label="luttinger_liquid",
            title="Luttinger liquid",
            orders={"staggered magnetisation": False},
            central_charge=1.0,
            citation="Haldane, Phys. Rev. Lett. 45, 1358 (1980)",
        ),
    ),
    transitions=(KnownTransition(coupling="Delta", value=1.0, error=0.0, at={}, citation=EXACT),),
)
