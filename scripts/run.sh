#!/usr/bin/env bash
# Installs phasenet if needed and runs the main job; arguments go on to `phasenet run`.
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" run
exec .venv/bin/phasenet run simulations/haldane.py --out runs/haldane "$@"
