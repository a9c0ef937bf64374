"""Shared by all tests: one BLAS thread, the study of the main job, small studies made from it."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from phasenet.engines.threads import THREAD_VARIABLES
from phasenet.points import Grid
from phasenet.settings import RunSettings
from phasenet.study import Study, load_study

# Before numpy is loaded, which none of the imports above does.
os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))

# A shell starts its background jobs deaf to Ctrl-C; what it does is tested all the same.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time, and no verdict on how fast a loaded machine draws them.
settings.register_profile(
    "phasenet", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("phasenet")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def haldane() -> Study:
    """Study of the main job."""
    return load_study(ROOT / "simulations" / "haldane.py")


@pytest.fixture(scope="session")
def tiny_study(haldane: Study) -> Callable[..., Study]:
    """Haldane studies with a few points and other settings, one mapping for each step."""

    def make(points: tuple[float, ...] = (0.0, 2.0), **settings: Any) -> Study:
        return replace(
            haldane,
            grid=Grid.product(Delta=[1.0], D=points),
            settings=RunSettings.checked(settings),
        )

    return make
