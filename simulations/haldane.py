"""Spin-1 XXZ chain with single-ion anisotropy: Haldane phase, large-D phase, and their transition.

H = sum_i Sx_i Sx_{i+1} + Sy_i Sy_{i+1} + Delta Sz_i Sz_{i+1} + D sum_i (Sz_i)^2,
energies in units of the exchange J = 1.

Open chains carry a pinning field -h Sz_1 + h Sz_L: without it the two free spin-1/2 of the Haldane
phase leave four nearly degenerate states, and which one DMRG finds depends on chance.
"""

from typing import Any

import numpy as np
from tenpy.models.spins import SpinChain

from phasenet import Chain, Grid, KnownTransition, ParameterPoint, Phase, RunSettings, Study

HALDANE_SIDE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TRANSITION = (0.7, 0.85, 0.92, 0.95, 0.96, 0.97, 0.98, 1.0, 1.05, 1.15, 1.25)
LARGE_D_SIDE = (1.4, 1.5, 1.6, 1.7, 1.85, 2.0)


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's model with Sz conserved."""
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChain(
        {
            "S": 1,
            "L": chain.length,
            "Jx": 1.0,
            "Jy": 1.0,
            "Jz": point["Delta"],
            "D": point["D"],
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, which lies in the sector of zero magnetisation."""
    return ["up", "down"] * (length // 2) + ["0.0"] * (length % 2)


STUDY = Study(
    name="haldane",
    title="Spin-1 XXZ chain with single-ion anisotropy",
    hamiltonian=r"H=\sum_i S^x_iS^x_{i+1}+S^y_iS^y_{i+1}+\Delta S^z_iS^z_{i+1}+D\,(S^z_i)^2",
    spin=1,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        Delta=[1.0],
        D=[*HALDANE_SIDE, *TRANSITION, *LARGE_D_SIDE],
    ),
    phases=(
        Phase(
            label="haldane",
            title="Haldane",
            invariants={"Z2xZ2": -1, "time reversal": -1, "bond inversion": -1},
            citation="Pollmann, Turner, Berg, Oshikawa, Phys. Rev. B 81, 064439 (2010)",
        ),
        Phase(
            label="large_d",
            title="large D",
            invariants={"Z2xZ2": 1, "time reversal": 1, "bond inversion": 1},
            citation="Chen, Hida, Sanctuary, J. Phys. Soc. Jpn. 72, 237 (2003)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="D",
            value=0.9684713,
            error=1e-7,
            at={"Delta": 1.0},
            citation="Tzeng et al., Phys. Rev. B 96, 060404 (2017)",
        ),
    ),
    settings=RunSettings(),
)
