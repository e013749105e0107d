"""Reports of runs written by hand: lines as they would stand in episodes.jsonl, and run.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from resultlines import cases_of

from harness.core import Normaliser, Task
from harness.records.plan import CaseIndex, NotRun, Plan, PlanItem
from leaderboards.report import build
from leaderboards.schema import Report

SEED = 3
HUMAN = Normaliser(low=10.0, high=30.0)


def item(
    name: str = "toy/reach@1",
    suite: str = "toy",
    domain: str = "planning",
    episodes: int = 4,
    own_streams: bool = True,
    **task: Any,
) -> PlanItem:
    """A task with a success."""
    return PlanItem(
        suite,
        Task(name, domain, "adapters.toy:Toy", **task),
        episodes,
        "0123456789ab",
        {"toysim": "1.2"},
        name,
        own_streams=own_streams,
    )


def game(name: str, episodes: int = 4, **task: Any) -> PlanItem:
    """A task with a score, normalised by HUMAN."""
    return item(name, "atari", "games", episodes, **{"success": None, "normaliser": HUMAN, **task})


def run_of(*items: PlanItem, not_run: Sequence[NotRun] = (), **agent: Any) -> dict[str, Any]:
    """run.json."""
    who = {
        "name": "walker",
        "entry": "my.agents:Walker",
        "args": {},
        "reads": ["image", "state"],
        "privileged": False,
        "fingerprint": "ab",
    }
    return {
        "schema": 1,
        "bench": "0.1.0",
        "created": "2025-06-01T10:00:00+00:00",
        "finished": "2025-06-01T10:05:00+00:00",
        "command": "bench run",
        "agent": who | agent,
        "plan": Plan(items, SEED, (), tuple(not_run)).to_json(),
        "machine": {"cores": 2},
    }


def line(
    of: PlanItem,
    episode: int,
    status: str = "finished",
    success: bool = False,
    score: float = 0.0,
    **fields: Any,
) -> dict[str, Any]:
    """A line of episodes.jsonl."""
    case = Plan((of,), SEED).case(CaseIndex(0, 0, episode))
    finished, has_success = status == "finished", of.task.success is not None
    return {
        "case": case.id,
        "task": of.task.id,
        "seed": case.seed,
        "perturbations": [],
        "status": status,
        "success": (success if finished else False if status == "agent_error" else None)
        if has_success
        else None,
        "score": score if finished else None,
        "normalised": None,
        "steps": 10,
        "ended": ("success" if success else "horizon") if finished else status,
        "metrics": {},
        "error": None if finished else "RuntimeError: no",
        "digest": "",
        "protocol": "0123456789ab",
        "timing": {"simulator_s": 0.5, "agent_s": 0.25, "worker": "w0", "attempt": 1},
        **fields,
    }


def successes(of: PlanItem, count: int) -> list[dict[str, Any]]:
    """Lines of all episodes of a task, of which the first `count` succeed."""
    return [line(of, k, success=k < count) for k in range(of.episodes)]


def scores(of: PlanItem, *values: float) -> list[dict[str, Any]]:
    """Lines of the first episodes of a task, with these scores."""
    return [line(of, k, score=value) for k, value in enumerate(values)]


def report_of(run: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> Report:
    """The report of a run.json and these lines, at most one for each case."""
    plan = Plan.from_json(run["plan"])
    return build(run, plan, cases_of(plan, lines))


def write_report_run(
    path: Path, run: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]
) -> Path:
    """The run directory of a run.json and these lines."""
    path.mkdir(exist_ok=True)
    (path / "run.json").write_text(json.dumps(run))
    with (path / "episodes.jsonl").open("w") as file:
        file.writelines(json.dumps(each) + "\n" for each in lines)
    return path
