"""Pivot curves as plain arrays and as rows of a table."""

from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.findings import Cell, FindingTable
from phasenet.insight.pivot_curve import ADAPTIVE, PUBLISHED, REPAIRED, PivotCurve, PivotRun
from phasenet.insight.state_facts import StateFacts, StateQuestions
from phasenet.trains.train import Array, FloatArray

_WORDS = {
    PUBLISHED: "TT-RSS as published",
    REPAIRED: "TT-RSS, cuts repaired",
    ADAPTIVE: "cross interpolation",
}


def curve_arrays(curves: Sequence[PivotCurve], questions: StateQuestions) -> dict[str, Array]:
    """All numbers of the curves of several systems, the system first.

    Parameters
    ----------
    curves
        With the same numbers of pivots and of runs.
    questions
        What was asked of each state.

    Returns
    -------
    Of the two sketches arrays of shape (systems, counts, runs), of the adaptive trains (systems,
    runs), of the states themselves (systems,): ``fidelity``, ``order``, ``eta``, ``rank``,
    ``evaluations``, ``seconds``, and with one more axis ``strings``, ``invariants`` and
    ``determined``.

    >>> from phasenet.insight.pivot_curve import pivot_curve
    >>> from phasenet.phases.exact import large_d_chain
    >>> chain, asked = large_d_chain(16), StateQuestions.of(None, 3)
    >>> zeros = np.ones((4, 16), dtype=np.int64)
    >>> curve = pivot_curve(chain, zeros, chain, [1, 2], 3, 0, questions=asked)
    >>> found = curve_arrays([curve], asked)
    >>> found["published_fidelity"].shape, found["adaptive_invariants"].tolist()[0][0]
    ((1, 2, 3), [1.0, 1.0, 1.0])
    """
    found: dict[str, Array] = {"pivots": np.asarray(curves[0].counts, dtype=np.int64)}
    for method in (PUBLISHED, REPAIRED):
        cells = [[curve.of(method, n) for n in curve.counts] for curve in curves]
        rows = [_columns(runs, questions) for row in cells for runs in row]
        shape = len(curves), len(curves[0].counts)
        found |= {
            f"{method}_{name}": _stacked(rows, name, shape) for name in (rows[0] if rows else ())
        }
    rows = [_columns(curve.of(ADAPTIVE), questions) for curve in curves]
    found |= {f"{ADAPTIVE}_{name}": _stacked(rows, name, (len(curves),)) for name in rows[0]}
    truths = [_facts(curve.truth, questions) for curve in curves]
    return found | {f"truth_{name}": np.asarray([t[name] for t in truths]) for name in truths[0]}


def curve_table(
    title: str, systems: Sequence[str], curves: Sequence[PivotCurve], questions: StateQuestions
) -> FindingTable:
    """One row for each system, method and number of pivots: means over runs.

    Parameters
    ----------
    title
        Of the table.
    systems
        A name for each curve.
    curves, questions
        As in :func:`curve_arrays`.

    >>> from phasenet.insight.state_facts import facts_of
    >>> from phasenet.phases.exact import aklt_chain
    >>> asked = StateQuestions.of(None, 3)
    >>> truth = facts_of(aklt_chain(16), aklt_chain(16), asked)
    >>> curve = PivotCurve(truth=truth, counts=(2,), runs=())
    >>> print(*curve_table("none yet", ["AKLT"], [curve], asked).rows[0][:5])
    AKLT the state itself None 2.0 1.0
    """
    rows = [
        row
        for system, curve in zip(systems, curves, strict=True)
        for row in _rows(system, curve, questions)
    ]
    return FindingTable(title=title, columns=_names(questions), rows=tuple(rows))


def _names(questions: StateQuestions) -> tuple[str, ...]:
    return (
        "state",
        "train",
        "samples",
        "rank",
        "fidelity",
        "fidelity ±",
        "eta",
        *(f"{symmetry.name}" for symmetry in questions.symmetries),
        "block swap",
        *(f"string {string.name}" for string in questions.strings),
        "evaluations",
        "CPU s",
    )


def _rows(system: str, curve: PivotCurve, questions: StateQuestions) -> list[tuple[Cell, ...]]:
    truth = curve.truth
    rows: list[tuple[Cell, ...]] = [
        (
            system,
            "the state itself",
            None,
            float(truth.rank),
            1.0,
            None,
            truth.eta,
            *(f"{value:+d}" for value in truth.determined),
            truth.order,
            *truth.strings.tolist(),
            None,
            None,
        )
    ]
    groups = [curve.of(ADAPTIVE)]
    groups += [curve.of(method, n) for method in (PUBLISHED, REPAIRED) for n in curve.counts]
    return rows + [_row(system, runs, questions) for runs in groups if runs]


def _row(system: str, runs: Sequence[PivotRun], questions: StateQuestions) -> tuple[Cell, ...]:
    columns = _columns(runs, questions)
    mean = {
        name: float(np.mean(columns[name]))
        for name in ("rank", "fidelity", "eta", "order", "evaluations", "seconds")
    }
    spread = float(np.std(columns["fidelity"], ddof=1)) if len(runs) > 1 else None
    return (
        system,
        _WORDS[runs[0].method],
        float(runs[0].pivots),
        mean["rank"],
        mean["fidelity"],
        None if spread is None else spread / len(runs) ** 0.5,
        mean["eta"],
        *(_votes(columns["invariants"][:, k]) for k in range(len(questions.symmetries))),
        mean["order"],
        *columns["strings"].mean(axis=0).tolist(),
        mean["evaluations"],
        mean["seconds"],
    )


def _votes(values: Array) -> str:
    """Invariants of some runs: one value if they agree, else how often each was found."""
    found, counts = np.unique(values.astype(int), return_counts=True)
    if len(found) == 1:
        return f"{found[0]:+d}"
    return ", ".join(f"{value:+d} ({count})" for value, count in zip(found, counts, strict=True))


def _columns(runs: Sequence[PivotRun], questions: StateQuestions) -> dict[str, Array]:
    rows = [
        {
            **_facts(run.facts, questions),
            "evaluations": float(run.evaluations),
            "seconds": run.seconds,
        }
        for run in runs
    ]
    return {name: np.asarray([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _facts(facts: StateFacts, questions: StateQuestions) -> dict[str, float | FloatArray]:
    # A train that vanishes has no invariants.
    nothing = np.zeros(len(questions.symmetries))
    values, strictly = (facts.values, facts.determined) if facts.invariants else (nothing, nothing)
    return {
        "fidelity": facts.fidelity,
        "order": facts.order,
        "eta": facts.eta,
        "rank": float(facts.rank),
        "strings": facts.strings,
        "invariants": values.astype(np.float64),
        "determined": strictly.astype(np.float64),
    }


def _stacked(rows: Sequence[Mapping[str, Array]], name: str, shape: tuple[int, ...]) -> Array:
    stacked = np.stack([row[name] for row in rows])
    return stacked.reshape(*shape, *stacked.shape[1:])
