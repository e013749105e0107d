#!/bin/sh
# The nano model from nothing: demonstrations, action tokenizer, SFT, RL, evaluation. Every step goes on where it was cut, so run it again.
# Variables: BENCH (bench), DATA (demos), MODELS (models), RUNS (runs), EPISODES (of each task), RL_STEPS, THREADS.
set -eu
BENCH=${BENCH:-bench} DATA=${DATA:-demos} MODELS=${MODELS:-models} RUNS=${RUNS:-runs}
EPISODES=${EPISODES:-500} RL_STEPS=${RL_STEPS:-500000} THREADS=${THREADS:-0}
VIEWS="grid?,direction?,state?,proprio?,text?,dom?,admissible?"
SUITES="babyai babyai-planning metaworld fetch pointmaze miniworld miniwob textworld alfworld-synthetic pddl"
LEARNED="babyai metaworld"

data=""
for suite in $SUITES; do
    # 4: some episodes have no result (a simulator failed thrice); the rest is used.
    "$BENCH" demos --suite "$suite" --episodes "$EPISODES" --views "$VIEWS" --noise 0.05 --out "$DATA/$suite" || [ $? -eq 4 ]
    data="$data --data $DATA/$suite"
done
# $data is a list of words.
# shellcheck disable=SC2086
"$BENCH" train gea --stage tokenizer --config nano $data --out "$MODELS/gea-base" --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage sft $data --out "$MODELS/gea-base" --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage rl $data --init "$MODELS/gea-base" --out "$MODELS/gea" --threads "$THREADS" \
    --suite "$(echo "$LEARNED" | tr ' ' ,)" --tasks "*GoTo*,*Pickup*,tag:mt10" --steps "$RL_STEPS"
for model in gea-base gea; do
    "$BENCH" run --agent baselines.gea:GEA --agent-arg weights="$MODELS/$model" --agent-arg threads=1 \
        --suite "$(echo "$SUITES" | tr ' ' ,)" --out "$RUNS/$model" || [ $? -eq 4 ]
done
