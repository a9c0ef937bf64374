"""Two-leg spin-1/2 Heisenberg ladder: rung singlets and the Haldane phase of its triplets.

H = sum_n S_(n,1).S_(n+1,1) + S_(n,2).S_(n+1,2) + Jperp S_(n,1).S_(n,2),
energies in units of the exchange J = 1 along the legs.

Sites run rung by rung: 2n is the upper and 2n + 1 the lower end of rung n. A rung carries an
integer spin, so the invariants are quoted at the bond between rungs, where rung singlets
(Jperp > 0) give +1 and the Haldane phase of the rung triplets (Jperp < 0) gives -1. Left out: weak
rungs, between which two gapless chains lie, with long correlations on both sides.

Open ladders carry a pinning field -h Sz on the first and +h Sz on the last site, which holds the
free spins 1/2 at the ends of the Haldane phase.
"""

from typing import Any

import numpy as np
from tenpy.models.spins_nnn import SpinChainNNN2

from phasenet import (
    Boundary,
    Chain,
    Grid,
    KnownTransition,
    ParameterPoint,
    Phase,
    RunSettings,
    Study,
    Symmetry,
)
from phasenet.criteria import spin_string
from phasenet.settings import InfiniteSettings


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's chain of sites, every other bond a rung, with Sz conserved."""
    bonds = chain.length - (chain.boundary == Boundary.FINITE)
    rungs = np.resize([point["Jperp"], 0.0], bonds)
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChainNNN2(
        {
            "S": 0.5,
            "L": chain.length,
            "Jx": rungs,
            "Jy": rungs,
            "Jz": rungs,
            "Jxp": 1.0,
            "Jyp": 1.0,
            "Jzp": 1.0,
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state of the ladder, spins of a rung parallel for ferromagnetic rungs."""
    rungs = ["up", "down", "down", "up"] if point["Jperp"] > 0 else ["up", "up", "down", "down"]
    return (rungs * (length // 4 + 1))[:length]


STUDY = Study(
    name="ladder",
    title="Two-leg spin-1/2 Heisenberg ladder",
    hamiltonian=(
        r"H=\sum_n S_{n,1}\cdot S_{n+1,1}+S_{n,2}\cdot S_{n+1,2}+J_\perp S_{n,1}\cdot S_{n,2}"
    ),
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        Jperp=[
            *(-6.0, -5.0, -4.2, -3.6, -3.0, -2.5, -2.0, -1.6),
            *(1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0),
        ]
    ),
    symmetries=(
        Symmetry(name="Z2xZ2", kind="commutation", operators=(("Rx",), ("Rz",))),
        Symmetry(name="time reversal", kind="time reversal", operators=(("Ry",),)),
    ),
    # Which bonds a string cuts tells rungs from legs.
    strings=tuple(spin_string(a, 2, start=k, period=2) for k in (0, 1) for a in ("x", "z")),
    phases=(
        Phase(
            label="haldane",
            title="Haldane",
            invariants={"Z2xZ2": -1, "time reversal": -1},
            citation="Watanabe, Nomura, Takada, J. Phys. Soc. Jpn. 62, 2845 (1993)",
        ),
        Phase(
            label="rung_singlet",
            title="rung singlet",
            invariants={"Z2xZ2": 1, "time reversal": 1},
            citation="White, Noack, Scalapino, Phys. Rev. Lett. 73, 886 (1994)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="Jperp",
            value=0.0,
            error=0.0,
            at={},
            citation="Shelton, Nersesyan, Tsvelik, Phys. Rev. B 53, 8521 (1996)",
        ),
    ),
    settings=RunSettings(infinite=InfiniteSettings(cell=4)),
)
