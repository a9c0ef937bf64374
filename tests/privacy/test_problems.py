"""Problems with a secret: shares, groups, ground states of disordered chains."""

import functools

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.spins import spin_matrix
from phasenet.privacy.populations import (
    chain_problem,
    digits_problem,
    groups_problem,
    neutral_words,
    problem_named,
    random_bond_state,
)
from phasenet.privacy.problems import Cases, domains, embedded, probes, training_set


@pytest.fixture(scope="module")
def problem():
    return digits_problem(subsets=3, seed=1)


@pytest.mark.parametrize("share", [0.005, 0.1, 0.5, 0.995])
def test_the_share_of_a_training_set(problem, share):
    cases = training_set(problem, subset=1, share=share, seed=0)
    assert len(cases.labels) == problem.size
    wanted = min(max(round(share * problem.size), 1), problem.size - 1)
    assert cases.groups.sum() == wanted


def test_a_training_set_is_fixed_by_its_names(problem):
    one, two, other = (
        training_set(problem, subset=subset, share=0.2, seed=0).inputs for subset in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_private_public_and_test_cases_are_apart(problem):
    def rows(cases):
        return {row.tobytes() for row in cases.inputs}

    private = set().union(*(rows(pool) for pool in problem.pools))
    assert not private & rows(problem.public)
    assert not private & rows(problem.test)
    assert not rows(problem.public) & rows(problem.test)


def test_ink_is_the_group(problem):
    ink = problem.test.inputs.sum(axis=(1, 2))
    assert ink[problem.test.groups == 1].mean() > 1.1 * ink[problem.test.groups == 0].mean()


def test_groups_differ_where_they_should():
    problem = groups_problem(subsets=1, seed=0)
    x, y, g = problem.test.inputs[..., 0], problem.test.labels, problem.test.groups
    noise = 4 * 0.15 * np.sqrt(2 / len(x) * 2)
    shift = x[g == 1].mean(axis=0) - x[g == 0].mean(axis=0)
    assert np.abs(shift).max() > 3 * noise

    def direction(group):
        here = g == group
        return x[here & (y == 1)].mean(axis=0) - x[here & (y == 0)].mean(axis=0)

    one, two = direction(0), direction(1)
    cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    assert 0.1 < cosine < 0.8


def test_probes_ask_every_subgroup_alike(problem):
    asked = probes(problem.test, per_subgroup=25, seed=0)
    counts = np.bincount(2 * asked.labels + asked.groups)
    assert counts.tolist() == [25] * 4


def test_embedding_and_domains():
    cases = Cases(inputs=np.eye(3)[[[0, 1], [2, 1]]], labels=np.zeros(2), groups=np.zeros(2))
    np.testing.assert_array_equal(embedded(cases.inputs), cases.inputs)
    np.testing.assert_array_equal(domains(cases), np.stack([np.eye(3)] * 2))
    values = np.linspace(0, 1, 11)[:, None, None]
    reals = Cases(inputs=values, labels=np.zeros(11), groups=np.ones(11))
    np.testing.assert_allclose(domains(reals), [[[0.1], [0.9]]])


@pytest.mark.parametrize(("bonds", "anisotropy"), [([1.3, 0.6], 0.4), ([0.5, 1.5, 0.8], -0.3)])
def test_ground_state_against_the_dense_hamiltonian(bonds, anisotropy):
    length = len(bonds) + 1

    def at(site, matrix):
        return functools.reduce(
            np.kron, (np.eye(3**site), matrix, np.eye(3 ** (length - 1 - site)))
        )

    z = spin_matrix("z", 3)
    hamiltonian = sum(anisotropy * at(site, z @ z) for site in range(length)).astype(complex)
    for site, coupling in enumerate(bonds):
        for axis in "xyz":
            spin = spin_matrix(axis, 3)
            hamiltonian += coupling * at(site, spin) @ at(site + 1, spin)
    numbers = neutral_words(length, 3) @ 3 ** np.arange(length - 1, -1, -1)
    block = hamiltonian[np.ix_(numbers, numbers)]
    energies, vectors = np.linalg.eigh(block)
    state = random_bond_state(np.array(bonds), anisotropy)
    assert abs(np.vdot(vectors[:, 0], state)) == pytest.approx(1.0, abs=1e-8)
    assert state @ block.real @ state == pytest.approx(energies[0], abs=1e-10)


def test_shots_of_chains_have_the_weights_of_their_states():
    problem = chain_problem(subsets=1, seed=3, length=6)
    states = problem.pools[0].inputs.argmax(axis=2)
    zeros = (states == 1).mean(axis=1)
    labels = problem.pools[0].labels
    # Large D favours zeros; every shot is of no magnetisation.
    assert zeros[labels == 1].mean() > zeros[labels == 0].mean() + 0.2
    assert (states.sum(axis=1) == 6).all()


def test_what_cannot_be_used(problem):
    with pytest.raises(SettingsError, match=r"share is 1\.0; wanted a fraction"):
        training_set(problem, subset=0, share=1.0, seed=0)
    with pytest.raises(SettingsError, match=r"no problem 'poems'; wanted one of groups, digits"):
        problem_named("poems", subsets=1, seed=0)
    with pytest.raises(ShapeError, match=r"come with 2 labels and 3 groups"):
        Cases(inputs=np.zeros((3, 2, 1)), labels=np.zeros(2), groups=np.zeros(3))
    few = problem.pools[0].take(np.arange(10))
    with pytest.raises(SettingsError, match=r"has \d+ cases of group 0; share 0\.5 of 240"):
        training_set(
            type(problem)(**(vars(problem) | {"pools": (few,)})), subset=0, share=0.5, seed=0
        )
