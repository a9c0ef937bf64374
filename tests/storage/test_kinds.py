"""Every kind of file keeps its value bit by bit."""

import dataclasses
import functools
import itertools
import json

import h5py
import numpy as np
import pytest

from phasenet.errors import FileKindError, MissingInputError
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.pipeline.show import describe
from phasenet.points import ParameterPoint
from phasenet.records import (
    Boundary1D,
    Column,
    Curve,
    DmrgOutcome,
    GroundState,
    PhaseDiagram,
    Score,
    Table,
    TensorizedBlackBox,
    TensorizedClassifier,
    TensorizedFunction,
    TrainedNetwork,
)
from phasenet.shots import (
    NO_SITE,
    SPLITS,
    MatchedPair,
    SampledPoint,
    Shots,
    Snapshots,
    SnapshotsHead,
    Source,
)
from phasenet.storage.blocks import cores_of
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.networks import read_network, write_network
from phasenet.storage.snapshots import read_snapshots, write_snapshots
from phasenet.storage.states import read_state, write_state
from phasenet.storage.tables import read_chart, read_table, write_chart, write_table
from phasenet.storage.trains import (
    is_black_box,
    read_black_box,
    read_train,
    write_black_box,
    write_train,
)
from phasenet.trained import Calibration, Candidate, Member, Reliability
from phasenet.trains.train import TensorTrain

POINTS = tuple(ParameterPoint.of(D=d, Delta=1) for d in (0.0, 0.1 + 0.2, 2.0))


def rng():
    return np.random.default_rng(8)


def finite_state():
    cores = tuple(core * (0.6 + 0.8j) for core in aklt_chain(5).cores)
    return GroundState(
        point=POINTS[1],
        spin=1.0,
        train=TensorTrain(cores=cores, log_scale=-0.1),
        schmidt_values=tuple(rng().random(core.shape[0]) for core in cores),
        charge="2*Sz",
        bond_charges=tuple(np.arange(core.shape[0]) - 1 for core in (*cores, cores[0])),
        energy=-1.4 / 3,
        variance=1e-17,
        truncation=3e-11,
        outcome=DmrgOutcome.SWEEP_LIMIT,
        sweeps=17,
        start="neighbour D=0.2,Delta=1",
        rival=1e-9 / 3,
        rival_entropy=-0.1,
        history={"max_bond": np.array([16.0, 32.0]), "energy": np.array([-0.4, np.nan])},
    )


def real_state():
    return dataclasses.replace(finite_state(), train=aklt_chain(5))


def infinite_state():
    cell = aklt_cell()
    return GroundState(
        point=POINTS[0],
        spin=1.0,
        train=cell,
        schmidt_values=cell.schmidt_values,
        charge="",
        bond_charges=(np.zeros(0, dtype=np.int64),) * 2,
        energy=-2 / 3,
        variance=float("nan"),
        truncation=0.0,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=4,
    )


def charged_state(charge="2*Sz", phase=1.0):
    """Random numbers, zeros and negative zeros wherever the charges allow them."""
    draw = rng()
    local, mod = (np.array([2, 0, -2]), 100) if charge == "2*Sz" else (np.array([0, 1, 0]), 2)
    bonds = tuple(draw.integers(0, 6, dim) * local.max() % mod for dim in (1, 6, 9, 8, 1))
    cores = []
    for left, right in itertools.pairwise(bonds):
        allowed = (left[:, None, None] + local[:, None] - right) % mod == 0
        numbers = draw.standard_normal(allowed.shape) * draw.integers(0, 2, allowed.shape)
        cores.append(np.where(allowed, numbers * phase, 0.0))
    train = TensorTrain(cores=tuple(cores))
    return dataclasses.replace(finite_state(), train=train, charge=charge, bond_charges=bonds)


