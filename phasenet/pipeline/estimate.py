"""Observables estimated from the shots of a dataset, beside their exact values."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phasenet.errors import FileKindError, SettingsError
from phasenet.phases.estimates import shown
from phasenet.phases.observables import Profile, Quantity, by_name, columns_of, curves_of
from phasenet.pipeline.estimate_targets import Asked, Target, profiles_of, targets_of
from phasenet.pipeline.product import Product, parents_of
from phasenet.points import ParameterPoint
from phasenet.records import Column, Table
from phasenet.shots import SampledPoint, Source
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.readouts import Readout
from phasenet.snapshots.shadows import ShotEstimate
from phasenet.snapshots.transforms import inverse_kennedy_tasaki
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import SnapshotFile
from phasenet.storage.states import read_state
from phasenet.trains.form import StateForm, state_form

_EXACT, _SIGMAS = "_exact", "_sigmas"
_FEW_ROWS = 3
_EXACT_ATOL = 1e-9
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class EstimatePlan:
    """What is to be estimated, and where the states lie that say what is exact.

    Parameters
    ----------
    snapshots
        File of a dataset.
    asked
        What is estimated.
    states
        State files; none: nothing is compared.
    """

    snapshots: Path
    asked: Asked
    states: tuple[Path, ...] = ()

    @classmethod
    def of(cls, snapshots: Path, asked: Asked, folder: Path | None = None) -> "EstimatePlan":
        """Plan with all states of a folder and of those below it.

        Raises
        ------
        SettingsError
            There are none.
        """
        states = () if folder is None else tuple(sorted(folder.rglob(f"*.{Kind.STATE}.h5")))
        if folder is not None and not states:
            raise SettingsError(
                f"no *.{Kind.STATE}.h5 in {folder}; name the folder of the states, or leave "
                "--states out"
            )
        return cls(snapshots=snapshots, asked=asked, states=states)

    def product(self, out: Path) -> Product:
        """Return the table that the plan leads to."""
        source = read_header(self.snapshots)
        header = Header(
            kind=Kind.TABLE,
            settings={"estimated": self.asked.as_dict()},
            seed=source.seed,
            parents=parents_of([self.snapshots, *self.states]),
            study=source.study,
        )
        return Product(path=out, header=header)


def estimate(plan: EstimatePlan) -> Table:
    r"""Estimates from the shots of each point, one row a point.

    A column ``NAME`` has the estimates and their standard errors; with states, ``NAME_exact`` has
    what the point's own state says, and ``NAME_sigmas`` the deviation in standard errors. Controls
    have no exact values. Shots after a Kennedy-Tasaki transformation are transformed back.

    Parameters
    ----------
    plan
        What is estimated.

    Raises
    ------
    SettingsError
        The basis of the shots does not measure what is asked for, no point is in the split, or no
        state belongs to a point.
    MissingInputError, FileKindError
        A file is not there or damaged.
    """
    exact = _ExactStates.of(plan.states)
    with SnapshotFile(plan.snapshots) as file:
        file.check()
        chosen = _chosen_points(file, plan.asked.split)
        rows = [_row(file, index, plan.asked, exact) for index in chosen]
    if plan.states and not exact.used:
        raise SettingsError(
            f"none of the {len(plan.states)} states that --states names belongs to a point of "
            f"{plan.snapshots}; name the folder of the states that it was sampled from"
        )
    points = [file.head.points[index] for index in chosen]
    return Table(
        rows=tuple(_name(file, point) for point in points),
        points=tuple(point.point for point in points),
        labels=tuple(point.label or "" for point in points),
        reasons=tuple(row.told for row in rows),
        columns=columns_of([by_name(row.quantities) for row in rows]),
        curves=curves_of([by_name(row.profiles) for row in rows]),
    )


def estimate_lines(table: Table) -> list[str]:
    """Estimates as text: for each observable one line a point, value(error), exact, deviation.

    Parameters
    ----------
    table
        From :func:`estimate`.
    """
    few = len(table.rows) <= _FEW_ROWS
    lines = [f"{name}: {told}" for name, told in zip(table.rows, table.reasons, strict=True) if few]
    if not few:
        counts = Counter(note for told in table.reasons for note in told.split("; ")[1:])
        lines += [
            f"{note} (in {count} of {len(table.rows)} rows)" for note, count in counts.items()
        ]
    columns = {column.name: column for column in table.columns}
    width = max(map(len, table.rows), default=0)
    for name, column in columns.items():
        if name.endswith((_EXACT, _SIGMAS)):
            continue
        unit = "" if column.unit == "1" else f" [{column.unit}]"
        lines.append(f"{name}{unit}: {column.meaning}")
        for k, row in enumerate(table.rows):
            if math.isnan(column.values[k]):
                continue
            text = f"  {row:<{width}}  {table.labels[k] or '-':<12}"
            text += f" {shown(_rounded(column.values[k]), column.errors[k]):<16}"
            if f"{name}{_EXACT}" in columns:
                text += _against(columns[f"{name}{_EXACT}"], columns[f"{name}{_SIGMAS}"], k)
            lines.append(text.rstrip())
    return [*lines, *_deviation_lines(table)]


@dataclass(frozen=True, kw_only=True)
class _Row:
    quantities: tuple[Quantity, ...]
    profiles: tuple[Profile, ...]
    told: str


class _ExactStates:
    """States by study, point and boundary; each is read when it is asked for."""

    def __init__(self, places: dict[tuple[str, str, str], list[Path]]) -> None:
        self.used = False
        self._places = places

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "_ExactStates":
        """States of files, by what their headers say."""
        places: dict[tuple[str, str, str], list[Path]] = {}
        for path in paths:
            header = read_header(path)
            study = header.study.name if header.study else ""
            try:
                point = ParameterPoint.of(header.settings["point"])
                key = (study, point.id, str(header.settings["boundary"]))
            except KeyError as error:
                raise FileKindError(f"{path} names no {error}; make it again") from None
            places.setdefault(key, []).append(path)
        return cls(places)

    def form(self, source: Source, point: SampledPoint) -> StateForm | None:
        """Return the state that shots were taken of; None for controls, and where it is missing."""
        if point.control:
            return None
        paths = self._places.get((source.study, point.point.id, source.boundary), [])
        states = [(path, read_state(path)[1].train) for path in paths]
        fitting = [
            (path, train)
            for path, train in states
            if source.boundary == "infinite" or len(train.cores) == source.sites
        ]
        if len(fitting) > 1:
            raise SettingsError(
                f"{fitting[0][0]} and {fitting[1][0]} both hold the {source.boundary} state at "
                f"{point.point}; name a folder with one of them"
            )
        if not fitting:
            return None
        self.used = True
        return state_form(fitting[0][1])


def _chosen_points(file: SnapshotFile, split: str) -> list[int]:
    """Points of a split, or all, that have shots in this file."""
    there = set(np.unique(file.point_index).tolist())
    asked = file.head.points_in(split).tolist() if split else range(len(file.head.points))
    chosen = [int(index) for index in asked if index in there]
    if not chosen:
        where = f"split {split!r} of {file.path}" if split else str(file.path)
        raise SettingsError(f"{where} has no shots; leave --split out, or name another one")
    return chosen


def _row(file: SnapshotFile, index: int, asked: Asked, exact: _ExactStates) -> _Row:
    point = file.head.points[index]
    source = file.head.sources[point.source]
    readout = _readout(file, index, source.sites)
    form = exact.form(source, point)
    targets = targets_of(asked, readout, file.header.study)
    quantities: list[Quantity] = []
    left_out = 0
    for target in targets:
        found = target.estimate(readout)
        left_out = max(left_out, found.left_out)
        quantities.append(_quantity(target, "", found.value, found.error))
        if form is not None:
            truth = target.exact(form)
            quantities.append(_quantity(target, _EXACT, truth))
            quantities.append(_quantity(target, _SIGMAS, _sigmas(found, truth)))
    told = [f"{len(readout.spins)} shots of {source.sites} sites, {point.split}"]
    if left_out:
        told.append("shots with a lost site are left out of the products that act there")
    if file.header.settings.get("noise") and form is not None:
        told.append("the shots carry the noise of a detector, the exact values do not")
    return _Row(
        quantities=tuple(quantities),
        profiles=profiles_of(asked, readout),
        told="; ".join(told),
    )


def _sigmas(found: ShotEstimate, exact: float) -> float:
    """Deviation in standard errors; what all shots agree on must be exact."""
    difference = found.value - exact
    if found.error > 0:
        return difference / found.error
    if math.isnan(found.error):
        return math.nan
    return 0.0 if abs(difference) < _EXACT_ATOL else math.copysign(math.inf, difference)


def _quantity(target: Target, suffix: str, value: float, error: float = math.nan) -> Quantity:
    meaning = {
        "": target.meaning,
        _EXACT: f"{target.meaning}; exact",
        _SIGMAS: f"{target.meaning}; deviation from the exact value in standard errors",
    }[suffix]
    unit = "1" if suffix == _SIGMAS else target.unit
    return Quantity(
        name=f"{target.name}{suffix}", unit=unit, meaning=meaning, value=value, error=error
    )


def _readout(file: SnapshotFile, index: int, sites: int) -> Readout:
    """Shots of one point as they were measured."""
    head = file.head
    chosen = np.flatnonzero(file.point_index == index)
    shots = file.rows(int(chosen[0]), int(chosen[-1]) + 1)
    chosen = chosen - chosen[0]
    spins = shots.spins[chosen, :sites]
    if head.transform == "Kennedy-Tasaki":
        spins = inverse_kennedy_tasaki(spins, head.site_dim)
    bases = None if shots.basis_index is None else shots.basis_index[chosen, :sites]
    return Readout(spins=spins, basis=basis_of(head.basis, head.site_dim), basis_index=bases)


def _name(file: SnapshotFile, point: SampledPoint) -> str:
    """Name of a row: couplings, the chain where there are several, and the control."""
    sources = file.head.sources
    parts = [str(point.point)]
    if len(sources) > 1:
        source = sources[point.source]
        parts.insert(0, f"{source.study} L={source.sites}")
    return " ".join([*parts, *([f"[{point.control}]"] if point.control else [])])


def _against(exact: Column, sigmas: Column, row: int) -> str:
    truth, deviation = exact.values[row], sigmas.values[row]
    known = "" if math.isnan(truth) else f" exact {_rounded(truth):<12.6g}"
    return known if math.isnan(deviation) else f"{known} {deviation:+.1f} sigma"


def _rounded(value: float) -> float:
    return 0.0 if abs(value) < _ROUNDING else float(value)


def _deviation_lines(table: Table) -> Iterator[str]:
    columns = {column.name: column for column in table.columns}
    # What all shots agree on says nothing of the others unless it is wrong.
    pairs = [
        (column.errors, columns[f"{name}{_SIGMAS}"].values)
        for name, column in columns.items()
        if f"{name}{_SIGMAS}" in columns
    ]
    found = [sigmas[(errors > 0) | (sigmas != 0)] for errors, sigmas in pairs]
    sigmas = np.concatenate(found) if found else np.zeros(0)
    sigmas = sigmas[~np.isnan(sigmas)]
    if len(sigmas):
        typical, largest = np.sqrt(np.mean(sigmas**2)), np.abs(sigmas).max()
        yield (
            f"deviations of {len(sigmas)} estimates from exact values: root mean square "
            f"{typical:.2f} sigma, largest {largest:.1f} sigma"
        )
