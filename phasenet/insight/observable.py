"""The classifier as an observable: what it is in each ground state, and what explains it."""

from collections.abc import Sequence

import numpy as np

from phasenet.findings import Cell, FindingTable, Section
from phasenet.insight.observed import Explained, Observed, observe
from phasenet.insight.subject import Progress, Subject
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray

NAME = "observable"
SHORT = {
    "density": "uniform and staggered densities",
    "profile": "densities site by site",
    "two-point": "two-point functions",
    "short string": "short strings",
    "string": "longer strings",
}
_ZEROS = "Sz^2"
# Part of what all families explain that makes more of them needless; what all must explain.
_ENOUGH, _EXPLAINED = 0.9, 0.5
# Shares of a train that may be off by more say little of its network.
_LARGEST_BOUND = 0.1


def observable_section(
    subject: Subject, progress: Progress, *, reach: int = 4, shots: int = 400
) -> Section:
    """The classifier as a diagonal observable of the ground states, and its explained variance.

    Parameters
    ----------
    subject
        What is explained.
    progress
        Hears of each state.
    reach
        Largest distance of the two-point functions, in sites.
    shots
        Fresh shots of each state, on which the trains are compared with the network.
    """
    found = observe(subject, progress, reach=reach, shots=shots)
    return Section(
        name=NAME,
        title="What does the classifier measure?",
        verdict=_verdict(found),
        notes=_notes(found, subject, reach),
        tables=(
            _mixture_table(found),
            _sampled_table(found),
            _state_table(found, subject),
            _single_table(found),
        ),
        arrays=_arrays(found, subject),
        labels={
            "targets": tuple(target.name for target in found.functions),
            "families": found.families,
            "measures": tuple(measure.name for measure in found.measures),
            "classes": subject.classifier.classes,
            "phases": tuple(known.label or "" for known in subject.states),
            "points": tuple(str(known.point) for known in subject.states),
            "couplings": _varied(subject),
            "order parameters": tuple(n for part in found.automata for n in part.names),
        },
    )


def _varied(subject: Subject) -> tuple[str, ...]:
    """Couplings that are not the same in all states."""
    values: dict[str, set[float]] = {}
    for known in subject.states:
        for name, value in known.point.couplings:
            values.setdefault(name, set()).add(value)
    return tuple(name for name, found in values.items() if len(found) > 1)


def _arrays(found: Observed, subject: Subject) -> dict[str, Array]:
    varied = _varied(subject)
    points = [known.point.as_dict() for known in subject.states]
    explained = {"state": found.states, "mixture": found.mixtures}
    arrays: dict[str, Array] = {
        "couplings": np.array([[p[name] for name in varied] for p in points]).reshape(
            -1, len(varied)
        ),
        "logit_mean": np.array([row.logits for row in found.witnessed]),
        "probability_mean": np.array([row.probabilities for row in found.witnessed]),
        "probability_error": np.array([row.probability_errors for row in found.witnessed]),
        "string_given_class": np.array([row.strings for row in found.witnessed]),
        "string_given_class_error": np.array([row.string_errors for row in found.witnessed]),
        "string_of_state": np.array([row.string for row in found.witnessed]),
        "mixture_weights": np.array([measure.weights for measure in found.measures]),
    }
    for kind, rows in explained.items():
        arrays |= {
            f"{kind}_target_mean": np.array([row.mean for row in rows]),
            f"{kind}_target_variance": np.array([row.variance for row in rows]),
            f"{kind}_r2_nested": np.array([[s.nested for s in row.shares] for row in rows]),
            f"{kind}_r2_alone": np.array([[s.alone for s in row.shares] for row in rows]),
            f"{kind}_r2_unique": np.array([[s.unique for s in row.shares] for row in rows]),
            f"{kind}_r2_single": np.array([row.singles for row in rows]),
        }
    count = len(found.states)
    sampled, error = found.sampled
    return arrays | {
        "mixture_r2_nested_sampled": sampled,
        "mixture_r2_nested_sampled_error": error,
        "mixture_between_share": np.array([row.between for row in found.mixtures]),
        "state_r2_error_bound": found.bounds[:count],
        "mixture_r2_error_bound": found.bounds[count:],
        "mixture_train_distance": np.array(
            [found.fresh.distances(m.weights) for m in found.measures]
        ),
        "accuracy": _accuracies(found, subject),
    }


def _accuracies(found: Observed, subject: Subject) -> FloatArray:
    """Share of right decisions in the last mixture by network and by the two trains, and errors.

    Shape (3, 2); the errors of the trains are those of their difference from the network.
    """
    order = {label: k for k, label in enumerate(subject.classifier.classes)}
    labels = np.array([order.get(known.label or "", -1) for known in subject.states])
    weights = found.measures[-1].weights[found.fresh.state]
    share = weights / weights.sum()
    right = found.fresh.decisions == labels[found.fresh.state]
    accuracy = right @ share
    count = int(np.count_nonzero(weights))
    errors = [binomial_error(float(accuracy[0]), count)]
    for row in right[1:]:
        difference = row.astype(float) - right[0]
        errors.append(float(np.sqrt(share @ (difference - share @ difference) ** 2 / count)))
    return np.stack([accuracy, errors], axis=1)


