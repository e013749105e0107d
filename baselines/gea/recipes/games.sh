#!/bin/sh
# Teaches a model that sees maps and scenes to play games from their pictures: demonstrations of
# experts and of scripted teachers, frames of what is no game, and eyes that learn from both, at last
# also from what the teachers would do where the learner comes to. If it was interrupted, run it
# again. Variables and their defaults: BENCH (bench), DEMOS (demos), FRAMES (frames), MODELS (models),
# SEES (the weights that see: baselines/gea/weights/gea), STATES (those that read states:
# baselines/gea/weights/gea-state), THREADS (1), PERCENT (100: of all episodes, frames and updates; 1
# shows that every line works).
# The included weights were set apart from the frames of recipes/sees.sh as well ($FRAMES/frames-mt50
# and $FRAMES/frames-more), which count where they are.
set -eu
BENCH=${BENCH:-bench} DEMOS=${DEMOS:-demos} FRAMES=${FRAMES:-frames} MODELS=${MODELS:-models}
SEES=${SEES:-baselines/gea/weights/gea} STATES=${STATES:-baselines/gea/weights/gea-state}
THREADS=${THREADS:-1} PERCENT=${PERCENT:-100}

of() { # PERCENT of a number, and at least one
    echo $((($1 * PERCENT + 99) / 100))
}

recorded() { # name, noise, episodes, suite, tasks, further options
    name=$1 noise=$2 episodes=$3 suite=$4 tasks=$5
    shift 5
    "$BENCH" demos --suite "$suite" --tasks "$tasks" --episodes "$(of "$episodes")" --noise "$noise" \
        --views image --pixels 84 --images webp --workers 0 --out "$DEMOS/$name" "$@"
}
taught() { # name, teacher, episodes, suite, task, further options
    name=$1 teacher=$2 episodes=$3 suite=$4 task=$5
    shift 5
    recorded "$name" 0.1 "$episodes" "$suite" "$task" --teacher "baselines.gea.teachers:$teacher" \
        --keep all "$@"
}
framed() { # suite, frames of each task
    "$BENCH" train gea --stage frames --init "$STATES" --suite "$1" --steps "$(of "$2")" \
        --out "$FRAMES/frames-$1"
}

WORLDS="*/Hallway,*/OneRoom*,*/FourRooms,*/WallGap,*/MazeS*,*/TMaze*,*/YMaze*,*/Sidewalk"
recorded my_way_home 0.15 250 vizdoom "*my_way_home"
recorded miniworld 0.1 50 miniworld "$WORLDS"
taught freeway Freeway 2 atari atari/freeway
taught pong PongFollower 4 atari atari/pong
taught coinrun CoinRun 60 procgen-train "*/coinrun"
taught bigfish BigFish 8 procgen-train "*/bigfish"
taught procgen_maze Maze 150 procgen-train "*/maze"
taught vizdoom_basic Basic 150 vizdoom "*/basic"
taught vizdoom_basic_dagger Basic 60 vizdoom "*/basic" --roll-in uniform
taught defend_the_center DefendTheCenter 40 vizdoom "*/defend_the_center"
# Random play: what MiniGrid looks like.
"$BENCH" demos --suite minigrid --agent uniform --keep all --episodes "$(of 30)" --views image --pixels 84 \
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
    --steps "$(of 900)" --threads "$THREADS" --out "$MODELS/gea-walks"
set -- "$@" --data "$DEMOS/freeway" --data "$DEMOS/pong" --data "$DEMOS/coinrun" --data "$DEMOS/bigfish"
"$BENCH" train gea --stage games --init "$MODELS/gea-walks" "$@" \
    --set 'datasets={"*":1,"miniworld":3,"pong":2,"shown-*":0}' --steps "$(of 1400)" --threads "$THREADS" \
    --out "$MODELS/gea-plays"
set -- "$@" --data "$DEMOS/procgen_maze" --data "$DEMOS/vizdoom_basic" \
    --data "$DEMOS/vizdoom_basic_dagger" --data "$DEMOS/defend_the_center"
"$BENCH" train gea --stage games --init "$MODELS/gea-plays" "$@" \
    --set 'datasets={"*":1,"miniworld":3,"pong":2,"vizdoom_basic*":0.5,"shown-*":0}' --steps "$(of 1400)" \
    --seed 1 --threads "$THREADS" --out "$MODELS/gea-looks"

LEARNER="--roll-in gea --agent-arg weights=$MODELS/gea-looks"
# shellcheck disable=SC2086 # the options of the learner are several words
{
    recorded pong_dagger 0 8 atari atari/pong --teacher baselines.gea.teachers:PongFollower \
        --keep all $LEARNER
    recorded mwh_dagger 0 60 vizdoom "*my_way_home" $LEARNER
    recorded miniworld_dagger 0 12 miniworld "$WORLDS" $LEARNER
}
"$BENCH" train gea --stage games --init "$MODELS/gea-looks" "$@" --data "$DEMOS/pong_dagger" \
    --data "$DEMOS/mwh_dagger" --data "$DEMOS/miniworld_dagger" --set 'datasets={"*":1,"miniworld*":2.5,
    "pong":1,"pong_dagger":3,"vizdoom_basic*":0.5,"freeway":0.6,"coinrun":0.6,"bigfish":0.6,"shown-*":0}' \
    --steps "$(of 1600)" --seed 2 --threads "$THREADS" --out "$MODELS/gea"
