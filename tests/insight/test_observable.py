"""Explained variances against sums over all configurations and numpy's least squares."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.insight.families import family_names, function_automaton, order_parameters
from phasenet.insight.moments import mixture, state_moments
from phasenet.insight.regression import (
    explained_variance,
    replacement_bound,
    sampled_shares,
    shares,
    single_shares,
)
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_chain, large_d_chain
from phasenet.trains.diagonal import diagonal_second_moment
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain


def configurations(site_dim, length):
    return np.array(list(product(range(site_dim), repeat=length)))


def random_train(rng, site_dim, length, bond, *, complex_valued=False):
    def core(site):
        shape = (bond if site else 1, site_dim, bond if site < length - 1 else 1)
        values = rng.normal(size=shape)
        return values + 1j * rng.normal(size=shape) if complex_valued else values

    return TensorTrain(cores=tuple(core(site) for site in range(length)))


def weights_of(form, every):
    weights = np.abs(TensorTrain(cores=form.cores)(every)) ** 2
    return weights / weights.sum()


def least_squares(values, target, weights):
    """Explained variance by numpy, over all configurations with their weights."""
    root = np.sqrt(weights)[:, None]
    columns = root * np.column_stack([np.ones(len(values)), values])
    wanted = root[:, 0] * target
    found = columns @ np.linalg.lstsq(columns, wanted, rcond=1e-11)[0]
    variance = weights @ target**2 - (weights @ target) ** 2
    return 1.0 - np.sum((wanted - found) ** 2) / variance


def spin(spins, site_dim):
    return (site_dim - 1) / 2 - spins


def members(automata):
    families = np.array([name for part in automata for name in part.families])
    return [np.flatnonzero(families == name) for name in family_names(automata)]


CASES = {
    "spin 1, charges": (aklt_chain(6), 3),
    "spin 1, complex": (random_train(np.random.default_rng(1), 3, 6, 3, complex_valued=True), 3),
    "spin 1/2": (random_train(np.random.default_rng(2), 2, 8, 4), 2),
    "cluster": (cluster_chain(8), 2),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_are_sums_over_all_configurations(name):
    state, site_dim = CASES[name]
    form = state_form(state)
    automata = list(order_parameters(site_dim, form.length, reach=2, longest=4))
    rng = np.random.default_rng(0)
    automata.append(function_automaton(random_train(rng, site_dim, form.length, 3), "f"))
    every = configurations(site_dim, form.length)
    weights = weights_of(form, every)
    values = np.concatenate([part(every) for part in automata], axis=1)
    found = state_moments(form, automata)
    assert found.mean == pytest.approx(weights @ values, abs=1e-11)
    scale = np.abs(values).max() ** 2
    second = values.T @ (weights[:, None] * values)
    assert np.abs(found.second - second).max() < 1e-13 * scale


@pytest.mark.parametrize("name", CASES)
def test_explained_variances_are_those_of_least_squares(name):
    state, site_dim = CASES[name]
    form = state_form(state)
    automata = order_parameters(site_dim, form.length, reach=2, longest=4)
    function = random_train(np.random.default_rng(3), site_dim, form.length, 3)
    moments = state_moments(form, [*automata, function_automaton(function, "f")])
    every = configurations(site_dim, form.length)
    values = np.concatenate([part(every) for part in automata], axis=1)
    target, weights = function(every), weights_of(form, every)
    families = members(automata)
    found = shares(moments.covariance, np.diagonal(moments.second), values.shape[1], families)
    for k, family in enumerate(families):
        upto = np.concatenate(families[: k + 1])
        rest = np.concatenate([f for j, f in enumerate(families) if j != k])
        nested = least_squares(values[:, upto], target, weights)
        assert found.nested[k] == pytest.approx(nested, abs=1e-10)
        alone = least_squares(values[:, family], target, weights)
        assert found.alone[k] == pytest.approx(alone, abs=1e-10)
        without = least_squares(values[:, rest], target, weights)
        everything = least_squares(values, target, weights)
        assert found.unique[k] == pytest.approx(everything - without, abs=1e-10)
    assert found.added == pytest.approx(np.diff([0.0, *found.nested]))


def test_the_sums_are_what_their_names_say():
    every = configurations(3, 6)
    z = spin(every, 3)
    sign = (-1.0) ** np.arange(6)
    automata = order_parameters(3, 6, reach=2, longest=5)
    values = np.concatenate([part(every) for part in automata], axis=1)
    names = [name for part in automata for name in part.names]
    wanted = {
        "Sz": z.sum(axis=1),
        "Sz^2, staggered": (z**2) @ sign,
        "Sz^2 of site 3": z[:, 3] ** 2,
        "Sz Sz, 2 sites": (z[:, :-2] * z[:, 2:]).sum(axis=1),
        "Sz^2 Sz^2, 1 sites, staggered": (z[:, :-1] ** 2 * z[:, 1:] ** 2) @ sign[1:],
        "string, 3 sites": -sum(
            z[:, i] * (-1.0) ** (z[:, i + 1] + z[:, i + 2]) * z[:, i + 3] for i in range(3)
        ),
    }
    for name, column in wanted.items():
        assert values[:, names.index(name)] == pytest.approx(column, abs=1e-12)
    families = dict(zip(names, [f for part in automata for f in part.families], strict=True))
    assert families["string, 2 sites"] == "short string"
    assert families["string, 3 sites"] == "string"


def shares_of(state, function, *, reach=2, longest=6):
    form = state_form(state)
    automata = order_parameters(3, form.length, reach=reach, longest=longest)
    moments = state_moments(form, [*automata, function])
    count = len(moments.mean) - 1
    second = np.diagonal(moments.second)
    return shares(moments.covariance, second, count, members(automata)), moments


def test_a_function_that_counts_zeros_needs_no_strings():
    zeros = order_parameters(3, 12, reach=1, longest=1)[0]
    function = type(zeros)(
        steps=zeros.steps,
        ends=tuple(1.0 - 0.25 * end[:, :, 1:2] for end in zeros.ends),
        names=("zeros",),
        families=("function",),
    )
    found, _ = shares_of(aklt_chain(12), function)
    assert found.nested == pytest.approx(np.ones(5), abs=1e-10)
    assert found.added[1:] == pytest.approx(np.zeros(4), abs=1e-10)
    assert found.unique == pytest.approx(np.zeros(5), abs=1e-9)


def test_a_function_that_is_a_string_needs_strings():
    strings = order_parameters(3, 12, reach=2, longest=6)[-1]
    # Of distances 2 .. 6 that of 5 sites.
    function = type(strings)(
        steps=strings.steps,
        ends=tuple(7.0 * end[:, :, 3:4] for end in strings.ends),
        names=("f",),
        families=("function",),
    )
    found, moments = shares_of(aklt_chain(12), function)
    assert found.nested[-1] == pytest.approx(1.0, abs=1e-10)
    assert found.alone[-1] == pytest.approx(1.0, abs=1e-10)
    assert found.nested[3] < 0.9
    assert found.unique[-1] == pytest.approx(1.0 - found.nested[3], abs=1e-10)
    # Seven pairs of sites; each has the string order of the AKLT state but for its edges.
    assert moments.mean[-1] / 7.0 == pytest.approx(7 * 4 / 9, rel=0.02)


def test_in_a_mixture_whatever_differs_between_phases_explains():
    automata = order_parameters(3, 8, reach=1, longest=1)
    forms = [state_form(aklt_chain(8)), state_form(large_d_chain(8))]
    parts = [state_moments(form, automata) for form in forms]
    both = mixture(parts, [1.0, 1.0])
    every = configurations(3, 8)
    weights = np.mean([weights_of(form, every) for form in forms], axis=0)
    values = np.concatenate([part(every) for part in automata], axis=1)
    mean = weights @ values
    assert both.mean == pytest.approx(mean, abs=1e-11)
    covariance = values.T @ (weights[:, None] * values) - np.outer(mean, mean)
    assert np.abs(both.covariance - covariance).max() < 1e-10


def test_long_trains_with_large_scales_keep_their_moments():
    rng = np.random.default_rng(5)
    train = random_train(rng, 3, 60, 3)
    form = state_form(aklt_chain(60))
    (found,) = np.diagonal(state_moments(form, [function_automaton(train, "f")]).second)
    wanted = diagonal_second_moment(TensorTrain(cores=form.cores), train)
    assert found == pytest.approx(float(wanted), rel=1e-10)


def test_constants_and_dependent_quantities_explain_nothing_more():
    covariance = np.zeros((3, 3))
    covariance[1:, 1:] = [[1.0, 0.8], [0.8, 1.0]]
    second = np.array([4.0, 1.0, 1.0])
    assert explained_variance(covariance, second, 2, [0, 1, 1]) == pytest.approx(0.64)
    assert explained_variance(covariance, second, 2, [0]) == 0.0
    assert np.isnan(explained_variance(covariance, second, 0, [1]))
    assert single_shares(covariance, second, 2) == pytest.approx([0.0, 0.64, 1.0])


def test_sampled_shares_are_the_exact_ones_within_their_errors():
    form = state_form(aklt_chain(6))
    automata = order_parameters(3, 6, reach=2, longest=4)
    every = configurations(3, 6)
    weights = weights_of(form, every)
    function = random_train(np.random.default_rng(3), 3, 6, 3)(every)
    values = np.concatenate([part(every) for part in automata], axis=1)
    shots = np.random.default_rng(4).choice(len(every), size=4000, p=weights)
    families = members(automata)
    found, error = sampled_shares(values[shots], function[shots], np.ones(4000), families)
    for k in range(len(families)):
        upto = np.concatenate(families[: k + 1])
        assert abs(found[k] - least_squares(values[:, upto], function, weights)) < 5 * error[k]
    few, _ = sampled_shares(values[shots[:5]], function[shots[:5]], np.ones(5), families)
    assert np.isnan(few[-1])


@given(st.integers(0, 10**6), st.floats(1e-6, 3.0))
def test_no_share_changes_by_more_than_the_bound(seed, size):
    rng = np.random.default_rng(seed)
    order, function = rng.normal(size=(40, 3)), rng.normal(size=40)
    function += order @ rng.normal(size=3)
    replaced = function + size * rng.normal(size=40)
    weights = rng.random(40)
    weights /= weights.sum()
    bound = replacement_bound(replaced, function, weights)
    found = [least_squares(order, values, weights) for values in (function, replaced)]
    assert abs(found[0] - found[1]) <= bound + 1e-12
    centred = [values - weights @ values for values in (function, replaced)]
    distance = np.sqrt(weights @ (centred[0] - centred[1]) ** 2 / (weights @ centred[1] ** 2))
    assert bound <= distance + 1e-12


def test_what_does_not_fit_is_told():
    with pytest.raises(SettingsError, match=r"reach 6 and strings 3 sites; wanted 1 \.\. 5"):
        order_parameters(3, 6, reach=6, longest=3)
    automata = order_parameters(3, 6, reach=2, longest=3)
    with pytest.raises(ShapeError, match="are of 6 sites of dimension 3; the state has 8 of 3"):
        state_moments(state_form(aklt_chain(8)), automata)
    with pytest.raises(ShapeError, match="infinite: wanted an open chain"):
        state_moments(state_form(aklt_cell()), automata)
    vector = TensorTrain(cores=(np.ones((1, 2, 1, 2)),), output_site=0)
    with pytest.raises(ShapeError, match="train of f has an output leg"):
        function_automaton(vector, "f")
