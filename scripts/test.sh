#!/usr/bin/env bash
# Installs phasenet and its test tools if needed and runs the tests; arguments go on to pytest.
#
#   bash scripts/test.sh             the fast tests
#   bash scripts/test.sh --slurm     those of the batch system, on a Slurm of this machine that is
#                                    started for them and stopped after them (Debian, as root)
extra="test"
[[ ${1:-} != --slurm ]] || extra=cluster
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" "$extra"
[[ $extra == cluster ]] || exec .venv/bin/python -m pytest "$@"

shift
slurm=tests/cluster/slurm.sh
bash $slurm install || fail "Slurm could not be installed"
folder=$(mktemp -d) || exit 1
trap 'bash $slurm stop "$folder"; rm -rf -- "$folder"' EXIT
trap 'exit 130' INT TERM
bash $slurm start "$folder" || exit 1
source "$folder/env.sh"
.venv/bin/python -m pytest -n 0 -m slurm tests/cluster "$@"
