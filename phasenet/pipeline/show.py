"""Any file in words: what it holds, how it was made, and its lineage back to the grid."""

import math
from collections.abc import Callable
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError
from phasenet.identity import canonical_json
from phasenet.pipeline import summary
from phasenet.pipeline.compress_lines import curve_lines
from phasenet.pipeline.dataset_facts import read_facts
from phasenet.pipeline.dataset_lines import snapshot_lines
from phasenet.pipeline.discovered import DISCOVER, discovery_lines
from phasenet.pipeline.fit import wavefunction_lines
from phasenet.pipeline.measure import MeasurePlan
from phasenet.pipeline.report_lines import report_lines
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.tabulated import measured_lines, observable_lines
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.compression import read_compression
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.networks import read_network
from phasenet.storage.reports import read_report
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_chart, read_table
from phasenet.storage.tenpy_files import is_tenpy_file
from phasenet.storage.trains import is_black_box, read_black_box, read_train
from phasenet.storage.wavefunctions import read_wavefunction

_SHOWN_SIBLINGS = 3


def describe(path: Path) -> list[str]:
    """Lines about a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    if path.is_file() and is_tenpy_file(path):
        plan = MeasurePlan.of([path])
        measured = plan.carry_out(None, workers=1, reporter=SilentReporter())
        lines = observable_lines(measured.table)
        return [f"{path}: matrix product state saved with TeNPy", *lines[1:]]
    header = read_header(path)
    return [
        f"{path}: {header.kind} of phasenet {header.version}, made {header.created} "
        f"in {header.seconds:.1f} s",
        *_content(path, header),
        f"settings: {canonical_json(dict(header.settings))}",
        f"seed: {header.seed}",
        "lineage:",
        *_lineage(path, header, 1, set()),
    ]


def _content(path: Path, header: Header) -> list[str]:
    readers: dict[Kind, Callable[[], list[str]]] = {
        Kind.STATE: lambda: _state_lines(read_state(path)[1]),
        Kind.SNAPSHOTS: lambda: snapshot_lines(read_facts(path)),
        Kind.NETWORK: lambda: summary.network_lines(read_network(path)[1]),
        Kind.TRAIN: lambda: _train_lines(path),
        Kind.WAVEFUNCTION: lambda: wavefunction_lines(read_wavefunction(path)[1]),
        Kind.TABLE: lambda: measured_lines(read_table(path)[1]),
        Kind.CHART: lambda: _chart_lines(path, header),
        Kind.COMPRESSION: lambda: curve_lines(read_compression(path)[1]),
        Kind.REPORT: lambda: report_lines(read_report(path)[1]),
    }
    return readers[header.kind]()


def _state_lines(state: GroundState) -> list[str]:
    bonds = max(core.shape[0] for core in state.train.cores)
    variance = "" if math.isnan(state.variance) else f", variance {state.variance:.1e} J^2 per site"
    unfinished = state.outcome is DmrgOutcome.INTERRUPTED
    what = "checkpoint of the search for the " if unfinished else ""
    return [
        f"{what}{state.boundary} ground state at {state.point}: {len(state.train.cores)} sites of "
        f"spin {state.spin:g}, bond dimension {bonds}, "
        f"{f'{state.charge} conserved' if state.charge else 'no conserved charge'}",
        f"energy {state.energy:.10f} J per site{variance}, truncation "
        f"{state.truncation:.1e}, {state.sweeps} sweeps: {state.outcome.value}",
        f"started from {state.start}{_rival(state)}",
    ]


def _rival(state: GroundState) -> str:
    if math.isnan(state.rival):
        return ""
    return (
        f"; a second start ended {state.rival:.1e} J per site higher, at an entropy that differs "
        f"by {state.rival_entropy:+.1e} nats"
    )


def _train_lines(path: Path) -> list[str]:
    if is_black_box(path):
        return summary.black_box_lines(read_black_box(path)[1])
    _, classifier = read_train(path)
    return [*summary.train_lines(classifier), *summary.outcome_lines(classifier)]


def _chart_lines(path: Path, header: Header) -> list[str]:
    (_, diagram), card = read_chart(path), header.study
    if DISCOVER in header.settings:
        return discovery_lines(diagram, card)
    if card is None:
        raise FileKindError(f"{path} is a chart that belongs to no study; make it again")
    return [*summary.phase_lines(diagram.table, card), *summary.estimate_lines(diagram, card)]


def _lineage(path: Path, header: Header, depth: int, seen: set[str]) -> list[str]:
    """Parents and theirs; of many parents of one kind, only the first few by name."""
    lines = []
    for kind in dict.fromkeys(parent.kind for parent in header.parents):
        members = [parent for parent in header.parents if parent.kind == kind]
        for parent in members[:_SHOWN_SIBLINGS]:
            lines += _ancestor(path.parent, parent, depth, seen)
        if len(members) > _SHOWN_SIBLINGS:
            more = len(members) - _SHOWN_SIBLINGS
            lines.append("  " * depth + f"and {more} more {kind} files")
    return lines or ["  " * depth + _origin(header)]


def _ancestor(folder: Path, parent: Parent, depth: int, seen: set[str]) -> list[str]:
    line = f"{'  ' * depth}{parent.kind} {parent.name} (id {parent.id}"
    if parent.id in seen:
        return [f"{line}; as above)"]
    seen.add(parent.id)
    for place in (folder / parent.name, folder / "states" / parent.name):
        try:
            header = read_header(place)
        except (MissingInputError, FileKindError):
            continue
        if header.id == parent.id:
            return [f"{line})", *_lineage(place, header, depth + 1, seen)]
    return [f"{line}; no longer here)"]


def _origin(header: Header) -> str:
    if "samples" in header.settings:
        return f"samples {header.settings['samples']}, no file of phasenet"
    if "imported" in header.settings:
        source = header.settings["imported"]
        return f"file of TeNPy {source['name']} (id {source['id']})"
    name = header.study.name if header.study else "unknown study"
    point = header.settings.get("point")
    return f"grid of {name}" + (f": point {canonical_json(point)}" if point else "")
