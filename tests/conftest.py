"""Shared by all tests: one BLAS thread, the study of the main job, small studies made from it."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # read once, when numpy is loaded

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phasenet.points import Grid
from phasenet.settings import RunSettings
from phasenet.study import Study, load_study

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
