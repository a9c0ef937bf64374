#!/usr/bin/env bash
# Ground states of a study as an array of Slurm jobs. There is no driver: each element of the array
# works on its own share of the grid, and all write to one folder.
#
#   sbatch --array=1-20 --time=04:00:00 --mem-per-cpu=2G scripts/slurm/array.sh STUDY.py --out FOLDER
#
# Submit from the root of the repository, or name the program: PHASENET=/path/to/phasenet sbatch ...
# More options of sbatch go before the script, more options of `phasenet simulate` after the study;
# --cpus-per-task=4 gives each element four worker processes.
#
# Two minutes before its time is over an element gets USR1, writes what it has, ends with code 75
# and is queued again. After scancel, a crash or a lost node, submit the same line again: finished
# work is skipped. One element alone: SHARDS=20 sbatch --array=3 ... (SHARDS is the whole number).
# Folders on different disks are put together by `phasenet merge`.
#SBATCH --job-name=phasenet
#SBATCH --ntasks=1
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=phasenet-%A_%a.log
set -uo pipefail

phasenet=${PHASENET:-.venv/bin/phasenet}
index=${SLURM_ARRAY_TASK_ID:-}
shards=${SHARDS:-${SLURM_ARRAY_TASK_MAX:-}}

fail() {
    printf 'phasenet: %s\n' "$1" >&2
    exit 1
}

[[ -n $index ]] || fail "array.sh is no element of an array; submit it with sbatch --array=1-N"
[[ $index -ge 1 ]] || fail "the array begins with $index; submit it with sbatch --array=1-N"
[[ -x $phasenet ]] || fail "$phasenet is not there; submit from the root of the repository or set PHASENET"
[[ $# -gt 0 ]] || fail "array.sh got no study; wanted array.sh STUDY.py --out FOLDER"

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
"$phasenet" simulate "$@" --shard "$index/$shards" --workers "${SLURM_CPUS_PER_TASK:-1}" &
child=$!

out_of_time=""
signalled=""
trap 'signalled=yes out_of_time=yes; kill -USR1 "$child" 2>/dev/null' USR1
trap 'signalled=yes; kill -TERM "$child" 2>/dev/null' TERM
while :; do
    wait "$child"
    status=$?
    [[ -n $signalled ]] || break
    signalled="" # wait ended because of the signal; the child may still be at work
done

if [[ $status -eq 75 && -n $out_of_time ]]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$index"
fi
exit "$status"
