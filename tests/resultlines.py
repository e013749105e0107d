"""Lines of episodes.jsonl written by hand, and what the reader makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import toys
from conftest import plan_of

from harness.core import Result
from harness.records.plan import CaseIndex, Plan
from harness.records.results import result_from_json
from harness.records.run_directory import RunDirectory

SPEC, PLAN = plan_of("GoodAgent", [toys.toy_task(), toys.toy_task("stay", success="end")], 4)
"""Two tasks of four episodes each."""

SCORED = {"status": "finished", "success": True, "score": 1.0, "ended": "success", "error": None}
FAILED = {"status": "finished", "success": False, "score": 0.0, "ended": "horizon", "error": None}
BAD_AGENT = {
    "status": "agent_error",
    "success": False,
    "score": None,
    "ended": "agent_error",
    "error": "ValueError: no weights",
}
ERROR = {
    "status": "error",
    "success": None,
    "score": None,
    "ended": "error",
    "error": "RuntimeError: the simulator broke",
}


def line_of(
    index: CaseIndex, outcome: Mapping[str, Any] = SCORED, plan: Plan = PLAN, **changes: Any
) -> dict[str, Any]:
    """A line of episodes.jsonl, decoded."""
    case = plan.case(index)
    success = outcome["success"]
    return {
        "case": case.id,
        "task": case.task.id,
        "seed": case.seed,
        "perturbations": list(map(str, case.perturbations)),
        "normalised": None,
        "steps": 5,
        "metrics": {"distance": 0.25},
        "digest": "00ff",
        "protocol": plan.items[index.item].protocol,
        "timing": {"simulator_s": 0.5, "agent_s": 0.25, "worker": "here", "attempt": 1},
        "start": "" if outcome["status"] == "error" else "12ab",
        "success_ever": success,
        "success_end": success,
        "first_success": 5 if success else None,
        **outcome,
        **changes,
    }


def write_run(path: Path, lines: Sequence[Any], **described: Any) -> Path:
    """A run directory of PLAN with these lines; bytes are written as they are.

    `described`: further fields of run.json.
    """
    RunDirectory(path, {"agent": SPEC.to_json()}, PLAN).close(finished=True)
    if described:
        run = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**run, **described}))
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
    (path / "episodes.jsonl").write_bytes(b"".join(raw))
    return path


def cases_of(plan: Plan, lines: Iterable[Mapping[str, Any]]) -> Iterator[tuple[CaseIndex, Result]]:
    """(index in the plan, result) of each of these lines."""
    for line in lines:
        result = result_from_json(dict(line))
        index = plan.locate(result.task, result.seed, result.perturbations)
        assert index is not None, f"{result.task} with seed {result.seed} is not planned"
        yield index, result
