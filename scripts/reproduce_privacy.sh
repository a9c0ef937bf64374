#!/usr/bin/env bash
# What published parameters tell of a training set: synthetic groups, digits, snapshots of spin chains;
# half an hour on one core (most of it the groups), writes reports to runs/privacy.
#
#   bash scripts/reproduce_privacy.sh                        all three
#   bash scripts/reproduce_privacy.sh --models 40            arguments go on to phasenet attack
#
# OUT=folder writes elsewhere.
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" test

set -e
out=${OUT:-runs/privacy}
mkdir -p "$out"
export OMP_NUM_THREADS=1
for problem in physics digits groups; do
    .venv/bin/phasenet attack --reproduce "$problem" --out "$out/$problem.report.h5" "$@"
done
