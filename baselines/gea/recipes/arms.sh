#!/bin/sh
# What RL changes, and what else would have changed it: trains the arms of docs/probes/rl-robustness.md
# at a size of minutes, and prints that probe's tables. SFT on SUITE; from its weights RL with and
# without the SFT loss, SFT on the agent's own successes, offline RL on its episodes; RL from untrained
# weights; and SFT of other lengths, of which the probe matches one. If it was interrupted, run it
# again: every step resumes. Variables and their defaults: BENCH (bench), WORK (arms), SUITE (babyai),
# TASKS (what SFT learns) and PLAYED (what RL plays of them), CONFIG (nano), SEED (0), DEMOS (300),
# SFT (250 updates), LADDER (the updates of other SFT checkpoints), MORE (100 updates on own episodes),
# OWN (200 episodes of each task), DECISIONS (8192), EPISODES (20) and PERTURB.
set -eu
BENCH=${BENCH:-bench} WORK=${WORK:-arms} SUITE=${SUITE:-babyai} CONFIG=${CONFIG:-nano}
TASKS=${TASKS:-babyai/GoToObj,babyai/OpenRedDoor} PLAYED=${PLAYED:-babyai/GoToObj}
SEED=${SEED:-0} DEMOS=${DEMOS:-300} SFT=${SFT:-250} LADDER=${LADDER:-350 500} MORE=${MORE:-100}
OWN=${OWN:-200} DECISIONS=${DECISIONS:-8192} EPISODES=${EPISODES:-20}
PERTURB=${PERTURB:-action_random:2,action_dropout:2,burst:2}
VIEWS="grid?,direction?"
export OMP_NUM_THREADS=1

record() {
    "$BENCH" demos --suite "$SUITE" --tasks "$TASKS" --views "$VIEWS" --workers 0 "$@"
}
train() {
    "$BENCH" train gea --seed "$SEED" --threads 1 "$@"
}

record --episodes "$DEMOS" --out "$WORK/demos"
model="$WORK/models/$SEED"
demos="$WORK/demos"

# Weights of other lengths share the tokenizer, so that they are the same model.
train --stage tokenizer --config "$CONFIG" --data "$demos" --out "$model/untrained"
train --stage sft --data "$demos" --out "$model/untrained" --set steps=0
arms=
for steps in $SFT $LADDER; do
    train --stage sft --init "$model/untrained" --data "$demos" --out "$model/sft-$steps" \
        --set steps="$steps"
    [ "$steps" = "$SFT" ] || arms="$arms --candidate gea,weights=$model/sft-$steps"
done
base="$model/sft-$SFT"

# What the base does of itself, on training seeds of its own.
own="--agent gea --agent-arg weights=$base --episodes $OWN --seed 1"
# $own and $arms are unquoted because each holds several options.
# shellcheck disable=SC2086
record $own --keep all --out "$WORK/own/$SEED/all"
# shellcheck disable=SC2086
record $own --out "$WORK/own/$SEED/successes"
train --stage sft --init "$base" --data "$WORK/own/$SEED/successes" --out "$model/own-successes" \
    --set steps="$MORE"
train --stage offline --init "$base" --data "$WORK/own/$SEED/all" --out "$model/offline" \
    --steps "$MORE"

# rl NAME INIT OPTIONS...
rl() {
    name=$1 init=$2
    shift 2
    train --stage rl --init "$init" --data "$demos" --out "$model/$name" --suite "$SUITE" \
        --tasks "$PLAYED" --steps "$DECISIONS" --set lanes=16 --set rollout=64 --set minibatches=4 "$@"
}
rl rl "$base"
rl rl-alone "$base" --set sft_share=0
rl rl-from-nothing "$model/untrained" --set sft_share=0

for arm in rl rl-alone rl-from-nothing own-successes offline; do
    arms="$arms --arm $arm=gea,weights=$model/$arm"
done
# shellcheck disable=SC2086
"$BENCH" probe rl-robustness --arm "sft=gea,weights=$base" $arms --match rl --suite "$SUITE" \
    --tasks "$TASKS" --episodes "$EPISODES" --workers 0 --lanes 20 --perturb "$PERTURB" \
    --played "$PLAYED" --out "$WORK/probe/$SEED"
