"""Points that refinement needs for the Haldane to large-D boundary, beside a uniform grid."""

from pathlib import Path

import pytest

from phasenet.overrides import Overrides, apply_overrides
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.refine import refine_study, refinement_lines
from phasenet.pipeline.reporting import SilentReporter
from phasenet.study import load_study

STUDY = Path(__file__).resolve().parents[2] / "simulations" / "haldane.py"
LITERATURE = 0.9684713  # Tzeng et al., Phys. Rev. B 96, 060404 (2017)
HALF_WIDTH = 0.005


@pytest.mark.benchmark
def test_haldane_to_large_d(tmp_path, capsys):
    changes = Overrides.of_options(assignments=["D=0:2:0.2", "boundaries=infinite"])
    study = apply_overrides(load_study(STUDY), changes)
    found = refine_study(
        study,
        STUDY,
        tmp_path,
        resolution=2 * HALF_WIDTH,
        engine=Engine(workers=2),
        reporter=SilentReporter(),
    )
    (bracket,) = found.refinement.brackets
    middle = (bracket.lower + bracket.upper) / 2
    with capsys.disabled():
        print()
        print("\n".join(refinement_lines(found, study.card())))
        inside = bracket.lower <= LITERATURE <= bracket.upper
        print(
            f"max_bond {study.settings.infinite.max_bond}: {bracket.lower:.5f} to "
            f"{bracket.upper:.5f} {'contains' if inside else 'misses'} {LITERATURE:.5f}, middle "
            f"off by {middle - LITERATURE:+.5f}"
        )
    assert found.uniform == 201
    assert len(found.points) <= found.uniform / 5
    assert bracket.width <= 2 * HALF_WIDTH
    assert abs(middle - LITERATURE) < 2 * HALF_WIDTH
