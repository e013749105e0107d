#!/bin/sh
# How much gea-state and gea-base lose to actuator noise, to partial observability and to a burst of random
# actions, in one suite of each domain, and which of them loses less: the table of
# docs/reproductions/robustness.md on stdout. If it was interrupted, run it again: it resumes.
# Variables and their defaults: BENCH (bench), RUNS (runs), EPISODES (1), WORKERS (0), SEVERITY (3),
# BASE (gea-base) and NEW (gea-state), each the name of an agent, and TASKS.
set -eu
BENCH=${BENCH:-bench} RUNS=${RUNS:-runs} EPISODES=${EPISODES:-1} WORKERS=${WORKERS:-0}
SEVERITY=${SEVERITY:-3} BASE=${BASE:-gea-base} NEW=${NEW:-gea-state}
TASKS=${TASKS:-babyai/*,tag:mt10,miniwob/click-*,pddl/*,vizdoom/basic,vizdoom/predict_position}

perturb=""
for name in action_noise action_random occlusion state_dropout burst; do
    perturb="$perturb$name:$SEVERITY,"
done
for agent in "$BASE" "$NEW"; do
    # Exit code 4: the simulator failed three times in some episodes, which the table then counts.
    "$BENCH" run --agent "$agent" --suite babyai,metaworld,miniwob,pddl,vizdoom --tasks "$TASKS" \
        --episodes "$EPISODES" --workers "$WORKERS" --perturb "${perturb%,}" \
        --out "$RUNS/robustness-$agent" >&2 || [ $? -eq 4 ]
done
"$BENCH" compare "$RUNS/robustness-$BASE" "$RUNS/robustness-$NEW" --robustness --format markdown
