"""Verdicts from measured growth, and from the laws that they rest on."""

import math

import numpy as np
import pytest

from phasenet.phases.criticality import Criticality, Verdict, criticality, expected_growth

# Correlation length and entropy at bond dimensions 32 and 64, found by iDMRG with a cell of two
# sites: spin-1/2 XXZ (Delta), transverse Ising (h), spin-1 Heisenberg (D), J1-J2, spin-1 XY,
# bilinear-biquadratic (theta/pi).
MEASURED = {
    "XX": (112.060, 1.17962, 283.401, 1.33502, Verdict.CRITICAL, 1.0),
    "XXZ 0.5": (86.962, 1.11508, 219.994, 1.27259, Verdict.CRITICAL, 1.0),
    "Heisenberg": (63.070, 1.03306, 149.491, 1.17475, Verdict.CRITICAL, 1.0),
    "spin-1 XY": (200.698, 1.52660, 475.043, 1.66971, Verdict.CRITICAL, 1.0),
    "BLBQ 0.35": (18.011, 1.73540, 35.285, 1.95040, Verdict.CRITICAL, 2.0),
    "D 0.97": (70.131, 1.28131, 177.471, 1.43540, Verdict.CRITICAL, 1.0),
    "D 0.9": (50.375, 1.20361, 96.301, 1.28679, Verdict.UNDETERMINED, None),
    "XXZ 1.2": (40.494, 0.86594, 79.107, 0.93403, Verdict.UNDETERMINED, None),
    "XXZ 1.5": (12.503, 0.50789, 15.302, 0.50832, Verdict.GAPPED, None),
    "XXZ 3": (1.824, 0.13710, 1.871, 0.13710, Verdict.GAPPED, None),
    "Ising 0.9": (4.100, 0.75196, 4.284, 0.75196, Verdict.GAPPED, None),
    "Ising 1.5": (2.375, 0.15349, 2.375, 0.15349, Verdict.GAPPED, None),
    "D 0": (5.059, 0.85542, 5.448, 0.85550, Verdict.GAPPED, None),
    "D 2": (4.421, 0.51624, 4.629, 0.51624, Verdict.GAPPED, None),
    "J1-J2 0.45": (4.206, 0.07294, 4.804, 0.07295, Verdict.GAPPED, None),
    "BLBQ -0.4": (7.531, 0.77820, 11.425, 0.81820, Verdict.GAPPED, None),
}


def verdict(lengths, entropies, bonds=(32, 64), *, exact=False):
    history = {
        "max_bond": np.array(bonds[:-1]),
        "entropy": np.array(entropies[:-1]),
        "correlation_length": np.array(lengths[:-1]),
    }
    return criticality(
        history,
        max_bond=bonds[-1],
        entropy=entropies[-1],
        correlation_length=lengths[-1],
        exact=exact,
    )


@pytest.mark.parametrize("name", MEASURED)
def test_measured_states(name):
    xi, s, longer, more, wanted, charge = MEASURED[name]
    found = verdict((xi, longer), (s, more))
    assert found.verdict is wanted
    if charge is not None:
        assert found.central_charge == pytest.approx(charge, rel=0.05)
        assert found.growth == pytest.approx(expected_growth(charge), rel=0.12)


@pytest.mark.parametrize("charge", [0.5, 0.7, 1.0, 1.5, 2.0])
def test_the_law_of_a_critical_state_gives_its_central_charge(charge):
    bonds = np.array([16.0, 32.0, 64.0])
    lengths = 3.0 * bonds ** expected_growth(charge)
    found = verdict(lengths, charge / 6 * np.log(lengths) + 0.2, bonds=(16, 32, 64))
    assert found.verdict is Verdict.CRITICAL
    assert found.central_charge == pytest.approx(charge, rel=1e-10)


def test_a_central_charge_that_drifts_is_not_that_of_a_phase():
    # Bilinear-biquadratic chain at theta = -0.26 pi, just beside its transition at -pi/4.
    found = verdict((7.54, 16.3, 32.8), (0.0, 0.184, 0.399), bonds=(16, 32, 64))
    assert found.verdict is Verdict.UNDETERMINED
    # Heisenberg chain.
    found = verdict((24.3, 64.1, 155.0), (0.87, 1.0334, 1.184), bonds=(16, 32, 64))
    assert found.verdict is Verdict.CRITICAL


def test_known_exponents():
    assert expected_growth(0.5) == pytest.approx(2.034, abs=1e-3)
    assert expected_growth(1.0) == pytest.approx(1.344, abs=1e-3)


def test_growth_that_ended_at_the_first_bond_dimension_is_a_gap():
    nothing = {"entropy": 0.1, "correlation_length": 0.9}
    assert criticality({}, max_bond=9, exact=True, **nothing).verdict is Verdict.GAPPED
    alone = criticality({}, max_bond=64, exact=False, **nothing)
    assert alone.verdict is Verdict.UNDETERMINED
    assert math.isnan(alone.growth)
    assert math.isnan(alone.central_charge)
    # An entry of the state itself is no comparison.
    assert verdict((0.9, 0.9), (0.1, 0.1), bonds=(16, 16)).verdict is Verdict.UNDETERMINED


def test_a_product_state_has_a_gap():
    assert verdict((0.0, 0.0), (0.0, 0.0)).verdict is Verdict.GAPPED
    assert verdict((0.0, 3.0), (0.0, 0.3)).verdict is Verdict.UNDETERMINED
    assert verdict((5.0, math.inf), (0.6, 0.7)).verdict is Verdict.UNDETERMINED


def test_a_length_that_falls_is_not_judged():
    assert verdict((1966.0, 335.0), (0.89, 1.23)).verdict is Verdict.UNDETERMINED


def test_verdicts_in_words():
    found = Criticality(verdict=Verdict.GAPPED, growth=0.1, central_charge=3.0)
    assert str(found) == "gapped, xi ~ chi^0.10"
    found = Criticality(verdict=Verdict.UNDETERMINED, growth=0.9, central_charge=0.77)
    assert str(found) == "neither clearly critical nor clearly gapped, c = 0.77, xi ~ chi^0.90"
