#!/usr/bin/env bash
# Installs phasenet and its test tools if needed and runs the tests; arguments go on to pytest.
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" test
exec .venv/bin/python -m pytest "$@"