def _verdict(found: Observed) -> str:
    logits = [k for k, target in enumerate(found.functions) if not target.probability]
    names = [found.functions[k].name for k in logits]
    name = names[0] if len(names) == 1 else "the mean logit"
    over = found.measures[-1].name
    bound = float(np.max(found.bounds[-1, logits]))
    sampled, errors = (part[:, logits].mean(axis=1) for part in found.sampled)
    count = len(found.fresh.state)
    if not bound < _LARGEST_BOUND:
        within = sampled[: max(1, len(sampled) - 1)].mean(axis=0)
        return (
            f"{name} {_reads(found, within)}: R² within the phases {_steps(found, within)}, by "
            f"regression of the network on {count} fresh shots, errors up to {errors.max():.1g}; "
            f"its train is too far from it for exact numbers, which could be off by {bound:.1g}"
        )
    inside = _mean(found, _nested(found.states, logits))
    alone = _mean(found, np.array([[r.shares[k].alone[-1] for k in logits] for r in found.states]))
    whole = _nested(found.mixtures, logits)[-1]
    return (
        f"{name} {_reads(found, inside)}: R² in single ground states {_steps(found, inside)} "
        f"(alone {alone.mean():.3f}); over {over} {whole[0]:.3f} rises to {whole[-1]:.3f}, and to "
        f"{sampled[-1, -1]:.4f} ± {errors[-1, -1]:.4f} of the network itself on {count} fresh shots"
    )


def _steps(found: Observed, nested: FloatArray) -> str:
    """Words on shares that rise from family to family."""
    gains = zip(found.families[1:], np.diff(nested), strict=True)
    steps = [f"{nested[0]:.3f} by {_densities(found)}"]
    # Of an estimate, a gain may be less than nothing.
    steps += [f"{SHORT[family]} add {max(gain, 0.0):.3f}" for family, gain in gains]
    return ", ".join(steps)


def _nested(rows: Sequence[Explained], functions: Sequence[int]) -> FloatArray:
    """Nested shares in states or mixtures, averaged over some targets, shape (rows, families)."""
    found = [[row.shares[k].nested for k in functions] for row in rows]
    return np.asarray(np.mean(found, axis=1))


def _mean(found: Observed, values: FloatArray) -> FloatArray:
    """Mean over the labelled states in which a function varies, phases alike."""
    rows = values.reshape(len(values), -1)
    weights = found.measures[-1].weights * np.isfinite(rows).all(axis=1)
    if not weights.any():
        return np.full(values.shape[1:], np.nan)
    return np.asarray(np.average(np.where(weights[:, None] > 0.0, rows, 0.0), 0, weights)).reshape(
        values.shape[1:]
    )


def _reads(found: Observed, nested: FloatArray) -> str:
    """What a function reads: the first families that do nearly what all of them do."""
    if not nested[-1] > _EXPLAINED:
        return "reads something that these order parameters are not"
    last = int(np.argmax(nested > _ENOUGH * nested[-1]))
    if last == 0:
        return f"reads {_densities(found)}"
    reads = "needs" if found.families[last] == "string" else "reads up to"
    return f"{reads} {SHORT[found.families[last]]}"


def _densities(found: Observed) -> str:
    """Name of the first family, by what it is where one order parameter does all of its work."""
    names = [name for part in found.automata for name in part.names]
    if _ZEROS in names and "Sz^3" not in names:
        alone = np.array([row.singles[0, names.index(_ZEROS)] for row in found.states])
        together = np.array([row.shares[0].nested[0] for row in found.states])
        if _mean(found, alone) > _ENOUGH * _mean(found, together):
            return "the density of zeros"
    return SHORT[found.families[0]]


def _notes(found: Observed, subject: Subject, reach: int) -> tuple[str, ...]:
    notes = (
        "f is a diagonal operator in the measured basis and nothing more: it has no phases and no "
        "invariants. Its expectation values are contractions of its train with the states.",
        "R² = bᵀG⁺b/Var f, with exact covariances, is the share of the variance of f that the best "
        "linear combination of a family explains. Eigenvalues of the correlation matrix below "
        "1e-10 times the largest are left out. Products of order parameters are not covered. The "
        "first families that together explain 90 % of what all do are said to be read; in a state "
        "where two order parameters agree on all shots, nothing tells them apart.",
        "Over a mixture of states the differences of their means count as variance, and whatever "
        "differs between the phases explains those; R² within a phase or a state says what is "
        "read.",
        _families_note(found, reach),
        _accuracy_note(found, subject),
    )
    if "string" not in found.families:
        return notes
    return (
        *notes,
        "String order given a class belongs to the shots. It is high where the state has string "
        "order, which is no evidence that the network uses strings: see what strings add to R².",
    )


