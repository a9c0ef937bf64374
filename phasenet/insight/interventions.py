"""What a network does when an order is taken out of its shots: dose-response curves.

Each change takes one thing out of held-out shots and keeps others. How far the log odds move
towards the other classes, beside what readers of known things would show on the same shots, says
what the network's decision rests on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.findings import Cell, FindingTable, Section
from phasenet.insight.doses import SYMMETRIES, Intervention, interventions_for, symmetry_image
from phasenet.insight.held_out import HeldOutShots, held_out_shots
from phasenet.insight.readers import NETWORK, STRING, ZEROS, network_reader, rulers
from phasenet.insight.responses import Baseline, Response, baseline, half_length, response
from phasenet.insight.subject import Progress, Subject
from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.phases.spins import is_integer_spin
from phasenet.seeds import stream
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray

NAME = "interventions"
# Many block lengths are looked at: by chance one index in hundreds is further from 0.
_CLEAR = 3.0
_ROUNDING_ATOL = 1e-12


@dataclass(frozen=True, kw_only=True)
class UsedLength:
    """Block length that halves what flips of blocks do to correlations, in sites.

    Parameters
    ----------
    value, error
        NaN where there is none.
    outcome
        What is known, in words.
    """

    value: float
    error: float
    outcome: str


def interventions_section(subject: Subject, *, progress: Progress, shots: int = 2000) -> Section:
    """Dose-response curves of a network under changes of its held-out shots.

    Parameters
    ----------
    subject
        The classifier, with a split ``test`` of two classes or more.
    progress
        Hears of each change.
    shots
        At most so many of each class are used.

    Raises
    ------
    SettingsError
        The shots are outcomes of no single spin component, of one class only, or the network does
        not tell them apart.
    """
    held_out = held_out_shots(subject, "test", shots)
    readers = (network_reader(subject), *rulers(subject, held_out))
    rng = stream(subject.seed, "explain", NAME, "bootstrap")
    base = baseline(readers, held_out, rng)
    if np.isnan(base.clear[0]).all():
        raise SettingsError(
            f"the network's log odds do not differ between {_names(subject, held_out)} on held-out "
            "shots; nothing can be taken out of what is not there: train it longer"
        )
    families = interventions_for(subject.snapshots.head.site_dim, held_out.sites)
    curves = _curves(subject, base, families, progress)
    images = _symmetry_responses(subject, base)
    progress(sum(len(f.doses) for f in families) + len(SYMMETRIES), "symmetries")
    return _section(subject, base, families, curves, images)


def used_length(lengths: FloatArray, index: FloatArray) -> UsedLength:
    """Half length of what flips of blocks do beyond a flip of the whole chain, bootstrap error.

    Flips of blocks of any length turn each spin round half the time, so that what a function takes
    from single spins, such as those next to pinned ends, is lost at all lengths alike, the whole
    chain among them. The rest is correlations.

    Parameters
    ----------
    lengths
        Block lengths in ascending order, the chain last.
    index
        Shape (lengths, resamples + 1), the last column that of the shots as they are.

    >>> index = np.array([[1.0, 1.0, 1.0], [0.6, 0.5, 0.55], [0.3, 0.25, 0.25], [0, 0, 0]])
    >>> print(used_length(np.array([1.0, 2.0, 4.0, 8.0]), index).outcome)
    2.18 ± 0.28 sites
    """
    if np.isnan(index).any():
        return UsedLength(value=np.nan, error=np.nan, outcome="none: the class gap is not clear")
    excess = index - index[-1]
    value, samples = excess[:, -1], excess[:, :-1]
    # Differences of equal numbers are rounding errors, and so is their spread.
    errors = samples.std(axis=1, ddof=1) + _ROUNDING_ATOL
    if (np.abs(value) <= _CLEAR * errors).all():
        outcome = f"none: blocks of all lengths do what the chain does, within {_CLEAR:g} errors"
        return UsedLength(value=np.nan, error=np.nan, outcome=outcome)
    half = half_length(lengths, value)
    found = np.array([half_length(lengths, sample) for sample in samples.T])
    error = float(np.nanstd(found, ddof=1))
    return UsedLength(value=half, error=error, outcome=f"{half:.2f} ± {error:.2f} sites")


def _curves(
    subject: Subject,
    base: Baseline,
    families: Sequence[Intervention],
    progress: Progress,
) -> dict[str, list[Response]]:
    curves: dict[str, list[Response]] = {}
    dim, done = subject.snapshots.head.site_dim, 0
    for family in families:
        curves[family.key] = []
        for dose in family.doses:
            # The same random numbers for all doses, so that a curve is smooth.
            rng = stream(subject.seed, "explain", NAME, family.name)
            changed = family.change(base.shots.spins, dose, rng)
            assert changed.max() < dim
            curves[family.key].append(response(base, changed))
            done += 1
            progress(done, f"{family.name} {dose:g}")
    return curves


def _symmetry_responses(subject: Subject, base: Baseline) -> list[Response]:
    dim = subject.snapshots.head.site_dim
    return [response(base, symmetry_image(name, base.shots.spins, dim)) for name in SYMMETRIES]


def _section(
    subject: Subject,
    base: Baseline,
    families: Sequence[Intervention],
    curves: Mapping[str, Sequence[Response]],
    images: Sequence[Response],
) -> Section:
    arrays: dict[str, Array] = {"gaps": base.gaps[..., -1]}
    arrays["gap_errors"] = base.gaps[..., :-1].std(axis=-1, ddof=1)
    arrays["shots"] = np.array([base.shots.of(k).sum() for k in base.shots.classes])
    for family in families:
        arrays[f"{family.key}_doses"] = np.asarray(family.doses)
        arrays |= _arrays_of(family.key, curves[family.key], arrays["shots"])
    arrays |= _arrays_of("symmetry", images, arrays["shots"])
    blocks = np.stack([found.index for found in curves["block_flip"]], axis=2)
    lengths = arrays["block_flip_doses"]
    used = [[used_length(lengths, index) for index in reader] for reader in blocks]
    arrays["used_lengths"] = np.array([[found.value for found in row] for row in used])
    arrays["used_length_errors"] = np.array([[found.error for found in row] for row in used])
    headline = _headline(subject, base.shots)
    arrays["headline"] = np.array(headline)
    labels = {
        "readers": tuple(reader.name for reader in base.readers),
        "classes": tuple(subject.snapshots.head.classes[k] for k in base.shots.classes),
        "interventions": tuple(family.name for family in families),
        "dose_names": tuple(family.dose_name for family in families),
        "symmetries": SYMMETRIES,
        "used_lengths": tuple(found.outcome for found in used[0]),
    }
    return Section(
        name=NAME,
        title="What does the network do when an order is taken out of its shots?",
        verdict=_verdict(arrays, labels),
        notes=_notes(subject, base),
        tables=(
            _full_doses(arrays, labels),
            _block_flips(arrays, labels, used),
            _invariances(arrays, labels),
        ),
        arrays=arrays,
        labels=labels,
    )


def _arrays_of(key: str, found: Sequence[Response], shots: Array) -> dict[str, Array]:
    """Arrays of one curve: readers, then classes, then doses."""
    called = np.stack([one.called for one in found], axis=1)
    changed = np.stack([one.changed for one in found], axis=1)
    return {
        f"{key}_index": np.stack([one.value for one in found], axis=2),
        f"{key}_index_error": np.stack([one.error for one in found], axis=2),
        f"{key}_called": called,
        f"{key}_called_error": _binomial_errors(called, shots),
        f"{key}_changed": changed,
        f"{key}_changed_error": _binomial_errors(changed, shots),
        f"{key}_roughness": np.stack([one.roughness for one in found], axis=1),
    }


def _binomial_errors(shares: FloatArray, shots: Array) -> FloatArray:
    rows = zip(shares, shots, strict=True)
    return np.array([[binomial_error(float(p), int(n)) for p in row] for row, n in rows])


def _headline(subject: Subject, shots: HeldOutShots) -> int:
    """Place of the class whose own shots have the most string order; the first one of spins 1/2."""
    dim = subject.snapshots.head.site_dim
    if not is_integer_spin(dim):
        return 0
    strings = bulk_string_of_snapshots(shots.spins, dim)
    return int(np.argmax([abs(strings[shots.of(k)].mean()) for k in shots.classes]))


def _verdict(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> str:
    place = int(arrays["headline"])
    name = labels["classes"][place]

    def percent(key: str, reader: str) -> str:
        row = labels["readers"].index(reader), place, -1
        return _percent(arrays[f"{key}_index"][row], arrays[f"{key}_index_error"][row])

    beside = [r for r in (ZEROS, STRING) if r in labels["readers"]]
    rulers = "; ".join(f"{reader} {percent('sign_scramble', reader)}" for reader in beside)
    signs = f"without any order of signs, shots of {name} go {percent('sign_scramble', NETWORK)}"
    signs += f" of the way to the other classes{f' ({rulers})' if rulers else ''}"
    zeros = "zero_shuffle_index" in arrays
    places = f", without any order of places {percent('zero_shuffle', NETWORK)}" if zeros else ""
    value = arrays["used_lengths"][0, place]
    length = labels["used_lengths"][place]
    if np.isfinite(value):
        length += f", as of spins {value / 2:.2f} sites apart"
    return f"{signs}{places}; block length that halves the loss of correlations: {length}."


def _notes(subject: Subject, base: Baseline) -> tuple[str, ...]:
    head, shots = subject.snapshots.head, base.shots
    counts = ", ".join(f"{shots.of(k).sum()} of {head.classes[k]}" for k in shots.classes)
    notes = [
        "index = (mean log odds of a class on its own shots before - after) / (the same mean before"
        " - that on shots of the other classes); errors by bootstrap over shots",
        f"held-out shots: {counts}; {shots.left_out} others of the split test were not used",
        "an index says what the network reacts to, not what it computes; changed shots are those "
        "of no ground state, where a network was never trained",
        "sign scramble also takes the local order of signs, and the total magnetization, out of "
        "the shots; sign shuffle leaves the total magnetization of spins 1/2 and 1",
        "flips of blocks of l sites kill strings and correlations at distances r >= l, and leave "
        "those at r < l on the share 1 - r/l of their places: the index of pairs r sites apart is "
        "halved at l = 2r; the half length is that of the index less that of flips of the whole "
        "chain, which is what single spins alone do",
        "the Bayes optimum has no index where a changed shot has probability 0 in a state; its "
        "likelihoods are those of the states of the held-out points",
        "an open chain is not translation invariant at its ends: that operation is approximate",
    ]
    if not is_integer_spin(head.site_dim):
        notes.append("half-integer spins have no zeros and no hidden order of this kind")
    if head.basis != "Sz":
        notes.append(f"signs, zeros and strings are those of outcomes of {head.basis}")
    return tuple(notes)


def _full_doses(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for place, name in enumerate(labels["classes"]):
        for family in labels["interventions"]:
            if family != "block flip":
                key = family.replace(" ", "_")
                rows.append((name, family, *_cells(arrays, key, place, -1)))
    return FindingTable(
        title="Index at full dose (class gaps), and share of shots still given their class",
        columns=("class", "change", *_columns(labels)),
        rows=tuple(rows),
    )


def _block_flips(
    arrays: Mapping[str, Array],
    labels: Mapping[str, tuple[str, ...]],
    used: Sequence[Sequence[UsedLength]],
) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for place, name in enumerate(labels["classes"]):
        for dose, length in enumerate(arrays["block_flip_doses"]):
            rows.append((name, float(length), *_cells(arrays, "block_flip", place, dose)))
        halves = [cell for row in used for cell in (row[place].value, row[place].error)]
        rows.append((name, "half length (sites)", *halves, None, None))
    return FindingTable(
        title="Index of flips of blocks (class gaps) by their length (sites)",
        columns=("class", "block", *_columns(labels)),
        rows=tuple(rows),
    )


def _invariances(
    arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]
) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for place, name in enumerate(labels["classes"]):
        for k, operation in enumerate(labels["symmetries"]):
            values = (
                arrays["symmetry_index"][0, place, k],
                arrays["symmetry_index_error"][0, place, k],
                arrays["symmetry_roughness"][place, k],
                arrays["symmetry_changed"][place, k],
                arrays["symmetry_changed_error"][place, k],
            )
            rows.append((name, operation, *(float(value) for value in values)))
    return FindingTable(
        title="Symmetry operations: what changes that should not",
        columns=(
            "class", "operation", "index", "index ±", "r.m.s. change (class gaps)",
            "decisions changed", "decisions changed ±",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _columns(labels: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    pairs = [column for reader in labels["readers"] for column in (reader, f"{reader} ±")]
    return (*pairs, "still called it", "still called it ±")


def _cells(arrays: Mapping[str, Array], key: str, place: int, dose: int) -> list[float]:
    index, error = arrays[f"{key}_index"], arrays[f"{key}_index_error"]
    pairs = zip(index[:, place, dose], error[:, place, dose], strict=True)
    cells = [float(value) for pair in pairs for value in pair]
    called = [arrays[f"{key}_called{end}"][place, dose] for end in ("", "_error")]
    return [*cells, *(float(value) for value in called)]


def _percent(value: float, error: float) -> str:
    if np.isnan(value):
        return "no clear class gap"
    return f"{round(100 * value, 1) + 0.0:.1f} ± {100 * error:.1f} %"


def _names(subject: Subject, shots: HeldOutShots) -> str:
    return ", ".join(subject.snapshots.head.classes[k] for k in shots.classes)
