"""Study modules: what they must hold, and what of them decides the results."""

import json
import textwrap
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from phasenet.card import Phase, StudyCard
from phasenet.criteria import Symmetry
from phasenet.errors import MissingInputError, StudyError
from phasenet.points import Grid
from phasenet.settings import RunSettings
from phasenet.study import Boundary, Study, load_study

SOURCE = '''
"""A study."""
from phasenet import Grid, Phase, RunSettings, Study

HALF = 0.5
COUPLING = 2 * HALF
VALUES = [0.0, 1.0]


def energy(value):
    return COUPLING * value


def build_model(point, chain):
    """Return a model."""
    return energy(point["D"]) * chain.length


def product_state(point, length):
    return ["up", "down"] * (length // 2)


STUDY = Study(
    name="small",
    title="A small study",
    hamiltonian="H",
    spin=1,
    build_model=build_model,
    product_state=product_state,
    grid=Grid.product(D=VALUES),
    phases=(Phase(label="one", title="One", invariants={"Z2xZ2": 1}, citation="nobody"),),
    settings=RunSettings(),
)
'''


@pytest.fixture
def write(tmp_path):
    def write(source: str) -> Path:
        path = tmp_path / "small.py"
        path.write_text(textwrap.dedent(source))
        return path

    return write


def test_a_study_is_loaded_from_its_path(write):
    study = load_study(write(SOURCE))
    assert study.name == "small"
    assert len(study.grid) == 2
    assert load_study(str(write(SOURCE))).code_digest == study.code_digest


def one_line(error, path):
    text = str(error.value)
    return "\n" not in text and str(path) in text


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("STUDY = (", "cannot be loaded: SyntaxError"),
        ("raise RuntimeError('first\\nsecond')", "cannot be loaded: RuntimeError: first second"),
        ("import no_such_module_at_all", "cannot be loaded: ModuleNotFoundError"),
        ("study = 3", "defines no STUDY; end it with STUDY = phasenet.Study"),
        ("STUDY = 3", "defines no STUDY"),
        (
            SOURCE.replace("RunSettings()", "RunSettings(sample={'shot': 3})"),
            r"run setting 'sample.shot' is unknown; did you mean 'sample.shots'\?",
        ),
        (
            SOURCE.replace("RunSettings()", "RunSettings(seed=-3)"),
            "run setting 'seed' is -3",
        ),
        (SOURCE.replace('"small"', '"a/b"'), "study name is 'a/b'; use letters, digits"),
        (SOURCE.replace('"Z2xZ2": 1', '"Z3": 1'), "asks for the invariant 'Z3'; study small has"),
        (SOURCE.replace('"Z2xZ2": 1', '"Z2xZ2": 0'), "phase 'one' asks for Z2xZ2 = 0; wanted"),
        (SOURCE.replace("[0.0, 1.0]", "[]"), "grid axis D is empty"),
    ],
)
def test_what_is_wrong_with_a_module_is_said_in_one_line(write, source, sentence):
    path = write(source)
    with pytest.raises(StudyError, match=sentence) as error:
        load_study(path)
    assert one_line(error, path)


def test_a_missing_module(tmp_path):
    path = tmp_path / "none.py"
    with pytest.raises(MissingInputError, match="no study at") as error:
        load_study(path)
    assert one_line(error, path)
    with pytest.raises(MissingInputError):
        load_study(tmp_path)


