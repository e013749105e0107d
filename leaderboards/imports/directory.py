"""Writes a run directory of results that another program played.

`run.json` says `imported`, so that nothing takes them for a run of bench's own; see
harness/records/imported.py.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import Result, Task, UserError
from harness.records.new_folder import new_folder
from harness.records.plan import CaseIndex, Plan, PlanItem, protocol_hash
from harness.records.run_file import SCHEMA
from harness.records.safe_files import read_regular
from leaderboards.imports.eval_info import MOST_BYTES, Episode, PlayedTask, read_eval_info

__all__ = ["import_eval_info"]

ENTRY = "imported:eval_info"
"""Stands for agent and adapter: nothing of this name exists, and nothing is imported."""
RULE = "as lerobot-eval counted it: a success at any step of the episode"


def import_eval_info(
    file: Path, out: Path | None, *, name: str, domain: str, command: str
) -> tuple[Path, Plan]:
    """Make a run directory of LeRobot's eval_info.json; returns it and its plan.

    name: the agent's name in reports. domain: of all tasks, one of harness.core.DOMAINS. out: None
    is runs/imported-HASH, by the file's content. Raises UserError where the file is refused or the
    place is taken.
    """
    try:
        content = read_regular(file, MOST_BYTES)
    except FileNotFoundError:
        raise UserError(f"there is no file {file}") from None
    try:
        played = read_eval_info(content)
    except UserError as wrong:
        raise UserError(f"{file}: {wrong}") from None
    checksum = hashlib.sha256(content).hexdigest()
    path = out or Path("runs") / f"imported-{checksum[:8]}"
    if os.path.lexists(path):
        raise UserError(f"{path} is there already: name another place with --out")
    plan = Plan(tuple(_item(each, domain) for each in played))
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    run = {
        "schema": SCHEMA,
        "bench": importlib.metadata.version("generalist-bench"),
        "commit": None,
        "command": command,
        "imported": {"format": "eval_info", "file": file.name, "sha256": checksum},
        "agent": {
            "name": name,
            "entry": ENTRY,
            "args": {},
            "reads": [],
            "history": 1,
            "privileged": False,
            "served": False,
            "fingerprint": "imported",
        },
        "suites": list(dict.fromkeys(item.suite for item in plan.items)),
        "machine": {},
        "created": now,
        "finished": now,
        "plan": plan.to_json(),
    }
    _write(path, run, plan, played)
    return path, plan


def _item(played: PlayedTask, domain: str) -> PlanItem:
    name = f"{played.group}-{played.task}" if played.group else played.task
    task = Task(
        f"lerobot/{name}@1",
        domain,
        ENTRY,
        rule=RULE,
        first_seed=_first_seed(played.episodes),
    )
    return PlanItem(
        suite=played.group or "lerobot",
        task=task,
        episodes=len(played.episodes),
        protocol=protocol_hash(task, {}),
        packages={},
        env_key=task.id,
    )


def _first_seed(episodes: Sequence[Episode]) -> int:
    """The first of consecutive seeds; 0 where the file tells none, and episodes are numbered."""
    first = episodes[0].seed
    if first is None or any(each.seed != first + k for k, each in enumerate(episodes)):
        return 0
    return first


def _write(path: Path, run: dict[str, Any], plan: Plan, played: Sequence[PlayedTask]) -> None:
    """The directory appears as a whole."""
    with new_folder(path.parent, path, "--out") as new:
        (new / "run.json").write_text(json.dumps(run, indent=1) + "\n")
        with open(new / "episodes.jsonl", "w") as lines:
            for number, each in enumerate(played):
                for episode, told in enumerate(each.episodes):
                    result = _result(plan, CaseIndex(number, 0, episode), told)
                    lines.write(json.dumps(dataclasses.asdict(result), allow_nan=False) + "\n")
        new.chmod(0o755)
        new.rename(path)


def _result(plan: Plan, index: CaseIndex, told: Episode) -> Result:
    case = plan.case(index)
    return Result(
        case=case.id,
        task=case.task.id,
        seed=case.seed,
        perturbations=(),
        status="finished",
        success=told.success,
        score=told.sum_reward,
        normalised=None,
        steps=0,
        ended="unknown",
        metrics={} if told.max_reward is None else {"max_reward": told.max_reward},
        error=None,
        digest="",
        protocol=plan.items[index.item].protocol,
        timing={},
    )
