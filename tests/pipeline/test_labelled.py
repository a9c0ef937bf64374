"""Labels, tables and figures of studies without a network, from states of closed form."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from phasenet import Grid, Order, ParameterPoint, Phase, RunSettings, Study, Symmetry
from phasenet.phases.exact import product_cell, product_chain
from phasenet.pipeline.chart import chart, chart_product
from phasenet.pipeline.dataset_plan import plan_of_states
from phasenet.pipeline.measure import measure, table_product
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.sample import sample
from phasenet.pipeline.sources import labelled
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import write_state
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

SINGLET = (
    np.array([[[1.0, 0.0], [0.0, 1.0]]]) * np.sqrt(0.5),
    np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
)
LENGTH = 16


def never(*_):
    raise AssertionError("no ground state is searched for here")


STUDY = Study(
    name="toy",
    title="Toy chain",
    hamiltonian="H",
    spin=0.5,
    build_model=never,
    product_state=never,
    grid=Grid.product(g=range(9)),
    symmetries=(
        Symmetry(name="Z2xZ2", kind="commutation", operators=(("Rx",), ("Rz",))),
        Symmetry(name="time reversal", kind="time reversal", operators=(("Ry",),)),
    ),
    orders=(Order(name="Neel order", operators=("Sz",), wavenumber=0.5),),
    phases=(
        Phase(label="neel", title="Neel", orders={"Neel order": True}, citation=""),
        Phase(
            label="trivial",
            title="trivial",
            invariants={"Z2xZ2": 1, "time reversal": 1},
            citation="",
        ),
        Phase(
            label="topological",
            title="topological",
            invariants={"Z2xZ2": -1, "time reversal": -1},
            citation="",
        ),
    ),
    settings=RunSettings.checked({"sample": {"shots": 20}}),
)
GAPLESS = dataclasses.replace(
    STUDY,
    phases=(
        *STUDY.phases[:1],
        Phase(
            label="liquid",
            title="liquid",
            orders={"Neel order": False},
            central_charge=1.0,
            citation="",
        ),
        *STUDY.phases[1:],
    ),
)
CARD = STUDY.card()


def dimers(shift):
    schmidt = (np.ones(1), np.full(2, np.sqrt(0.5)))
    places = (shift, 1 - shift)
    return InfiniteTrain(
        cores=tuple(SINGLET[k] for k in places), schmidt_values=tuple(schmidt[k] for k in places)
    )


def open_dimers(shift):
    cores = list(SINGLET * (LENGTH // 2))
    if shift:
        up, down = (np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1))
        cores = [up, *cores[:-2], down]
    return TensorTrain(cores=tuple(cores))


def state(train, value, **changes):
    """Record of a state at g = value."""
    bonds = [core.shape[0] for core in train.cores]
    fields = {
        "point": ParameterPoint.of(g=value),
        "spin": 0.5,
        "train": train,
        "schmidt_values": tuple(np.ones(bond) / np.sqrt(bond) for bond in bonds),
        "charge": "",
        "bond_charges": (np.zeros(0, dtype=np.int64),) * (len(bonds) + 1),
        "energy": -0.4,
        "variance": math.nan,
        "truncation": 1e-12,
        "outcome": DmrgOutcome.CONVERGED,
        "sweeps": 3,
    }
    return GroundState(**{**fields, **changes})


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """Three points of each phase, open and infinite."""
    folder = tmp_path_factory.mktemp("states")
    cells = {
        0: (product_chain([0, 1] * (LENGTH // 2), 2), product_cell([0, 1], 2)),
        1: (open_dimers(0), dimers(0)),
        2: (open_dimers(1), dimers(1)),
    }
    paths = []
    for value, train in itertools.product(range(9), (0, 1)):
        made = state(cells[value // 3][train], value)
        path = folder / f"g={value}.{made.boundary}.state.h5"
        header = Header(
            kind=Kind.STATE,
            settings={"point": made.point.as_dict(), "boundary": made.boundary.value},
            seed=0,
            parents=(),
            study=CARD,
        )
        write_state(path, header, made)
        paths.append(path)
    return paths


def test_spin_half_chains_are_labelled_sampled_and_measured(states, tmp_path):
    reporter = SilentReporter()
    plan = plan_of_states(states, CARD)
    head = sample(plan, plan.product(tmp_path / "toy.snapshots.h5"), reporter=reporter)
    assert head.classes == ("neel", "trivial", "topological")
    wanted = [name for name in head.classes for _ in range(3)]
    assert [p.label for p in head.points] == wanted

    product = table_product(states, None, tmp_path / "toy.table.h5", CARD)
    table = measure(states, None, product, CARD, reporter=reporter)
    assert list(table.labels) == wanted
    values = {column.name: column.values for column in table.columns}
    for where in ("infinite", "finite"):
        np.testing.assert_allclose(
            values[f"order_neel_order_{where}"], [0.5] * 3 + [0.0] * 6, atol=1e-6
        )
        assert values[f"z2xz2_{where}"].tolist() == [0] * 3 + [1] * 3 + [-1] * 3
        assert np.isnan(values[f"rival_{where}"]).all()
    for axis, neel in zip("xyz", (0.0, 0.0, 1.0), strict=True):
        # From the first site on, which a dimer joins to the second one or not.
        wanted = [neel] * 3 + [1.0] * 3 + [0.0] * 3
        np.testing.assert_allclose(values[f"string_{axis}_infinite"], wanted, atol=1e-9)
    assert values["critical"].tolist() == [0.0] * 9


@pytest.mark.slow
def test_spin_half_chains_are_drawn(states, tmp_path):
    product = table_product(states, None, tmp_path / "toy.table.h5", CARD)
    measure(states, None, product, CARD, reporter=SilentReporter())
    product = chart_product(tmp_path / "toy.table.h5", tmp_path / "toy.chart.h5", CARD)
    diagram = chart(tmp_path / "toy.table.h5", product, CARD)
    assert [(b.below, b.above) for b in diagram.boundaries if b.method == "phase labels"] == [
        ("neel", "trivial"),
        ("trivial", "topological"),
    ]
    assert (tmp_path / "toy.png").stat().st_size > 10_000


def test_a_change_of_what_phases_are_recognised_by_makes_labels_stale(states, tmp_path):
    keys = set()
    moved = dataclasses.replace(STUDY.symmetries[0], cut=1)
    stricter = dataclasses.replace(STUDY.orders[0], threshold=0.2)
    cards = (
        CARD,
        GAPLESS.card(),
        dataclasses.replace(CARD, symmetries=(moved, *CARD.symmetries[1:])),
        dataclasses.replace(CARD, orders=(stricter,)),
    )
    for card in cards:
        for make in (
            plan_of_states(states, card).product(tmp_path / "a.snapshots.h5"),
            table_product(states, None, tmp_path / "a.table.h5", card),
        ):
            keys.add(make.header.key)
    assert len(keys) == 2 * len(cards)
    other_title = dataclasses.replace(CARD, title="The same chain")
    products = [
        plan_of_states(states, card).product(tmp_path / "a.snapshots.h5")
        for card in (CARD, other_title)
    ]
    assert products[0].header.key == products[1].header.key


def markov(decay):
    """State of bond dimension 2 with correlations along z that fall as ``decay``."""
    keep, flip = np.sqrt((1 + decay) / 2), np.sqrt((1 - decay) / 2)
    core = np.zeros((2, 2, 2))
    for left in range(2):
        core[left, left, left], core[left, left, 1 - left] = keep, flip
    mix = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    core = np.einsum("ab,bsc,cd->asd", mix, core, mix)
    values = np.sqrt(0.5 + np.array([1.0, -1.0]) * keep * flip)
    return InfiniteTrain(cores=(core,), schmidt_values=(values,))


def test_a_history_that_grows_like_a_liquid_gives_its_label():
    # The state itself is the entry at the largest bond dimension, here 2.
    train, card = markov(0.9), GAPLESS.card()
    xi = -1 / np.log(0.9)
    p = train.schmidt_values[0] ** 2
    entropy = -np.sum(p * np.log(p))
    smaller = xi / 2**1.344
    history = {
        "max_bond": np.array([1.0]),
        "entropy": np.array([entropy - np.log(xi / smaller) / 6]),
        "correlation_length": np.array([smaller]),
    }
    limited = {"outcome": DmrgOutcome.BOND_LIMIT, "history": history}
    found = labelled(state(train, 4, **limited), card, longest=4.0)
    assert found.label.label == "liquid"
    assert found.label.split == "train"
    assert found.criticality.central_charge == pytest.approx(1.0, abs=1e-6)
    # The same state without a history is not judged.
    bare = labelled(state(train, 4, outcome=DmrgOutcome.BOND_LIMIT), card, longest=4.0)
    assert (bare.label.label, bare.label.split) == (None, "unlabelled")
    assert "gap undetermined" in bare.label.reason


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (DmrgOutcome.CONVERGED, False),
        (DmrgOutcome.BOND_LIMIT, False),
        (DmrgOutcome.SWEEP_LIMIT, True),
        (DmrgOutcome.INTERRUPTED, True),
    ],
)
def test_only_a_search_that_was_cut_short_is_called_so(outcome, said):
    history = {"max_bond": np.array([1.0]), "energy": np.array([-0.3])}
    history |= {"entropy": np.zeros(1), "correlation_length": np.zeros(1)}
    made = state(dimers(1), 7, outcome=outcome, history=history)
    found = labelled(made, CARD, longest=9.0)
    assert found.label.label == "topological"
    assert ("stopped at its sweep limit" in found.label.reason) == said


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ({}, "converged at no bond dimension"),
        ({"energy": np.array([-0.41])}, "ended above its energy at a smaller bond dimension"),
    ],
)
def test_a_search_that_ran_away_gives_no_label(history, reason):
    if history:
        history = {"max_bond": np.array([1.0]), **history}
        history |= {"entropy": np.zeros(1), "correlation_length": np.zeros(1)}
    for outcome in (DmrgOutcome.SWEEP_LIMIT, DmrgOutcome.INTERRUPTED):
        made = state(dimers(1), 7, outcome=outcome, history=history)
        found = labelled(made, CARD, longest=9.0).label
        assert (found.label, found.split) == (None, "unlabelled")
        assert reason in found.reason
    assert labelled(state(dimers(1), 7), CARD, longest=9.0).label.label == "topological"


def test_a_class_with_too_few_points_is_one_line(states, tmp_path):
    from phasenet.errors import SettingsError

    fewer = [path for path in states if not Path(path).name.startswith(("g=0.", "g=8."))]
    plan = plan_of_states(fewer, CARD)
    product = plan.product(tmp_path / "few.snapshots.h5")
    with pytest.raises(
        SettingsError, match=r"class neel has 2 points .*at least 3: widen"
    ) as error:
        sample(plan, product, reporter=SilentReporter())
    assert "\n" not in str(error.value)
