"""Studies of what published parameters tell of a training set: networks made and attacked here."""

from pathlib import Path

from phasenet.findings import Report
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.privacy.levels import Sizes, level_arrays
from phasenet.privacy.populations import PROBLEMS, problem_named
from phasenet.privacy.problems import Problem
from phasenet.privacy.study import SHARES, privacy_section
from phasenet.storage.container import Content, current_header, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trains.train import Array

STUDIES = tuple(PROBLEMS)
"""Names of the studies."""


def run_study(
    name: str, *, models: int, seed: int, reporter: Reporter, parts: Path | None
) -> Report:
    """Report of one study: the attacks at all levels of imbalance.

    Parameters
    ----------
    name
        One of STUDIES.
    models
        Networks of each level, both sides together; rounded to a multiple of twice the subsets.
    seed
        Of everything that is drawn, the random gauges among it, so that the study can be repeated.
    reporter
        Hears of the progress.
    parts
        Folder in which finished levels are kept, and from which an interrupted study goes on; None:
        nothing is kept.
    """
    sizes = Sizes.of(models)
    problem = problem_named(name, subsets=sizes.subsets, seed=seed)
    levels = {}
    with stage(reporter, f"study {name}: {sizes.models} networks a level", len(SHARES)):
        for done, share in enumerate(SHARES):

            def heard(word: str, done: int = done, share: float = share) -> None:
                reporter.advance(done, f"p = {share:g}: {word}")

            header = _header(name, sizes, share, seed)
            path = None if parts is None else parts / f"{name},p={share:g}.report.h5"
            kept = None if path is None else _kept(path, header)
            if kept is None:
                kept = level_arrays(problem, share, sizes=sizes, seed=seed, heard=heard)
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_file(path, header, Content(arrays=kept, values={}))
            levels[share] = kept
            reporter.advance(done + 1, f"p = {share:g} done")
    return _report(problem, levels, sizes)


def _header(name: str, sizes: Sizes, share: float, seed: int) -> Header:
    settings = {"privacy study": name, "share": share, "sizes": vars(sizes)}
    return Header(kind=Kind.REPORT, settings=settings, seed=seed, parents=(), study=None)


def _kept(path: Path, header: Header) -> dict[str, Array] | None:
    """Arrays of a finished level of the same work, or None."""
    if current_header(path, header.key) is None:
        return None
    _, content = read_content(path, Kind.REPORT)
    return dict(content.arrays)


def _report(problem: Problem, levels: dict[float, dict[str, Array]], sizes: Sizes) -> Report:
    section = privacy_section(problem, levels, sizes)
    return Report(
        title=f"Privacy of published classifiers: {problem.title}",
        verdict=section.verdict[0].upper() + section.verdict[1:] + ".",
        sections=(section,),
    )