def _families_note(found: Observed, reach: int) -> str:
    longest = [n for part in found.automata for n in part.names if n.startswith("string")]
    strings = "no strings, because spins are not integer"
    if longest:
        strings = f"strings -O^z up to {reach} sites, then those up to {longest[-1].split()[1]}"
    return (
        "Families, in this order: sums of (S^z)^p, uniform and staggered; (S^z)^p of each site; "
        "two-point functions of S^z and of its square, uniform and staggered, up to "
        f"{reach} sites; {strings}. All but the second are summed over the chain."
    )


def _accuracy_note(found: Observed, subject: Subject) -> str:
    (accuracy, error), *drops = _accuracies(found, subject)
    logits, probabilities = (f"{value - accuracy:+.4f} ± {drop:.4f}" for value, drop in drops)
    bound = np.nanmax(found.bounds[len(found.states) :])
    return (
        f"The trains are compared with the network on {len(found.fresh.state)} fresh shots of the "
        "states: |R²(network) - R²(train)| ≤ √(1 - ρ²), where ρ is their correlation in the same "
        f"mixture; a table has it for each function, at most {bound:.1g}. Accuracy over "
        f"{found.measures[-1].name}: {accuracy:.4f} ± {error:.4f}; that of the train of the "
        f"logits differs by {logits}, of the probabilities by {probabilities}."
    )


def _mixture_table(found: Observed) -> FindingTable:
    bounds = found.bounds[len(found.states) :]
    rows: list[tuple[Cell, ...]] = []
    for m, row in enumerate(found.mixtures):
        for t, target in enumerate(found.functions):
            share = row.shares[t]
            cells: list[Cell] = [row.name, target.name, float(np.sqrt(row.variance[t]))]
            cells += [float(row.between[t]), *map(float, share.nested)]
            cells += [float(share.alone[-1]), float(share.unique[-1]), float(bounds[m, t])]
            rows.append(tuple(cells))
    last = found.families[-1]
    return FindingTable(
        title="Explained variance R² over mixtures of the ground states, families added one by one",
        columns=(
            "mixture",
            "function",
            "std",
            "share between states",
            *(f"{'+ ' * (k > 0)}{name}" for k, name in enumerate(found.families)),
            f"{last} alone",
            f"{last} unique",
            "error bound",
        ),
        rows=tuple(rows),
    )


def _sampled_table(found: Observed) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for m, row in enumerate(found.mixtures):
        for t, target in enumerate(found.functions):
            pairs = zip(*(part[m, t] for part in found.sampled), strict=True)
            cells = [float(number) for pair in pairs for number in pair]
            rows.append((row.name, target.name, *cells))
    names = [f"{'+ ' * (k > 0)}{name}" for k, name in enumerate(found.families)]
    return FindingTable(
        title="The same R² by regression on fresh shots, of the network instead of its train",
        columns=("mixture", "function", *(c for name in names for c in (name, f"{name} ±"))),
        rows=tuple(rows),
    )


def _state_table(found: Observed, subject: Subject) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    classes = subject.classifier.classes
    for known, row, seen in zip(subject.states, found.states, found.witnessed, strict=True):
        cells: list[Cell] = [str(known.point), known.label]
        for mean, variance in zip(row.mean, row.variance, strict=True):
            cells += [float(mean), float(np.sqrt(max(variance, 0.0)))]
        for k in range(len(classes)):
            cells += [float(seen.strings[k]), float(seen.string_errors[k])]
        rows.append((*cells, float(seen.string), *map(float, row.shares[0].nested)))
    first = found.functions[0].name
    functions = [c for t in found.functions for c in (f"<{t.name}>", f"std of {t.name}")]
    given = [c for k in classes for c in (f"-O^z given {k}", f"-O^z given {k} ±")]
    nested = [f"R² {'+ ' * (k > 0)}{name}" for k, name in enumerate(found.families)]
    return FindingTable(
        title=f"The classifier in each ground state; R² of {first}",
        columns=("point", "phase", *functions, *given, "-O^z", *nested),
        rows=tuple(rows),
    )


def _single_table(found: Observed) -> FindingTable:
    names = [name for part in found.automata for name in part.names]
    rows: list[tuple[Cell, ...]] = []
    for row in found.mixtures:
        for target, singles in zip(found.functions, row.singles, strict=True):
            best = np.argsort(-np.nan_to_num(singles), kind="stable")[:3]
            told = ", ".join(f"{names[k]} ({singles[k]:.3f})" for k in best)
            rows.append((row.name, target.name, told))
    return FindingTable(
        title="Single order parameters that explain most, with their R²",
        columns=("mixture", "function", "order parameters"),
        rows=tuple(rows),
    )
