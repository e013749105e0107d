#!/bin/sh
# Makes a model that reads pictures: demonstrations, tokenizers, SFT of several seeds, and an
# evaluation of each on episodes that no table uses (--seed 900), by which to choose one. It takes
# days on two cores. If it was interrupted, run it again: every step resumes. Variables and their
# defaults: BENCH (bench), DATA (demos), MODELS (models), RUNS (runs), SEEDS (0 1 2), THREADS (1),
# STEPS (60000), SHARE (1, a factor of the episodes recorded), SUITES (what is recorded) and PLAYED
# (what is evaluated). Once everything is recorded, one call with SEEDS=0 and another with SEEDS=1
# use two cores.
#
# What the two cores should be given, estimated from the figures in docs/gea.md, "A model that sees":
#   recording   about four hours, most of them for Meta-World, whose drawing is most of the cost
#   SFT         an update is about 0.8 s of a core: 60,000 updates are 13 hours a seed. The examples
#               are shared as `weights` says: navigation has a quarter, manipulation a third
set -eu
BENCH=${BENCH:-bench} DATA=${DATA:-demos} MODELS=${MODELS:-models} RUNS=${RUNS:-runs}
SEEDS=${SEEDS:-0 1 2} THREADS=${THREADS:-1} STEPS=${STEPS:-60000} SHARE=${SHARE:-1}
# What the agent reads, and then what only the training may read: numbers to be predicted.
VIEWS="image?,text?,dom?,admissible?,direction?,grid?,state?"

# record SEED PARENT PART OPTION: record demonstrations into folders of PARENT, 1/PART of the
# episodes, and print them as OPTIONs. Each line on stdin: folder, suite, episodes per task, share
# of random actions, tasks.
record() {
    while read -r folder suite episodes noise tasks; do
        count=$(awk "BEGIN { n = int($episodes * $SHARE / $3); print n < 1 ? 1 : n }")
        # Exit code 4: the simulator failed three times in some episodes. The others are used.
        "$BENCH" demos --suite "$suite" --tasks "$tasks" --episodes "$count" --seed "$1" \
            --views "$VIEWS" --pixels 84 --images webp --noise "$noise" --out "$2/$folder" \
            </dev/null >&2 || [ $? -eq 4 ]
        echo "$4 $2/$folder"
    done
}

SUITES=${SUITES:-"\
babyai babyai 3000 0.05 *
babyai-rooms babyai 12000 0.05 babyai/PickupLoc,babyai/PickupDist,babyai/GoToLocal*,babyai/GoToDoor
babyai-planning babyai-planning 500 0.05 *
metaworld metaworld 150 0.05 *
miniwob miniwob 60 0 *
miniworld miniworld 200 0.05 *
vizdoom vizdoom 60 0.05 *
pddl pddl 600 0 *
alfworld-synthetic alfworld-synthetic 60 0 *"}
PLAYED=${PLAYED:-babyai metaworld miniwob miniworld vizdoom pddl}

data=$(echo "$SUITES" | record 0 "$DATA" 1 --data)
held=$(echo "$SUITES" | record 1 "$DATA/validation" 30 --validation)
for seed in $SEEDS; do
    model="$MODELS/vision-$seed"
    # The lists are unquoted because each holds several options.
    # shellcheck disable=SC2086
    "$BENCH" train gea --stage tokenizer --config nano-vision $data --out "$model" \
        --seed "$seed" --threads "$THREADS"
    # shellcheck disable=SC2086
    "$BENCH" train gea --stage sft $data $held --out "$model" --steps "$STEPS" --seed "$seed" \
        --threads "$THREADS"
    for suite in $PLAYED; do
        "$BENCH" run --agent gea --agent-arg weights="$model" --suite "$suite" --episodes 5 \
            --seed 900 --out "$RUNS/vision-$seed-$suite" || [ $? -eq 4 ]
    done
done
