from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.insight.automata import UNKNOWN, Automaton, minimal, visited
from phasenet.insight.automaton import automaton_section, best_of, found_automata
from phasenet.insight.automaton_meaning import state_names
from phasenet.insight.automaton_search import explained, futures_of, grown
from phasenet.networks.architectures.gru import GRUClassifier
from phasenet.plots.findings.automaton import automaton_figures
from tests.insight.bond_toys import (
    ALTERNATING,
    CLASSES,
    MachineNetwork,
    hidden_order_shots,
    machine_subject,
    machine_train,
    no_progress,
    subject_of,
)


def found(decide, shots, symbols, most=5, agreement=1.0):
    return found_automata(
        decide,
        shots[: len(shots) // 2],
        shots[len(shots) // 2 :],
        symbols=symbols,
        classes=2,
        max_states=most,
        agreement=agreement,
        seed=0,
        progress=no_progress,
    )


def ups(modulus):
    return lambda spins: ((spins == 0).sum(axis=1) % modulus == 0).astype(int)


@pytest.mark.parametrize("modulus", [2, 3])
def test_counters_modulo_a_number_are_found_exactly(modulus):
    spins = np.random.default_rng(1).integers(2, size=(800, 11))
    automata = found(ups(modulus), spins, 2)
    assert len(automata) == modulus
    one = best_of(automata, 1.0)
    assert one.agreement == one.joined == 1.0
    assert one.explained == pytest.approx(1.0)
    # Every transition on one local state is to itself, on the other one step on.
    own = one.automaton.transitions == np.arange(modulus)[:, None]
    assert own.sum() == modulus and own.any(axis=0).sum() == 1


def test_alternating_signs_are_found_exactly():
    spins = hidden_order_shots(1200, 12, seed=3)
    one = best_of(found(ALTERNATING, spins, 3), 1.0)
    assert np.array_equal(one.automaton.transitions, ALTERNATING.transitions)
    # No shot is all zeros: what would be decided of it was not seen.
    assert one.automaton.outputs.tolist() == [UNKNOWN, 0, 0, 1]
    assert one.agreement == 1.0


def test_what_counts_far_is_not_called_an_automaton():
    spins = np.random.default_rng(2).integers(2, size=(800, 16))
    automata = found(lambda s: (s.sum(axis=1) > 8).astype(int), spins, 2, most=3, agreement=0.99)
    assert len(automata) == 3
    assert 0.55 < best_of(automata, 0.99).agreement < 0.95


@given(st.integers(1, 5), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_minimal_keeps_every_decision_and_has_no_two_equal_states(states, symbols, seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(states, size=(states, symbols))
    whole = Automaton(transitions=table, outputs=rng.integers(2, size=states))
    small = minimal(whole)
    words = np.indices((symbols,) * 5).reshape(5, -1).T
    for length in range(6):
        assert np.array_equal(whole(words[:, :length]), small(words[:, :length]))
    assert len(small.transitions) <= states
    # Any two states decide differently after some word; five letters tell five states apart.
    futures = set()
    for start in range(len(small.transitions)):
        swap = np.arange(len(small.transitions))
        swap[[0, start]] = start, 0
        moved = Automaton(transitions=swap[small.transitions[swap]], outputs=small.outputs[swap])
        futures.add(tuple(int(d) for n in range(6) for d in moved(words[:, :n])))
    assert len(futures) == len(small.transitions)


def test_numbering_is_by_the_order_in_which_states_are_reached():
    swap = np.array([0, 3, 1, 2])
    back = np.argsort(swap)
    other = Automaton(
        transitions=back[ALTERNATING.transitions[swap]], outputs=ALTERNATING.outputs[swap]
    )
    again = minimal(other)
    assert minimal(ALTERNATING).transitions.tolist() == again.transitions.tolist()
    assert np.array_equal(again.sinks, minimal(ALTERNATING).sinks)


def test_explained_is_one_for_the_language_and_none_for_one_state():
    spins = hidden_order_shots(120, 9, seed=0)
    futures = futures_of(ALTERNATING, spins[:100], spins[100:], 2, 9)
    tables = np.stack([ALTERNATING.transitions, np.zeros((4, 3), dtype=int)])
    assert explained(tables, futures) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_bigger_table_never_explains_less():
    spins = np.random.default_rng(0).integers(3, size=(120, 8))
    rule = np.random.default_rng(1).normal(size=(8, 3))
    futures = futures_of(
        lambda s: (rule[np.arange(8), s].sum(axis=1) > 0).astype(int), spins[:96], spins[96:], 2, 8
    )
    shares = [share for _, share in grown(futures, 3, 4, 0)]
    assert all(a <= b + 1e-6 for a, b in pairwise(shares))


def test_counts_of_transitions():
    parity = Automaton(transitions=np.array([[0, 1], [1, 0]]), outputs=np.array([0, 1]))
    assert visited(parity, np.array([[0, 1, 1], [0, 0, 0]])).tolist() == [[4, 1], [0, 1]]


def test_names_of_the_hidden_order():
    names, fits = state_names(ALTERNATING, hidden_order_shots(400, 10, seed=1), 3)
    assert names == (
        "no sign yet",
        "signs alternate, last one +",
        "signs alternate, last one −",
        "two equal signs in a row",
    )
    assert fits == (1.0, 1.0, 1.0, 1.0)


def test_section_of_an_exact_hidden_order_and_its_figures():
    section = automaton_section(machine_subject(), no_progress)
    assert section.verdict.startswith("yes: an automaton of 4 states (no sign yet; signs alternate")
    assert np.array_equal(section.arrays["transitions"], ALTERNATING.transitions)
    assert section.arrays["agreement"] == 1.0
    # As a weighted automaton, less what all states have in common.
    rank = section.arrays["weighted_ranks"][section.arrays["weighted_agreement"] > 0.99].min()
    assert rank <= 4
    (_, graph), (_, growth) = automaton_figures(section)
    texts = {text.get_text() for ax in graph.axes for text in ax.texts}
    assert {"1", "2", "3", "4", "start", "+", "−", "+, 0, −"} <= texts
    assert growth.axes[0].get_xlabel() == "states of the automaton"
    for figure in (graph, growth):
        figure.savefig("/dev/null", format="png", dpi=40)


def test_section_of_a_counter_says_no():
    length, rng = 14, np.random.default_rng(4)
    spins = rng.integers(3, size=(1600, length))
    counter = Automaton(
        transitions=np.minimum(np.arange(length + 1)[:, None] + [0, 1, 0], length),
        outputs=(np.arange(length + 1) > 4).astype(int),
    )
    subject = subject_of(
        MachineNetwork(counter), machine_train(counter, length), spins, counter(spins)
    )
    section = automaton_section(subject, no_progress, max_states=3)
    assert section.verdict.startswith("no: of all automata of up to 3 states found, the best")
    assert len(section.arrays["agreement_by_states"]) == 3


def test_bases_are_refused():
    subject = machine_subject(shots=200)
    subject.record.architecture["site_dim"] = 6
    with pytest.raises(SettingsError, match="reads 6 things of a site with 3 local states"):
        automaton_section(subject, no_progress)


def test_transitions_must_lead_to_states():
    with pytest.raises(ShapeError, match="transitions have shape"):
        Automaton(transitions=np.array([[2]]), outputs=np.array([0]))


def trained_gru(spins, labels):
    torch.manual_seed(1)
    network = GRUClassifier(site_dim=3, width=12, depth=1, classes=2)
    x, y, batches = torch.from_numpy(spins), torch.from_numpy(labels), len(spins) // 256
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=45 * batches)
    for _ in range(45):
        for rows in torch.randperm(len(x))[: 256 * batches].split(256):
            optimiser.zero_grad()
            loss = nn_loss(network(x[rows]), y[rows])
            loss.backward()
            optimiser.step()
            schedule.step()
    return network


nn_loss = torch.nn.CrossEntropyLoss()


@pytest.mark.slow
def test_hidden_order_is_read_off_a_trained_gru():
    """A network that was only shown shots has the two states of the last sign, and a sink."""
    length = 14
    spins = hidden_order_shots(6144, length, seed=1)
    network = trained_gru(spins, ALTERNATING(spins))
    fresh = hidden_order_shots(4000, length, seed=2)
    subject = subject_of(network, machine_train(ALTERNATING, length), fresh, ALTERNATING(fresh))
    decided = subject.logits(fresh).argmax(axis=1)
    assert (decided == ALTERNATING(fresh)).mean() > 0.99
    section = automaton_section(subject, no_progress)
    print(section.verdict)
    assert section.labels["states"][1:3] == (
        "signs alternate, last one +",
        "signs alternate, last one −",
    )
    assert np.array_equal(section.arrays["transitions"], ALTERNATING.transitions)
    assert section.arrays["outputs"].tolist()[1:] == [0, 0, 1]
    assert section.arrays["agreement"] > 0.99
    assert section.labels["classes"] == CLASSES
