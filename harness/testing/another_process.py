"""One case played in a Python process that shares nothing with this one."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import BatchedAdapter, Case, Task
from harness.host.interpreters import carried
from harness.host.loading import load_adapter
from harness.records.registry import load
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import call, demand
from harness.testing.declarations import check_class, check_imports
from harness.testing.trajectory import StepRecord

__all__ = ["build_lane", "play_in_another_process"]

SCRIPT = """
import json, sys
request = json.loads(sys.argv[1])
sys.path[:] = request["path"]
from harness.testing import another_process
another_process.main(request)
"""


def build_lane(form: Any, task: Task, lanes: int) -> CheckedLane:
    """Lane 0 of a fresh adapter; `lanes` is used where `form` is a BatchedAdapter."""
    arguments = [lanes] if issubclass(form, BatchedAdapter) else []
    return CheckedLane(call("the constructor", form, task, *arguments))


def play_in_another_process(
    case: Case, *, steps: int, views: Sequence[str] | None, lanes: int
) -> list[StepRecord]:
    """The trajectory of an unperturbed case, all `views` read, played by a new Python process.

    Its hashes are salted with another seed than here, so that the order of a set of strings is
    another one. Also raises ContractError if it imports the simulator before it builds one.
    """
    task = {
        field.name: getattr(case.task, field.name)
        for field in dataclasses.fields(Task)
        if field.name not in ("normaliser", "references")
    }
    request = {
        "path": sys.path,
        "task": {**task, "params": dict(case.task.params)},
        "seed": case.seed,
        "steps": steps,
        "views": views,
        "lanes": lanes,
    }
    salt = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, **carried(), "PYTHONHASHSEED": salt}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "trajectory.json")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps({**request, "out": str(out)})],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
        )
        demand(
            done.returncode == 0,
            f"in another Python process it ends with {done.returncode}:\n{done.stderr[-3000:]}",
        )
        return [StepRecord.of(row) for row in json.loads(out.read_text())]


def main(request: Mapping[str, Any]) -> None:
    """What the other process does."""
    before = set(sys.modules)
    task = Task(**request["task"])
    load(task.adapter)  # importing it must be cheap here too, where it runs in another interpreter
    form: Any = load_adapter(task.adapter)
    check_class(form, task)
    check_imports(form, {name.partition(".")[0] for name in set(sys.modules) - before})
    lane = build_lane(form, task, request["lanes"])
    player = ScriptedPlayer(task, request["steps"], request["views"])
    records = player.play(lane, Case(task, request["seed"]), read=True)
    lane.adapter.close()
    rows = [dataclasses.asdict(record) for record in records]
    Path(request["out"]).write_text(json.dumps(rows))
