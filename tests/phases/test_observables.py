"""What ``measure`` writes: exact states, and brute force over all configurations."""

import itertools
import math

import numpy as np
import pytest

from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_cell
from phasenet.phases.observables import (
    Quantity,
    classifier_quantities,
    columns_of,
    finite_quantities,
    infinite_quantities,
    slug,
)
from phasenet.phases.spt import invariants
from phasenet.phases.strings import bulk_blocks
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.trains.canonical import right_canonical
from phasenet.trains.train import TensorTrain

LENGTH = 8
CLASSES = ("haldane", "large_d")
KNOWN, UNKNOWN = ParameterPoint.of(D=0.0), ParameterPoint.of(D=7.0)


def values_of(quantities):
    assert len({quantity.name for quantity in quantities}) == len(quantities)
    return {quantity.name: quantity.value for quantity in quantities}


def test_infinite_aklt_state():
    cell = aklt_cell()
    got = values_of(infinite_quantities(cell, invariants(cell)))
    assert got["entropy_infinite"] == pytest.approx(np.log(2), abs=1e-12)
    assert got["correlation_length"] == pytest.approx(1 / np.log(3), abs=1e-9)
    assert got["quadrupole_infinite"] == pytest.approx(2 / 3, abs=1e-12)
    assert got["staggered_magnetisation_infinite"] == pytest.approx(0.0, abs=1e-12)
    for axis in ("x", "z"):
        assert got[f"string_{axis}_infinite"] == pytest.approx(4 / 9, abs=1e-9)
    for name in ("z2xz2", "time_reversal", "bond_inversion"):
        assert got[f"{name}_infinite"] == -1
        assert got[f"{name}_eta_infinite"] == pytest.approx(1.0, abs=1e-9)


def test_infinite_product_state():
    cell = large_d_cell()
    got = values_of(infinite_quantities(cell, invariants(cell)))
    zero = ("entropy_infinite", "correlation_length", "quadrupole_infinite", "string_z_infinite")
    for name in zero:
        assert got[name] == pytest.approx(0.0, abs=1e-12)
    assert got["z2xz2_infinite"] == 1


def test_open_aklt_chain():
    chain = aklt_chain(24)
    got = values_of(finite_quantities(chain, invariants(chain)))
    assert got["entropy_finite"] == pytest.approx(np.log(2), abs=1e-4)
    assert got["quadrupole_finite"] == pytest.approx(2 / 3, abs=1e-2)
    for axis in ("x", "z"):
        assert got[f"string_{axis}_finite"] == pytest.approx(4 / 9, abs=1e-2)
    assert got["z2xz2_finite"] == got["time_reversal_finite"] == -1


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


@pytest.mark.parametrize("name", ["Z2xZ2", "time reversal", "bond inversion"])
def test_slugs_are_names_of_columns(name):
    assert slug(name).isidentifier()
    assert slug(name) == slug(name).lower()
