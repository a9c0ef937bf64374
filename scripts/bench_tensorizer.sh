#!/usr/bin/env bash
# Measures the tensorizer beside its peers, in a .venv-bench of its own; writes to runs/bench.
#
#   bash scripts/bench_tensorizer.sh                                 all targets and peers, for hours
#   bash scripts/bench_tensorizer.sh --peers phasenet --seeds 9      arguments go on to run.py
#
# OUT=folder writes elsewhere. Runs that are there already are not repeated.
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

venv=.venv-bench
out=${OUT:-runs/bench}
bench=tests/benchmarks/tensorizer
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

wanted() { cat pyproject.toml scripts/constraints.txt scripts/constraints-bench.txt; }
if [[ ! -f $venv/bench.stamp || $(cat $venv/bench.stamp) != "$(wanted)" ]]; then
    [[ -x $venv/bin/python ]] || "${PYTHON:-python3}" -m venv $venv
    $venv/bin/python -m pip install --disable-pip-version-check --quiet \
        --constraint scripts/constraints.txt --constraint scripts/constraints-bench.txt \
        --editable '.[bench]'
    wanted >$venv/bench.stamp
fi

$venv/bin/python $bench/run.py --out "$out" "$@"
$venv/bin/python $bench/same_pivots.py --out "$out"
$venv/bin/python $bench/table.py --out "$out"
