"""The smallest automaton that decides as a network does, where one of few states exists."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.findings import Cell, FindingTable, Section
from phasenet.insight.automata import UNKNOWN, Automaton, minimal, visited
from phasenet.insight.automaton_meaning import UNNAMED, local_state_names, state_names
from phasenet.insight.automaton_search import Decide, fitted, futures_of, grown
from phasenet.insight.bond_shots import EVERY, LabelledShots, labelled_shots
from phasenet.insight.subject import Progress, Subject
from phasenet.insight.train_bonds import gap_train, narrowed
from phasenet.seeds import stream
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray, IntArray

_BEGINNINGS, _ENDS, _CUTS = 192, 24, 12
_LEARNED, _HELD_OUT = 1000, 2000
_RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundAutomaton:
    """An automaton and how far it decides as a function does.

    Parameters
    ----------
    automaton
        Minimal, states in the order in which they are reached.
    explained
        Share of the variance of the decisions over all ends that its states explain.
    agreement
        Share of held-out shots with the decision of the function.
    joined
        The same for beginnings and ends of different held-out shots, joined in the middle.
    counts
        How often held-out shots take each transition, shape (states, local states).
    """

    automaton: Automaton
    explained: float
    agreement: float
    joined: float
    counts: IntArray


def automaton_section(
    subject: Subject, progress: Progress, *, max_states: int = 8, agreement: float = 0.99
) -> Section:
    """Section "automaton": states, transitions and meaning of the smallest automaton.

    Parameters
    ----------
    subject
        With labelled shots of two classes at least.
    progress
        Hears of each number of states.
    max_states
        Where the search ends.
    agreement
        Share of held-out shots on which automaton and network must agree.

    Raises
    ------
    SettingsError
        There are no such shots, or a site is read in several bases or may be lost.
    """
    dim = subject.snapshots.head.site_dim
    if subject.record.architecture["site_dim"] != dim:
        raise SettingsError(
            f"the network reads {subject.record.architecture['site_dim']} things of a site with "
            f"{dim} local states; an automaton is shown for one basis and no lost sites only"
        )
    learned, held_out = _both(subject)

    def decide(spins: IntArray) -> IntArray:
        return np.asarray(subject.logits(spins).argmax(axis=1))

    found = found_automata(
        decide,
        learned.spins,
        held_out.spins,
        symbols=dim,
        classes=len(subject.record.classes),
        max_states=max_states,
        agreement=agreement,
        seed=subject.seed,
        progress=progress,
    )
    chosen = best_of(found, agreement)
    return _section(subject, learned, held_out, found, chosen, agreement, max_states)


def _section(
    subject: Subject,
    learned: LabelledShots,
    held_out: LabelledShots,
    found: Sequence[FoundAutomaton],
    chosen: FoundAutomaton,
    agreement: float,
    max_states: int,
) -> Section:
    dim, classes = subject.snapshots.head.site_dim, tuple(subject.record.classes)
    names, shares = state_names(chosen.automaton, held_out.spins, dim)
    ranks, same = _weighted(subject, learned, held_out)
    error = binomial_error(chosen.agreement, len(held_out.spins))
    weighted = next((int(r) for r, s in zip(ranks, same, strict=True) if s >= agreement), None)
    return Section(
        name="automaton",
        title="Is the decision that of a machine with a few states?",
        verdict=_verdict(chosen, names, error, agreement, max_states, weighted),
        notes=_notes(subject, learned, held_out),
        tables=(
            _state_table(chosen, names, shares, classes, dim),
            _growth_table(found, len(held_out.spins)),
            _weighted_table(ranks, same, len(held_out.spins)),
        ),
        arrays=_arrays(found, chosen, shares, ranks, same, error),
        labels={
            "states": names,
            "local_states": local_state_names(dim),
            "classes": classes,
        },
    )


def found_automata(
    decide: Decide,
    learned: IntArray,
    held_out: IntArray,
    *,
    symbols: int,
    classes: int,
    max_states: int,
    agreement: float,
    seed: int,
    progress: Progress,
) -> tuple[FoundAutomaton, ...]:
    """Automata of one state, two and so on, up to the first that agrees with a function.

    Parameters
    ----------
    decide
        Chains of shape (shots, sites) to the numbers of classes.
    learned, held_out
        Shots to learn from, in any order, and to measure the agreement on.
    symbols, classes
        Numbers of local states and of classes.
    max_states, agreement
        Where the search ends.
    seed
        Of its random choices.
    progress
        Hears of each number of states.
    """
    rows = stream(seed, "insight", "automaton", "shots").permutation(len(learned))
    ends = learned[rows[_BEGINNINGS : _BEGINNINGS + _ENDS]]
    if len(ends) < _ENDS:
        raise SettingsError(
            f"{len(learned)} shots to learn an automaton from; wanted {_BEGINNINGS + _ENDS}"
        )
    futures = futures_of(decide, learned[rows[:_BEGINNINGS]], ends, classes, _CUTS)
    wanted, truth = decide(learned), decide(held_out)
    middle = held_out.shape[1] // 2
    mixed = np.column_stack((held_out[:, :middle], held_out[rows_of(held_out, seed), middle:]))
    mixed_truth = decide(mixed)
    found: list[FoundAutomaton] = []
    for table, explained in grown(futures, symbols, max_states, seed):
        automaton = minimal(fitted(table, learned, wanted))
        one = FoundAutomaton(
            automaton=automaton,
            explained=explained,
            agreement=float((automaton(held_out) == truth).mean()),
            joined=float((automaton(mixed) == mixed_truth).mean()),
            counts=visited(automaton, held_out),
        )
        found.append(one)
        progress(len(table), f"{len(table)} states: {one.agreement:.1%} of the decisions")
        if one.agreement >= agreement:
            break
    return tuple(found)


def best_of(found: Sequence[FoundAutomaton], agreement: float) -> FoundAutomaton:
    """First automaton that agrees, or the one that agrees best, the smallest of these."""
    good = [one for one in found if one.agreement >= agreement]
    return good[0] if good else max(found, key=lambda one: one.agreement)


def rows_of(shots: IntArray, seed: int) -> IntArray:
    """Random order of some shots."""
    return stream(seed, "insight", "automaton", "ends").permutation(len(shots))


def _both(subject: Subject) -> tuple[LabelledShots, LabelledShots]:
    """Shots to learn from, and others; of all shots where there are no such splits."""
    learned = labelled_shots(subject, _LEARNED, split="train")
    held_out = labelled_shots(subject, _HELD_OUT)
    if EVERY not in (learned.split, held_out.split):
        return learned, held_out
    everything = labelled_shots(subject, _LEARNED + _HELD_OUT, split=EVERY)
    return everything.part(0), everything.part(1)


def _weighted(
    subject: Subject, learned: LabelledShots, shots: LabelledShots
) -> tuple[IntArray, FloatArray]:
    """Ranks, and the share of shots that the train narrowed to each decides as the network does."""
    train = gap_train(subject.classifier.logits.train, shots.pair)
    wanted = shots.gaps(subject.logits(shots.spins)) > 0
    ranks = [rank for rank in _RANKS if rank < max(train.bond_dims)] + [max(train.bond_dims)]
    short = narrowed(train, learned.spins, learned.weights, ranks)
    same = [((each(shots.spins) > 0) == wanted).mean() for each in short]
    return np.asarray(ranks), np.asarray(same)


def _verdict(
    chosen: FoundAutomaton,
    names: Sequence[str],
    error: float,
    agreement: float,
    max_states: int,
    weighted: int | None,
) -> str:
    states = len(chosen.automaton.transitions)
    share = f"{100 * chosen.agreement:.1f} ± {100 * error:.1f} % of held-out shots"
    rest = ""
    if weighted is not None:
        values = "1 value" if weighted == 1 else f"{weighted} values"
        rest = f"; a weighted one reaches that: the train with {values} on each bond"
        # With two, one carries what the sites so far add up to, the other one that there are more.
        rest += ", as a sum over the sites has" if weighted == 2 else ""
    if chosen.agreement >= agreement:
        known = [name for name in names if name != UNNAMED]
        told = f" ({'; '.join(known)})" if known else ""
        return f"yes: an automaton of {states} states{told} decides as the network on {share}"
    return (
        f"no: of all automata of up to {max_states} states found, the best, of {states}, decides "
        f"as the network on {share} only, fewer than {agreement:.0%}{rest}"
    )


def _notes(subject: Subject, learned: LabelledShots, held_out: LabelledShots) -> tuple[str, ...]:
    return (
        f"Learned from the network's decisions on {_BEGINNINGS} beginnings and {_ENDS} ends of "
        f"shots (split {learned.split}) joined at up to {_CUTS} cuts: beginnings that the same "
        "ends turn into the same decisions are in one state (Myhill and Nerode). The labels of "
        f"the shots are not used. Agreement on {len(held_out.spins)} other shots (split "
        f"{held_out.split}).",
        "The transitions are the same at every site, so what depends on the place in the chain, "
        "or counts far, is not found. The search is greedy: a failure says that none was found.",
        "Of chains of one length, several automata may decide the same (a parity of one local "
        "state is a parity of all others); shown is the one that stays where it is most often. "
        "The decision of a state in which no shot ended is unknown.",
        "Weighted automata: one matrix for each site and local state, of the train with so many "
        "values on every bond, those that matter most for the shots that were learned from. "
        f"The whole train agrees on {100 * subject.classifier.logits.agreement:.1f} % of its "
        "own held-out shots.",
    )


def _state_table(
    chosen: FoundAutomaton,
    names: Sequence[str],
    shares: Sequence[float],
    classes: Sequence[str],
    dim: int,
) -> FindingTable:
    total = chosen.counts.sum()
    automaton = chosen.automaton
    symbols = local_state_names(dim)
    rows: list[tuple[Cell, ...]] = []
    for state, targets in enumerate(automaton.transitions):
        seen = chosen.counts[state]
        to = [f"{int(t) + 1}" if seen[a] else "not seen" for a, t in enumerate(targets)]
        output = int(automaton.outputs[state])
        decided = "not seen" if output == UNKNOWN else classes[output]
        used = float(seen.sum() / total)
        said = names[state] or "no simple property"
        rows.append((f"{state + 1}", said, shares[state], used, decided, *to))
    return FindingTable(
        title="States: where each local state leads, and what is decided of a chain that ends",
        columns=(
            "state",
            "beginnings that lead there",
            "fit of these words",
            "share of steps",
            "decision",
            *(f"on {symbol}" for symbol in symbols),
        ),
        rows=tuple(rows),
    )


def _growth_table(found: Sequence[FoundAutomaton], shots: int) -> FindingTable:
    rows = [
        (
            float(k + 1),
            float(len(one.automaton.transitions)),
            one.explained,
            one.agreement,
            binomial_error(one.agreement, shots),
            one.joined,
        )
        for k, one in enumerate(found)
    ]
    return FindingTable(
        title="Automata by their number of states",
        columns=(
            "states allowed",
            "states needed",
            "variance of decisions explained",
            "agreement",
            "agreement ±",
            "agreement, joined halves",
        ),
        rows=tuple(rows),
    )


def _weighted_table(ranks: IntArray, same: FloatArray, shots: int) -> FindingTable:
    rows = [
        (float(rank), float(share), binomial_error(float(share), shots))
        for rank, share in zip(ranks, same, strict=True)
    ]
    return FindingTable(
        title="Weighted automata: the train with so many values on each bond",
        columns=("values", "agreement", "agreement ±"),
        rows=tuple(rows),
    )


def _arrays(
    found: Sequence[FoundAutomaton],
    chosen: FoundAutomaton,
    shares: Sequence[float],
    ranks: IntArray,
    same: FloatArray,
    error: float,
) -> dict[str, Array]:
    return {
        "transitions": chosen.automaton.transitions,
        "outputs": chosen.automaton.outputs,
        "counts": chosen.counts,
        "name_fit": np.asarray(shares),
        "agreement": np.asarray(chosen.agreement),
        "agreement_error": np.asarray(error),
        "states_needed": np.asarray([len(one.automaton.transitions) for one in found]),
        "agreement_by_states": np.asarray([one.agreement for one in found]),
        "joined_by_states": np.asarray([one.joined for one in found]),
        "explained_by_states": np.asarray([one.explained for one in found]),
        "weighted_ranks": ranks,
        "weighted_agreement": same,
    }
