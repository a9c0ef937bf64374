"""Shards of a sweep that ran on different disks, brought together in one folder."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phasenet.errors import MissingInputError, PhasenetError
from phasenet.groundstates.sweep import journal_folder, states_folder
from phasenet.identity import digest
from phasenet.pipeline.survey import listing
from phasenet.storage.atomic import atomic_path
from phasenet.storage.container import read_content, read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.journal import SUFFIX
from phasenet.storage.locks import Shard, driver_lock
from phasenet.storage.plans import SweepPlan, read_plan, write_plan


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge has brought together.

    Parameters
    ----------
    plan
        All that the sweep asks for.
    copied, there
        States that were copied, and those that were there before.
    missing
        Names of the states that are in none of the folders.
    """

    plan: SweepPlan
    copied: int
    there: int
    missing: tuple[str, ...]


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Copy the states of some folders into one, which is afterwards as if one machine had made it.

    Parameters
    ----------
    sources
        Folders of runs of one sweep.
    out
        Folder of a run; may exist, and may hold some of the states.

    Raises
    ------
    PhasenetError
        The folders belong to different sweeps, two of them hold different states of one point, or
        a file cannot be read or written. What was copied stays.
    """
    sources = [source for source in sources if source.resolve() != out.resolve()]
    plan = _common_plan([*sources, *([out] if _has_plan(out) else [])])
    with driver_lock(journal_folder(out), Shard()):
        write_plan(journal_folder(out), plan)
        before, copied = _present(out, plan), 0
        for source in sources:
            for name in _present(source, plan):
                copied += _bring(_file(source, name), _file(out, name), plan)
            _bring_journals(journal_folder(source), journal_folder(out))
        after = _present(out, plan)
    return Merged(
        plan=plan,
        copied=copied,
        there=len(before),
        missing=tuple(name for name in plan.states() if name not in after),
    )


def merge_lines(merged: Merged, out: Path) -> list[str]:
    """Say what a merge has done, and what is still missing."""
    total = len(merged.plan.states())
    lines = [
        f"{merged.copied + merged.there} of {total} ground states of {merged.plan.name} in "
        f"{states_folder(out)}, {merged.copied} of them new"
    ]
    if merged.missing:
        more = f" and {len(merged.missing) - 3} more" if len(merged.missing) > 3 else ""
        lines.append(f"missing: {', '.join(merged.missing[:3])}{more}")
    return lines


def _common_plan(folders: Sequence[Path]) -> SweepPlan:
    """Plan of folders of one sweep; points that only some of them ask for belong to it."""
    plans = [read_plan(journal_folder(folder)) for folder in folders]
    first = plans[0]
    for folder, plan in zip(folders, plans, strict=True):
        if plan.name != first.name:
            raise PhasenetError(
                f"{folders[0]} holds states of {first.name}, {folder} of {plan.name}; merge one "
                "study at a time"
            )
        if plan.keys != first.keys:
            raise PhasenetError(
                f"{folders[0]} and {folder} were made with different models or settings of DMRG; "
                "merge folders of one sweep"
            )
    points = dict.fromkeys(point for plan in plans for point in plan.points)
    return replace(first, points=tuple(points))


def _has_plan(folder: Path) -> bool:
    try:
        read_plan(journal_folder(folder))
    except MissingInputError:
        return False
    return True


def _present(folder: Path, plan: SweepPlan) -> list[str]:
    there = listing(states_folder(folder))
    return [name for name in plan.states() if f"{name}.{Kind.STATE}.h5" in there]


def _file(folder: Path, name: str) -> Path:
    return states_folder(folder) / f"{name}.{Kind.STATE}.h5"


def _bring(source: Path, target: Path, plan: SweepPlan) -> bool:
    """Copy a state unless it is there; return whether it was copied."""
    header, _ = read_content(source, Kind.STATE)
    _check_settings(source, header, plan)
    if target.exists():
        other = read_header(target)
        _check_settings(target, other, plan)
        if other.id != header.id:
            raise PhasenetError(
                f"{source} and {target} are different states of one point; remove the one that "
                "you do not trust"
            )
        return False
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return True


def _check_settings(path: Path, header: Header, plan: SweepPlan) -> None:
    shared = {name: value for name, value in header.settings.items() if name != "point"}
    if digest(shared) not in plan.keys.values():
        raise PhasenetError(
            f"{path} was made with other settings than the sweep in its folder; run simulate there "
            "first"
        )


def _bring_journals(source: Path, target: Path) -> None:
    """Copy journals; they only grow, so that the longer of two is the newer."""
    for path in sorted(source.glob(f"*{SUFFIX}")):
        copy = target / path.name
        if not copy.exists() or copy.stat().st_size < path.stat().st_size:
            with atomic_path(copy) as temporary:
                shutil.copyfile(path, temporary)
