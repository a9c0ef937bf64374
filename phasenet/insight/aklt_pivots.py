r"""The AKLT state from its amplitudes: how many pivots it takes.

The figure of J. R. Pareja Monturiol, A. Pozas-Kerstjens and D. Pérez-García, arXiv:2501.06300
(2025), on AKLT samples, beside the law of success of random pivots, TT-RSS with its cuts repaired,
and pivots that grow from one sample.
"""

import math
from collections.abc import Sequence

import numpy as np

from phasenet.criteria import SPIN_SYMMETRIES, spin_string
from phasenet.errors import SettingsError
from phasenet.findings import FindingTable, Section
from phasenet.insight.curve_numbers import curve_arrays, curve_table
from phasenet.insight.pivot_curve import (
    ADAPTIVE,
    PUBLISHED,
    REPAIRED,
    PivotCurve,
    PivotSettings,
    pivot_curve,
)
from phasenet.insight.pivot_law import success_law, success_probability
from phasenet.insight.state_facts import StateQuestions
from phasenet.insight.subject import Progress
from phasenet.phases.exact import aklt_chain
from phasenet.seeds import derived_seed, stream
from phasenet.trains.born import sample_born
from phasenet.trains.train import Array, FloatArray

NAME = "aklt"

# As in the paper: a pool of samples to draw pivots from, sites of a block of the order parameter,
# and the rank that its algorithm is told.
_POOL, _BLOCK, _RANK = 1000, 10, 2
_TWO_THIRDS, _ONE_THIRD = math.log(2 / 3) / 2, math.log(1 / 3) / 2
# Sites of all configurations that are looked at together.
_IN_CACHE = 1 << 16


def aklt_section(
    lengths: Sequence[int],
    counts: Sequence[int],
    runs: int,
    seed: int = 0,
    *,
    adaptive_runs: int | None = None,
    progress: Progress,
) -> Section:
    """How often the AKLT state is found from its amplitudes, for chains of several lengths.

    Parameters
    ----------
    lengths
        Sites, at least 30 each.
    counts
        Numbers of pivots of the two sketches.
    runs
        How often each sketch is made, from other samples.
    seed
        Of all random choices.
    adaptive_runs
        How often a train is grown from one sample, another one each time; None for ``runs``.
    progress
        Hears of each train.

    Raises
    ------
    SettingsError
        A chain is too short for the blocks of the order parameter.

    >>> found = aklt_section([30], [2], 1, progress=lambda done, text: None)
    >>> print(found.verdict[:72])
    From one sample, adaptive pivots find the AKLT state of 30 sites in 1 of
    """
    if not lengths or min(lengths) < 3 * _BLOCK:
        raise SettingsError(
            f"lengths are {list(lengths)}; wanted chains of {3 * _BLOCK} sites or more, which hold "
            "the blocks of the order parameter"
        )
    questions = StateQuestions(
        symmetries=SPIN_SYMMETRIES[:1],
        strings=(spin_string("x", 3), spin_string("z", 3)),
        sites=_BLOCK,
    )
    settings = PivotSettings(published_rank=_RANK, adaptive_runs=adaptive_runs)
    curves = [
        _curve(length, counts, runs, seed, questions, settings, progress) for length in lengths
    ]
    systems = tuple(f"n = {length}" for length in lengths)
    laws = {
        name: np.asarray([[law(length, n) for n in counts] for length in lengths])
        for name, law in (("law", success_law), ("law_exact", success_probability))
    }
    return Section(
        name=NAME,
        title="How many pivots does the AKLT state take?",
        verdict=_verdict(lengths, curves),
        notes=_NOTES,
        tables=(
            _law_table(lengths, curves, laws),
            curve_table("AKLT trains as states, means over runs", systems, curves, questions),
        ),
        arrays={**curve_arrays(curves, questions), "lengths": np.asarray(lengths), **laws},
        labels={
            "systems": systems,
            "strings": tuple(string.name for string in questions.strings),
            "symmetries": tuple(symmetry.name for symmetry in questions.symmetries),
        },
    )


