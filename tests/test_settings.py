"""Settings are checked at the edge, in one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.settings import (
    FiniteSettings,
    InfiniteSettings,
    RunSettings,
    SampleSettings,
    TensorizeSettings,
    TrainSettings,
)

STEPS = (FiniteSettings, InfiniteSettings, SampleSettings, TrainSettings, TensorizeSettings)


@pytest.mark.parametrize("kind", [*STEPS, RunSettings])
def test_plain_values_read_back(kind):
    settings = kind()
    assert kind.checked(settings.as_dict()) == settings
    assert kind.checked({}) == settings


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (SampleSettings, {"shot": 9}, "sample setting 'shot' is unknown; did you mean 'shots'?"),
        (
            FiniteSettings,
            {"lenght": 9},
            "finite setting 'lenght' is unknown; did you mean 'length'?",
        ),
        (
            TrainSettings,
            {"zzz": 9},
            "train setting 'zzz' is unknown; known: architecture, channels",
        ),
        (SampleSettings, {"shots": 0}, "sample setting 'shots' is 0; .*greater than or equal to 1"),
        (SampleSettings, {"shots": "many"}, "sample setting 'shots' is 'many'; .*valid integer"),
        (SampleSettings, {"test": 1.0}, "sample setting 'test' is 1.0; .*less than 1"),
        (SampleSettings, {"basis": "S"}, "sample setting 'basis' is 'S'; wanted one of Sz, Sx"),
        (
            SampleSettings,
            {"basis": "Sx,random"},
            "sample setting 'basis' is 'Sx,random'; .*a pattern of spin components such as",
        ),
        (
            FiniteSettings,
            {"length": 3},
            "finite setting 'length' is 3; .*greater than or equal to 4",
        ),
        (FiniteSettings, {"cutoff": 0}, "finite setting 'cutoff' is 0; .*greater than 0"),
        (FiniteSettings, {"energy_atol": float("nan")}, "finite setting 'energy_atol' is nan"),
        (FiniteSettings, {"pinning_field": float("inf")}, "finite setting 'pinning_field' is inf"),
        (RunSettings, {"sed": 1}, "run setting 'sed' is unknown; did you mean 'seed'?"),
        (RunSettings, {"seed": -1}, "run setting 'seed' is -1; .*greater than or equal to 0"),
        (RunSettings, {"seed": 2**64}, "run setting 'seed' is 18446744073709551616; .*less than"),
        (
            RunSettings,
            {"sample": {"shot": 9}},
            "run setting 'sample.shot' is unknown; did you mean 'sample.shots'?",
        ),
        (RunSettings, {"sample": {"shots": 0}}, "run setting 'sample.shots' is 0; "),
        (RunSettings, {"train": {"channels": [8, 0]}}, "run setting 'train.channels.1' is 0; "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(kind, values, sentence):
    with pytest.raises(SettingsError, match=sentence.replace("?", r"\?")) as error:
        kind.checked(values)
    assert "\n" not in str(error.value)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        SampleSettings().shots = 3


@given(
    shots=st.integers(1, 10**6),
    seed=st.integers(0, 2**63 - 1),
    channels=st.lists(st.integers(1, 64), min_size=1, max_size=3),
    tol=st.floats(1e-12, 1.0),
)
def test_any_settings_read_back(shots, seed, channels, tol):
    settings = RunSettings.checked(
        {
            "seed": seed,
            "sample": {"shots": shots},
            "train": {"channels": channels},
            "tensorize": {"tol": tol},
        }
    )
    assert RunSettings.checked(settings.as_dict()) == settings
    assert settings.train.channels == tuple(channels)


def test_settings_that_are_younger_than_files_enter_the_identity_where_they_differ():
    older = {"shots", "basis", "validation", "test", "xi_per_length"}
    assert set(SampleSettings(likelihood="held out").as_dict()) == older
    assert set(SampleSettings().as_dict()) == older | {"likelihood"}
    assert set(SampleSettings(window=8).as_dict()) == older | {"likelihood", "window"}