def snapshots():
    """The plain kind: one chain, one basis, labels and likelihoods."""
    labels = ("haldane", None, "large_d")
    splits = ("train", "unlabelled", "critical")
    head = SnapshotsHead(
        site_dim=3,
        basis="Sz",
        classes=("haldane", "large_d"),
        sources=(Source(study="haldane", title="t", hamiltonian="H", sites=6, boundary="finite"),),
        points=tuple(
            SampledPoint(point=point, label=label, split=split, reason=f"because of {label}")
            for point, label, split in zip(POINTS, labels, splits, strict=True)
        ),
    )
    shots = Shots(
        spins=rng().integers(0, 3, (7, 6)).astype(np.uint8),
        point_index=np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.int32),
        log_probability=-rng().random(7),
        class_log_likelihood=np.where(rng().random((7, 2)) < 0.5, np.nan, -1.5),
    )
    return Snapshots(head=head, shots=shots)


def rich_snapshots():
    """Everything that a dataset can hold."""
    plain = snapshots()
    window = Source(study="field", title="ü", hamiltonian="H + h", sites=4, boundary="infinite")
    first, second, third = plain.head.points
    points = (
        dataclasses.replace(first, soft_label=(0.75, 0.25)),
        dataclasses.replace(second, source=1, point=ParameterPoint.of(h=-0.5, D=1.0)),
        dataclasses.replace(third, soft_label=(0.0, 1.0)),
        dataclasses.replace(third, split="control", control="block flip 4"),
    )
    head = dataclasses.replace(
        plain.head,
        basis="Sx,Sz",
        basis_names=("Sx", "Sz"),
        transform="Kennedy-Tasaki",
        labelled_by="coordinate",
        sources=(*plain.head.sources, window),
        points=points,
        targets=tuple(
            dataclasses.replace(column, values=rng().random(4), errors=np.array([0, np.nan, 1, 2]))
            for column in table().columns
        ),
        features=(
            dataclasses.replace(table().curves[0], values=(np.eye(2), *(np.zeros((0, 0)),) * 3)),
            Curve(
                name="spectrum",
                unit="1",
                meaning="m",
                axes=("k",),
                values=tuple(rng().random(n) for n in (3, 1, 0, 2)),
            ),
        ),
        pairs=(
            MatchedPair(
                first=0, second=2, density_difference=0.1, correlation_difference=1e-17, reach=4
            ),
        ),
    )
    shots = dataclasses.replace(
        plain.shots,
        spins=np.where(np.arange(6) >= 4, NO_SITE, plain.shots.spins).astype(np.uint8),
        basis_index=rng().integers(0, 2, (7, 6)).astype(np.uint8),
        phase=rng().random(7),
        in_training=np.array([False, True] * 3 + [False]),
    )
    return Snapshots(head=head, shots=shots)


def network():
    return TrainedNetwork(
        architecture={"kind": "convolutional", "site_dim": 3, "channels": [4, 4], "kernel": 3},
        weights={
            "convolutions.0.weight": rng().standard_normal((4, 3, 3)).astype(np.float32),
            "readout.bias": np.zeros(2, dtype=np.float32),
        },
        classes=("haldane", "large_d"),
        history={"train_loss": np.array([0.7, 0.3]), "validation_loss": np.array([0.6, 0.4])},
        scores=(
            Score(classifier="network", split="test", accuracy=0.9, error=0.01, shots=100),
            Score(classifier="Bayes optimum", split="test", accuracy=1.0, error=0.0, shots=100),
        ),
        outcome="no better for patience epochs; best validation loss 0.4 at epoch 2 of 9",
    )


def rich_network():
    """Two seeds, calibrated, cross-validated and searched for."""
    plain = network()
    bins = Reliability(
        confidence=np.array([0.6, 0.9]), accuracy=np.array([0.5, 1.0]), shots=np.array([3, 4])
    )
    score = plain.scores[0]
    return dataclasses.replace(
        plain,
        scores=(dataclasses.replace(score, spread=0.02), *plain.scores),
        members=(
            Member(
                weights={name: array + 1 for name, array in plain.weights.items()},
                history={"validation_loss": np.array([0.6, np.nan, 0.4])},
                outcome="max_epochs reached",
            ),
        ),
        calibrations={"network": Calibration(temperature=1.25, before=bins, after=bins)},
        cross_validation=(dataclasses.replace(score, split="D = 0 to 1 and D = 2"),),
        candidates=(
            Candidate(
                values={"width": 32, "channels": [4, 4], "learning_rate": 1e-3},
                validation_loss=float("inf"),
                validation_accuracy=0.5,
                epochs=3,
                parameters=38,
            ),
        ),
        settings={"width": 32, "channels": [4, 4]},
        flops=1234.0,
    )


