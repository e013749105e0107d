#!/bin/bash
# One run on several nodes of a SLURM cluster:
#
#     sbatch slurm.sh --agent oracle --suite babyai --out runs/oracle
#
# What follows slurm.sh goes to `bench run`. The same command continues a run that was cut off.
# The nodes share $HOME, where the token lies, and have bench and ray on their PATH.
#SBATCH --job-name=bench
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --no-kill
#SBATCH --signal=B:TERM@60
set -euo pipefail

# A token of this job alone, in a file that only you may read.
umask 077
token=$(mktemp "$HOME/.bench-token-XXXXXX")
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$token"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token
unset RAY_AUTH_TOKEN # it would be used in place of the file

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]} # where this script runs
ip=${HEAD_IP:-$(getent ahostsv4 "$head" | awk 'NR == 1 { print $1 }')}
case $ip in
  "" | 127.*)
    echo "the address of $head is not known here (${ip:-none}): name it in HEAD_IP" >&2
    rm -f "$token"
    exit 2
    ;;
esac
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs may share a node

steps=()
run=
end() {
  trap - EXIT
  kill "${steps[@]}" 2> /dev/null || true
  wait
  rm -f "$token"
}
trap end EXIT
trap 'kill -TERM $run 2> /dev/null' TERM INT

# One step a node, which ends with Ray on it: a node that is lost takes no other with it.
ray_on() {
  local node=$1
  shift
  srun --nodes=1 --ntasks=1 --overlap --nodelist="$node" --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    ray start --block --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats "$@" > /dev/null &
  steps+=($!)
}

ray_on "$head" --head --node-ip-address="$ip" --port="$port" --include-dashboard=false
for _ in $(seq 120); do
  (exec 3<> "/dev/tcp/$ip/$port") 2> /dev/null && break
  sleep 1
done
for node in "${nodes[@]:1}"; do
  ray_on "$node" --address="$ip:$port"
done

bench run "$@" --ray-address "$ip:$port" &
run=$!
code=0
wait "$run" || code=$?
# A signal ends the wait, not the run: it writes down what it has.
while kill -0 "$run" 2> /dev/null; do
  wait "$run" && code=0 || code=$?
done
exit "$code"
