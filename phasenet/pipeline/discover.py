"""Transitions found in snapshots without their labels, by several methods on the same shots."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet.card import StudyCard
from phasenet.errors import FileKindError, MissingInputError
from phasenet.networks.discovery.line import Line, ends_of, line_of, points_along
from phasenet.pipeline.chart import write_csv
from phasenet.pipeline.discovered import DISCOVER, diagram_of, joined
from phasenet.pipeline.likelihoods import check_without_noise, line_likelihoods, states_of
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.records import PhaseDiagram, Table
from phasenet.seeds import stream
from phasenet.settings import DiscoverSettings, TrainSettings
from phasenet.shots import Snapshots
from phasenet.storage.container import current_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import read_head, read_snapshots
from phasenet.storage.tables import read_chart, write_chart

if TYPE_CHECKING:
    from phasenet.networks.discovery.indicators import Indicator

_SUFFIX = f".{Kind.CHART}.h5"
_EXTRAS = ("png", "pdf", "csv")
# What has a meaning of its own here, or none.
_UNUSED = ("max_epochs", "seeds", "patience")


@dataclass(frozen=True, kw_only=True)
class DiscoverPlan:
    """What is looked for, and in which files.

    Parameters
    ----------
    snapshots
        File of a dataset.
    settings, train
        Of the methods and of their networks.
    fixed
        Values of couplings that do not vary.
    states
        State of each point of the line, for the exact predictors; empty: without them.
    """

    snapshots: Path
    settings: DiscoverSettings
    train: TrainSettings
    fixed: Mapping[str, float]
    states: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls,
        snapshots: Path,
        settings: DiscoverSettings,
        train: TrainSettings,
        fixed: Mapping[str, float],
        folder: Path | None = None,
    ) -> "DiscoverPlan":
        """Plan with the states of a folder, checked against the dataset without its shots.

        Raises
        ------
        SettingsError
            There is no line of points, a state is missing, or the shots carry noise.
        MissingInputError, FileKindError
            A file is not there or damaged.
        """
        header, head = read_head(snapshots)
        _, chosen = points_along(head, fixed)
        ends_of(len(chosen), settings.ends)
        states: tuple[Path, ...] = ()
        if folder is not None:
            check_without_noise(header)
            source = head.sources[head.points[chosen[0]].source]
            states = states_of(folder, source, [head.points[k].point for k in chosen])
        usual = TrainSettings()
        changes = {name: getattr(usual, name) for name in _UNUSED}
        changes["max_epochs"] = settings.max_epochs
        return cls(
            snapshots=snapshots,
            settings=settings,
            train=train.model_copy(update=changes),
            fixed=dict(fixed),
            states=states,
        )

    def product(self, out: Path, card: StudyCard | None) -> Product:
        """Phase diagram, figures and CSV that the plan leads to.

        Parameters
        ----------
        out
            ``*.chart.h5``.
        card
            Of the study, for titles and known transitions; None without one.
        """
        known = [] if card is None else [vars(k) | {"at": dict(k.at)} for k in card.transitions]
        header = Header(
            kind=Kind.CHART,
            settings={
                DISCOVER: {**self.settings.as_dict(), "at": dict(self.fixed)},
                "train": self.train.as_dict(),
                "transitions": known,
            },
            seed=self.settings.seed,
            parents=parents_of([self.snapshots, *self.states]),
            study=card,
        )
        stem = out.name.removesuffix(_SUFFIX)
        extras = tuple(out.with_name(f"{stem}.{suffix}") for suffix in _EXTRAS)
        return Product(path=out, header=header, extras=extras)


def discover(plan: DiscoverPlan, product: Product, *, reporter: Reporter) -> PhaseDiagram:
    """Find the transition by every method, draw all curves, and write their numbers.

    Methods that are done when the work is stopped are kept, and not computed again.

    Parameters
    ----------
    plan
        What is looked for.
    product
        From :meth:`DiscoverPlan.product`.
    reporter
        Hears of each method.

    Raises
    ------
    SettingsError
        There are too few shots, a setting does not fit the chains, or states do not fit the shots.
    """
    if current_header(product.path, product.header.key) is None:
        diagram = product.make(lambda: _computed(plan, product, reporter), write_chart)
        shutil.rmtree(_parts(product.path), ignore_errors=True)
    else:
        _, diagram = read_chart(product.path)
    draw_discovery(diagram, product)
    return diagram


def draw_discovery(diagram: PhaseDiagram, product: Product) -> None:
    """Write the figures and the CSV that go beside the file."""
    from phasenet.plots.discovery import discovery_figure  # loads matplotlib
    from phasenet.plots.style import save_figure

    figure = discovery_figure(diagram, product.header.study)
    for path in product.extras:
        if path.suffix == ".csv":
            write_csv(diagram.table, path)
        else:
            save_figure(figure, path)


def _computed(plan: DiscoverPlan, product: Product, reporter: Reporter) -> PhaseDiagram:
    _, data = read_snapshots(plan.snapshots)
    line = line_of(data, plan.fixed, shots=plan.settings.shots, seed=plan.settings.seed)
    base = _base(data, line)
    parts = []
    for name, compute in _methods(plan, data, line, reporter):
        header = replace(product.header, settings={**product.header.settings, "part": name})
        part = Product(path=_parts(product.path) / f"{name}{_SUFFIX}", header=header)
        parts.append(_kept(part) or part.make(_diagram(base, line.coupling, compute), write_chart))
    return joined(parts)


def _diagram(
    base: Table, coupling: str, compute: "Callable[[], Sequence[Indicator]]"
) -> Callable[[], PhaseDiagram]:
    return lambda: diagram_of(base, coupling, compute())


def _kept(part: Product) -> PhaseDiagram | None:
    """What was computed before the work was stopped."""
    if not part.is_done():
        return None
    try:
        return read_chart(part.path)[1]
    except (MissingInputError, FileKindError):
        return None


def _methods(
    plan: DiscoverPlan, data: Snapshots, line: Line, reporter: Reporter
) -> "Iterator[tuple[str, Callable[[], Sequence[Indicator]]]]":
    """Name of each piece of work, and the work, cheapest first."""
    from phasenet.networks.discovery import learned  # loads torch
    from phasenet.networks.discovery.optimal import optimal_indicators

    settings, seeds, seed = plan.settings, plan.settings.seeds, plan.settings.seed
    ends = ends_of(len(line.points), settings.ends)
    halves = learned.Halves(known=line.of(data, line.known), held_out=line.of(data, line.held_out))

    def anomalies() -> "Sequence[Indicator]":
        return [learned.principal_components(line, halves, ends=ends, seed=seed)]

    def autoencoders() -> "Sequence[Indicator]":
        with stage(reporter, "autoencoders", 2 * seeds * settings.max_epochs):
            return [
                learned.autoencoder(
                    line,
                    halves,
                    plan.train,
                    ends=ends,
                    seeds=seeds,
                    seed=seed,
                    progress=reporter.advance,
                )
            ]

    def confusion() -> "Sequence[Indicator]":
        with stage(reporter, "learning by confusion", seeds * settings.max_epochs):
            return [
                learned.confusion(
                    line, halves, plan.train, seeds=seeds, seed=seed, progress=reporter.advance
                )
            ]

    def exact() -> "Sequence[Indicator]":
        likelihood = line_likelihoods(data, line, plan.states, reporter)
        rng = stream(seed, "discover", "optimal", "errors")
        return optimal_indicators(line.grid, likelihood, ends=ends, rng=rng)

    yield "principal_components", anomalies
    yield "autoencoders", autoencoders
    if plan.states:
        yield "exact", exact
    yield "confusion", confusion


def _base(data: Snapshots, line: Line) -> Table:
    """Rows of the line; labels are told, and used by no method."""
    labels = {point.point: point.label or "" for point in data.head.points if not point.control}
    return Table(
        rows=tuple(str(point) for point in line.points),
        points=line.points,
        labels=tuple(labels[point] for point in line.points),
        reasons=tuple(
            f"{len(known)} shots to learn from, {len(held_out)} to judge on, without the label"
            for known, held_out in zip(line.known, line.held_out, strict=True)
        ),
        columns=(),
    )


def _parts(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")
