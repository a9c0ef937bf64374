#!/usr/bin/env bash
# A Slurm of one machine for tests, on loopback only, without systemd and cgroups (Debian; as root).
#
#   slurm.sh install        Debian's packages, if sbatch is missing
#   slurm.sh start FOLDER   starts munged, slurmctld and one slurmd for each node, and waits for them
#   slurm.sh stop FOLDER    cancels all jobs and ends exactly the daemons that start began
#
# Clients need FOLDER/env.sh. NODES=3 emulated nodes of CPUS=2 each, TCP ports from PORT=16817.
# If the name of this host does not resolve to 127.*, one marked line goes to /etc/hosts until stop.
set -euo pipefail

nodes=${NODES:-3}
cpus=${CPUS:-2}
port=${PORT:-16817}
mark='# phasenet test cluster'
export PATH=$PATH:/usr/sbin:/sbin

fail() {
    printf 'slurm.sh: %s\n' "$1" >&2
    if [[ -d ${folder:-}/log ]]; then tail -n 15 "$folder"/log/*.log >&2; fi
    exit 1
}

wait_for() {
    local seconds=$1 what=$2 i
    shift 2
    for ((i = 0; i < 5 * seconds; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    fail "$what is not there after $seconds s"
}

# A pid file can be stale, so the process must name our folder as well.
runs() {
    local pid
    pid=$(cat "$folder/run/$1.pid" 2>/dev/null) && [[ -n $pid ]] &&
        grep -qaF -- "$folder/" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null
}

install_packages() {
    command -v sbatch slurmctld slurmd munged >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        slurmctld slurmd slurm-client munge
}

write_config() {
    local host memory i
    host=$(hostname -s)
    memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    cat >"$folder/etc/slurm.conf" <<END
ClusterName=phasenet
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.socket
CredType=cred/munge
# Without these two the daemons and srun listen on every address.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Nodes may claim more cores than the machine has.
SlurmdParameters=config_overrides
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,nohold_on_prolog_fail
JobRequeue=1
ReturnToService=2
KillWait=5
MinJobAge=300
SlurmdTimeout=20
SlurmctldTimeout=20
InactiveLimit=0
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
PlugStackConfig=$folder/etc/plugstack.conf
PartitionName=debug Nodes=ALL Default=YES MaxTime=24:00:00 DefaultTime=00:30:00 State=UP
END
    for ((i = 1; i <= nodes; i++)); do
        mkdir -p "$folder/spool/n$i"
        printf 'NodeName=n%d NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=%d Boards=1 %s RealMemory=%d\n' \
            "$i" "$host" $((port + i)) "$cpus" \
            "SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1" "$memory" >>"$folder/etc/slurm.conf"
    done
    printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$folder/etc/cgroup.conf"
    : >"$folder/etc/plugstack.conf"
    printf 'export SLURM_CONF=%s MUNGE_SOCKET=%s\nexport PATH=$PATH:/usr/sbin\n' \
        "$folder/etc/slurm.conf" "$folder/run/munge.socket" >"$folder/env.sh"
}

start_munge() {
    local key=$folder/etc/munge.key socket=$folder/run/munge.socket
    [[ -s $key ]] || (umask 077 && dd if=/dev/urandom of="$key" bs=128 count=1 status=none)
    if ! runs munged; then
        rm -f "$socket" "$socket.lock"
        munged --key-file="$key" --socket="$socket" --pid-file="$folder/run/munged.pid" \
            --log-file="$folder/log/munged.log" --seed-file="$folder/state/munged.seed" --origin=127.0.0.1
    fi
    wait_for 10 munge bash -c "munge -n -S '$socket' | unmunge -S '$socket'"
}

node_is_up() {
    sinfo -h -n "$1" -o %T | grep -qE '^(idle|mixed|allocated|completing)$' && return
    scontrol update "nodename=$1" state=resume
    return 1
}

start() {
    local i host
    host=$(hostname -s)
    [[ $(id -u) == 0 ]] || fail "a test cluster must be started by root"
    [[ $(getent ahostsv4 "$host" | awk 'NR == 1 { print $1 }') == 127.* ]] || {
        # Written in place: in a container /etc/hosts may be a mount.
        hosts=$(cat /etc/hosts)
        printf '127.0.0.1 %s %s\n%s\n' "$host" "$mark" "$hosts" >/etc/hosts
    }
    mkdir -p "$folder"/{etc,run,log,state,spool}
    chmod 755 "$folder" "$folder"/{etc,run,log,state}
    write_config
    start_munge
    . "$folder/env.sh"
    runs slurmctld || slurmctld -f "$SLURM_CONF"
    wait_for 20 slurmctld bash -c 'scontrol ping | grep -q "is UP"'
    for ((i = 1; i <= nodes; i++)); do
        runs "slurmd.n$i" || slurmd -N "n$i" -f "$SLURM_CONF"
    done
    for ((i = 1; i <= nodes; i++)); do wait_for 30 "node n$i" node_is_up "n$i"; done
    sinfo -h -N -o '%N %T cpus=%c'
}

end_daemons() {
    local name pid i pids=()
    for name in "$@"; do
        runs "$name" || continue
        pids+=("$(cat "$folder/run/$name.pid")")
        kill "${pids[-1]}"
    done
    for pid in "${pids[@]}"; do
        for ((i = 0; i < 75; i++)); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.2
        done
        kill -KILL "$pid"
    done
}

stop() {
    local i pid file slurmds=()
    set +e # whatever fails, the rest has to be stopped as well
    [[ -f $folder/env.sh ]] || return 0
    . "$folder/env.sh"
    if runs slurmctld; then
        timeout 10 scancel --quiet -u "$(id -un)"
        for ((i = 0; i < 50; i++)); do
            [[ -n $(timeout 5 squeue -h 2>/dev/null) ]] || break
            sleep 0.3
        done
    fi
    for file in "$folder"/run/slurmd.*.pid; do slurmds+=("$(basename "$file" .pid)"); done
    end_daemons "${slurmds[@]}"
    end_daemons slurmctld
    end_daemons munged
    for file in /proc/[0-9]*/comm; do  # of jobs that outlived their slurmd
        [[ $(cat "$file" 2>/dev/null) == slurmstepd ]] || continue
        pid=$(basename "$(dirname "$file")")
        ! grep -qz "SLURM_CONF=$folder/" "/proc/$pid/environ" 2>/dev/null || kill -KILL "$pid"
    done
    if grep -qF "$mark" /etc/hosts; then
        hosts=$(grep -vF "$mark" /etc/hosts)
        printf '%s\n' "$hosts" >/etc/hosts
    fi
}

verb=${1:-}
[[ $verb == install || -n ${2:-} ]] || fail "wanted install, start FOLDER or stop FOLDER"
folder=$(realpath -m "${2:-.}")
case $verb in
    install) install_packages ;;
    start) start ;;
    stop) stop ;;
    *) fail "got '$verb'; wanted install, start FOLDER or stop FOLDER" ;;
esac
