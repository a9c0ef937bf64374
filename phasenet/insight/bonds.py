"""Bonds as latent spaces: of the classifier's train, and of every tensorized layer of a network."""

from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.findings import FindingTable, Section
from phasenet.insight.bond_shots import LabelledShots, labelled_shots
from phasenet.insight.bond_worth import (
    AGREEMENT,
    LayerAblation,
    TrainBond,
    accuracy_and_gap,
    layer_ablations,
    train_bonds,
)
from phasenet.insight.layer_bonds import Stage, layer_spectra, stack_view
from phasenet.insight.separation import area_error
from phasenet.insight.subject import Progress, Subject
from phasenet.insight.train_bonds import gap_train
from phasenet.networks.layers.spectra import BondSpectrum
from phasenet.statistics import area_under_curve, binomial_error
from phasenet.trains.train import Array, FloatArray

_SHOTS, _LAYER_SHOTS = 2000, 500
_TABLE_ROWS = 9
Spectra = Mapping[tuple[str, str], BondSpectrum]
Worth = tuple[float, float]


def bonds_section(subject: Subject, progress: Progress) -> Section:
    """Section "bonds": spectra, class-conditional features and ablations of all bonds.

    Parameters
    ----------
    subject
        With labelled shots of two classes at least, of the length of its trains.
    progress
        Hears of the train and of the layers.

    Raises
    ------
    SettingsError
        There are no such shots, or the classifier is constant.
    """
    shots = labelled_shots(subject, _SHOTS)
    train = gap_train(subject.classifier.logits.train, shots.pair)
    values = train(shots.spins)
    found = train_bonds(train, shots, subject.seed)
    progress(1, f"{len(found)} bonds of the train")
    few, spectra = shots.first(_LAYER_SHOTS), layer_spectra(subject.network)
    stages: tuple[Stage, ...] = ()
    if spectra:
        stages = stack_view(subject.network, few.spins, few.second, subject.seed)
    ablations = layer_ablations(subject.network, few)
    progress(2, f"{len(spectra)} bonds of tensorized layers")
    whole = accuracy_and_gap(values, shots)
    plain = accuracy_and_gap(few.gaps(subject.logits(few.spins)), few)
    tables = [_train_table(found, train.bond_dims, shots), _middle_table(found, whole, shots.names)]
    if spectra:
        tables += [_stage_table(stages), _layer_table(spectra, ablations, plain)]
    said = [
        _train_words(
            found, train.bond_dims, shots, area_under_curve(values, shots.second == 0), whole
        )
    ]
    said += [_layer_words(spectra, ablations, plain)] if spectra else []
    return Section(
        name="bonds",
        title="What do the bonds hold, and what is each of their values worth?",
        verdict="; ".join(said),
        notes=_notes(subject, shots, few, spectra),
        tables=tuple(tables),
        arrays={
            **_train_arrays(found, whole),
            **(_layer_arrays(stages, spectra, ablations, plain) if spectra else {}),
        },
        labels={
            "classes": shots.names,
            "stages": tuple(stage.name for stage in stages),
            "layer_bonds": tuple(f"{layer}: {bond}" for layer, bond in spectra),
        },
    )


def _train_words(
    found: Sequence[TrainBond],
    dims: Sequence[int],
    shots: LabelledShots,
    full: FloatArray,
    whole: Worth,
) -> str:
    middle = _middle(found)
    bond = found[middle]
    most = max(each.kept for each in found)
    values, keep = ("1 value", "keeps") if most == 1 else (f"{most} values", "keep")
    next_ones = [each.accuracy[most:] for each in found]
    costs = [float(whole[0] - ones.min()) for ones in next_ones if len(ones)]
    rest = f", without a further one by at most {max(costs):.3f}" if costs else ""
    worst = float(bond.accuracy[:most].min())
    return (
        f"{values} on each bond of the train (dimension {max(dims)}), one bond at a time, {keep} "
        f"{AGREEMENT:.0%} of the decisions: without one of them the accuracy falls from "
        f"{whole[0]:.3f} to {worst:.3f} at the middle bond{rest}; that bond holds "
        f"{bond.data.effective_rank:.2f} effective values for the shots and "
        f"{bond.uniform.effective_rank:.2f} for all configurations, and the sites left of it tell "
        f"{shots.names[0]} from {shots.names[1]} with an area under the curve of "
        f"{bond.running:.3f}, the whole chain with {float(full):.3f}"
    )


