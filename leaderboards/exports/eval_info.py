"""LeRobot's eval_info.json, as `lerobot-eval` writes it for several tasks.

See leaderboards/imports/eval_info.py for the form. A suite becomes a `task_group`, and a task's
place in its suite the `task_id`; `task` and `seeds` are added to each row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.core.grammar import counted
from harness.records.stored_run import StoredRun

__all__ = ["export_eval_info"]


@dataclass
class _Episodes:
    """The scored episodes of one task, or of several."""

    seeds: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    """The largest reward, of those that tell it."""
    successes: list[bool] = field(default_factory=list)
    seconds: float = 0.0

    def sorted(self) -> _Episodes:
        """By seed, so that the order in which they ended does not matter."""
        order = sorted(range(len(self.seeds)), key=self.seeds.__getitem__)
        parts: tuple[list[Any], ...] = (self.seeds, self.rewards, self.successes)
        seeds, rewards, successes = ([part[k] for k in order] for part in parts)
        most = [self.most[k] for k in order] if len(self.most) == len(order) else []
        return _Episodes(seeds, rewards, most, successes, self.seconds)


def export_eval_info(run: StoredRun, out: Path) -> list[str]:
    """Write the unperturbed episodes of the tasks that have a success.

    An agent's error is a failed episode with the reward 0; an episode without a score is left out,
    as it would be no failure of the agent's. Returns remarks on what is left out. Raises UserError
    if nothing is left, or the file cannot be written.
    """
    played = [_Episodes() for _ in run.plan.items]
    errors = perturbed = 0
    for index, result in run.cases():
        if index.condition:
            perturbed += 1
        elif result.status == "error":
            errors += 1
        elif result.success is not None:
            mine = played[index.item]
            mine.seeds.append(result.seed)
            mine.rewards.append(result.score or 0.0)
            mine.successes.append(result.success)
            if "max_reward" in result.metrics:
                mine.most.append(result.metrics["max_reward"])
            mine.seconds += result.timing.get("simulator_s", 0.0)
            mine.seconds += result.timing.get("agent_s", 0.0)
    told = _told(run, [each.sorted() for each in played])
    scoreless = sum(item.task.success is None for item in run.plan.items)
    try:
        out.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as fault:
        raise UserError(f"cannot write to {out}: {fault.strerror}") from None
    remarks = [
        f"{counted(errors, 'episode')} without a score left out" if errors else "",
        f"{counted(perturbed, 'perturbed episode')} left out" if perturbed else "",
        f"{counted(scoreless, 'task')} without a success left out" if scoreless else "",
    ]
    return [each for each in remarks if each]


def _told(run: StoredRun, played: Sequence[_Episodes]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    groups: dict[str, list[_Episodes]] = {}
    numbers: dict[str, int] = {}
    for item, mine in zip(run.plan.items, played):
        number = numbers.setdefault(item.suite, 0)
        numbers[item.suite] += 1
        if not mine.seeds:
            continue
        groups.setdefault(item.suite, []).append(mine)
        metrics = {
            "sum_rewards": mine.rewards,
            "max_rewards": mine.most,
            "successes": mine.successes,
            "video_paths": [],
        }
        row = {"task_group": item.suite, "task_id": number, "metrics": metrics}
        rows.append(row | {"task": item.task.id, "seeds": mine.seeds})
    if not rows:
        raise UserError(
            f"{run.path} has no scored episode of a task with a success, which an eval_info.json "
            "consists of"
        )
    everything = [each for mine in groups.values() for each in mine]
    seconds = math.fsum(each.seconds for each in everything)
    overall = _figures(everything)
    return {
        "per_task": rows,
        "per_group": {name: _figures(mine) for name, mine in groups.items()},
        "overall": overall
        | {"eval_s": seconds, "eval_ep_s": seconds / overall["n_episodes"], "video_paths": []},
    }


def _figures(played: Sequence[_Episodes]) -> dict[str, Any]:
    """Means over episodes, as LeRobot computes them: tasks with more episodes weigh more."""
    successes = [each for mine in played for each in mine.successes]
    rewards = [each for mine in played for each in mine.rewards]
    most = [each for mine in played for each in mine.most]
    count = len(successes)
    return {
        "avg_sum_reward": math.fsum(rewards) / count,
        "avg_max_reward": math.fsum(most) / count if len(most) == count else None,
        "pc_success": sum(successes) / count * 100,
        "n_episodes": count,
        "video_paths": [],
    }