def function(output_site):
    cores = [rng().standard_normal((1, 3, 2)), rng().standard_normal((2, 3, 2))]
    cores.append(rng().standard_normal((2, 3, 1)))
    cores[output_site] = rng().standard_normal((*cores[output_site].shape, 2))
    return TensorizedFunction(
        train=TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=0.25),
        data_error=1e-5,
        agreement=0.999,
        agreement_error=1e-3,
        uniform_error=1e-4,
        evaluations=1234,
        outcome="converged",
        history={"error": np.array([0.1, 1e-5]), "evaluations": np.array([10, 1234])},
        tol=1e-6,
        steps=("cross interpolation up to rank 2", "evaluated on cuda:1"),
    )


def black_box():
    """Complex values, single precision, sites of different dimensions, no output leg."""
    shapes = ((1, 2, 2), (2, 3, 2), (2, 4, 1))
    cores = tuple((rng().random(shape) * (1 + 2j)).astype(np.complex64) for shape in shapes)
    return TensorizedBlackBox(
        name="rbm.py:amplitude",
        train=TensorTrain(cores=cores, log_scale=-700.5),
        data_error=1e-7,
        uniform_error=float("inf"),
        tol=7.6e-6,
        evaluations=99,
        outcome="interrupted; this is the best train so far",
        steps=("cross interpolation up to rank 2",),
        history={"rank": np.array([1.0, 2.0]), "data_error": np.array([1.0, 1e-7])},
    )


def table():
    columns = tuple(
        Column(
            name=name,
            unit=unit,
            meaning=f"what {name} means, ⟨S⟩",
            values=np.array([0.1, np.nan, -3.0]) * scale,
            errors=np.array([np.nan, 0.0, 1e-3]),
        )
        for name, unit, scale in (("energy", "J", 1.0), ("entropy", "nat", 2.0))
    )
    return Table(
        rows=("a", "b", "c"),
        points=POINTS,
        labels=("haldane", "", "large_d"),
        reasons=("one", "two", "three"),
        columns=columns,
        curves=(
            Curve(
                name="string_pairs",
                unit="1",
                meaning="all pairs",
                axes=("i", "j"),
                values=(np.zeros((0, 0)), np.eye(2), np.array([[np.nan, -0.0, 1e-300]])),
            ),
        ),
    )


def diagram():
    bracket = Boundary1D(
        coupling="D",
        method="SPT invariants",
        value=0.95,
        lower=0.9,
        upper=1.0,
        below="haldane",
        above="large_d",
        at={"Delta": 1.0},
    )
    return PhaseDiagram(table=table(), boundaries=(bracket,))


def classifier():
    return TensorizedClassifier(
        classes=("haldane", "large_d"),
        logits=function(1),
        probabilities=function(2),
        points=POINTS[:2],
        held_out=800,
        **{name: rng().random((2, 2)) for name in ERROR_FIELDS},
    )


ERROR_FIELDS = tuple(
    name for name in TensorizedClassifier.__dataclass_fields__ if name.endswith("_errors")
)

KINDS = {
    "state-finite": (Kind.STATE, write_state, read_state, finite_state),
    "state-real": (Kind.STATE, write_state, read_state, real_state),
    "state-infinite": (Kind.STATE, write_state, read_state, infinite_state),
    "state-Sz": (Kind.STATE, write_state, read_state, charged_state),
    "state-parity": (
        *(Kind.STATE, write_state, read_state),
        functools.partial(charged_state, "parity_Sz", 1.0 + 2.0j),
    ),
    "snapshots": (Kind.SNAPSHOTS, write_snapshots, read_snapshots, snapshots),
    "snapshots-rich": (Kind.SNAPSHOTS, write_snapshots, read_snapshots, rich_snapshots),
    "network": (Kind.NETWORK, write_network, read_network, network),
    "network-rich": (Kind.NETWORK, write_network, read_network, rich_network),
    "train": (Kind.TRAIN, write_train, read_train, classifier),
    "train-function": (Kind.TRAIN, write_black_box, read_black_box, black_box),
    "table": (Kind.TABLE, write_table, read_table, table),
    "chart": (Kind.CHART, write_chart, read_chart, diagram),
}
every_kind = pytest.mark.parametrize("name", KINDS)


