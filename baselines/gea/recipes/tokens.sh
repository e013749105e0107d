#!/bin/sh
# What action tokens are worth to a policy that is trained with them: the same small GEA with each
# tokenizer, and the table `trained` of docs/probes/tokenizer.md. Agents learn from other episodes than
# those on which codecs are learned and judged. If it was interrupted, run it again: every step resumes.
# Variables and their defaults: BENCH (bench), WORK (tokens), SUITE (metaworld), TASKS, DIMS (4, the
# elements of an action), TOKENS (which), SEED (0), DEMOS (60 of each task, to learn from), UPDATES (800),
# EPISODES (20 of each task, of which HELD_OUT, 10, are played).
set -eu
BENCH=${BENCH:-bench} WORK=${WORK:-tokens} SUITE=${SUITE:-metaworld} DIMS=${DIMS:-4} SEED=${SEED:-0}
TASKS=${TASKS:-*/reach-v3,*/drawer-open-v3,*/push-v3}
TOKENS=${TOKENS:-uniform-16 uniform-256 vq-512 rvq-2x16 rvq-2x512}
DEMOS=${DEMOS:-60} UPDATES=${UPDATES:-800} EPISODES=${EPISODES:-20} HELD_OUT=${HELD_OUT:-10}
export OMP_NUM_THREADS=1

record() {
    "$BENCH" demos --suite "$SUITE" --tasks "$TASKS" --views state --workers 0 "$@"
}
record --episodes "$EPISODES" --out "$WORK/judged"
record --episodes "$DEMOS" --seed 1 --out "$WORK/demos"

given=
for name in $TOKENS; do
    case $name in
        vq-*) size=1x${name#*-} ;;
        *) size=${name#*-} ;;
    esac
    case $name in
        uniform-*) rvq="\"kind\": \"uniform\", \"dims\": $DIMS, \"codes\": $size" ;;
        *) rvq="\"codebooks\": ${size%x*}, \"codes\": ${size#*x}, \"code_dim\": 64, \"hidden\": 256" ;;
    esac
    out="$WORK/models/$SEED/$name"
    for stage in tokenizer sft; do
        "$BENCH" train gea --stage "$stage" --data "$WORK/demos" --out "$out" --seed "$SEED" \
            --threads 1 --set 'views=["state"]' --set history=1 --set width=64 --set layers=2 \
            --set heads=4 --set mlp=128 --set numbers=40 --set muon=true --set lr=0.003 \
            --set steps="$UPDATES" --set "rvq={$rvq, \"lr\": 0.001, \"steps\": 1500}"
    done
    given="$given --gea gea-$name=$out"
done
# $given is unquoted because it holds several options.
# shellcheck disable=SC2086
"$BENCH" probe tokenizer --data "$WORK/judged" --out "$WORK/probe" --held-out "$HELD_OUT" \
    --variants uniform-256 --play trained $given
