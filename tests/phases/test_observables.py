"""What ``measure`` writes: exact states, and brute force over all configurations."""

import itertools
import math

import numpy as np
import pytest

from phasenet.criteria import SPIN_SYMMETRIES, StringOrder, spin_string
from phasenet.errors import ShapeError
from phasenet.phases.classifier_observables import classifier_quantities
from phasenet.phases.estimates import Estimate
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_chain, large_d_cell, product_cell
from phasenet.phases.observables import (
    Observed,
    Profile,
    Quantity,
    columns_of,
    curves_of,
    estimated,
    slug,
)
from phasenet.phases.phase_observables import (
    growth_observables,
    invariant_observables,
    many_body_observables,
)
from phasenet.phases.spt import invariants
from phasenet.phases.state_observables import (
    correlation_observables,
    entanglement_observables,
    local_observables,
    size_observables,
    where,
)
from phasenet.phases.string_observables import pair_observables, string_observables
from phasenet.phases.strings import bulk_blocks
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.trains.canonical import right_canonical
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

LENGTH = 8
CLASSES = ("haldane", "large_d")
KNOWN, UNKNOWN = ParameterPoint.of(D=0.0), ParameterPoint.of(D=7.0)
AXES = [spin_string(axis, 3) for axis in ("x", "y", "z")]


def everything(state):
    form = state_form(state)
    return sum(
        (
            size_observables(form),
            entanglement_observables(form),
            local_observables(form),
            string_observables(form, AXES),
            correlation_observables(form),
            invariant_observables(invariants(form), where(form)),
            many_body_observables(form, SPIN_SYMMETRIES, 1),
        ),
        Observed(),
    )


def values_of(observed):
    names = [one.name for one in (*observed.quantities, *observed.profiles)]
    assert len(set(names)) == len(names)
    return {quantity.name: quantity.value for quantity in observed.quantities}


def test_infinite_aklt_state():
    observed = everything(aklt_cell())
    got = values_of(observed)
    assert (got["length_infinite"], got["max_bond_infinite"]) == (1, 2)
    assert got["entropy_infinite"] == pytest.approx(np.log(2), abs=1e-12)
    assert got["even_degenerate_infinite"] == 1
    assert got["correlation_length"] == pytest.approx(1 / np.log(3), abs=1e-9)
    assert got["quadrupole_infinite"] == pytest.approx(2 / 3, abs=1e-12)
    assert got["staggered_magnetisation_infinite"] == pytest.approx(0.0, abs=1e-12)
    for axis in "xyz":
        assert got[f"string_{axis}_infinite"] == pytest.approx(4 / 9, abs=1e-9)
        assert got[f"string_{axis}_ends_1_infinite"] == pytest.approx(0.0, abs=1e-9)
        assert got[f"structure_{axis}_wavenumber_infinite"] == 0.5
    for name in ("z2xz2", "time_reversal", "bond_inversion"):
        assert got[f"{name}_infinite"] == -1
        assert got[f"{name}_eta_infinite"] == pytest.approx(1.0, abs=1e-9)
        assert got[f"many_body_{name}_infinite"] == pytest.approx(-1.0, abs=1e-2)
    profiles = {one.name: one.values for one in observed.profiles}
    decay = 4 / 3 * (-1 / 3) ** np.arange(1, 65)
    np.testing.assert_allclose(profiles["correlations_z_infinite"], decay, atol=1e-12)
    np.testing.assert_allclose(profiles["string_profile_x_infinite"], 4 / 9, atol=1e-12)
    assert profiles["transfer_moduli"][:2] == pytest.approx([1, 1 / 3])
    (told,) = observed.sentences
    assert "x, y, z only with their ends" in told


def test_infinite_product_state():
    observed = everything(large_d_cell())
    got = values_of(observed)
    zero = ("entropy_infinite", "correlation_length", "quadrupole_infinite", "string_z_infinite")
    for name in zero:
        assert got[name] == pytest.approx(0.0, abs=1e-12)
    assert got["z2xz2_infinite"] == got["string_z_ends_1_infinite"] == 1
    assert "only without ends" in observed.sentences[0]


