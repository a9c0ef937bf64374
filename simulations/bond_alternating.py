"""Spin-1 Heisenberg chain with alternating bonds: Haldane phase and dimer phase.

H = sum_i (1 + (-1)^i delta) S_i.S_{i+1},  i = 0, 1, ...: the bond inside a cell is the strong one,
energies in units of the mean exchange.

Both phases have the same symmetries; the dimer phase, made of two singlets on each strong bond, is
trivial at every cut. Open chains carry a pinning field -h Sz_1 + h Sz_L, which holds the free
spins 1/2 at the ends of the Haldane phase.
"""

from typing import Any

import numpy as np
from tenpy.models.spins import SpinChain

from phasenet import Boundary, Chain, Grid, KnownTransition, ParameterPoint, Phase, Study
from phasenet.criteria import spin_string


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's model with Sz conserved."""
    bonds = chain.length - (chain.boundary == Boundary.FINITE)
    exchange = np.resize([1.0 + point["delta"], 1.0 - point["delta"]], bonds)
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChain(
        {
            "S": 1,
            "L": chain.length,
            "Jx": exchange,
            "Jy": exchange,
            "Jz": exchange,
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, which lies in the sector of zero magnetisation."""
    return ["up", "down"] * (length // 2) + ["0.0"] * (length % 2)


STUDY = Study(
    name="bond_alternating",
    title="Spin-1 Heisenberg chain with alternating bonds",
    hamiltonian=r"H=\sum_i(1+(-1)^i\delta)\,S_i\cdot S_{i+1}",
    spin=1,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        delta=[
            *(0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.22, 0.24, 0.25),
            *(0.26, 0.27, 0.28, 0.3, 0.33, 0.37, 0.42, 0.48, 0.55, 0.65, 0.8),
        ]
    ),
    # Which bonds a string cuts tells one dimerisation from the other.
    strings=tuple(spin_string(a, 3, start=k, period=2) for k in (0, 1) for a in ("x", "z")),
    phases=(
        Phase(
            label="haldane",
            title="Haldane",
            invariants={"Z2xZ2": -1, "time reversal": -1, "bond inversion": -1},
            citation="Affleck, Haldane, Phys. Rev. B 36, 5291 (1987)",
        ),
        Phase(
            label="dimer",
            title="dimer",
            invariants={"Z2xZ2": 1, "time reversal": 1, "bond inversion": 1},
            citation="Affleck, Haldane, Phys. Rev. B 36, 5291 (1987)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="delta",
            value=0.2598,
            error=0.0001,
            at={},
            citation="Kitazawa, Nomura, J. Phys. Soc. Jpn. 66, 3944 (1997)",
        ),
    ),
)
