"""One candidate after the other: made, scored at once, healed, tuned, and scored again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from phasenet.compression import NARROW, ORIGINAL, Candidate, Compressed, CompressSettings
from phasenet.networks.compression.decompose import Decomposer, healed
from phasenet.networks.compression.measures import (
    accuracy_of,
    flops_of,
    outputs_of,
    parameters_of,
    relative_time,
)
from phasenet.networks.compression.narrow import within_budget
from phasenet.networks.compression.task import Network, Subject, Task
from phasenet.networks.compression.tuning import Teacher, tuned
from phasenet.networks.convolutional import weights_of
from phasenet.seeds import derived_seed

Tell = Callable[[int, str], None]
"""Receives how many seeds are done, and a few words."""


class Bench:
    """All that the candidates of one network share.

    Parameters
    ----------
    subject
        The trained network.
    task
        Shots.
    settings
        How candidates are tuned.
    seed
        Of the run.
    """

    def __init__(
        self, subject: Subject, task: Task, settings: CompressSettings, *, seed: int
    ) -> None:
        self.subject, self.task, self.settings, self.seed = subject, task, settings, seed
        self.parameters = parameters_of(subject.network)
        self._decomposers: dict[int, Decomposer] = {}
        self.teacher = Teacher(
            train=outputs_of(subject.network, task.train.x),
            validation=outputs_of(subject.network, task.validation.x),
        )

    def original(self) -> Compressed:
        """The network itself, scored."""
        network, task = self.subject.network, self.task
        validation, test = (
            np.asarray([accuracy_of(network, shots)]) for shots in (task.validation, task.test)
        )
        return Compressed(
            candidate=Candidate(family=ORIGINAL, size=1.0),
            parameters=self.parameters,
            flops=flops_of(network, task.test.x),
            time=1.0,
            at_once=validation,
            test_at_once=test,
            validation=validation,
            test=test,
            architecture=self.subject.architecture,
        )

    def seed_of(self, candidate: Candidate, repeat: int, use: str) -> int:
        """Seed of one use of chance in one repeat of a candidate."""
        return derived_seed(self.seed, "compress", str(candidate), str(repeat), use)

    def some(self, repeat: int) -> torch.Tensor:
        """Training inputs that one repeat decomposes and heals on."""
        x = self.task.train.x
        seed = derived_seed(self.seed, "compress", str(repeat), "samples")
        chance = torch.Generator().manual_seed(seed)
        return x[torch.randperm(len(x), generator=chance)[: self.settings.samples]]

    def decomposer(self, repeat: int) -> Decomposer:
        """Decompositions of one repeat; what they have found out holds for all candidates."""
        if repeat not in self._decomposers:
            self._decomposers[repeat] = Decomposer(self.subject.dense, self.some(repeat))
        return self._decomposers[repeat]

    def tune(self, network: nn.Module, candidate: Candidate, repeat: int, epochs: int) -> None:
        """Train a network in place, the original its teacher."""
        tuned(
            network,
            self.task,
            self.teacher,
            self.settings,
            epochs=epochs,
            seed=self.seed_of(candidate, repeat, "batches"),
        )

    def accuracies(self, network: nn.Module) -> tuple[float, float]:
        """On validation and test shots."""
        return accuracy_of(network, self.task.validation), accuracy_of(network, self.task.test)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Repeat:
    """One network of a candidate, and its accuracies before and after tuning."""

    network: Network
    at_once: tuple[float, float]
    tuned: tuple[float, float]


def compressed(bench: Bench, candidate: Candidate, *, tell: Tell) -> Compressed:
    """Make a candidate of a family of networks with each seed, and score it.

    Parameters
    ----------
    bench
        The network, its shots and the settings.
    candidate
        Of any family but one train.
    tell
        Hears what is being done.
    """
    budget = int(bench.parameters / candidate.size)
    make = _narrow if candidate.family == NARROW else _smaller
    repeats = make(bench, candidate, budget, tell)
    if not repeats:
        note = f"no {candidate.family} network has {budget} parameters or fewer"
        if candidate.family == NARROW and bench.subject.narrowed is None:
            note = "nobody knows how to make this module narrower"
        return Compressed(candidate=candidate, note=note)
    return _scored(bench, candidate, repeats)


def _narrow(bench: Bench, candidate: Candidate, budget: int, tell: Tell) -> list[_Repeat]:
    """Networks with fewer channels from random weights."""
    narrowed, settings = bench.subject.narrowed, bench.settings
    found = None if narrowed is None else within_budget(narrowed, budget)
    if narrowed is None or found is None:
        return []
    repeats = []
    for repeat in range(settings.seeds):
        tell(repeat, f"training, seed {repeat + 1} of {settings.seeds}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(bench.seed_of(candidate, repeat, "initial weights"))
            network, architecture = narrowed(found[2])
        bench.tune(network, candidate, repeat, settings.scratch_epochs)
        nothing = (float("nan"), float("nan"))
        repeats.append(
            _Repeat(
                network=(network, architecture), at_once=nothing, tuned=bench.accuracies(network)
            )
        )
    return repeats


def _smaller(bench: Bench, candidate: Candidate, budget: int, tell: Tell) -> list[_Repeat]:
    """Networks whose weights are decomposed."""
    subject, settings = bench.subject, bench.settings
    known = {name: v for name, v in subject.architecture.items() if name != "layers"}
    tell(0, "choice of ranks")
    # Of all seeds alike, so that their networks are of one size.
    forms = bench.decomposer(0).forms(candidate.family, budget)
    repeats: list[_Repeat] = []
    for repeat in range(settings.seeds if forms else 0):
        tell(repeat, f"decomposition and tuning, seed {repeat + 1} of {settings.seeds}")
        network = bench.decomposer(repeat).decomposed(forms)
        before = bench.accuracies(network)
        batches = torch.split(bench.some(repeat), settings.batch)
        network = healed(network, subject.dense, batches, settings.heal_steps)
        bench.tune(network, candidate, repeat, settings.epochs)
        layers = {name: form.as_dict() for name, form in forms.items()}
        repeats.append(
            _Repeat(
                network=(network, {**known, "layers": layers}),
                at_once=before,
                tuned=bench.accuracies(network),
            )
        )
    return repeats


def _scored(bench: Bench, candidate: Candidate, repeats: Sequence[_Repeat]) -> Compressed:
    at_once, after = (
        np.asarray([getattr(repeat, name) for repeat in repeats]).T for name in ("at_once", "tuned")
    )
    network, architecture = repeats[int(np.argmax(after[0]))].network
    x = bench.task.test.x
    return Compressed(
        candidate=candidate,
        parameters=parameters_of(network),
        flops=flops_of(network.eval(), x),
        time=relative_time(network, bench.subject.network, x),
        at_once=at_once[0],
        test_at_once=at_once[1],
        validation=after[0],
        test=after[1],
        architecture=architecture,
        weights=weights_of(network),
    )
