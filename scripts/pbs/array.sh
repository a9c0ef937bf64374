#!/usr/bin/env bash
# Ground states of a study as an array of PBS Pro jobs. There is no driver: each element of the
# array works on its own share of the grid, and all write to one folder.
#
#   qsub -J 1-20 -l walltime=04:00:00 -l select=1:ncpus=1:mem=2gb \
#        -v SHARDS=20,MINUTES=240,STUDY=simulations/haldane.py,OUT=runs/haldane scripts/pbs/array.sh
#
# Submit from the root of the repository, or name the program with PHASENET=/path/to/phasenet in -v.
# MINUTES is the walltime; WORKERS (1) is the number of worker processes of an element, and SELECT
# (1:ncpus=1) what an element asks for when it is submitted again.
#
# Three minutes before its time is over an element gets USR1, writes what it has, ends with code 75,
# and its share is submitted again. After qdel or a crash, submit the same line again: finished work
# is skipped. Folders on different disks are put together by `phasenet merge`.
#PBS -N phasenet
#PBS -j oe
#PBS -r y
set -uo pipefail
cd "${PBS_O_WORKDIR:-.}" || exit 1

phasenet=${PHASENET:-.venv/bin/phasenet}
workers=${WORKERS:-1}
select=${SELECT:-1:ncpus=$workers}
index=${PBS_ARRAY_INDEX:-${INDEX:-}}

fail() {
    printf 'phasenet: %s\n' "$1" >&2
    exit 1
}

[[ -n $index ]] || fail "array.sh is no element of an array; submit it with qsub -J 1-N"
for name in SHARDS MINUTES STUDY OUT; do
    [[ -n ${!name:-} ]] || fail "$name is not set; submit with qsub -v SHARDS=N,MINUTES=M,STUDY=FILE,OUT=FOLDER"
done
[[ $MINUTES -gt 3 ]] || fail "MINUTES is $MINUTES; wanted more than 3"
[[ -x $phasenet ]] || fail "$phasenet is not there; submit from the root of the repository or set PHASENET"

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
timeout --preserve-status --signal=USR1 "$((MINUTES * 60 - 180))" \
    "$phasenet" simulate "$STUDY" --out "$OUT" --shard "$index/$SHARDS" --workers "$workers"
status=$?

if [[ $status -eq 75 ]]; then
    qsub -l "walltime=$(printf '%d:%02d:00' $((MINUTES / 60)) $((MINUTES % 60)))" -l "select=$select" \
        -v "INDEX=$index,SHARDS=$SHARDS,MINUTES=$MINUTES,STUDY=$STUDY,OUT=$OUT,WORKERS=$workers,SELECT=$select,PHASENET=$phasenet" \
        scripts/pbs/array.sh
fi
exit "$status"
