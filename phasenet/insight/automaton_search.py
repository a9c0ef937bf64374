r"""Automata from a function alone: beginnings of chains are told apart by what follows from them.

Two beginnings are in the same state exactly if every end makes of both the same decision (J. Myhill
1957; A. Nerode, Proc. AMS 9, 541 (1958)). Of chains of one length, ends that fit differ from cut to
cut, so that the states of different cuts are matched by the transitions alone, which are to be the
same everywhere: among all tables of transitions the one is sought whose states explain the most of
the variance of the decisions over the ends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.insight.automata import Automaton, with_outputs
from phasenet.seeds import stream
from phasenet.trains.train import FloatArray, IntArray

Decide = Callable[[IntArray], IntArray]
"""Chains of shape (shots, sites) to the number of a class for each."""

# So many tables are tried at once: all of two states and three local states, one change of six.
_TABLES = 128
_EXHAUSTIVE = 1024
_RANDOM_STARTS, _BEST_SPLITS = 12, 4
_GAIN = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Futures:
    """Decisions for beginnings and ends joined at some cuts: blocks of a Hankel matrix.

    Parameters
    ----------
    beginnings
        Whole chains, of which the first sites are taken, shape (beginnings, sites).
    cuts
        Number of sites before each cut, ascending.
    decisions
        Class of each beginning with each end, 0 or 1 for each class but the first, less the mean
        over the beginnings, shape (cuts, beginnings, numbers); those of the last cut have no end.
    """

    beginnings: IntArray
    cuts: tuple[int, ...]
    decisions: NDArray[np.float32]


def futures_of(
    decide: Decide, beginnings: IntArray, ends: IntArray, classes: int, most_cuts: int
) -> Futures:
    """Decisions of a function for all beginnings with all ends, at evenly spread cuts.

    Parameters
    ----------
    decide
        The function.
    beginnings, ends
        Chains of one length, whose first and whose last sites are taken.
    classes
        Number of classes.
    most_cuts
        The first and the last site are always among them.
    """
    sites = beginnings.shape[1]
    spread = np.linspace(1, sites, min(most_cuts, sites)).round()
    cuts = tuple(sorted({int(cut) for cut in spread}))
    blocks = []
    for cut in cuts:
        joined = np.empty((len(beginnings), len(ends), sites), dtype=np.int64)
        joined[..., :cut] = beginnings[:, None, :cut]
        joined[..., cut:] = ends[None, :, cut:]
        found = decide(joined.reshape(-1, sites)).reshape(len(beginnings), len(ends))
        # All classes but one say all.
        chosen = np.eye(classes, dtype=np.float32)[found][..., 1:]
        flat = chosen.reshape(len(beginnings), -1)
        blocks.append(flat - flat.mean(axis=0))
    return Futures(beginnings=beginnings, cuts=cuts, decisions=np.stack(blocks))


def explained(tables: IntArray, futures: Futures) -> FloatArray:
    """Share of the variance of the futures that the states explain, for each table of transitions.

    Parameters
    ----------
    tables
        Shape (tables, states, local states).
    futures
        Beginnings and their futures.

    Returns
    -------
    Shape (tables,); 1 for an automaton of the decisions, 1 as well where nothing varies.
    """
    total = float((futures.decisions.astype(np.float64) ** 2).sum())
    if total == 0.0:
        return np.ones(len(tables))
    parts = [tables[k : k + _TABLES] for k in range(0, len(tables), _TABLES)]
    return np.concatenate([_between(part, futures) for part in parts]) / total


def grown(
    futures: Futures, symbols: int, most_states: int, seed: int
) -> Iterator[tuple[IntArray, float]]:
    """Best tables of one state, two, three and so on, and the share that each explains.

    Parameters
    ----------
    futures
        What is to be explained.
    symbols
        Number of local states.
    most_states
        Where it ends.
    seed
        Of the random ones among the tables that a search starts from.
    """
    table = np.zeros((1, symbols), dtype=np.int64)
    share = float(explained(table[None], futures)[0])
    yield table, share
    rng = stream(seed, "insight", "automaton")
    for states in range(2, most_states + 1):
        if states ** (states * symbols) <= _EXHAUSTIVE:
            every = np.indices((states,) * (states * symbols)).reshape(states * symbols, -1).T
            starts = every.reshape(-1, states, symbols)
        else:
            drawn = rng.integers(states, size=(_RANDOM_STARTS, states, symbols))
            splits = _splits(table)
            best = np.argsort(-explained(splits, futures), kind="stable")[:_BEST_SPLITS]
            starts = np.concatenate([splits[best], drawn])
        shares = explained(starts, futures)
        # The best ones are as good as found where all were tried.
        order = np.argsort(-shares, kind="stable")[: _BEST_SPLITS + _RANDOM_STARTS]
        found = [_descended(starts[k], float(shares[k]), futures) for k in order]
        table, share = _simplest(found)
        yield table, share


def fitted(table: IntArray, spins: IntArray, decisions: IntArray) -> Automaton:
    """Automaton of a table, of the states that some shots visit, deciding as these shots do."""
    automaton = with_outputs(table, spins, decisions)
    kept = np.unique(automaton.run(spins))
    numbers = np.full(len(table), 0)
    numbers[kept] = np.arange(len(kept))
    return Automaton(transitions=numbers[table[kept]], outputs=automaton.outputs[kept])


def _between(tables: IntArray, futures: Futures) -> FloatArray:
    """Sum of squares between the states, over all cuts."""
    count, states, _ = tables.shape
    rows, shots = np.arange(count)[:, None], len(futures.beginnings)
    now = np.zeros((count, shots), dtype=np.int64)
    found = np.zeros(count)
    numbers = np.arange(states)[None, :, None]
    done = 0
    for cut, block in zip(futures.cuts, futures.decisions, strict=True):
        for site in range(done, cut):
            now = tables[rows, now, futures.beginnings[None, :, site]]
        done = cut
        members = (now[:, None, :] == numbers).astype(np.float32)
        sums = (members.reshape(-1, shots) @ block).reshape(count, states, -1)
        sizes = np.maximum(members.sum(axis=2), 1.0)
        found += ((sums**2).sum(axis=2) / sizes).sum(axis=1)
    return found


def _descended(table: IntArray, share: float, futures: Futures) -> tuple[IntArray, float]:
    """Table that no change of a single transition makes better."""
    while True:
        changed = _changes(table)
        shares = explained(changed, futures)
        best = int(np.argmax(shares))
        if not shares[best] > share + _GAIN:
            return table, share
        table, share = changed[best], float(shares[best])


def _simplest(found: Sequence[tuple[IntArray, float]]) -> tuple[IntArray, float]:
    """The best one; of several as good, the one that stays where it is for most local states.

    For chains of one length a state may count the sites as well: an even number of one local state
    is an even or odd number of all others.
    """
    best = max(share for _, share in found)
    good = [each for each in found if each[1] >= best - _GAIN]
    return max(good, key=lambda each: int((each[0] == np.arange(len(each[0]))[:, None]).sum()))


def _changes(table: IntArray) -> IntArray:
    """All tables with one other transition."""
    states, symbols = table.shape
    found = []
    for state in range(states):
        for symbol in range(symbols):
            for new in range(states):
                if new != table[state, symbol]:
                    changed = table.copy()
                    changed[state, symbol] = new
                    found.append(changed)
    return np.asarray(found).reshape(-1, states, symbols)


def _splits(table: IntArray) -> IntArray:
    """Tables of one state more, a copy of another one that takes over some of what leads there."""
    states, _ = table.shape
    found = []
    for old in range(states):
        wider = np.concatenate([table, table[old : old + 1]])
        into: Sequence[tuple[int, int]] = [(int(p), int(a)) for p, a in np.argwhere(wider == old)]
        for state, symbol in into:
            changed = wider.copy()
            changed[state, symbol] = states
            found.append(changed)
        # All of it: of the start, what comes back to it.
        found.append(np.where(wider == old, states, wider))
    return np.asarray(found)
