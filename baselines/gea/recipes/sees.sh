#!/bin/sh
# Makes `gea` from `gea-state`: frames of maps and of scenes, and eyes that learn from them, of maps,
# of both, of maps again, and of scenes alone, which leaves what was learned of maps as it is. If it
# was interrupted, run it again. Variables and their defaults: BENCH (bench), FRAMES (frames), MODELS
# (models), STATES (the weights that read states: baselines/gea/weights/gea-state), THREADS (1).
# The weights that are included learned of scenes from MT10 only until the last stage, and there
# from 266 of the 300 frames of each task; the others were kept to measure with.
set -eu
BENCH=${BENCH:-bench} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models} THREADS=${THREADS:-1}
STATES=${STATES:-baselines/gea/weights/gea-state}

"$BENCH" train gea --stage frames --init "$STATES" --suite babyai --steps 200 \
    --out "$FRAMES/frames-babyai"
"$BENCH" train gea --stage frames --init "$STATES" --suite metaworld --steps 300 --seed 5 \
    --out "$FRAMES/frames-mt50"
# Of tasks whose goal hangs in the air or is anywhere on the table, more.
"$BENCH" train gea --stage frames --init "$STATES" --suite metaworld --steps 300 --seed 6 \
    --tasks "*/reach*,*/push-v3*,*/push-wall*,*/push-back*,*/pick-place*" --out "$FRAMES/frames-more"
"$BENCH" train gea --stage see --init "$STATES" --data "$FRAMES/frames-babyai" \
    --steps 600 --threads "$THREADS" --out "$MODELS/sees-maps"
"$BENCH" train gea --stage see --init "$MODELS/sees-maps" --data "$FRAMES/frames-babyai" \
    --data "$FRAMES/frames-mt50" --steps 220 --threads "$THREADS" --out "$MODELS/sees-both"
"$BENCH" train gea --stage see --init "$MODELS/sees-both" --data "$FRAMES/frames-babyai" \
    --steps 300 --threads "$THREADS" --out "$MODELS/sees-cells"
"$BENCH" train gea --stage see --init "$MODELS/sees-cells" --data "$FRAMES/frames-mt50" \
    --steps 600 --threads "$THREADS" --out "$MODELS/sees-scenes"
"$BENCH" train gea --stage see --init "$MODELS/sees-scenes" --data "$FRAMES/frames-mt50" \
    --data "$FRAMES/frames-more" --steps 800 --threads "$THREADS" --out "$MODELS/gea"
