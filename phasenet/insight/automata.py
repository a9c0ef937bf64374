"""Deterministic automata that read a chain site by site."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.train import IntArray

UNKNOWN = -1
"""Output of a state that no shot ended in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Automaton:
    """Finitely many states, one of which is left for another at every site.

    Parameters
    ----------
    transitions
        Next state for each state and local state, shape (states, local states). The first state is
        the start.
    outputs
        What is decided of a chain that ends in each state, shape (states,); UNKNOWN where no chain
        has ended.

    >>> parity = Automaton(transitions=np.array([[0, 1], [1, 0]]), outputs=np.array([0, 1]))
    >>> parity(np.array([[0, 1, 1], [0, 0, 1]])).tolist()
    [0, 1]
    """

    transitions: IntArray
    outputs: IntArray

    def __post_init__(self) -> None:
        states = len(self.transitions)
        fits = self.transitions.ndim == 2 and self.outputs.shape == (states,)
        if not fits or self.transitions.min() < 0 or self.transitions.max() >= states:
            raise ShapeError(
                f"the transitions have shape {self.transitions.shape} and the outputs "
                f"{self.outputs.shape}; wanted (states, local states) and (states,), the "
                "transitions among the states"
            )

    def __call__(self, spins: IntArray) -> IntArray:
        """Decisions for shots of shape (shots, sites), shape (shots,)."""
        return np.asarray(self.outputs[self.run(spins)[:, -1]])

    def run(self, spins: IntArray) -> IntArray:
        """States before the first site and after each, shape (shots, sites + 1)."""
        states = np.zeros((len(spins), spins.shape[1] + 1), dtype=np.int64)
        for site, local in enumerate(spins.T):
            states[:, site + 1] = self.transitions[states[:, site], local]
        return states

    @property
    def sinks(self) -> IntArray:
        """States that are never left."""
        own = np.arange(len(self.transitions))[:, None]
        return np.flatnonzero((self.transitions == own).all(axis=1))


def minimal(automaton: Automaton) -> Automaton:
    """Smallest automaton of the same decisions for chains of any length, in a fixed numbering.

    States that decide the same whatever follows are merged (Moore's algorithm), those that are
    never reached left out, and the others numbered in the order in which they are reached, local
    states in their order. Two automata of the same decisions become equal.

    >>> twice = Automaton(transitions=np.array([[2, 1], [3, 0], [0, 3], [1, 2]]),
    ...                   outputs=np.array([0, 1, 0, 1]))
    >>> minimal(twice).transitions.tolist()
    [[0, 1], [1, 0]]
    """
    classes = np.unique(automaton.outputs, return_inverse=True)[1].reshape(-1)
    count = 0
    while (now := int(classes.max()) + 1) > count:
        count = now
        signature = np.column_stack((classes, classes[automaton.transitions]))
        classes = np.unique(signature, axis=0, return_inverse=True)[1].reshape(-1)
    heads = [int(np.flatnonzero(classes == k)[0]) for k in range(count)]
    table = classes[automaton.transitions[heads]]
    order = _reached(table, int(classes[0]))
    numbers = {state: k for k, state in enumerate(order)}
    transitions = [[numbers[int(state)] for state in table[old]] for old in order]
    return Automaton(
        transitions=np.asarray(transitions), outputs=automaton.outputs[[heads[k] for k in order]]
    )


def visited(automaton: Automaton, spins: IntArray) -> IntArray:
    """How often some shots take each transition, shape (states, local states)."""
    states = automaton.run(spins)
    counts = np.zeros(automaton.transitions.shape, dtype=np.int64)
    np.add.at(counts, (states[:, :-1].ravel(), spins.ravel()), 1)
    return counts


def with_outputs(transitions: IntArray, spins: IntArray, decisions: IntArray) -> Automaton:
    """Automaton whose states decide as the majority of some shots that end in them.

    Parameters
    ----------
    transitions
        Shape (states, local states).
    spins, decisions
        Shots, and what is to be decided of each, numbers from 0.

    >>> spins = np.array([[0, 1], [1, 1], [0, 0]])
    >>> with_outputs(np.array([[0, 1], [1, 0]]), spins, np.array([1, 0, 0])).outputs.tolist()
    [0, 1]
    """
    blank = Automaton(transitions=transitions, outputs=np.full(len(transitions), UNKNOWN))
    last = blank.run(spins)[:, -1]
    counts = np.zeros((len(transitions), int(decisions.max()) + 1), dtype=np.int64)
    np.add.at(counts, (last, decisions), 1)
    outputs = np.where(counts.any(axis=1), counts.argmax(axis=1), UNKNOWN)
    return Automaton(transitions=transitions, outputs=outputs)


def _reached(table: IntArray, start: int) -> Sequence[int]:
    order = [start]
    for state in order:
        order += [new for new in dict.fromkeys(table[state].tolist()) if new not in order]
    return order
