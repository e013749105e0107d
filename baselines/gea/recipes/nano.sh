#!/bin/sh
# The models that come with the product, from nothing: demonstrations, action tokenizer, SFT (gea-base), RL (gea), evaluation.
# Every step goes on where it was cut, so run it again. Two cores, about two and a half hours.
# Variables: BENCH (bench), DATA (demos), MODELS (models), RUNS (runs), THREADS (2).
set -eu
BENCH=${BENCH:-bench} DATA=${DATA:-demos} MODELS=${MODELS:-models} RUNS=${RUNS:-runs} THREADS=${THREADS:-2}
VIEWS="grid?,direction?,state?,proprio?,text?,dom?,admissible?"

data=""
# Folder, suite, episodes of each task, share of random actions (none where the expert follows a plan made at the beginning), tasks.
while read -r folder suite episodes noise tasks; do
    # 4: some episodes have no result (a simulator failed thrice); the rest is used.
    "$BENCH" demos --suite "$suite" --tasks "$tasks" --episodes "$episodes" --views "$VIEWS" --noise "$noise" --out "$DATA/$folder" || [ $? -eq 4 ]
    data="$data --data $DATA/$folder"
done <<END
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
# $data is a list of words.
# shellcheck disable=SC2086
"$BENCH" train gea --stage tokenizer --config nano $data --out "$MODELS/gea-base" --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage sft $data --out "$MODELS/gea-base" --threads "$THREADS"
# shellcheck disable=SC2086
"$BENCH" train gea --stage rl $data --init "$MODELS/gea-base" --out "$MODELS/gea" --threads 1 --suite babyai,minigrid \
    --tasks "babyai/Pickup,babyai/Open*Doors,babyai/OpenDoorLoc,babyai/GoToLocal*,babyai/GoToRedBlueBall,minigrid/Lava*,minigrid/SimpleCrossing*,minigrid/RedBlueDoors*,minigrid/FourRooms,minigrid/GoToDoor*" \
    --set rl_lr=0.0001 --set epochs=1 --set temperature=0.7 --set critic_first=8192 --steps 71680
for model in gea-base gea; do
    "$BENCH" run --agent gea --agent-arg weights="$MODELS/$model" --suite all --episodes 2 --out "$RUNS/$model" || [ $? -eq 4 ]
done
