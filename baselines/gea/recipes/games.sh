#!/bin/sh
# Teaches a model that sees maps and scenes to play games from their pictures: demonstrations of
# experts and of scripted teachers, frames of what is no game, and eyes that learn from both. If it
# was interrupted, run it again. Variables and their defaults: BENCH (bench), DEMOS (demos), FRAMES
# (frames), MODELS (models), SEES (the weights that see: baselines/gea/weights/gea), STATES (those
# that read states: baselines/gea/weights/gea-state), THREADS (1).
# The included weights were set apart from the frames of recipes/sees.sh as well ($FRAMES/frames-mt50
# and $FRAMES/frames-more), which count where they are.
set -eu
BENCH=${BENCH:-bench} DEMOS=${DEMOS:-demos} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models}
SEES=${SEES:-baselines/gea/weights/gea} STATES=${STATES:-baselines/gea/weights/gea-state}
THREADS=${THREADS:-1}

recorded() { # name, noise, episodes, suite, tasks, further options
    name=$1 noise=$2 episodes=$3 suite=$4 tasks=$5
    shift 5
    "$BENCH" demos --suite "$suite" --tasks "$tasks" --episodes "$episodes" --noise "$noise" \
        --views image --pixels 84 --images webp --workers 0 --out "$DEMOS/$name" "$@"
}
taught() { # name, teacher, episodes, suite, task
    recorded "$1" 0.1 "$3" "$4" "$5" --teacher "baselines.gea.teachers:$2" --keep all
}
framed() { # suite, frames of each task
    "$BENCH" train gea --stage frames --init "$STATES" --suite "$1" --steps "$2" \
        --out "$FRAMES/frames-$1"
}

recorded my_way_home 0.15 250 vizdoom "*my_way_home"
recorded miniworld 0.1 50 miniworld \
    "*/Hallway,*/OneRoom*,*/FourRooms,*/WallGap,*/MazeS*,*/TMaze*,*/YMaze*,*/Sidewalk"
taught freeway Freeway 2 atari atari/freeway
taught pong Pong 4 atari atari/pong
taught coinrun CoinRun 60 procgen-train "*/coinrun"
taught bigfish BigFish 8 procgen-train "*/bigfish"
# Random play: what MiniGrid looks like.
"$BENCH" demos --suite minigrid --agent uniform --keep all --episodes 30 --views image --pixels 84 \
    --images webp --workers 0 --out "$DEMOS/shown-minigrid"
framed babyai 200
framed metaworld 20
framed fetch 40
framed pointmaze 20

set -- --data "$FRAMES/frames-babyai" --data "$FRAMES/frames-metaworld" \
    --data "$FRAMES/frames-fetch" --data "$FRAMES/frames-pointmaze" \
    --data "$DEMOS/shown-minigrid" --data "$DEMOS/miniworld" --data "$DEMOS/my_way_home"
for more in "$FRAMES/frames-mt50" "$FRAMES/frames-more"; do
    if [ -d "$more" ]; then set -- "$@" --data "$more"; fi
done
"$BENCH" train gea --stage games --init "$SEES" "$@" --set 'datasets={"*":1,"miniworld":4,"shown-*":0}' \
    --steps 900 --threads "$THREADS" --out "$MODELS/gea-walks"
"$BENCH" train gea --stage games --init "$MODELS/gea-walks" "$@" --data "$DEMOS/freeway" \
    --data "$DEMOS/pong" --data "$DEMOS/coinrun" --data "$DEMOS/bigfish" \
    --set 'datasets={"*":1,"miniworld":3,"pong":2,"shown-*":0}' --steps 1400 --threads "$THREADS" \
    --out "$MODELS/gea"