def header_of(kind):
    parents = (Parent(kind=Kind.STATE, id="0" * 16, name="parent.h5"),)
    return Header(kind=kind, settings={"shots": 7}, seed=5, parents=parents, study=None)


def written(name, path):
    kind, write, read, make = KINDS[name]
    return write(path, header_of(kind), make()), read


def differences(one, two, where=""):
    """Places where two stored values differ, in any bit of any array."""
    if isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
        same = type(one) is type(two) and one.dtype == two.dtype and one.shape == two.shape
        return [] if same and one.tobytes() == two.tobytes() else [where]
    if isinstance(one, float) and isinstance(two, float):
        return [] if np.float64(one).tobytes() == np.float64(two).tobytes() else [where]
    if isinstance(one, dict) and isinstance(two, dict):
        if one.keys() != two.keys():
            return [where]
        return [d for key in one for d in differences(one[key], two[key], f"{where}.{key}")]
    if isinstance(one, tuple) and isinstance(two, tuple):
        if len(one) != len(two):
            return [where]
        pairs = enumerate(zip(one, two, strict=True))
        return [d for k, (a, b) in pairs for d in differences(a, b, f"{where}[{k}]")]
    if hasattr(one, "__dataclass_fields__") and type(one) is type(two):
        return differences(vars(one), vars(two), where)
    return [] if type(one) is type(two) and one == two else [where]


def test_differences_are_seen():
    assert differences(classifier(), classifier()) == []
    assert differences(finite_state(), infinite_state()) != []
    assert differences((np.zeros(2),), (-np.zeros(2),)) == ["[0]"]
    assert differences({"a": (1, 2.0)}, {"a": (1, 2)}) == [".a[1]"]


@every_kind
def test_the_value_survives_bit_by_bit(name, tmp_path):
    path = tmp_path / "file.h5"
    header, read = written(name, path)
    read_header, value = read(path)
    assert read_header == header
    assert differences(value, KINDS[name][3]()) == []


@every_kind
def test_the_same_value_has_the_same_id_wherever_it_is(name, tmp_path):
    path, copy = tmp_path / "file.h5", tmp_path / "deep" / "copy.h5"
    header, read = written(name, path)
    kind, write, _, _ = KINDS[name]
    other = Header(kind=kind, settings={}, seed=0, parents=(), study=None)
    assert write(copy, other, read(path)[1]).id == header.id
    assert other.key != header.key


@every_kind
def test_h5py_alone_shows_plain_arrays(name, tmp_path):
    path = tmp_path / "file.h5"
    written(name, path)
    with h5py.File(path) as file:
        assert file.attrs["kind"] == KINDS[name][0].value
        items = []
        file.visititems(lambda _, item: items.append(item))
        arrays = [item for item in items if isinstance(item, h5py.Dataset)]
        assert arrays
        assert all(array.dtype.kind in "biufc" for array in arrays)
        for item in [file, *items]:
            for value in item.attrs.values():
                assert isinstance(value, (str, np.integer, np.floating))
    assert b"pickle" not in path.read_bytes()


