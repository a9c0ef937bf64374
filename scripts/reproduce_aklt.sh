#!/usr/bin/env bash
# The AKLT state from its amplitudes against the number of pivots, 100, 200 and 500 sites: TT-RSS as
# published with its law of success, TT-RSS with its cuts repaired, and 100 runs of adaptive pivots
# from one sample each; ten minutes on one core, writes table, numbers and figure to runs/aklt.
#
#   bash scripts/reproduce_aklt.sh                              everything
#   bash scripts/reproduce_aklt.sh --lengths 100 --runs 3       arguments go on to aklt.py
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" test

.venv/bin/python tests/benchmarks/insight/aklt.py "$@"