def test_a_file_that_is_no_module(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("name = 'small'")
    with pytest.raises(StudyError, match="no Python file") as error:
        load_study(path)
    assert one_line(error, path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A study."""', '"""Another text."""\n# and a comment'),
        ('    """Return a model."""\n', ""),
        ("    return energy", "    # twice\n\n    return   energy"),
        ("RunSettings()", "RunSettings(seed=7)"),
        ("[0.0, 1.0]", "[0.0, 0.5, 1.0]"),
        ("from phasenet", "import json\nfrom phasenet"),
        ('title="A small study"', 'title="Another"'),
        ("STUDY = Study", "STUDY: Study = Study"),
    ],
    ids=["docstring", "bare", "layout", "settings", "grid", "import", "title", "annotation"],
)
def test_code_digest_ignores_what_builds_no_model(write, old, new):
    before = load_study(write(SOURCE)).code_digest
    assert old in SOURCE
    assert load_study(write(SOURCE.replace(old, new))).code_digest == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("chain.length", "chain.length * 2"),
        ('point["D"]', '-point["D"]'),
        ('["up", "down"]', '["down", "up"]'),
        ("HALF = 0.5", "HALF = 0.25"),
        ("2 * HALF", "3 * HALF"),
        ("COUPLING * value", "COUPLING + value"),
        ("\n\ndef energy", "\nprint(end='')\n\ndef energy"),
    ],
    ids=["model", "sign", "start", "constant", "derived", "helper", "statement"],
)
def test_code_digest_changes_with_what_builds_the_model(write, old, new):
    before = load_study(write(SOURCE)).code_digest
    assert old in SOURCE
    assert load_study(write(SOURCE.replace(old, new))).code_digest != before


def test_a_card_survives_json(haldane):
    card = haldane.card()
    again = StudyCard.from_dict(json.loads(json.dumps(card.as_dict())))
    assert again == card
    assert again.run_settings() == haldane.settings
    assert again.varied == ("D",)


def test_a_card_with_settings_of_another_version_is_read(haldane):
    values = haldane.card().as_dict()
    values["settings"] = {"seed": 3, "telescope": {"lens": 2}}
    card = StudyCard.from_dict(values)
    assert card.settings["telescope"] == {"lens": 2}
    with pytest.raises(ValueError, match="run setting 'telescope' is unknown"):
        card.run_settings()


@pytest.mark.parametrize("name", ["name", "phases", "settings"])
def test_a_card_that_lacks_something(haldane, name):
    values = haldane.card().as_dict()
    del values[name]
    with pytest.raises(StudyError, match=f"study card of the file lacks or misnames '{name}'"):
        StudyCard.from_dict(values)


def test_the_study_of_the_main_job(haldane):
    assert haldane.grid.varied == ("D",)
    assert len(haldane.grid) >= 13
    assert haldane.spin == 1
    assert {phase.label for phase in haldane.phases} == {"haldane", "large_d"}
    assert haldane.product_state(next(iter(haldane.grid)), 6) == ["up", "down"] * 3
    d = sorted(point["D"] for point in haldane.grid)
    assert (d[0], d[-1]) == (0.0, 2.0)
    transition = haldane.transitions[0]
    assert transition.value == pytest.approx(0.96847, abs=1e-5)
    steps = {round(b - a, 6) for a, b in pairwise(d) if abs(a - 0.968) < 0.05}
    assert max(steps) < 0.06  # closer together near the transition
    assert list(Boundary) == ["finite", "infinite"]


def test_invariants_of_a_phase_are_checked_when_it_is_made(haldane):
    with pytest.raises(StudyError, match="phase 'odd' asks for time reversal = 2"):
        Phase(label="odd", title="Odd", invariants={"time reversal": 2}, citation="")
    with pytest.raises(StudyError, match="phase 'odd' names nothing to be recognised by"):
        Phase(label="odd", title="Odd", citation="")
    unknown = Phase(label="odd", title="Odd", orders={"magnetisation": True}, citation="")
    with pytest.raises(
        StudyError, match="asks for the order 'magnetisation'; study haldane has none"
    ):
        replace(haldane, phases=(unknown,))


def test_a_symmetry_that_acts_with_an_unknown_unitary_is_named():
    with pytest.raises(StudyError, match="symmetry 'a' acts with 'R'; wanted 1, Rx"):
        Symmetry(name="a", kind="inversion", operators=(("R",),))
    with pytest.raises(StudyError, match="symmetry 'a' of kind 'commutation' has 1 patterns"):
        Symmetry(name="a", kind="commutation", operators=(("X",),))
    with pytest.raises(StudyError, match="negative cut or an empty pattern"):
        Symmetry(name="a", kind="time reversal", operators=((),))


def test_card_holds_what_the_study_says(haldane):
    study = replace(
        haldane,
        grid=Grid.product(Delta=[0.5, 1], D=[0, 1]),
        settings=RunSettings.checked({"seed": 9}),
    )
    assert isinstance(study, Study)
    card = study.card()
    assert card.varied == ("Delta", "D")
    assert card.settings["seed"] == 9


def test_a_literature_value_belongs_to_the_nearest_bracket_of_its_line(haldane):
    card, at = haldane.card(), {"Delta": 1.0}
    brackets = [(0.2, 0.6), (0.97, 0.98), (1.0, 3.0)]
    found = [card.known_beside("D", at, bracket, brackets) for bracket in brackets]
    assert [known is not None for known in found] == [False, True, False]
    assert card.known_beside("D", {"Delta": 0.5}, brackets[1], brackets) is None
