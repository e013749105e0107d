"""bench through its command line, with a suite and an agent of a user's own that play the same.

Variant `here`: in one process (--workers 0); otherwise as many Ray workers as lanes (W4: two). The
monotonic clock is one for all processes: the adapter writes when an episode begins and ends. All
workers wait for one another before their first reset, as `run_s` asks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from contract import order, report
from workloads import Outcome

SUITE = """
name = "mine"
title = "measured"
episodes = {episodes}

[[task]]
id = "mine/all@1"
domain = "games"
adapter = "ours_plugin:Lane"
success = "none"
score = "score"
"""


def main() -> None:
    given = order()
    here = Path.cwd()
    (here / "mine.toml").write_text(SUITE.format(episodes=given.episodes))
    served = given.workload.served
    workers = 0 if given.variant == "here" else 2 if served else given.lanes
    lanes = given.lanes // 2 if served and workers else 1
    environment = {
        **os.environ,
        "MEASURE_WORKLOAD": given.workload.name,
        "MEASURE_EPISODES": str(given.episodes),
        "MEASURE_WORKERS": str(max(1, workers)),
        "MEASURE_FOLDER": str(here),
    }
    agent = f"ours_plugin:{'Served' if served else 'Player'}"
    command = [str(Path(sys.executable).parent / "bench"), "run", "--agent", agent]
    command += ["--suite", "mine.toml", "--workers", str(workers), "--lanes", str(lanes)]
    command += ["--out", "run"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: exit {done.returncode}: {done.stderr[-800:]}")
    lines = [line.split() for log in here.glob("log-*") for line in log.read_text().splitlines()]
    begin = min(float(line[0]) for line in lines if line[1] == "begin")
    ended = [float(line[0]) for line in lines if line[1] != "begin"]
    played = (here / "run/episodes.jsonl").read_text().splitlines()
    outcomes = [
        Outcome(row["seed"], row["steps"], int(row["metrics"]["score"]))
        for row in map(json.loads, played)
    ]
    report(outcomes, max(ended) - begin)


if __name__ == "__main__":
    main()
