"""Measure the floors of suites, and write them into leaderboards/floor_data.

    python -m leaderboards.measure_floors babyai pddl --episodes 20

plays `noop` and `uniform` on each suite, and `blind` with the habits of the expert where the suite
has one: of as many episodes with another seed. A file holds one family, whatever the suite; tasks
that cannot run here keep the floors that they have.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.records.stored_run import load_run
from leaderboards.floors import DATA, SHIPPED_AGENTS
from leaderboards.report import load_report

__all__ = ["main"]

RECORD_SEED = 1
"""Of the episodes whose actions `blind` learns: no episode that it plays."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="+", help="names of `bench list suites`")
    parser.add_argument("--episodes", type=int, default=20, help="of each task and agent")
    parser.add_argument("--tasks", help="as in `bench run`")
    parser.add_argument("--agents", nargs="+", choices=SHIPPED_AGENTS, default=["noop", "uniform"])
    chosen = parser.parse_args(arguments)
    for suite in chosen.suites:
        for agent in chosen.agents:
            with tempfile.TemporaryDirectory() as folder:
                _write(agent, _play(agent, suite, chosen.episodes, chosen.tasks, Path(folder)))


def _play(
    agent: str, suite: str, episodes: int, tasks: str | None, folder: Path
) -> dict[str, dict[str, Any]]:
    """Task id -> its protocol and what the agent reached in it."""
    more: list[str] = []
    if agent == "blind":
        record = folder / "record"
        _bench("oracle", suite, episodes, tasks, record, "--seed", str(RECORD_SEED))
        more = ["--agent-arg", f"record={record}"]
    out = folder / "run"
    _bench(agent, suite, episodes, tasks, out, *more)
    protocols = {item.task.id: item.protocol for item in load_run(out).plan.items}
    found = {}
    for row in load_report(out).tasks:
        if row.n:
            reached: dict[str, Any] = {
                "n": row.n,
                "success_rate": row.success_rate,
                "score": None,
            }
            if row.renderers:
                reached["renderers"] = list(row.renderers)
            if row.successes is None and row.score is not None:
                reached["score"] = row.score.value
            found[row.task] = {"protocol": protocols[row.task], agent: reached}
    return found


def _bench(agent: str, suite: str, episodes: int, tasks: str | None, out: Path, *more: str) -> None:
    command = [sys.executable, "-m", "bench", "run", "--agent", agent, "--suite", suite]
    command += ["--episodes", str(episodes), "--workers", "0", "--out", str(out), *more]
    command += ["--tasks", tasks] if tasks else []
    # 4: some tasks cannot run here, or some episodes ended in errors.
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code not in (0, 4):
        raise SystemExit(f"{' '.join(command)} ended with {code}")


def _write(agent: str, found: dict[str, dict[str, Any]]) -> None:
    families = dict.fromkeys(task.partition("/")[0] for task in found)
    for family in families:
        file = DATA / f"{family}.json"
        tasks = json.loads(file.read_text())["tasks"] if file.exists() else {}
        for task, measured in found.items():
            if task.partition("/")[0] != family:
                continue
            old = tasks.get(task, {})
            # What was measured under another protocol is the floor of another task.
            same = old if old.get("protocol") == measured["protocol"] else {}
            tasks[task] = {**same, **measured}
        text = json.dumps({"schema": 1, "tasks": dict(sorted(tasks.items()))}, indent=1)
        file.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
