#!/bin/sh
# Makes the shipped models from scratch: demonstrations, tokenizers, SFT (gea-base), RL (gea-state) and an
# evaluation. It takes about three hours on two cores. If it was interrupted, run it again: every
# step resumes. Variables and their defaults: BENCH (bench), DATA (demos), MODELS (models),
# RUNS (runs), THREADS (2).
set -eu
BENCH=${BENCH:-bench} DATA=${DATA:-demos} MODELS=${MODELS:-models}
RUNS=${RUNS:-runs} THREADS=${THREADS:-2}
VIEWS="grid?,direction?,state?,proprio?,text?,dom?,admissible?"

# record SEED PARENT: record demonstrations into folders of PARENT and print them as --data options.
# Each line on stdin: folder, suite, episodes per task, share of random actions, tasks. The share is
# 0 where the expert follows a plan that it makes at the start.
record() {
    while read -r folder suite episodes noise tasks; do
        # Exit code 4: the simulator failed three times in some episodes. The others are used.
        "$BENCH" demos --suite "$suite" --tasks "$tasks" --episodes "$episodes" --seed "$1" \
            --views "$VIEWS" --noise "$noise" --out "$2/$folder" >&2 || [ $? -eq 4 ]
        echo "--data $2/$folder"
    done
}

data=$(record 0 "$DATA" <<END
babyai babyai 1000 0.05 *
babyai-rooms babyai 6000 0.05 babyai/PickupLoc,babyai/PickupDist,babyai/GoToLocal*,babyai/GoToDoor
babyai-planning babyai-planning 250 0.05 *
metaworld metaworld 60 0.05 *
fetch fetch 150 0.05 *
pointmaze pointmaze 60 0.05 *
miniwob miniwob 24 0 *
alfworld-synthetic alfworld-synthetic 60 0 *
pddl pddl 600 0 *
END
)
# Demonstrations that SFT has not seen: RL rehearses them, so that it does not forget.
rehearsal=$(record 1 "$DATA/rehearsal" <<END
metaworld metaworld 15 0.05 *
babyai babyai 120 0.05 *
babyai-planning babyai-planning 40 0.05 *
fetch fetch 40 0.05 *
pointmaze pointmaze 15 0.05 *
miniwob miniwob 8 0 *
alfworld-synthetic alfworld-synthetic 15 0 *
pddl pddl 80 0 *
END
)
# $data and $rehearsal are unquoted because each holds several options.
# shellcheck disable=SC2086
"$BENCH" train gea --stage tokenizer --config nano $data --out "$MODELS/gea-base" \
    --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage sft $data --out "$MODELS/gea-base" --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage rl $rehearsal --init "$MODELS/gea-base" --out "$MODELS/gea-state" --threads 1 \
    --suite babyai,minigrid \
    --tasks "babyai/Open*Doors,babyai/GoToRedBlueBall,minigrid/Lava*,minigrid/Dynamic*,minigrid/RedBlueDoors*,minigrid/GoToDoor*,minigrid/MultiRoom*" \
    --set rl_lr=0.0001 --set rl_falls=true --set critic_apart=true --set mixed_precision=true \
    --set epochs=1 --set minibatches=4 --set lanes=32 --set rollout=128 --set temperature=0.5 \
    --set critic_first=8192 --set sft_share=0.5 \
    --set 'weights={"navigation":1,"manipulation":2,"ui":1,"planning":1}' --steps 300000
for model in gea-base gea-state; do
    "$BENCH" run --agent gea --agent-arg weights="$MODELS/$model" --suite all --episodes 2 \
        --out "$RUNS/$model" || [ $? -eq 4 ]
done