@every_kind
def test_every_reader_refuses_other_kinds_and_damage_in_one_line(name, tmp_path):
    path, wrong = tmp_path / "file.h5", tmp_path / "wrong.h5"
    _, read = written(name, path)
    other = "table" if name != "table" else "chart"
    written(other, wrong)
    with pytest.raises(FileKindError, match=f"wanted a {KINDS[name][0]} file") as error:
        read(wrong)
    assert str(wrong) in str(error.value)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FileKindError) as error:
            read(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(MissingInputError, match="no file"):
        read(tmp_path / "none.h5")


@pytest.mark.parametrize("charge", ["2*Sz", "parity_Sz"])
def test_a_state_with_charges_has_only_what_they_allow(charge, tmp_path):
    state = charged_state(charge)
    write_state(tmp_path / "a.state.h5", header_of(Kind.STATE), state)
    with h5py.File(tmp_path / "a.state.h5") as file:
        assert file.attrs["format_version"] == 2
        assert file["site_charges"][()].tolist() == ([2, 0, -2] if charge == "2*Sz" else [0, 1, 0])
        kept = file["entries"].size
    whole = sum(core.size for core in state.train.cores)
    assert np.count_nonzero(np.concatenate([c.ravel() for c in state.train.cores])) < kept
    assert kept < (0.4 if charge == "2*Sz" else 0.6) * whole


def with_first_core(state, change):
    cores = state.train.cores
    return dataclasses.replace(state, train=TensorTrain(cores=(change(cores[0]), *cores[1:])))


@pytest.mark.parametrize(
    "state",
    [
        # What the charges forbid, down to the sign of a zero.
        with_first_core(charged_state(), lambda core: core + 1e-300),
        with_first_core(charged_state(), lambda core: np.where(core == 0.0, -0.0, core)),
        dataclasses.replace(charged_state(), bond_charges=charged_state().bond_charges[:-1]),
        dataclasses.replace(charged_state(), bond_charges=charged_state().bond_charges[::-1]),
        dataclasses.replace(charged_state(), charge="N"),
        # Several types, none wide enough for a common one to be harmless.
        with_first_core(charged_state(), lambda core: core.astype(np.float32)),
        with_first_core(charged_state(), lambda core: core * 1j),
        with_first_core(real_state(), lambda core: core.astype(np.complex64)),
    ],
)
def test_states_that_break_their_charges_or_mix_types_survive_as_well(state, tmp_path):
    write_state(tmp_path / "a.state.h5", header_of(Kind.STATE), state)
    assert differences(read_state(tmp_path / "a.state.h5")[1], state) == []


def test_charges_that_do_not_go_with_the_entries():
    state = charged_state()
    with pytest.raises(FileKindError, match=r"dataset entries has 3 numbers; its charges allow"):
        cores_of(np.zeros(3), state.bond_charges, np.array([2, 0, -2]), 0)


def test_a_checkpoint_is_a_state_under_another_name(tmp_path):
    path = tmp_path / "D=0.3,Delta=1.finite.checkpoint.h5"
    state = dataclasses.replace(charged_state(), outcome=DmrgOutcome.INTERRUPTED)
    write_state(path, header_of(Kind.STATE), state)
    assert differences(read_state(path)[1], state) == []
    lines = describe(path)
    assert lines[1].startswith("checkpoint of the search for the finite ground state at D=0.3")
    assert lines[2].endswith("stopped by a signal; the same command goes on")
    assert "neighbour D=0.2,Delta=1; a second start ended 3.3e-10 J per site higher" in lines[3]


def test_readers_of_trains_know_classifiers_and_functions_apart(tmp_path):
    classifier_path, function_path = tmp_path / "c.train.h5", tmp_path / "f.train.h5"
    written("train", classifier_path)
    written("train-function", function_path)
    assert (is_black_box(classifier_path), is_black_box(function_path)) == (False, True)
    with pytest.raises(FileKindError, match=r"f\.train\.h5 holds the train of a function, not"):
        read_train(function_path)
    with pytest.raises(FileKindError, match=r"c\.train\.h5 holds the trains of a classifier, not"):
        read_black_box(classifier_path)


def test_labels_and_splits_are_there_for_a_data_loader(tmp_path):
    path = tmp_path / "file.h5"
    written("snapshots", path)
    with h5py.File(path) as file:
        assert file["label"][()].tolist() == [0, 0, 0, -1, -1, 1, 1]
        splits = json.loads(file["record"].attrs["splits"])
        assert [splits[k] for k in file["split"][()]] == ["train"] * 3 + ["unlabelled"] * 2 + [
            "critical"
        ] * 2
        assert splits == list(SPLITS)
        assert file["spins"].dtype == np.uint8
        names = json.loads(file["record"].attrs["coupling_names"])
        assert file["couplings"][()][:, names.index("D")].tolist() == [0.0, 0.3, 2.0]
