#!/bin/sh
# Makes `gea` from `gea-state`: frames of maps and of scenes, and eyes that learn from them, of maps,
# of both, of maps again, and of scenes alone, which leaves what was learned of maps as it is. If it
# was interrupted, run it again. Variables and their defaults: BENCH (bench), FRAMES (frames), MODELS
# (models), STATES (the weights that read states: baselines/gea/weights/gea-state), THREADS (1).
# The weights that are included learned of scenes from 310 frames of each task, from 683 that were
# steps of noisy demonstrations (their $FRAMES/frames-steps) and, at the end of the last stage, from
# 180 more of four tasks (their $FRAMES/frames-more): here 400 of each task are recorded.
set -eu
BENCH=${BENCH:-bench} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models} THREADS=${THREADS:-1}
STATES=${STATES:-baselines/gea/weights/gea-state}

"$BENCH" train gea --stage frames --init "$STATES" --suite babyai --steps 200 \
    --out "$FRAMES/frames-babyai"
"$BENCH" train gea --stage frames --init "$STATES" --suite metaworld --tasks tag:mt10 --steps 400 \
    --out "$FRAMES/frames-mt10"
"$BENCH" train gea --stage see --init "$STATES" --data "$FRAMES/frames-babyai" \
    --steps 600 --threads "$THREADS" --out "$MODELS/sees-maps"
"$BENCH" train gea --stage see --init "$MODELS/sees-maps" --data "$FRAMES/frames-babyai" \
    --data "$FRAMES/frames-mt10" --steps 220 --threads "$THREADS" --out "$MODELS/sees-both"
"$BENCH" train gea --stage see --init "$MODELS/sees-both" --data "$FRAMES/frames-babyai" \
    --steps 300 --threads "$THREADS" --out "$MODELS/sees-cells"
"$BENCH" train gea --stage see --init "$MODELS/sees-cells" --data "$FRAMES/frames-mt10" \
    --steps 600 --threads "$THREADS" --out "$MODELS/gea"
