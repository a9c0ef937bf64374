"""Everything that phasenet reads off a state, each as numbers of one array."""

import numpy as np

import phasenet
from phasenet.criteria import StringOrder

# Rounding noise of a Schmidt value is as large as the smallest of them.
_LEVELS = 20.0
_SLOTS = 12


def _filled(values):
    """Values, largest first, of any number, in slots of one number."""
    values = np.sort(np.asarray(values))[::-1][:_SLOTS]
    return np.pad(values, (0, _SLOTS - len(values)))


def _spins(state):
    found = phasenet.local_orders(state)
    parts = (
        found.spin,
        found.quadrupole,
        found.biaxial,
        found.neighbours,
        found.exchange,
        found.vector_chirality,
        found.scalar_chirality,
    )
    return np.concatenate([np.ravel(part) for part in parts])


def _spectrum(state):
    found = phasenet.entanglement_spectrum(state)
    return _filled(np.exp(-found.levels[found.levels < _LEVELS]))


def _invariants(state):
    found = phasenet.spt_invariants(state)
    return np.array([(one.value, one.eta) for one in found])


def _many_body(measure, *arguments):
    def measured(state):
        found = measure(state, *arguments)
        return np.array([found.raw, found.value])

    return measured


def _branches(state):
    return np.array([phasenet.string_order(state, axis).value for axis in "xyz"])


def _identity(state):
    identity = StringOrder.parse("1 [Rx] 1")
    return np.array([phasenet.string_order(state, identity, (1, 4)).value])


EVERYWHERE = {
    "invariants": _invariants,
    "string limits": _branches,
    "string of a pair": lambda state: np.array([phasenet.string_order(state, "y", (1, 4)).value]),
    "identity string": _identity,
    "string profile": lambda state: phasenet.string_profile(state, "x", 1, 4).values,
    "expectations": lambda state: phasenet.expectations(state, "Sp"),
    "correlations": lambda state: phasenet.correlations(state, "Sp", "Sm", 1, 4),
    "connected": lambda state: phasenet.connected_correlations(state, "Sz", "Sx", 1, 4),
    "correlation matrix": lambda state: phasenet.correlation_matrix(state, "Sx", "Sy", range(4)),
    "structure factor": lambda state: phasenet.structure_factor(state, "z", [0.1, 0.5]),
    "local orders": _spins,
    "entropies": phasenet.entropies,
    "Schmidt values": lambda state: np.array([*map(_filled, phasenet.schmidt_values(state))]),
    "entanglement spectrum": _spectrum,
    "partial reflection": _many_body(phasenet.partial_reflection, 2),
    "partial time reversal": _many_body(phasenet.partial_time_reversal, 2),
}
"""Of finite and of infinite states, whatever their symmetries."""

_SWAP = {"block swap": _many_body(phasenet.haegeman_order, ("Rx",), ("Rz",), 1)}
ASYMMETRIC = {**EVERYWHERE, "string pairs": lambda state: phasenet.string_pairs(state, "z")}

FINITE = {**ASYMMETRIC, **_SWAP}

INFINITE = {
    **EVERYWHERE,
    **_SWAP,
    # Of a pair of opposite charges, which only a state with charges shows, one is given.
    "transfer moduli": lambda state: _filled(phasenet.transfer_spectrum(state, 2).moduli)[:2],
}
