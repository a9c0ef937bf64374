"""What a classifier or a neural wavefunction has learned, as a report."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet.errors import SettingsError
from phasenet.findings import Report, Section
from phasenet.pipeline.product import Product, card_of, ordered_states, parents_of, state_files
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.reports import Part, Progress, make_report, report_files
from phasenet.pipeline.tensorize import tensorize, train_product
from phasenet.points import ParameterPoint
from phasenet.shots import Snapshots
from phasenet.storage.container import check_kind, read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.states import read_state
from phasenet.storage.trains import read_train
from phasenet.study import Boundary
from phasenet.trains.form import state_form

if TYPE_CHECKING:
    from phasenet.insight.subject import KnownState, Subject


@dataclass(frozen=True, kw_only=True)
class ExplainPlan:
    """What a classifier is explained by.

    Parameters
    ----------
    network, train, snapshots
        Files of the classifier, of its trains (made if it is not there) and of its dataset.
    states
        Ground states of open chains.
    other
        Labelled snapshots of another Hamiltonian with the same phases; None: without them.
    seed
        Of all random choices.
    """

    network: Path
    train: Path
    snapshots: Path
    states: tuple[Path, ...]
    other: Path | None = None
    seed: int = 0

    @classmethod
    def of(
        cls,
        network: Path,
        places: Sequence[Path],
        *,
        train: Path,
        snapshots: Path,
        other: Path | None,
        seed: int,
    ) -> "ExplainPlan":
        """Plan with the open chains among some files and folders.

        Raises
        ------
        SettingsError
            No open chain is there, or the train is that of another network.
        MissingInputError, FileKindError
        """
        head = _header(network, Kind.NETWORK)
        for path in filter(None, (snapshots, other)):
            _header(path, Kind.SNAPSHOTS)
        if train.is_file():
            parents = _header(train, Kind.TRAIN).parents
            if head.id not in [parent.id for parent in parents]:
                raise SettingsError(
                    f"{train} is not the train of {network}; make it with: phasenet tensorize "
                    f"{network}"
                )
        finite = [
            path
            for path in ordered_states(state_files(places))
            if read_header(path).settings["boundary"] == Boundary.FINITE
        ]
        if not finite:
            raise SettingsError(
                f"no open chain among {', '.join(map(str, places))}; a classifier is an "
                f"observable of *.{Boundary.FINITE}.{Kind.STATE}.h5"
            )
        return cls(
            network=network,
            train=train,
            snapshots=snapshots,
            states=tuple(finite),
            other=other,
            seed=seed,
        )

    def product(self, out: Path) -> Product:
        """Report, page and JSON that the plan leads to."""
        others = [self.other] if self.other else []
        header = Header(
            kind=Kind.REPORT,
            settings={"explain": {"other": bool(others)}},
            seed=self.seed,
            parents=parents_of([self.network, self.snapshots, *self.states, *others]),
            study=read_header(self.network).study,
        )
        return Product(path=out, header=header, extras=report_files(out))


def _header(path: Path, kind: Kind) -> Header:
    header = read_header(path)
    check_kind(path, header, kind)
    return header


def explain(plan: ExplainPlan, product: Product, *, reporter: Reporter) -> Report:
    """Explain a classifier, section by section.

    Parameters
    ----------
    plan
        What it is explained by.
    product
        From :meth:`ExplainPlan.product`.
    reporter
        Hears of each section.
    """
    from phasenet.insight.verdict import report_verdict  # loads torch

    return make_report(
        product,
        f"What {plan.network.name} has learned",
        _parts(plan, reporter),
        report_verdict,
        reporter,
    )


def read_subject(plan: ExplainPlan, reporter: Reporter) -> "Subject":
    """Everything that a classifier is explained by, its trains made if they are not there."""
    from phasenet.insight.subject import Subject  # loads torch
    from phasenet.networks.stored import load_network

    if not plan.train.is_file():
        card = card_of(plan.network)
        missing = train_product(plan.network, plan.snapshots, plan.train, card)
        tensorize(plan.network, plan.snapshots, missing, card, reporter=reporter)
    header, record = read_network(plan.network)
    _, snapshots = read_snapshots(plan.snapshots)
    _, classifier = read_train(plan.train)
    return Subject(
        name=plan.network.name,
        record=record,
        network=load_network(plan.network),
        classifier=classifier,
        states=_known(plan.states, snapshots, classifier.logits.train.site_dims),
        snapshots=snapshots,
        card=header.study,
        seed=plan.seed,
    )


def _known(
    paths: Sequence[Path], snapshots: Snapshots, site_dims: tuple[int, ...]
) -> "tuple[KnownState, ...]":
    """States of the length of the trains, with the labels that the dataset has of their points."""
    from phasenet.insight.subject import KnownState

    labels: dict[ParameterPoint, str | None] = {
        point.point: point.label for point in snapshots.head.points if not point.control
    }
    found = []
    for path in paths:
        _, state = read_state(path)
        form = state_form(state.train)
        dims = tuple(core.shape[1] for core in form.cores)
        if dims != site_dims:
            raise SettingsError(
                f"{path} has {len(dims)} sites of dimension {max(dims)}, the trains of the network "
                f"{len(site_dims)} of {max(site_dims)}; name states of the chains that it was "
                "trained on"
            )
        found.append(KnownState(point=state.point, label=labels.get(state.point), form=form))
    return tuple(found)


def _parts(plan: ExplainPlan, reporter: Reporter) -> tuple[Part, ...]:
    from phasenet.insight.automaton import automaton_section
    from phasenet.insight.bonds import bonds_section
    from phasenet.insight.controls import controls_section
    from phasenet.insight.importance import STEPS, importance_section
    from phasenet.insight.interventions import interventions_section
    from phasenet.insight.observable import observable_section

    @functools.cache
    def subject() -> "Subject":
        # Not read at all where every section is kept.
        return read_subject(plan, reporter)

    def controls(progress: Progress) -> Section:
        other = read_snapshots(plan.other)[1] if plan.other else None
        return controls_section(subject(), other, progress=progress)

    makers: tuple[tuple[str, str, Callable[[Progress], Section]], ...] = (
        ("observable", "observable", lambda p: observable_section(subject(), progress=p)),
        ("interventions", "interventions", lambda p: interventions_section(subject(), progress=p)),
        ("controls", "controls", controls),
        ("bonds", "bonds", lambda p: bonds_section(subject(), progress=p)),
        ("automaton", "automaton", lambda p: automaton_section(subject(), progress=p)),
        ("importance", "mode importance", lambda p: importance_section(subject(), progress=p)),
    )
    totals = {"observable": len(plan.states), "importance": STEPS}
    return tuple(
        Part(name=name, title=title, compute=make, total=totals.get(name, 0))
        for name, title, make in makers
    )
