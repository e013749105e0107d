#!/bin/sh
# Makes the weights `cartpole` from nothing: episodes of the expert that plays at random now and
# then, the training, and what is achieved for what is requested. If it was interrupted, run it
# again: every step goes on. Variables and their defaults: BENCH (bench), PYTHON (python), WORK
# (dt-cartpole), EPISODES (100).
set -eu
BENCH=${BENCH:-bench} PYTHON=${PYTHON:-python} WORK=${WORK:-dt-cartpole}
EPISODES=${EPISODES:-100}
SUITE=gym:CartPole-v1
export OMP_NUM_THREADS=1

# record EPSILON: episodes to learn from, and five more to measure on.
record() {
    name=$1
    set -- --agent noisy-oracle --agent-arg "epsilon=$name"
    "$BENCH" demos --suite $SUITE "$@" --keep all --views state --episodes 40 --workers 0 \
        --out "$WORK/demos/$name"
    "$BENCH" demos --suite $SUITE "$@" --keep all --views state --episodes 5 --seed 1 --workers 0 \
        --out "$WORK/validation/$name"
    data="$data --data $WORK/demos/$name --validation $WORK/validation/$name"
}

data=
for epsilon in 0 0.4 0.6 0.7 0.8 0.9 1; do
    record $epsilon
done
# $data is unquoted because it holds several options.
# shellcheck disable=SC2086
"$BENCH" train decision-transformer $data --out "$WORK/model" --threads 1
for target in 10 25 50 100 200 300 400 500 700; do
    "$BENCH" run --agent decision-transformer --agent-arg "weights=$WORK/model" \
        --agent-arg target_return=$target --agent-arg exact=false --suite $SUITE \
        --episodes "$EPISODES" --workers 0 --lanes 50 --out "$WORK/runs/$target"
done
"$PYTHON" -m baselines.decision_transformer.curve "$WORK"/runs/* --figure "$WORK/curve.svg"
