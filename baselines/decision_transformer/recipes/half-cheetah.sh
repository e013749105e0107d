#!/bin/sh
# Makes the weights `half-cheetah` from nothing: policies of several strengths, their episodes, the
# training, and what is achieved for what is requested. If it was interrupted, run it again: every
# step goes on. Variables and their defaults: BENCH (bench), PYTHON (python), WORK
# (dt-half-cheetah), EPISODES (100).
set -eu
BENCH=${BENCH:-bench} PYTHON=${PYTHON:-python} WORK=${WORK:-dt-half-cheetah}
EPISODES=${EPISODES:-100}
SUITE=gym:HalfCheetah-v5
export OMP_NUM_THREADS=1

# record NAME OPTIONS...: episodes to learn from, and two more to measure on.
record() {
    name=$1
    shift
    "$BENCH" demos --suite $SUITE "$@" --keep all --views state --episodes 12 --workers 0 \
        --out "$WORK/demos/$name"
    "$BENCH" demos --suite $SUITE "$@" --keep all --views state --episodes 2 --seed 1 --workers 0 \
        --out "$WORK/validation/$name"
    data="$data --data $WORK/demos/$name --validation $WORK/validation/$name"
}

"$PYTHON" -m baselines.decision_transformer.search --env HalfCheetah-v5 --out "$WORK/policies" \
    --iterations 60 --every 10
data=
for policy in "$WORK"/policies/*.json; do
    record "$(basename "$policy" .json)" \
        --agent baselines.decision_transformer.players:LinearPolicy \
        --agent-arg "policy=$policy" --agent-arg noise=0.1
done
record uniform --agent uniform
# $data is unquoted because it holds several options.
# shellcheck disable=SC2086
"$BENCH" train decision-transformer $data --out "$WORK/model" --threads 1
for target in 0 900 1250 1600 2200 2800 3500 5000; do
    "$BENCH" run --agent decision-transformer --agent-arg "weights=$WORK/model" \
        --agent-arg target_return=$target --agent-arg exact=false --suite $SUITE \
        --episodes "$EPISODES" --workers 0 --lanes 50 --out "$WORK/runs/$target"
done
"$PYTHON" -m baselines.decision_transformer.curve "$WORK"/runs/* --figure "$WORK/curve.svg"
