"""Spin-1 bilinear-biquadratic chain, with the AKLT point inside the Haldane phase.

H = sum_i cos(t) S_i.S_{i+1} + sin(t) (S_i.S_{i+1})^2,  t = pi theta:
the coupling theta is the angle in units of pi, so that both ends of the Haldane phase, -1/4
(Takhtajan and Babujian) and 1/4 (Uimin, Lai and Sutherland), are exact numbers.

Left out: the ferromagnet (1/2 < theta < 5/4), whose magnetisation a sector of zero Sz cannot hold,
and the sliver above theta = -3/4, where a nematic phase was long looked for. Dimers repeat after
two sites, and the soft modes of the critical phase after three: so cells have six sites, and open
chains a multiple of six.

Open chains carry a pinning field -h Sz_1 + h Sz_L, which holds the free spins 1/2 at the ends of
the Haldane phase.
"""

import math
from itertools import product
from typing import Any

import numpy as np
from tenpy.models.spins import SpinChain

from phasenet import Chain, Grid, KnownTransition, Order, ParameterPoint, Phase, RunSettings, Study
from phasenet.settings import FiniteSettings, InfiniteSettings

EXCHANGE = ((0.5, "Sp", "Sm"), (0.5, "Sm", "Sp"), (1.0, "Sz", "Sz"))


class BilinearBiquadraticChain(SpinChain):  # type: ignore[misc]
    """TeNPy's spin chain with the square of the exchange."""

    def init_terms(self, model_params: Any) -> None:
        """Add the terms of a nearest-neighbour bond."""
        super().init_terms(model_params)
        strength = model_params.get("biquadratic", 0.0)
        for (a, left, right), (b, left2, right2) in product(EXCHANGE, EXCHANGE):
            self.add_coupling(a * b * strength, 0, f"{left} {left2}", 0, f"{right} {right2}", 1)


def build_model(point: ParameterPoint, chain: Chain) -> Any:
    """Return the model with Sz conserved."""
    angle = math.pi * point["theta"]
    field = np.zeros(chain.length)
    field[0], field[-1] = chain.pinning_field, -chain.pinning_field
    return BilinearBiquadraticChain(
        {
            "S": 1,
            "L": chain.length,
            "Jx": math.cos(angle),
            "Jy": math.cos(angle),
            "Jz": math.cos(angle),
            "biquadratic": math.sin(angle),
            "hz": field,
            "bc_MPS": chain.boundary.value,
            "conserve": "Sz",
        }
    )


def product_state(point: ParameterPoint, length: int) -> list[str]:
    """Return the Neel state, or one that repeats after three sites, without magnetisation."""
    pattern = ["up", "down"] if point["theta"] < 0.25 else ["up", "0.0", "down"]
    cells = length // len(pattern)
    return pattern * cells + ["0.0"] * (length - cells * len(pattern))


AKLT = math.atan(1 / 3) / math.pi

STUDY = Study(
    name="bilinear_biquadratic",
    title="Spin-1 bilinear-biquadratic chain",
    hamiltonian=(
        r"H=\sum_i\cos(\pi\theta)\,S_i\cdot S_{i+1}+\sin(\pi\theta)\,(S_i\cdot S_{i+1})^2"
    ),
    spin=1,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(
        theta=[
            *(-0.65, -0.6, -0.55, -0.5, -0.45, -0.4, -0.35, -0.3, -0.28, -0.26),
            *(-0.24, -0.22, -0.2, -0.15, -0.1, -0.05, 0.0, 0.05, AKLT, 0.15, 0.2, 0.22),
            *(0.24, 0.26, 0.28, 0.3, 0.35, 0.4, 0.45),
        ]
    ),
    orders=(Order(name="dimer order", operators=("Sz", "Sz"), wavenumber=0.5, threshold=0.02),),
    phases=(
        Phase(
            label="dimer",
            title="dimerised",
            orders={"dimer order": True},
            citation="Barber, Batchelor, Phys. Rev. B 40, 4621 (1989)",
        ),
        Phase(
            label="critical",
            title="critical",
            central_charge=2.0,
            orders={"dimer order": False},
            citation="Itoi, Kato, Phys. Rev. B 55, 8295 (1997)",
        ),
        Phase(
            label="haldane",
            title="Haldane",
            invariants={"Z2xZ2": -1, "time reversal": -1, "bond inversion": -1},
            orders={"dimer order": False},
            citation="Pollmann, Turner, Berg, Oshikawa, Phys. Rev. B 81, 064439 (2010)",
        ),
    ),
    transitions=(
        KnownTransition(
            coupling="theta",
            value=-0.25,
            error=0.0,
            at={},
            citation="Takhtajan, Phys. Lett. A 87, 479 (1982)",
        ),
        KnownTransition(
            coupling="theta",
            value=0.25,
            error=0.0,
            at={},
            citation="Sutherland, Phys. Rev. B 12, 3795 (1975)",
        ),
    ),
    settings=RunSettings(finite=FiniteSettings(length=36), infinite=InfiniteSettings(cell=6)),
)
