#!/bin/sh
# Teaches a model that sees to read the screenshots of MiniWoB++'s small pages: pictures with the lines
# of text that they show, and eyes that learn from them. If it was interrupted, run it again. Variables
# and their defaults: BENCH (bench), FRAMES (frames), MODELS (models), SEES (the weights that see:
# baselines/gea/weights/gea), THREADS (1).
# The three flights are left out: their pictures have another size. The included eyes learned in four
# calls: everything in 1,600 and 1,800 updates, then only to read, in 450 and 500. Their pictures were
# recorded by the same plays, with other random numbers.
set -eu
BENCH=${BENCH:-bench} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models} THREADS=${THREADS:-1}
SEES=${SEES:-baselines/gea/weights/gea}

"$BENCH" train gea --stage frames --suite miniwob --tasks "*,not:*/flight.*" --steps 24 --seed 0 \
    --out "$FRAMES/frames-miniwob"
"$BENCH" train gea --stage pages --init "$SEES" --data "$FRAMES/frames-miniwob" --steps 4350 \
    --threads "$THREADS" --out "$MODELS/pages"
