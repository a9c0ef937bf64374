"""Correlation lengths: closed forms, dense transfer maps, superpositions."""

import numpy as np
import pytest

from phasenet.phases.exact import aklt_cell, cluster_cell, product_cell
from phasenet.trains.cells import canonical_cell
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain


def superposed(first, second, share=0.5):
    """Superposition of two infinite states with one site in the cell, ``share`` of the first."""
    cores = [train.cores[0] for train in (first, second)]
    dims = [core.shape[0] for core in cores]
    core = np.zeros((sum(dims), cores[0].shape[1], sum(dims)), dtype=np.result_type(*cores))
    core[: dims[0], :, : dims[0]], core[dims[0] :, :, dims[0] :] = cores
    weights = [
        np.sqrt(share) * first.schmidt_values[0],
        np.sqrt(1 - share) * second.schmidt_values[0],
    ]
    return InfiniteTrain(cores=(core,), schmidt_values=(np.concatenate(weights),))


def rotated(train, angle):
    """The state with every spin 1 rotated about y, another state with the same lengths."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array(
        [
            [(1 + c) / 2, -s / np.sqrt(2), (1 - c) / 2],
            [s / np.sqrt(2), c, -s / np.sqrt(2)],
            [(1 - c) / 2, s / np.sqrt(2), (1 + c) / 2],
        ]
    )
    cores = tuple(np.einsum("st,ltr->lsr", turn, core) for core in train.cores)
    return InfiniteTrain(cores=cores, schmidt_values=train.schmidt_values)


def tilted(angle):
    """Product of spins that all point in one direction."""
    core = np.array([np.cos(angle / 2), np.sin(angle / 2)]).reshape(1, 2, 1)
    return InfiniteTrain(cores=(core,), schmidt_values=(np.ones(1),))


def markov(decay):
    """State whose squared amplitudes are a chain that flips with probability (1 - decay) / 2."""
    keep, flip = np.sqrt((1 + decay) / 2), np.sqrt((1 - decay) / 2)
    core = np.zeros((2, 2, 2))
    for left in range(2):
        core[left, left, left], core[left, left, 1 - left] = keep, flip
    mix = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    core = np.einsum("ab,bsc,cd->asd", mix, core, mix)
    values = np.sqrt(0.5 + np.array([1.0, -1.0]) * keep * flip)
    return InfiniteTrain(cores=(core,), schmidt_values=(values,))


@pytest.mark.parametrize("decay", [0.2, 0.9, 0.999])
def test_a_chain_of_known_decay(decay):
    assert correlation_length(markov(decay)) == pytest.approx(-1 / np.log(decay), rel=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_ghz_states_have_no_correlations_within_their_branches(share):
    for angle in (np.pi, 2.0, 0.3):
        # Branches that are alike overlap, which is no correlation either.
        cat = superposed(tilted(0.0), tilted(angle), share)
        assert correlation_length(cat) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_superposition_has_the_longest_length_of_its_branches(share):
    for angle in (np.pi / 2, 0.4):
        cat = superposed(rotated(product_cell([0], 3), angle), aklt_cell(), share)
        assert correlation_length(cat) == pytest.approx(1 / np.log(3), rel=1e-6)
    cat = superposed(markov(0.3), markov(0.8), share)
    assert correlation_length(cat) == pytest.approx(-1 / np.log(0.8), rel=1e-6)


def test_a_large_superposition_is_found_by_krylov_vectors():
    rng = np.random.default_rng(0)
    states = []
    for _ in range(2):
        turn, _ = np.linalg.qr(rng.normal(size=(24, 8)))
        core = turn.T.reshape(8, 3, 8)
        states.append(InfiniteTrain(cores=(core,), schmidt_values=(np.full(8, np.sqrt(1 / 8)),)))
    wanted = max(correlation_length(state) for state in states)
    assert correlation_length(superposed(*states)) == pytest.approx(wanted, rel=1e-4)


def test_superpositions_of_shifted_states_within_one_site():
    core = np.zeros((2, 2, 2))
    core[0, 0, 1] = core[1, 1, 0] = 1.0
    neel = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    assert correlation_length(neel) == 0.0


def test_closed_forms_in_cells_of_any_size():
    assert correlation_length(cluster_cell()) == 0.0
    for cell in (1, 2, 3):
        one = aklt_cell()
        many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
        assert correlation_length(many) == pytest.approx(1 / np.log(3), abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 1 - 1e-6])
@pytest.mark.parametrize("angle", [0.0, 1e-8])
def test_copies_of_one_state_change_nothing(share, angle):
    # DMRG that starts from an ordered neighbour may leave such a state in the symmetric phase.
    one = canonical_cell(np.random.default_rng(5).standard_normal((1, 4, 2, 4)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = InfiniteTrain(
        cores=(np.einsum("st,ltr->lsr", turn, one.cores[0]),), schmidt_values=one.schmidt_values
    )
    length = correlation_length(one)
    assert length > 0.3
    assert correlation_length(superposed(one, other, share)) == pytest.approx(length, rel=1e-3)