def test_open_aklt_chain():
    observed = everything(aklt_chain(24))
    got = values_of(observed)
    assert got["entropy_finite"] == pytest.approx(np.log(2), abs=1e-4)
    assert got["quadrupole_finite"] == pytest.approx(2 / 3, abs=1e-2)
    for axis in "xyz":
        assert got[f"string_{axis}_finite"] == pytest.approx(4 / 9, abs=1e-2)
        assert got[f"string_{axis}_plateau_finite"] == pytest.approx(4 / 9, abs=1e-9)
    for name in ("z2xz2", "time_reversal", "bond_inversion"):
        assert got[f"{name}_finite"] == -1
    shapes = {one.name: one.values.shape for one in observed.profiles}
    assert shapes["entropies_finite"] == (23,)
    assert shapes["magnetisation_profile_finite"] == (24,)
    assert shapes["structure_z_finite"] == shapes["wavenumbers_finite"] == (13,)


@pytest.mark.parametrize("state", [aklt_chain(48), cluster_chain(48)], ids=["AKLT", "cluster"])
def test_a_chain_with_a_gap_has_no_central_charge(state):
    found = {q.name: q.value for q in entanglement_observables(state_form(state)).quantities}
    assert math.isnan(found["central_charge_finite"])


def test_a_neel_state_is_told_to_be_no_witness():
    observed = string_observables(state_form(product_cell([0, 2], 3)), AXES)
    assert values_of(observed)["string_z_infinite"] == pytest.approx(1.0)
    assert "only z is non-zero: no witness" in observed.sentences[0]


def test_strings_that_are_no_spins():
    form = state_form(cluster_chain(16))
    stabiliser = StringOrder.parse("Z [X 1] X Z", name="stabiliser")
    observed = string_observables(form, [stabiliser]) + pair_observables(form, [stabiliser])
    got = values_of(observed)
    assert set(got) == {"string_stabiliser_finite", "string_stabiliser_ends_1_finite"}
    assert got["string_stabiliser_finite"] == pytest.approx(1.0, abs=1e-9)
    pairs = next(one for one in observed.profiles if "pairs" in one.name)
    assert pairs.values.shape == (16, 16)
    assert len(pairs.axes) == 2
    # Two sites more inside each time; the right end begins with X.
    np.testing.assert_allclose(pairs.values[2, 3:15:2], 1.0, atol=1e-9)
    assert np.isnan(pairs.values[2, 4:16:2]).all()
    assert string_observables(form, []).quantities == ()


def test_strings_at_two_kinds_of_bonds_are_read_apart():
    singlet = (
        np.array([[[1.0, 0.0], [0.0, 1.0]]]) * np.sqrt(0.5),
        np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
    )
    dimers = InfiniteTrain(cores=singlet, schmidt_values=(np.ones(1), np.full(2, np.sqrt(0.5))))
    strings = [spin_string(axis, 2, start=k, period=2) for k in (0, 1) for axis in ("x", "z")]
    observed = string_observables(state_form(dimers), strings)
    first, second = observed.sentences
    assert "x, z only with their ends" in first
    assert "x from site 1, z from site 1 only without ends" in second
    got = values_of(observed)
    assert got["string_x_infinite"] == pytest.approx(1.0)
    assert got["string_x_from_site_1_infinite"] == pytest.approx(0.0, abs=1e-12)
    assert got["string_x_from_site_1_ends_1_infinite"] == pytest.approx(1.0)