_NOTES = (
    "A run counts as exact from a fidelity of 0.999 on. The published algorithm is told the rank, "
    f"{_RANK}, as in the paper; the two others are not, but a sketch has no more rank than pivots.",
    "The law counts cuts at which all pivots are in the same bond state, as if they were "
    "independent; law_exact among the arrays is the exact probability of none.",
    f"The order parameter is the swap of two of three blocks of {_BLOCK} sites in the middle of "
    "the chain (Haegeman et al., PRL 109, 050402 (2012)): -1 for AKLT. It sees the middle alone, "
    "and so is right before the state is; and it has no value where a block keeps no weight.",
    "Amplitudes come from a closed form, configuration by configuration, as those of any black "
    "box; evaluations are distinct configurations, processor time is that of the whole call.",
)


def aklt_amplitudes(configurations: Array) -> FloatArray:
    r"""Amplitudes of the AKLT chain whose bond starts and ends in state 0, in closed form.

    With :math:`A^\pm = \pm\sqrt{2/3}\,\sigma^\pm` and :math:`A^0 = -\sqrt{1/3}\,\sigma^z` only
    configurations survive whose +1 and -1 alternate and start with +1: the bond state is the sum
    of the spins so far.

    Parameters
    ----------
    configurations
        Local states (0, 1, 2 for +1, 0, -1) of shape (shots, sites).

    >>> aklt_amplitudes(np.array([[0, 1, 2], [0, 0, 2]])).round(4).tolist()
    [-0.3849, 0.0]
    """
    parts = max(1, configurations.size // _IN_CACHE)
    return np.concatenate([_amplitudes(part) for part in np.array_split(configurations, parts)])


def _amplitudes(configurations: Array) -> FloatArray:
    spins = 1 - configurations.astype(np.int16)
    sums = np.cumsum(spins, axis=1)
    alternate = ((sums == 0) | (sums == 1)).all(axis=1) & (sums[:, -1] == 0)
    zeros = spins == 0
    count = zeros.sum(axis=1)
    flips = configurations.shape[1] - count
    # A zero in bond state 0 and a -1 each carry a sign.
    negative = (zeros & (sums == 0)).sum(axis=1) + flips // 2
    size = np.exp(_TWO_THIRDS * flips + _ONE_THIRD * count)
    return np.where(alternate, np.where(negative % 2 == 0, size, -size), 0.0)


def _curve(
    length: int,
    counts: Sequence[int],
    runs: int,
    seed: int,
    questions: StateQuestions,
    settings: PivotSettings,
    progress: Progress,
) -> PivotCurve:
    chain = aklt_chain(length)
    samples, _ = sample_born(chain, _POOL, stream(seed, "aklt", str(length)))
    return pivot_curve(
        aklt_amplitudes,
        samples,
        chain,
        counts,
        runs,
        derived_seed(seed, "aklt", str(length)),
        questions=questions,
        settings=settings,
        progress=lambda done, text: progress(done, f"n = {length}, {text}"),
    )


def _verdict(lengths: Sequence[int], curves: Sequence[PivotCurve]) -> str:
    longest = int(np.argmax(lengths))
    curve, length = curves[longest], lengths[longest]
    adaptive = curve.of(ADAPTIVE)
    few, most = min(curve.counts), max(curve.counts)

    def share(method: str, pivots: int | None = None) -> str:
        found = curve.of(method, pivots)
        return f"{round(len(found) * curve.exact_share(method, pivots))} of {len(found)} runs"

    return (
        f"From one sample, adaptive pivots find the AKLT state of {length} sites in "
        f"{share(ADAPTIVE)}, with {max(run.evaluations for run in adaptive)} evaluations and "
        f"{max(run.seconds for run in adaptive):.2g} s of one processor at most; TT-RSS as "
        f"published from {most} random pivots in {share(PUBLISHED, most)} (probability "
        f"{success_probability(length, most):.3f}), with its cuts repaired from {few} pivots in "
        f"{share(REPAIRED, few)}."
    )


def _law_table(
    lengths: Sequence[int], curves: Sequence[PivotCurve], laws: dict[str, FloatArray]
) -> FindingTable:
    rows = [
        (
            float(length),
            float(count),
            float(laws["law"][k, j]),
            float(laws["law_exact"][k, j]),
            curve.exact_share(PUBLISHED, count),
            curve.exact_share(REPAIRED, count),
            curve.exact_share(ADAPTIVE),
        )
        for k, (length, curve) in enumerate(zip(lengths, curves, strict=True))
        for j, count in enumerate(curve.counts)
    ]
    columns = ("sites", "pivots", "law", "exact probability")
    shares = ("as published", "cuts repaired", "adaptive, from one sample")
    return FindingTable(
        title="Share of runs that find the AKLT state", columns=columns + shares, rows=tuple(rows)
    )
