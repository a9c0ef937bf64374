"""Spin-1 XXZ chain with single-ion anisotropy over the plane of both anisotropies.

H = sum_i Sx_i Sx_{i+1} + Sy_i Sy_{i+1} + Delta Sz_i Sz_{i+1} + D sum_i (Sz_i)^2,
energies in units of the exchange J = 1.

The plane of Chen, Hida and Sanctuary without its ferromagnet (Delta < -1), whose magnetisation a
sector of zero Sz cannot hold, and without negative D, where two XY phases, the Haldane and the Neel
phase meet in a point that is still debated. The Haldane phase is protected by either of the pi
rotations about x and z, time reversal, and inversion about a bond; at every cut alike.

Open chains carry a pinning field -h Sz_1 + h Sz_L: it holds the free spins 1/2 at the ends of the
Haldane phase, and chooses one of the two Neel states.
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
    """Return the Neel state, or the state of zeros where the anisotropy is the larger coupling."""
    if point["D"] > max(1.0, point["Delta"]):
        return ["0.0"] * length
    return ["up", "down"] * (length // 2) + ["0.0"] * (length % 2)


PLANE = "Chen, Hida, Sanctuary, J. Phys. Soc. Jpn. 72, 237 (2003)"

STUDY = Study(
    name="xxz_d",
    title="Spin-1 XXZ chain with single-ion anisotropy",
    hamiltonian=r"H=\sum_i S^x_iS^x_{i+1}+S^y_iS^y_{i+1}+\Delta S^z_iS^z_{i+1}+D\,(S^z_i)^2",
    spin=1,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        Delta=[-0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
        D=[0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0],
    ),
    orders=(Order(name="staggered magnetisation", operators=("Sz",), wavenumber=0.5),),
    phases=(
        Phase(
            label="neel",
            title="Néel",
            orders={"staggered magnetisation": True},
            citation=PLANE,
        ),
        Phase(
            label="xy",
            title="XY",
            central_charge=1.0,
            orders={"staggered magnetisation": False},
            citation="Kitazawa, Nomura, Okamoto, Phys. Rev. Lett. 76, 4038 (1996)",
        ),
        Phase(
            label="haldane",
            title="Haldane",
            invariants={"Z2xZ2": -1, "time reversal": -1, "bond inversion": -1},
            orders={"staggered magnetisation": False},
            citation="Pollmann, Turner, Berg, Oshikawa, Phys. Rev. B 81, 064439 (2010)",
        ),
        Phase(
            label="large_d",
            title="large D",
            invariants={"Z2xZ2": 1, "time reversal": 1, "bond inversion": 1},
            orders={"staggered magnetisation": False},
            citation=PLANE,
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
        KnownTransition(
            coupling="Delta",
            value=1.186,
            error=0.002,
            at={"D": 0.0},
            citation=PLANE,
        ),
    ),
)