def test_a_state_on_its_way_through_bond_dimensions():
    form = state_form(aklt_cell())
    history = {
        "max_bond": np.array([1.0]),
        "correlation_length": np.array([0.5]),
        "entropy": np.array([0.4]),
    }
    curves = {one.name: one.values for one in growth_observables(history, form).profiles}
    np.testing.assert_allclose(curves["growth_max_bond"], [1, 2])
    np.testing.assert_allclose(curves["growth_entropy"], [0.4, np.log(2)])
    np.testing.assert_allclose(curves["growth_correlation_length"], [0.5, 1 / np.log(3)])
    # The last step may be the state itself; and older files have no history.
    complete = {
        name: np.append(values, curves[f"growth_{name}"][1]) for name, values in history.items()
    }
    for one in growth_observables(complete, form).profiles:
        assert one.values.tolist() == curves[one.name].tolist()
    for one in growth_observables({}, form).profiles:
        assert one.values.tolist() == curves[one.name][1:].tolist()


def test_what_is_exact_has_no_error():
    exact = estimated("a", "what", Estimate(value=1.0, error=0.0, method="exact"))
    spread = estimated("a", "what", Estimate(value=1.0, error=0.1, method="plateau"))
    assert math.isnan(exact.error)
    assert spread.error == 0.1


def random_train(seed, dim, bond, outputs=None):
    rng = np.random.default_rng(seed)
    bonds = [1, *[bond] * (LENGTH - 1), 1]
    cores = [rng.standard_normal((a, dim, b)) for a, b in itertools.pairwise(bonds)]
    if outputs is None:
        return TensorTrain(cores=right_canonical(TensorTrain(cores=tuple(cores))).cores)
    cores[3] = rng.standard_normal((*cores[3].shape, outputs))
    return TensorTrain(cores=tuple(cores), output_site=3, log_scale=-3.0)


def function(train):
    return TensorizedFunction(
        train=train,
        data_error=0.0,
        agreement=1.0,
        agreement_error=0.0,
        uniform_error=0.0,
        evaluations=1,
        outcome="",
        history={},
    )


def positive_train(dim):
    """Two outputs that are never negative and sum to one: shares of a product function."""
    cores = []
    for site in range(LENGTH):
        weights = np.array([0.2, 0.9, 0.4][:dim]) if site == 2 else np.ones(dim)
        cores.append(weights.reshape(1, dim, 1))
    both = np.stack([cores[2], 1 - cores[2]], axis=-1)
    cores[2] = both
    return TensorTrain(cores=tuple(cores), output_site=2)


def classifier(dim=3, probability_errors=((0.01, 0.02),), string_errors=((0.03, 0.04),)):
    points = tuple(ParameterPoint.of(D=k) for k in range(len(probability_errors)))
    return TensorizedClassifier(
        classes=CLASSES,
        logits=function(random_train(1, dim, 3, outputs=2)),
        probabilities=function(positive_train(dim)),
        points=points,
        probability_errors=np.array(probability_errors),
        string_errors=np.array(string_errors),
        held_out=100,
    )


def dense(train):
    configurations = np.array(list(itertools.product(range(train.site_dims[0]), repeat=LENGTH)))
    return configurations, train(configurations)


def test_the_classifier_as_an_observable_by_brute_force():
    state, ours = random_train(0, 3, 4), classifier()
    configurations, amplitudes = dense(state)
    p = np.abs(amplitudes) ** 2
    assert p.sum() == pytest.approx(1.0, abs=1e-10)
    logits = ours.logits.train(configurations)
    shares = ours.probabilities.train(configurations)
    sz = 1.0 - configurations
    starts, ends = bulk_blocks(LENGTH)
    strings = -np.mean(
        [
            sz[:, i] * np.prod((-1.0) ** sz[:, i + 1 : j], axis=1) * sz[:, j]
            for i in starts
            for j in ends
        ],
        axis=0,
    )
    got = {q.name: q for q in classifier_quantities(state, ours, KNOWN)}
    assert len(got) == 6
    for index, label in enumerate(CLASSES):
        weight, string = p @ shares[:, index], p @ (shares[:, index] * strings)
        assert got[f"logit_{label}"].value == pytest.approx(p @ logits[:, index], abs=1e-10)
        assert got[f"probability_{label}"].value == pytest.approx(weight, abs=1e-10)
        conditional = got[f"string_z_given_{label}"]
        assert conditional.value == pytest.approx(string / weight, abs=1e-9)
        assert got[f"probability_{label}"].error == ours.probability_errors[0, index]
        # Error of a quotient a/b: (da + |a/b| db) / b.
        error = (
            ours.string_errors[0, index] + abs(string / weight) * ours.probability_errors[0, index]
        )
        assert conditional.error == pytest.approx(error / weight, abs=1e-9)


