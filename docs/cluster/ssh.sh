#!/bin/bash
# One run on this machine and on others that ssh reaches:
#
#     NODES="node1 node2" ssh.sh --agent oracle --suite babyai --out runs/oracle
#
# What follows ssh.sh goes to `bench run`. The same command continues a run that was cut off.
# BIN is the folder of bench and ray on every machine, for example $HOME/bench/.venv/bin, and
# HEAD_IP the address of this machine that the others reach.
set -euo pipefail

: "${NODES:?names the other machines, with spaces between them}"
bin=${BIN:+$BIN/}
ip=${HEAD_IP:-$(hostname -I | awk '{ print $1 }')}
port=${PORT:-6379}

# A token of this run alone. It travels inside ssh, and is never on a command line.
token=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$token
unset RAY_AUTH_TOKEN_PATH

# Ray on another machine ends when this script does, however it ends: then its standard input does.
remote="
  read -r RAY_AUTH_TOKEN && export RAY_AUTH_MODE=token RAY_AUTH_TOKEN || exit 1
  ${bin}ray start --block --address=$ip:$port --disable-usage-stats \$1 < /dev/null > /dev/null &
  cat > /dev/null
  kill \$!
  wait
"
others=()
open=()
head=
run=
pipes=$(mktemp -d)
end() {
  trap - EXIT
  kill "${open[@]}" $head 2> /dev/null || true
  for _ in $(seq 30); do # a machine that is lost does not answer
    [ -n "$(jobs -r)" ] || break
    sleep 1
  done
  kill "${others[@]}" 2> /dev/null || true
  rm -rf "$pipes"
}
trap end EXIT
trap 'kill -TERM $run 2> /dev/null' TERM INT

"${bin}ray" start --block --head --node-ip-address="$ip" --port="$port" \
  --include-dashboard=false --disable-usage-stats ${CPUS:+--num-cpus="$CPUS"} > /dev/null &
head=$!
for _ in $(seq 120); do
  (exec 3<> "/dev/tcp/$ip/$port") 2> /dev/null && break
  sleep 1
done
for node in $NODES; do
  mkfifo "$pipes/$node"
  ssh "$node" "set -- '${CPUS:+--num-cpus=$CPUS}'; $remote" < "$pipes/$node" &
  others+=($!)
  (echo "$token" && exec tail --pid=$$ -f /dev/null) > "$pipes/$node" &
  open+=($!)
done

"${bin}bench" run "$@" --ray-address "$ip:$port" &
run=$!
code=0
wait "$run" || code=$?
# A signal ends the wait, not the run: it writes down what it has.
while kill -0 "$run" 2> /dev/null; do
  wait "$run" && code=0 || code=$?
done
exit "$code"
