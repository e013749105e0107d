#!/usr/bin/env bash
# Plays the cases of $BASE with $AGENT, on any CI system. Leaves bench-gate.md and $JUNIT (bench-junit.xml), and exits as `bench gate` does:
# 0 pass, 1 regress, 3 inconclusive (0 with INCONCLUSIVE=pass), 4 cases without a score. An interrupted job goes on where $OUT was kept.
set -u
arguments=(--agent "$AGENT" --base "$BASE" --margin "${MARGIN:-0.05}" --alpha "${ALPHA:-0.05}" --workers "${WORKERS:-auto}")
arguments+=(--out "${OUT:-bench-run}" --junit "${JUNIT:-bench-junit.xml}" --format "${FORMAT:-markdown}")
if [ "${SEQUENTIAL:-false}" = true ]; then arguments+=(--sequential); fi
if [ -n "${OUTCOME:-}" ]; then arguments+=(--outcome "$OUTCOME"); fi
if [ "${TRUST:-false}" = true ]; then arguments+=(--trust); fi
if [ -n "${TASKS:-}" ]; then arguments+=(--tasks "$TASKS"); fi
if [ -n "${MAX_EPISODES:-}" ]; then arguments+=(--max-episodes "$MAX_EPISODES"); fi
if [ -n "${LANES:-}" ]; then arguments+=(--lanes "$LANES"); fi
if [ -n "${REPLICAS:-}" ]; then arguments+=(--replicas "$REPLICAS"); fi
if [ -n "${AGENT_TIMEOUT:-}" ]; then arguments+=(--agent-timeout "$AGENT_TIMEOUT"); fi
if [ -n "${PROFILE_CHECK:-}" ]; then arguments+=(--profile-check "$PROFILE_CHECK"); fi
if [ -n "${CONTROL_RATE:-}" ]; then arguments+=(--control-rate "$CONTROL_RATE"); fi
if [ -n "${LATENCY:-}" ]; then arguments+=(--latency "$LATENCY"); fi
if [ "${FULL:-false}" = true ]; then arguments+=(--full); fi
if [ -n "${CLUSTER:-}" ]; then arguments+=(--ray-address "$CLUSTER"); fi
if [ -n "${SUMMARY:-}" ]; then arguments+=(--summary "$SUMMARY"); fi
# One value on each line.
while IFS= read -r value; do
  if [ -n "$value" ]; then arguments+=(--agent-arg "$value"); fi
done <<< "${AGENT_ARG:-}"
while IFS= read -r value; do
  if [ -n "$value" ]; then arguments+=(--interpreter "$value"); fi
done <<< "${INTERPRETER:-}"

bench gate "${arguments[@]}" > bench-gate.md
code=$?
cat bench-gate.md

case $code in
  0) verdict=pass ;;
  1) verdict=regress ;;
  3) verdict=inconclusive ;;
  *) verdict=none ;;
esac
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "verdict=$verdict" >> "$GITHUB_OUTPUT"; fi
if [ "$code" = 3 ] && [ "${INCONCLUSIVE:-fail}" = pass ]; then exit 0; fi
exit $code
