#!/usr/bin/env bash
# Makes .venv in the repository root and installs the pinned dependencies and phasenet into it.
#
#   bash scripts/install.sh run|test|cluster      only installs
#   source scripts/install.sh run|test|cluster    installs, then leaves the caller in the repository root
#
# PYTHON=/path/to/python3 chooses the interpreter of a new .venv. pip's own settings hold as well:
# on Linux, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu saves the CUDA libraries.

# More than one BLAS thread per process only slows down matrices of this size.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
export MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

venv=.venv
venv_python=$venv/bin/python
stamp=$venv/phasenet.stamp      # what is installed; written last
started=$venv/phasenet.started  # lies there while pip works: its writes may be half done
lock=$venv/install.lock
log=$venv/install.log
print_version='import sys; print("%d.%d.%d" % sys.version_info[:3])'
fresh_mb=3000
repair_mb=300

fail() {
    printf 'phasenet: %s\n' "$1" >&2
    exit 1
}

# Verbatim inputs instead of a hash: no hash tool is common to all systems.
wanted() {
    printf 'extra %s\npython %s\nroot %s\n' "$1" "$("$venv_python" -c "$print_version" 2>&1)" "$PWD"
    cat pyproject.toml scripts/constraints.txt
}
is_installed() {
    local have
    [[ -f $stamp && ! -e $started ]] || return 1
    have=$(cat "$stamp")
    # The test extra holds everything that a run needs, and cluster is installed beside test.
    [[ $have == "$(wanted "$1")" || $have == "$(wanted cluster)" ]] ||
        [[ $1 == run && $have == "$(wanted test)" ]]
}

find_python() {
    local candidate version status problem="none was found on PATH"
    local candidates=(python3.11 python3.12 python3.13 python3.14 python3 python)
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    [[ -z ${PYTHON:-} ]] || problem="PYTHON=$PYTHON does not run"
    for candidate in "${candidates[@]}"; do
        # Running it is the only proof: a version manager's shim is on PATH even if it cannot run.
        version=$("$candidate" -c "$print_version
if sys.version_info < (3, 11): sys.exit(3)
import ensurepip, venv" 2>/dev/null)
        status=$?
        [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || continue
        if [[ $status -eq 0 ]]; then
            python=$candidate
            return
        elif [[ $status -ne 3 ]]; then
            problem="Python $version ($candidate) lacks venv or ensurepip (Debian: install python3-venv)"
        elif [[ $problem != *lacks* ]]; then
            problem="found only Python $version ($candidate)"
        fi
    done
    fail "Python 3.11 or newer is needed, but $problem; install one or name it with PYTHON=/path/to/python3"
}

check_disk() {
    local free_mb
    free_mb=$(df -Pk . 2>/dev/null | awk 'NR == 2 && $4 ~ /^[0-9]+$/ { print int($4 / 1024) }')
    [[ -z $free_mb || $free_mb -ge $1 ]] ||
        fail "the disk of $PWD has $free_mb MB free, but installing needs about $1 MB; free some space and run again"
}

# The name of a symbolic link is taken and its owner told in one step, which no directory can do.
take_lock() {
    local owner told=no me=${HOSTNAME:-here}:$$
    mkdir -p $venv 2>/dev/null || fail "cannot write to $PWD; make it writable or copy phasenet elsewhere"
    until ln -sn "$me" $lock 2>/dev/null; do
        owner=$(readlink $lock) || [[ -w $venv ]] ||
            fail "cannot write to $PWD/$venv; make it writable or remove it"
        if [[ -n $owner && ${owner%:*} == "${me%:*}" ]] && ! kill -0 "${owner##*:}" 2>/dev/null; then
            rm -f $lock
        elif [[ $told == no ]]; then
            printf 'phasenet: waiting for another install (%s); if none runs, remove %s\n' "$owner" "$PWD/$lock"
            told=yes
        fi
        sleep 0.2
    done
    trap 'rm -f $lock; rmdir $venv 2>/dev/null' EXIT
    trap 'printf "phasenet: the install was interrupted; run again to repeat it\n" >&2; exit 130' INT TERM
}

pip_install() {
    printf '\n$ pip install %s\n' "$*" >>$log
    "$venv_python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --constraint scripts/constraints.txt "$@" >>$log 2>&1 && return
    # Until pip says this line it has changed nothing, and what the steps before made is whole.
    last_step | grep -q '^Installing collected packages' || rm -f $started
    explain_failure
}

last_step() {
    awk '/^pip install / { text = "" } { text = text $0 "\n" } END { printf "%s", text }' $log
}

explain_failure() {
    local errors where="details in $PWD/$log"
    local cut='[Cc]onnection|NameResolution|name resolution|Max retries|timed out|TimeoutError|ProxyError|SSLError'
    local absent='No matching distribution|Could not find a version|conflicting dependencies'
    errors=$(last_step | grep -iE '^ *(ERROR|[A-Za-z.]*(Error|Exception)):')
    if last_step | grep -qE 'No space left on device|Errno 28|Disk quota exceeded'; then
        fail "the disk ran full while installing; free some space and run again ($where)"
    elif grep -qE "$cut" <<<"$errors" ||
        { grep -qE "$absent" <<<"$errors" && last_step | grep -qE "after connection broken|Could not fetch URL"; }; then
        fail "cannot reach the package registry; check the network or pip's index settings and run again ($where)"
    fi
    errors=$(head -n 1 <<<"$errors")
    fail "pip could not install the dependencies: ${errors:-no reason given}; mend that and run again ($where)"
}

make_venv() {
    if [[ -e $started ]] || ! "$venv_python" -m pip --version >/dev/null 2>&1; then
        find_python
        check_disk $fresh_mb
        printf 'phasenet: making %s with %s\n' "$PWD/$venv" "$python"
        find $venv -mindepth 1 -maxdepth 1 ! -name install.lock -exec rm -rf {} +
        "$python" -m venv $venv >$log 2>&1 ||
            fail "$python -m venv failed: $(tail -n 1 $log); mend that and run again (details in $PWD/$log)"
    elif ! "$venv_python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        fail "$PWD/$venv has Python $("$venv_python" -c "$print_version"), but 3.11 or newer is needed; remove it and run again"
    elif [[ -f $stamp ]]; then
        check_disk $repair_mb
    else
        check_disk $fresh_mb
    fi
}

install() {
    local extras="" torch
    case $1 in
        test) extras="[test]" ;;
        cluster) extras="[test,cluster]" ;;
    esac
    take_lock
    ! is_installed "$1" || return 0
    make_venv
    : 2>/dev/null >$started || fail "cannot write to $PWD/$venv; free some space or remove it"
    rm -f $stamp
    printf 'phasenet: installing the pinned dependencies; the first time takes minutes\n'
    : >$log
    # torch first: the pin must meet the builds that pip's settings offer before any dependency asks for it.
    torch=$(grep '^torch==' scripts/constraints.txt)
    pip_install "$torch"
    pip_install hatchling editables
    pip_install --no-build-isolation --editable ".$extras"
    wanted "$1" >$stamp || fail "cannot write $PWD/$stamp; free some space and run again"
    rm -f $started
}

main() {
    case ${1:-} in
        run | test | cluster) ;;
        *) fail "install.sh got '${1:-}'; wanted run, test or cluster" ;;
    esac
    CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
    is_installed "$1" || (install "$1") || exit $?
}

main "$@"
