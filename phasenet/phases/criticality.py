r"""Whether a state is critical, from how it changes with the bond dimension.

At a critical point the bond dimension :math:`\chi` cuts the correlation length off,

.. math:: \xi \sim \chi^\kappa, \quad S = \frac{c}{6} \ln \xi, \quad
          \kappa = \frac{6}{c\,(\sqrt{12 / c} + 1)}

(Tagliacozzo, de Oliveira, Iblisdir, Latorre, PRB 78, 024410 (2008); Pollmann, Mukerjee, Turner,
Moore, PRL 102, 255701 (2009)). With a gap, both come to an end. Both exponents are taken over the
last doubling of the bond dimension, and c and :math:`\kappa` must agree with each other: where the
correlation length is long but finite, :math:`\kappa` falls faster than c. A transition looks like a
gapless phase of its central charge as far around it as the bond dimension cannot tell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from phasenet.trains.train import FloatArray

# Measured at bond dimensions 32 and 64 by iDMRG. Critical (XX, XXZ, Heisenberg, J1-J2, spin-1 XY,
# transverse Ising): 0.91 to 1.12. Correlation length of 50 to 100 sites: 0.53 to 0.75. Up to 15
# sites: below 0.15.
_CRITICAL_SHARE = (0.85, 1.35)
_GAPPED_SHARE = 0.4
_SMALL_GROWTH = 0.3
# From the central charge of the doubling before, where it is known: 6 % in the same critical
# states, 22 % just beside the transition of the bilinear-biquadratic chain at -pi/4.
_DRIFT_TOL = 0.12
# Two bond dimensions say nothing if they are closer than this.
_LEAST_RATIO = 1.4


class Verdict(Enum):
    """Whether there is a gap; the value is for the user."""

    CRITICAL = "critical"
    GAPPED = "gapped"
    UNDETERMINED = "neither clearly critical nor clearly gapped"


@dataclass(frozen=True, kw_only=True)
class Criticality:
    r"""How correlation length and entropy of a state grow with its bond dimension.

    Parameters
    ----------
    verdict
        What follows.
    growth
        :math:`\kappa`, NaN where there is but one bond dimension.
    central_charge
        :math:`c = 6\, dS / d\ln\xi`; meaningful only where the verdict is critical.

    >>> print(Criticality(verdict=Verdict.CRITICAL, growth=1.34, central_charge=1.0))
    critical, c = 1.00, xi ~ chi^1.34
    """

    verdict: Verdict
    growth: float
    central_charge: float

    def __str__(self) -> str:
        if math.isnan(self.growth):
            return self.verdict.value
        charge = f", c = {self.central_charge:.2f}" if self.verdict is not Verdict.GAPPED else ""
        return f"{self.verdict.value}{charge}, xi ~ chi^{self.growth:.2f}"


def expected_growth(central_charge: float) -> float:
    r"""Exponent :math:`\kappa` of a critical state, from its central charge.

    >>> print(f"{expected_growth(1.0):.3f} {expected_growth(0.5):.3f}")
    1.344 2.034
    """
    return 6.0 / (central_charge * (math.sqrt(12.0 / central_charge) + 1.0))


def criticality(
    history: Mapping[str, FloatArray],
    *,
    max_bond: int,
    entropy: float,
    correlation_length: float,
    exact: bool,
) -> Criticality:
    """Verdict on an infinite state from its values and those at a smaller bond dimension.

    Parameters
    ----------
    history
        Of :class:`phasenet.records.GroundState`: ``max_bond``, ``entropy``, ``correlation_length``.
    max_bond, entropy, correlation_length
        Of the state itself: bond dimension, entropy of the bond left of the cell in nats,
        correlation length in sites.
    exact
        Whether the truncation is below its tolerance; a state that was so from the first bond
        dimension on has a gap.

    >>> history = {"max_bond": [32], "entropy": [1.18], "correlation_length": [112.0]}
    >>> print(criticality(history, max_bond=64, entropy=1.335, correlation_length=283, exact=False))
    critical, c = 1.00, xi ~ chi^1.34
    """
    bonds = [float(bond) for bond in history.get("max_bond", ())]
    smaller = [k for k, bond in enumerate(bonds) if bond * _LEAST_RATIO <= max_bond]
    if not smaller:
        verdict = Verdict.GAPPED if exact else Verdict.UNDETERMINED
        return Criticality(verdict=verdict, growth=math.nan, central_charge=math.nan)
    lengths = [*(float(history["correlation_length"][k]) for k in smaller), correlation_length]
    if not (0.0 < lengths[-2] < math.inf and 0.0 < correlation_length < math.inf):
        # A product state has no length to compare.
        nothing = lengths[-2] == correlation_length == 0.0
        verdict = Verdict.GAPPED if nothing else Verdict.UNDETERMINED
        return Criticality(verdict=verdict, growth=math.nan, central_charge=math.nan)
    entropies = [*(float(history["entropy"][k]) for k in smaller), entropy]
    growth = math.log(lengths[-1] / lengths[-2]) / math.log(max_bond / bonds[smaller[-1]])
    charges = [
        _charge(pair, gain)
        for pair, gain in zip(pairwise(lengths), pairwise(entropies), strict=True)
    ]
    verdict = _verdict(growth, charges[-1])
    if verdict is Verdict.CRITICAL and len(charges) > 1:
        drift = abs(charges[-1] - charges[-2])
        verdict = verdict if drift <= _DRIFT_TOL * charges[-1] else Verdict.UNDETERMINED
    return Criticality(verdict=verdict, growth=growth, central_charge=charges[-1])


def _charge(lengths: tuple[float, float], entropies: tuple[float, float]) -> float:
    if not all(0.0 < length < math.inf for length in lengths) or lengths[0] == lengths[1]:
        return math.nan
    return 6.0 * (entropies[1] - entropies[0]) / math.log(lengths[1] / lengths[0])


def _verdict(growth: float, charge: float) -> Verdict:
    if abs(growth) <= _SMALL_GROWTH:
        return Verdict.GAPPED
    if growth < 0.0:
        return Verdict.UNDETERMINED
    share = growth / expected_growth(charge) if charge > 0.0 else 0.0
    if share <= _GAPPED_SHARE:
        return Verdict.GAPPED
    lowest, largest = _CRITICAL_SHARE
    return Verdict.CRITICAL if lowest <= share <= largest else Verdict.UNDETERMINED
