"""Spin-1/2 XXZ chain with alternating bonds, the interacting ("extended") SSH model.

H = sum_n  [Sx Sx + Sy Sy + delta Sz Sz]_(2n, 2n+1) + Jp [Sx Sx + Sy Sy + delta Sz Sz]_(2n+1, 2n+2),
energies in units of the exchange J = 1 inside a cell; Jp couples neighbouring cells.

Spins 1/2 come in cells of two, which carry an integer spin: the invariants are quoted at the bond
between cells, where singlets inside the cells (Jp < 1) give +1 and singlets across (Jp > 1) give
-1. At the bond inside a cell both signs are the opposite ones. For delta <= 1 both phases meet at
Jp = 1, a line of gapless points that the grid leaves out. It leaves out delta = 0 as well: there
the product state that the infinite search starts from puts no field on the free spins that the
topological phase has at the ends of a growing chain, and they may end up entangled.

Open chains carry a pinning field -h Sz_1 + h Sz_L: it holds the free spins 1/2 at the ends of the
topological phase, and chooses one of the two antiferromagnetic states.
"""

from typing import Any

import numpy as np
from tenpy.models.spins import SpinChain

from phasenet import Boundary, Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, Study
from phasenet.criteria import spin_string


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return TeNPy's model with Sz conserved."""
    bonds = chain.length - (chain.boundary == Boundary.FINITE)
    exchange = np.resize([1.0, point["Jp"]], bonds)
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return SpinChain(
        {
            "S": 0.5,
            "L": chain.length,
            "Jx": exchange,
            "Jy": exchange,
            "Jz": point["delta"] * exchange,
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, which lies in the sector of least magnetisation."""
    return ["up", "down"] * (length // 2) + ["up"] * (length % 2)


ELBEN = "Elben et al., Sci. Adv. 6, eaaz3666 (2020)"

STUDY = Study(
    name="extended_ssh",
    title="Spin-1/2 XXZ chain with alternating bonds",
    hamiltonian=(
        r"H=\sum_n h_{2n,2n+1}+J'h_{2n+1,2n+2},\quad "
        r"h_{ij}=S^x_iS^x_j+S^y_iS^y_j+\delta S^z_iS^z_j"
    ),
    spin=0.5,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        delta=[0.2, 0.5, 1.0, 2.0, 3.0, 4.0],
        Jp=[0.2, 0.4, 0.6, 0.8, 0.9, 1.1, 1.25, 1.6, 2.5, 4.0],
    ),
    orders=(Order(name="staggered magnetisation", operators=("Sz",), wavenumber=0.5),),
    # Which bonds a string cuts tells one dimerisation from the other.
    strings=tuple(spin_string(a, 2, start=k, period=2) for k in (0, 1) for a in ("x", "z")),
    phases=(
        Phase(
            label="antiferromagnet",
            title="antiferromagnetic",
            orders={"staggered magnetisation": True},
            citation=ELBEN,
        ),
        Phase(
            label="trivial",
            title="trivial",
            invariants={"Z2xZ2": 1, "time reversal": 1, "bond inversion": 1},
            orders={"staggered magnetisation": False},
            citation=ELBEN,
        ),
        Phase(
            label="topological",
            title="topological",
            invariants={"Z2xZ2": -1, "time reversal": -1, "bond inversion": -1},
            orders={"staggered magnetisation": False},
            citation=ELBEN,
        ),
    ),
    transitions=tuple(
        KnownTransition(coupling="Jp", value=1.0, error=0.0, at={"delta": delta}, citation=ELBEN)
        for delta in (0.2, 0.5, 1.0)
    ),
)
