"""Small classifiers whose bonds and automata are known: languages over local states."""

import numpy as np
import torch
from torch import nn

from phasenet.insight.automata import Automaton
from phasenet.insight.subject import Subject
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.trained import TrainedNetwork
from phasenet.trains.train import TensorTrain

CLASSES = ("alternating", "broken")
# Start, last sign +, last sign -, sink; on +, 0, -.
ALTERNATING = Automaton(
    transitions=np.array([[1, 0, 2], [3, 1, 2], [1, 2, 3], [3, 3, 3]]),
    outputs=np.array([0, 0, 0, 1]),
)


class MachineNetwork(nn.Module):
    """Logits of an automaton: 2 for what it decides, 0 for the other class."""

    def __init__(self, automaton):
        super().__init__()
        self.automaton = automaton

    def forward(self, spins):
        return 2.0 * nn.functional.one_hot(torch.from_numpy(self.automaton(spins.numpy())), 2)


def machine_train(automaton, length):
    """Exact train of both logits of an automaton, its states as bonds."""
    states, symbols = automaton.transitions.shape
    core = np.zeros((states, symbols, states))
    for state in range(states):
        for symbol in range(symbols):
            core[state, symbol, automaton.transitions[state, symbol]] = 1.0
    last = np.einsum("lsr,ro->lso", core, 2.0 * np.eye(2)[automaton.outputs])[:, :, None]
    cores = (core[:1], *[core] * (length - 2), last)
    return TensorTrain(cores=cores, output_site=length - 1)


def hidden_order_shots(count, length, seed):
    """Spins with alternating signs, in every second shot one sign turned: hidden order, broken."""
    rng = np.random.default_rng(seed)
    nonzero = rng.random((count, length)) < 2 / 3
    signs = np.where(np.cumsum(nonzero, axis=1) % 2 == 1, 1, -1) * rng.choice([-1, 1], (count, 1))
    spins = np.where(nonzero, 1 - signs, 1)
    for shot in spins[1::2]:
        places = np.flatnonzero(shot != 1)
        if len(places) > 1:
            place = rng.choice(places)
            shot[place] = 2 - shot[place]
    return spins


def subject_of(network, train, spins, second, names=CLASSES, roles=("train", "test")):
    """Shots of both classes, half of them to learn from, half held out."""
    points = [
        SampledPoint(
            point=ParameterPoint.of(D=k), label=names[k % 2], split=roles[k // 2], reason="toy"
        )
        for k in range(4)
    ]
    half = np.arange(len(spins)) % 4 // 2
    chain = Source(study="", title="", hamiltonian="", sites=spins.shape[1], boundary="finite")
    shots = Shots(
        spins=spins.astype(np.uint8),
        point_index=(second + 2 * half).astype(np.int32),
        log_probability=np.full(len(spins), np.nan),
        class_log_likelihood=np.full((len(spins), 2), np.nan),
    )
    head = SnapshotsHead(
        site_dim=train.site_dims[0],
        basis="Sz",
        classes=names,
        sources=(chain,),
        points=tuple(points),
    )
    return Subject(
        name="toy.network.h5",
        record=_record(names, train.site_dims[0]),
        network=network.eval(),
        classifier=_classifier(names, train),
        states=(),
        snapshots=Snapshots(head=head, shots=shots),
        card=None,
    )


def machine_subject(automaton=ALTERNATING, length=12, shots=2000):
    """Subject whose network is an automaton of the hidden order."""
    spins = hidden_order_shots(shots, length, seed=5)
    return subject_of(
        MachineNetwork(automaton), machine_train(automaton, length), spins, ALTERNATING(spins)
    )


def no_progress(steps, words):
    """Hear of nothing."""


def _record(names, dim):
    return TrainedNetwork(
        architecture={"kind": "toy", "site_dim": dim},
        weights={},
        classes=names,
        history={},
        scores=(),
        outcome="",
    )


def _classifier(names, train):
    function = TensorizedFunction(
        train=train,
        data_error=0.0,
        agreement=1.0,
        agreement_error=0.0,
        uniform_error=0.0,
        evaluations=0,
        outcome="",
        history={},
    )
    return TensorizedClassifier(
        classes=names,
        logits=function,
        probabilities=function,
        points=(),
        probability_errors=np.zeros((0, 2)),
        string_errors=np.zeros((0, 2)),
        held_out=0,
    )
