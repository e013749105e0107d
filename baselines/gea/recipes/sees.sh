#!/bin/sh
# Makes `gea` without its eyes for games from `gea-state`: frames of scenes and of maps, eyes that
# read scenes, and eyes that read maps, to which scenes are shown as what is no map. If it was
# interrupted, run it again. Variables and their defaults: BENCH (bench), FRAMES (frames), MODELS
# (models), STATES (the weights that read states: baselines/gea/weights/gea-state), THREADS (1),
# SEED (0), of the trainings: all seeds learn from the same frames, SCENES (800) and MAPS (600), the
# updates.
# Before the last 800 and 600 updates, the weights that are included had learned from fewer tasks, in
# 600 and 1,120 updates: SCENES=1400 MAPS=1720 is as much from nothing.
set -eu
BENCH=${BENCH:-bench} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models} THREADS=${THREADS:-1}
STATES=${STATES:-baselines/gea/weights/gea-state} SEED=${SEED:-0}
SCENES=${SCENES:-800} MAPS=${MAPS:-600}

framed() { # name, suite, frames of each task, further options
    name=$1 suite=$2 count=$3
    shift 3
    "$BENCH" train gea --stage frames --init "$STATES" --suite "$suite" --steps "$count" \
        --threads "$THREADS" --out "$FRAMES/$name" "$@"
}
framed frames-babyai babyai 200
framed frames-minigrid minigrid 300
framed frames-mt50 metaworld 300 --seed 5
# Of tasks whose goal hangs in the air or is anywhere on the table, more.
framed frames-more metaworld 300 --seed 6 \
    --tasks "*/reach*,*/push-v3*,*/push-wall*,*/push-back*,*/pick-place*"
"$BENCH" train gea --stage see --init "$STATES" --data "$FRAMES/frames-mt50" \
    --data "$FRAMES/frames-more" --steps "$SCENES" --seed "$SEED" --threads "$THREADS" \
    --out "$MODELS/sees-scenes"
"$BENCH" train gea --stage see --init "$MODELS/sees-scenes" --data "$FRAMES/frames-babyai" \
    --data "$FRAMES/frames-minigrid" --data "$FRAMES/frames-mt50" \
    --set 'datasets={"*":1,"frames-mt50":0}' --steps "$MAPS" --seed "$SEED" --threads "$THREADS" \
    --out "$MODELS/gea"
