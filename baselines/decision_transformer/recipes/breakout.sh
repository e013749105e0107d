#!/bin/sh
# Makes the weights `breakout` from nothing, which read the console's memory of Atari's Breakout:
# episodes of a player that follows the ball, with random actions now and then; the training; and
# what is achieved for what is requested. If it was interrupted, run it again: every step goes on.
# Variables and their defaults: BENCH (bench), PYTHON (python), WORK (dt-breakout), RECORDED (10,
# episodes of each strength), STEPS (1500 updates) and EPISODES (20 for each request).
set -eu
BENCH=${BENCH:-bench} PYTHON=${PYTHON:-python} WORK=${WORK:-dt-breakout}
RECORDED=${RECORDED:-10} STEPS=${STEPS:-1500} EPISODES=${EPISODES:-20}
SUITE='gym:ale_py:ALE/Breakout-v5?kwargs.obs_type=ram&max_steps=500'
export OMP_NUM_THREADS=1

# record EPSILON: episodes to learn from, and a few more to measure on.
record() {
    name=$1
    set -- --agent baselines.decision_transformer.players:Paddle --agent-arg "epsilon=$name"
    "$BENCH" demos --suite "$SUITE" "$@" --keep all --views state --episodes "$RECORDED" \
        --workers 0 --out "$WORK/demos/$name"
    "$BENCH" demos --suite "$SUITE" "$@" --keep all --views state --episodes 3 --seed 1 \
        --workers 0 --out "$WORK/validation/$name"
    data="$data --data $WORK/demos/$name --validation $WORK/validation/$name"
}

data=
for epsilon in 0 0.4 0.6 0.8 1; do
    record $epsilon
done
# $data is unquoted because it holds several options.
# shellcheck disable=SC2086
"$BENCH" train decision-transformer $data --out "$WORK/model" --steps "$STEPS" --threads 1
for target in 1 3 6 9 12 20; do
    "$BENCH" run --agent decision-transformer --agent-arg "weights=$WORK/model" \
        --agent-arg target_return=$target --agent-arg exact=false --suite "$SUITE" \
        --episodes "$EPISODES" --workers 0 --lanes "$EPISODES" --out "$WORK/runs/$target"
done
"$PYTHON" -m baselines.decision_transformer.curve "$WORK"/runs/* --figure "$WORK/curve.svg"