def test_a_conditional_string_order_that_is_not_known_is_left_out():
    ours = classifier(string_errors=((0.03, 0.9),))
    got = {q.name: q for q in classifier_quantities(random_train(0, 3, 4), ours, KNOWN)}
    assert math.isfinite(got["string_z_given_haldane"].value)
    assert math.isnan(got["string_z_given_large_d"].value)
    assert math.isnan(got["string_z_given_large_d"].error)
    assert math.isfinite(got["probability_large_d"].value)


def test_errors_are_those_of_the_point_or_else_the_largest():
    ours = classifier(
        probability_errors=((0.01, 0.05), (0.03, 0.02)), string_errors=((0.0, 0.0), (0.0, 0.0))
    )
    for point, wanted in (
        (ParameterPoint.of(D=0), [0.01, 0.05]),
        (ParameterPoint.of(D=1), [0.03, 0.02]),
        (UNKNOWN, [0.03, 0.05]),
    ):
        got = {q.name: q for q in classifier_quantities(random_train(0, 3, 4), ours, point)}
        assert [got[f"probability_{label}"].error for label in CLASSES] == wanted


def test_half_integer_spins_have_no_conditional_string():
    got = classifier_quantities(random_train(0, 2, 4), classifier(dim=2), KNOWN)
    assert [q.name for q in got] == [
        "logit_haldane",
        "probability_haldane",
        "logit_large_d",
        "probability_large_d",
    ]


@pytest.mark.parametrize("state", [aklt_chain(6), random_train(0, 2, 4)])
def test_a_classifier_of_another_chain(state):
    with pytest.raises(ShapeError, match=r"the state has . sites .*classifier 8 of 3") as error:
        classifier_quantities(state, classifier(), KNOWN)
    assert "\n" not in str(error.value)


def test_columns_have_nan_where_a_row_lacks_the_number():
    def row(**values):
        return {
            name: Quantity(name=name, unit="1", meaning=f"the {name}", value=v, error=0.1 * v)
            for name, v in values.items()
        }

    columns = columns_of([row(a=1.0, b=2.0), {}, row(b=3.0, c=4.0, a=5.0)])
    assert sorted(column.name for column in columns) == ["a", "b", "c"]
    by_name = {column.name: column for column in columns}
    np.testing.assert_array_equal(by_name["a"].values, [1.0, np.nan, 5.0])
    np.testing.assert_array_equal(by_name["b"].values, [2.0, np.nan, 3.0])
    np.testing.assert_array_equal(by_name["c"].values, [np.nan, np.nan, 4.0])
    np.testing.assert_allclose(by_name["b"].errors, [0.2, np.nan, 0.3])
    assert by_name["c"].meaning == "the c"
    assert columns_of([]) == ()


def test_curves_are_empty_where_a_row_lacks_the_array():
    def row(**values):
        return {
            name: Profile(name=name, unit="1", meaning=name, axes=("i", "j"), values=np.array(v))
            for name, v in values.items()
        }

    curves = {one.name: one for one in curves_of([row(a=[[1.0, 2.0]]), {}, row(b=[[3.0]])])}
    assert [array.shape for array in curves["a"].values] == [(1, 2), (0, 0), (0, 0)]
    assert [array.tolist() for array in curves["b"].values] == [[], [], [[3.0]]]
    assert curves["b"].axes == ("i", "j")


@pytest.mark.parametrize("name", ["Z2xZ2", "time reversal", "bond inversion"])
def test_slugs_are_names_of_columns(name):
    assert slug(name).isidentifier()
    assert slug(name) == slug(name).lower()