def _layer_words(spectra: Spectra, ablations: Sequence[LayerAblation], plain: Worth) -> str:
    worst = min(ablations, key=lambda each: each.accuracy)
    ranks = [spectrum.effective_rank for spectrum in spectra.values()]
    return (
        f"the {len(spectra)} bonds of the tensorized layers hold {min(ranks):.2f} to "
        f"{max(ranks):.2f} effective values, and index {worst.index + 1} of {worst.bond} of layer "
        f"{worst.layer} costs the most: {plain[0]:.3f} falls to {worst.accuracy:.3f}"
    )


def _notes(
    subject: Subject, shots: LabelledShots, few: LabelledShots, spectra: Spectra
) -> tuple[str, ...]:
    first, second = shots.names
    logits = subject.classifier.logits
    notes = (
        f"Of the logit of {first} less that of {second}, less its mean, which no Schmidt value "
        f"should count. Measure of the data: {len(shots.spins)} shots (split {shots.split}), both "
        "classes alike, the part left of a bond and the part right of it each by itself.",
        "Two values on every bond are what a function has that adds up single sites: it counts. "
        "One value more than that is needed for whatever compares both sides of the bond.",
        "Running: mean of the function once the left part of the chain is known, the right part "
        "drawn by itself. Readout: linear discriminant of all left features, fitted on one half "
        "of the shots and tested on the other. A feature that tells the classes apart need not "
        "be used: what a value is worth is what the decisions lose without it.",
        f"Accuracies without a value have a standard error of at most "
        f"{binomial_error(0.5, len(shots.spins)):.3f} (train) and "
        f"{binomial_error(0.5, len(few.spins)):.3f} (layers). Nothing is trained again, so a loss "
        "is an upper bound of what the network needs the value for.",
        f"What is said of the train holds for the network as far as it is the network: "
        f"{100 * logits.agreement:.1f} ± {100 * logits.agreement_error:.1f} % same decisions, "
        f"relative error {logits.data_error:.1e} of the logits.",
    )
    if not spectra:
        return (*notes, "The network has no tensorized layers; only its train is shown.")
    return (
        *notes,
        f"Layers: {len(few.spins)} shots. What passes a bond is averaged over the sites; singular "
        "values are those of the weight alone, not weighted by the inputs of the layer.",
    )


def _train_table(
    found: Sequence[TrainBond], dims: Sequence[int], shots: LabelledShots
) -> FindingTable:
    rows = [
        (
            float(b),
            float(dims[b]),
            found[b].uniform.effective_rank,
            found[b].uniform.entropy,
            found[b].data.effective_rank,
            found[b].data.entropy,
            float(found[b].kept),
            found[b].running,
            float(area_error(found[b].running, shots.second)),
            found[b].readout,
        )
        for b in _spread(len(found))
    ]
    return FindingTable(
        title="The train by bond (bond b lies between the sites b and b + 1; entropies in nats)",
        columns=(
            "bond",
            "dimension",
            "effective rank, uniform",
            "entropy, uniform",
            "effective rank, data",
            "entropy, data",
            f"values for {AGREEMENT:.0%} of decisions",
            "running area",
            "running area ±",
            "readout area",
        ),
        rows=tuple(rows),
    )


def _middle_table(found: Sequence[TrainBond], whole: Worth, names: tuple[str, str]) -> FindingTable:
    middle = _middle(found)
    bond = found[middle]
    rows = [
        (
            float(k + 1),
            float(bond.scale * bond.data.values[k]),
            *(float(mean) for mean in bond.means[k]),
            float(bond.distances[k]),
            float(bond.features[k]),
            float(bond.accuracy[k]),
            float(bond.gap[k] / whole[1]),
        )
        for k in range(len(bond.accuracy))
    ]
    return FindingTable(
        title=f"Values of the middle bond {middle}: their left features (of second moment 1), and "
        f"the train without them (accuracy {whole[0]:.3f} with all; gap over that with all)",
        columns=(
            "value",
            "size (logits)",
            f"mean, {names[0]}",
            f"mean, {names[1]}",
            "d'",
            "area",
            "accuracy without",
            "gap without",
        ),
        rows=tuple(rows),
    )


