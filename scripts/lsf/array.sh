#!/usr/bin/env bash
# Ground states of a study as an array of LSF jobs. There is no driver: each element of the array
# works on its own share of the grid, and all write to one folder.
#
#   export STUDY=simulations/haldane.py OUT=runs/haldane
#   bsub -J "phasenet[1-20]" -W 4:00 -M 2GB < scripts/lsf/array.sh
#
# Submit from the root of the repository, or name the program: export PHASENET=/path/to/phasenet.
# WORKERS (1) is the number of worker processes of an element; ask for as many slots with -n.
#
# Three minutes before its time is over an element gets USR1, writes what it has, and ends with code
# 75, for which LSF queues it again. After bkill or a crash, submit the same line again: finished
# work is skipped. One element alone: SHARDS=20 and -J "phasenet[3]" (SHARDS is the whole number).
# Folders on different disks are put together by `phasenet merge`.
#BSUB -o phasenet-%J_%I.log
#BSUB -wa USR1
#BSUB -wt 3
#BSUB -Q "75"
#BSUB -r
set -uo pipefail

phasenet=${PHASENET:-.venv/bin/phasenet}
index=${LSB_JOBINDEX:-0}
shards=${SHARDS:-${LSB_JOBINDEX_END:-}}

fail() {
    printf 'phasenet: %s\n' "$1" >&2
    exit 1
}

[[ $index -ge 1 ]] || fail "array.sh is no element of an array; submit it with bsub -J 'phasenet[1-N]'"
for name in STUDY OUT; do
    [[ -n ${!name:-} ]] || fail "$name is not set; export STUDY=FILE OUT=FOLDER before bsub"
done
[[ -x $phasenet ]] || fail "$phasenet is not there; submit from the root of the repository or set PHASENET"

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
"$phasenet" simulate "$STUDY" --out "$OUT" --shard "$index/$shards" --workers "${WORKERS:-1}" &
child=$!

signalled=""
trap 'signalled=yes; kill -USR1 "$child" 2>/dev/null' USR1
trap 'signalled=yes; kill -TERM "$child" 2>/dev/null' TERM
while :; do
    wait "$child"
    status=$?
    [[ -n $signalled ]] || break
    signalled="" # wait ended because of the signal; the child may still be at work
done
exit "$status"
