"""Entries of the board written by hand: outcomes that a test chooses, for tasks of our suites."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import Perturbation, Suite, Task
from harness.records.plan import CaseIndex, NotRun, Plan, PlanItem, protocol_hash
from harness.records.stored_run import load_run
from leaderboards.submissions.entry import Submission, read_entry
from leaderboards.submissions.verdict import ACCEPTED, Verdict
from leaderboards.submissions.write import pack_entry

PACKAGES = {"toysim": "1.2"}
SUBMISSION = Submission(
    url=None,
    licence="MIT",
    selection="one agent, no choice",
    checkpoints_tried=1,
    seeds_tried=1,
    training_data=None,
    parameters=1000,
    weights=None,
    cost_per_episode=0.01,
    contact=None,
)
Outcome = Callable[[Task, CaseIndex], "bool | float | None"]
"""Success or score of a case; None: the agent ended it by an error."""


def play_entry(
    entries: Path,
    name: str,
    suites: Sequence[Suite],
    outcome: Outcome,
    *,
    episodes: int = 4,
    tasks: Callable[[Task], bool] = lambda task: True,
    conditions: Sequence[Sequence[Perturbation]] = (),
    packages: Mapping[str, str] = PACKAGES,
    not_run: Sequence[NotRun] = (),
    start: Callable[[CaseIndex], str] = lambda index: f"{index.episode:04x}",
    verdict: str | None = ACCEPTED,
    reasons: tuple[str, ...] = (),
    created: str = "2026-01-01T00:00:00+00:00",
    privileged_views: Sequence[str] = (),
    renderer: str | None = None,
    change: Callable[[Task], Task] = lambda task: task,
    submission: Submission = SUBMISSION,
    **agent: Any,
) -> Path:
    """Write an entry, with a verdict unless that is None; returns its folder."""
    chosen = [(suite, change(task)) for suite in suites for task in suite.tasks if tasks(task)]
    items = tuple(
        PlanItem(suite.name, task, episodes, protocol_hash(task, packages), packages, task.adapter)
        for suite, task in chosen
    )
    plan = Plan(items, 0, tuple(map(tuple, conditions)), tuple(not_run))
    who = {
        "name": name,
        "entry": "my.agents:Agent",
        "args": {},
        "reads": ["image"],
        "privileged": False,
        "fingerprint": name.encode().hex()[:16].ljust(16, "0"),
        **agent,
    }
    run = {
        "schema": 2,
        "bench": "0.1.0",
        "commit": "abc",
        "command": f"bench run --agent {name}",
        "created": created,
        "finished": created,
        "machine": {"cores": 2},
        "suites": [suite.name for suite in suites],
        "agent": who,
        "plan": plan.to_json(),
    }
    path = entries.parent / f".run of {entries.name} {len(list(entries.parent.iterdir()))}"
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(run))
    timing = {"simulator_s": 0.5, "agent_s": 0.25}
    if privileged_views:
        timing["privileged"] = list(privileged_views)
    if renderer is not None:
        timing["renderer"] = renderer
    lines = []
    for number, item in enumerate(items):
        for condition in plan.conditions_of(number):
            for episode in range(episodes):
                index = CaseIndex(number, condition, episode)
                found = outcome(item.task, index)
                lines.append(json.dumps(_line(plan, index, found, start(index), timing)))
    (path / "episodes.jsonl").write_text("".join(f"{each}\n" for each in lines))
    stored = load_run(path)
    written = pack_entry(stored, name, submission, entries, None, dict(stored.cases())).path
    if verdict is not None:
        digest = read_entry(written).digest
        said = Verdict(
            outcome=verdict, statement="all of them replayed", entry=digest, reasons=reasons
        )
        said.write(written)
    return written


def _line(
    plan: Plan, index: CaseIndex, found: bool | float | None, start: str, timing: dict[str, Any]
) -> dict[str, Any]:
    case = plan.case(index)
    rated = case.task.success is not None
    success = bool(found) if rated else None
    score = None if found is None else float(found)
    return {
        "case": case.id,
        "task": case.task.id,
        "seed": case.seed,
        "perturbations": list(map(str, case.perturbations)),
        "status": "agent_error" if found is None else "finished",
        "success": success,
        "score": score,
        "normalised": None,
        "steps": 10,
        "ended": "agent_error" if found is None else "success" if success else "horizon",
        "metrics": {},
        "error": "ValueError: no" if found is None else None,
        "digest": f"{start}{found}",
        "protocol": plan.items[index.item].protocol,
        "timing": timing,
        "start": start,
        "success_ever": success,
        "success_end": success,
        "first_success": 10 if success else None,
    }


def small(suite: Suite, count: int = 3) -> Suite:
    """The first tasks of a suite."""
    return dataclasses.replace(suite, tasks=suite.tasks[:count], counts={})