def _stage_table(stages: Sequence[Stage]) -> FindingTable:
    return FindingTable(
        title="What a linear readout tells at each bond, in the order of the network",
        columns=("place", "numbers", "area", "area ±", "d'", "d' ±"),
        rows=tuple(
            (s.name, float(s.numbers), s.area, s.error, s.distance, s.distance_error)
            for s in stages
        ),
    )


def _layer_table(
    spectra: Spectra, ablations: Sequence[LayerAblation], plain: Worth
) -> FindingTable:
    rows = []
    for (layer, bond), spectrum in spectra.items():
        own = [each for each in ablations if (each.layer, each.bond) == (layer, bond)]
        worst = min(own, key=lambda each: each.accuracy)
        numbers = (float(len(spectrum.values)), spectrum.effective_rank, spectrum.entropy)
        cost = (float(worst.index + 1), worst.accuracy, worst.gap / plain[1])
        rows.append((f"{layer}: {bond}", *numbers, *cost))
    return FindingTable(
        title=f"Bonds of the layers (entropies in nats; accuracy of the network {plain[0]:.3f})",
        columns=(
            "bond",
            "dimension",
            "effective rank",
            "entropy",
            "index that costs the most",
            "accuracy without it",
            "gap without it",
        ),
        rows=tuple(rows),
    )


def _train_arrays(found: Sequence[TrainBond], whole: Worth) -> dict[str, Array]:
    """Numbers of all bonds, shape (bonds,) or (bonds, values), NaN where a bond has fewer."""
    single = {
        "uniform_effective_rank": [each.uniform.effective_rank for each in found],
        "uniform_entropy": [each.uniform.entropy for each in found],
        "data_effective_rank": [each.data.effective_rank for each in found],
        "data_entropy": [each.data.entropy for each in found],
        "data_norm": [each.scale for each in found],
        "values_kept": [float(each.kept) for each in found],
        "running_area": [each.running for each in found],
        "readout_area": [each.readout for each in found],
        "guess_mean": [each.guess for each in found],
        "guess_spread": [each.guess_spread for each in found],
    }
    several = {
        "uniform_values": [each.uniform.values for each in found],
        "data_values": [each.data.values for each in found],
        "feature_area": [each.features for each in found],
        "feature_distance": [each.distances for each in found],
        "feature_mean_first": [each.means[:, 0] for each in found],
        "feature_mean_second": [each.means[:, 1] for each in found],
        "ablated_accuracy": [each.accuracy for each in found],
        "ablated_gap": [each.gap for each in found],
    }
    return {
        **{name: np.asarray(values) for name, values in single.items()},
        **{name: _filled(values) for name, values in several.items()},
        "accuracy": np.asarray(whole[0]),
        "gap": np.asarray(whole[1]),
    }


def _layer_arrays(
    stages: Sequence[Stage], spectra: Spectra, ablations: Sequence[LayerAblation], plain: Worth
) -> dict[str, Array]:
    own = [[each for each in ablations if (each.layer, each.bond) == bond] for bond in spectra]
    return {
        "stage_area": np.asarray([stage.area for stage in stages]),
        "stage_error": np.asarray([stage.error for stage in stages]),
        "stage_distance": np.asarray([stage.distance for stage in stages]),
        "stage_distance_error": np.asarray([stage.distance_error for stage in stages]),
        "stage_numbers": np.asarray([stage.numbers for stage in stages]),
        "layer_values": _filled([spectrum.values for spectrum in spectra.values()]),
        "layer_effective_rank": np.asarray([s.effective_rank for s in spectra.values()]),
        "layer_entropy": np.asarray([s.entropy for s in spectra.values()]),
        "layer_ablated_accuracy": _filled([np.asarray([e.accuracy for e in b]) for b in own]),
        "layer_ablated_gap": _filled([np.asarray([e.gap for e in b]) for b in own]),
        "layer_accuracy": np.asarray(plain[0]),
        "layer_gap": np.asarray(plain[1]),
    }


def _filled(rows: Sequence[FloatArray]) -> FloatArray:
    result = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for k, row in enumerate(rows):
        result[k, : len(row)] = row
    return result


def _middle(found: Sequence[TrainBond]) -> int:
    return (len(found) - 1) // 2


def _spread(count: int) -> list[int]:
    """Some bonds, evenly along the chain, both ends among them."""
    return sorted({int(b) for b in np.linspace(0, count - 1, min(count, _TABLE_ROWS)).round()})
