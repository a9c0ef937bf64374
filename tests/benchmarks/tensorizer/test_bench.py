"""phasenet alone over a few targets; the whole benchmark is scripts/bench_tensorizer.sh."""

import pytest
from measure import run_here
from peers.ours import tensorize
from run import shown
from targets import TARGETS


@pytest.mark.benchmark
@pytest.mark.parametrize(
    "name", ["aklt20", "aklt100", "cat50", "quant20", "hilbert", "rand_train", "local_n100"]
)
def test_phasenet_alone(name, capsys):
    row = run_here(TARGETS[name](), tensorize, 0, 60.0)
    with capsys.disabled():
        print("\n" + shown({"target": name, "peer": "phasenet", "seed": 0} | row))
