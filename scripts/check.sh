#!/usr/bin/env bash
# All checks, each to its end, then one line for each: `check.sh`, or `check.sh static` without the tests.
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" test

case ${1:-all} in
    all | static) ;;
    *) fail "check.sh got '$1'; wanted static or nothing" ;;
esac

bin=.venv/bin
summary=""
status=0

check() {
    local name=$1 result=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" || { result=FAILED && status=1; }
    summary+=$(printf '\n%-8s%s' "$result" "$name")
}

check "ruff check" $bin/ruff check .
check "ruff format" $bin/ruff format --check .
check "mypy --strict" $bin/mypy --strict phasenet
check "import rules" $bin/lint-imports
check "doctests" $bin/python -m pytest -q -n 0 --doctest-modules phasenet
[[ ${1:-} == static ]] || check "fast tests" $bin/python -m pytest -q

printf '%s\n' "$summary"
exit $status
