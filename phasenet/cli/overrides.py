"""Options that change a study: ``--set``, ``--config``, ``--zip``, ``--points``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasenet.study import Study


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "changes to the study (the command line goes before a file, a file before the study)"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (finite.max_bond=128; max_bond=128 in all steps that have it) or a "
        "coupling (D=0:2:0.1, Delta=0.5,1); may be repeated",
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="the same as tables: [finite] max_bond = 128, [grid] D = '0:2:0.1'",
    )
    group.add_argument(
        "--zip",
        action="append",
        default=[],
        dest="zipped",
        metavar="NAME,NAME",
        help="couplings that run together instead of in all combinations",
    )
    group.add_argument(
        "--points",
        type=Path,
        metavar="FILE.csv",
        help="points instead of the grid: a line of names of couplings, then one point a line",
    )


def study_of(options: argparse.Namespace) -> "Study":
    """Study that a command names, with its changes, which are said in one line."""
    from phasenet.overrides import Overrides, apply_overrides
    from phasenet.study import load_study

    study = load_study(options.study)
    overrides = Overrides.of_options(
        assignments=options.assignments, zipped=options.zipped, points=options.points
    )
    if options.config is not None:
        overrides = Overrides.from_toml(options.config).then(overrides)
    changed = apply_overrides(study, overrides)
    said = differences(study, changed)
    if said:
        print(f"{study.name} with {'; '.join(said)}")
    return changed


def differences(before: "Study", after: "Study") -> list[str]:
    """What another study has otherwise, one short text for each thing.

    Parameters
    ----------
    before, after
        The same study without and with overrides.
    """
    from phasenet.overrides import TEXTS, flattened

    lines = [
        f"{key} = {new}"
        for (key, old), (_, new) in zip(
            flattened(before.settings.as_dict()), flattened(after.settings.as_dict()), strict=True
        )
        if old != new
    ]
    lines += [
        f"{name} = {getattr(after, name)}"
        for name in TEXTS
        if getattr(after, name) != getattr(before, name)
    ]
    if after.grid == before.grid:
        return lines
    old_axes = dict(before.grid.axes)
    for name, values in after.grid.axes:
        if old_axes.get(name) != values:
            lines.append(f"{name} = {_shown(values)}")
    return [*lines, f"{len(after.grid)} points"]


def _shown(values: tuple[float, ...]) -> str:
    texts = [f"{value:.12g}" for value in values]
    if len(texts) <= 4:
        return ", ".join(texts)
    return f"{texts[0]}, {texts[1]}, ..., {texts[-1]} ({len(texts)} values)"
