"""Spin-1/2 Heisenberg chain with next-nearest neighbours (J1-J2): spin liquid and dimers.

H = sum_i S_i.S_{i+1} + J2 S_i.S_{i+2},  energies in units of J1 = 1.

At J2 = 1/2 (Majumdar and Ghosh) products of singlets on every other bond are exact ground states.
Left out: the dimer phase close to its onset at J2 = 0.2412, where the gap is exponentially small
and no cell tells it from the gapless phase.

Open chains have no pinning field: with an even number of sites their ends choose the dimers.
"""

from typing import Any

import numpy as np
from tenpy.models.spins_nnn import SpinChainNNN2

from phasenet import Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, RunSettings, Study
from phasenet.settings import FiniteSettings


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's model with Sz conserved."""
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChainNNN2(
        {
            "S": 0.5,
            "L": chain.length,
            "Jx": 1.0,
            "Jy": 1.0,
            "Jz": 1.0,
            "Jxp": point["J2"],
            "Jyp": point["J2"],
            "Jzp": point["J2"],
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, which lies in the sector of least magnetisation."""
    return ["up", "down"] * (length // 2) + ["up"] * (length % 2)


STUDY = Study(
    name="j1_j2",
    title="Spin-1/2 chain with nearest and next-nearest neighbours",
    hamiltonian=r"H=\sum_i S_i\cdot S_{i+1}+J_2\,S_i\cdot S_{i+2}",
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        J2=[
            *(0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.18, 0.2, 0.22, 0.24),
            *(0.42, 0.44, 0.46, 0.48, 0.5, 0.52, 0.55, 0.58, 0.62, 0.66, 0.7),
        ]
    ),
    symmetries=(),
    orders=(Order(name="dimer order", operators=("Sz", "Sz"), wavenumber=0.5, threshold=0.02),),
    phases=(
        Phase(
            label="dimer",
            title="dimerised",
            orders={"dimer order": True},
            citation="Majumdar, Ghosh, J. Math. Phys. 10, 1388 (1969)",
        ),
        Phase(
            label="spin_liquid",
            title="spin liquid",
            orders={"dimer order": False},
            central_charge=1.0,
            citation="Haldane, Phys. Rev. B 25, 4925 (1982)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="J2",
            value=0.241167,
            error=5e-6,
            at={},
            citation="Eggert, Phys. Rev. B 54, R9612 (1996)",
        ),
    ),
    settings=RunSettings(finite=FiniteSettings(pinning_field=0.0)),
)
