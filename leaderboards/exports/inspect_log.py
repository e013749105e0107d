"""Logs of Inspect (inspect_ai, UK AI Security Institute): one for each suite of a run.

The form is `EvalLog`, version 2, as JSON (inspect_ai/log/_log.py). A case becomes a sample, its
instruction the input, and what the rule of its task says the score `success`: C or I, as Inspect
writes correct and incorrect; of a task without a success there is the number `score`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from harness.core import Result, UserError
from harness.core.grammar import counted
from harness.records.plan import CaseIndex, label
from harness.records.stored_run import StoredRun
from harness.records.traces import locate_traces
from harness.stats import Estimate
from leaderboards.report import load_report
from leaderboards.schema import Group, Report, TaskRow

__all__ = ["export_inspect"]

VERSION = 2
"""Of EvalLog."""


def export_inspect(run: StoredRun, out: Path) -> list[str]:
    """Write a folder of logs that `inspect view --log-dir OUT` shows. Returns remarks.

    Raises UserError if it cannot be written.
    """
    report = load_report(run.path)
    instructions = {trace.case: trace.instruction for trace, _, _ in locate_traces(run.path)}
    suites = list(dict.fromkeys(item.suite for item in run.plan.items))
    files: dict[str, IO[str]] = {}
    counts = dict.fromkeys(suites, 0)
    try:
        out.mkdir(parents=True)
        try:
            for suite in suites:
                files[suite] = open(out / _file_name(run, suite), "w", encoding="utf-8")  # noqa: SIM115
                head = json.dumps(_head(run, report, suite), indent=1, allow_nan=False)
                files[suite].write(head.removesuffix("\n}") + ',\n "samples": [')
            for index, result in run.cases():
                suite = run.plan.items[index.item].suite
                sample = _sample(run, index, result, instructions.get(result.case, ""))
                files[suite].write(",\n  " if counts[suite] else "\n  ")
                files[suite].write(json.dumps(sample, allow_nan=False))
                counts[suite] += 1
            for file in files.values():
                file.write("\n ]\n}\n")
        finally:
            for file in files.values():
                file.close()
    except OSError as fault:
        raise UserError(f"cannot write to {out}: {fault.strerror}") from None
    samples = counted(sum(counts.values()), "sample")
    return [
        f"{samples} in {counted(len(suites), 'log')}; `inspect view --log-dir {out}` shows them"
    ]


def _id(run: StoredRun, *parts: str) -> str:
    """22 characters, as Inspect's own ids have, the same whenever the run is exported."""
    told = json.dumps([run.description["plan"]["hash"], run.description["created"], *parts])
    return hashlib.blake2b(told.encode(), digest_size=11).hexdigest()


def _file_name(run: StoredRun, suite: str) -> str:
    when = re.sub(r"[^0-9T+-]", "-", str(run.description["created"]))[:30]
    named = re.sub(r"[^A-Za-z0-9.-]", "-", suite)[:80]
    return f"{when}_{named}_{_id(run, suite, 'task')}.json"


def _head(run: StoredRun, report: Report, suite: str) -> dict[str, Any]:
    told, agent = run.description, run.description["agent"]
    group = next(each for each in report.suites if each.suite == suite)
    rows = [row for row in report.tasks if row.suite == suite]
    packages = {"generalist-bench": str(told["bench"])} | {
        str(name): str(version) for name, version in report.run["packages"].items()
    }
    commit = told.get("commit")
    return {
        "version": VERSION,
        "status": "success" if told["finished"] else "cancelled",
        "eval": {
            "eval_id": _id(run, suite, "eval"),
            "run_id": _id(run, "run"),
            "created": str(told["created"]),
            "task": suite,
            "task_id": _id(run, suite, "task"),
            "task_version": 0,
            "task_args": {"seed": run.plan.seed},
            "dataset": {"name": suite, "samples": group.planned, "shuffled": False},
            "model": f"bench/{agent['name']}",
            "model_args": dict(agent["args"]),
            "config": {"epochs": 1},
            "packages": packages,
            **({"revision": _revision(str(commit))} if commit else {}),
            "metadata": {
                "agent": agent["entry"],
                "fingerprint": agent["fingerprint"],
                "reads": list(agent["reads"]),
                "privileged": bool(agent.get("privileged")),
                "plan": told["plan"]["hash"],
                "command": str(told.get("command", "")),
            },
        },
        "plan": {"name": "bench", "steps": []},
        "results": {
            "total_samples": _planned(run, suite),
            "completed_samples": group.n,
            "scores": [_group_score(group), *(_task_score(row) for row in rows if row.n)],
        },
        "stats": {
            "started_at": str(told["created"]),
            "completed_at": str(told["finished"] or ""),
            "model_usage": {},
        },
    }


def _planned(run: StoredRun, suite: str) -> int:
    items = run.plan.items
    return sum(run.plan.count(number) for number, each in enumerate(items) if each.suite == suite)


def _revision(commit: str) -> dict[str, Any]:
    return {"type": "git", "origin": "", "commit": commit}


def _group_score(group: Group) -> dict[str, Any]:
    figures = {**_bounds("success_rate", group.interval), "normalised": group.normalised}
    return _score(f"suite {group.suite}", figures, group.n)


def _task_score(row: TaskRow) -> dict[str, Any]:
    figures = {
        **_bounds("success_rate", row.interval),
        **_bounds("score_mean", row.score),
        "normalised": row.normalised,
    }
    return _score(row.task, figures, row.n)


def _bounds(name: str, found: Estimate | None) -> dict[str, float | None]:
    if found is None:
        return {}
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _score(name: str, figures: Mapping[str, float | None], samples: int) -> dict[str, Any]:
    return {
        "name": name,
        "scorer": "success",
        "scored_samples": samples,
        "metrics": {
            metric: {"name": metric, "value": value}
            for metric, value in figures.items()
            if value is not None
        },
    }


def _sample(run: StoredRun, index: CaseIndex, result: Result, instruction: str) -> dict[str, Any]:
    item = run.plan.items[index.item]
    condition = label(run.plan.conditions[index.condition])
    timing = result.timing
    seconds = timing.get("simulator_s", 0.0) + timing.get("agent_s", 0.0)
    sample: dict[str, Any] = {
        "id": f"{result.task}:{result.seed}{condition and f':{condition}'}",
        "epoch": 1,
        "input": instruction or result.task,
        "target": item.task.rule,
        "messages": [],
        "output": {"model": f"bench/{run.description['agent']['name']}", "choices": []},
        "scores": dict(_scores(result)),
        "metadata": {
            name: getattr(result, name)
            for name in (
                "case", "task", "seed", "status", "steps", "ended", "normalised", "start",
                "digest", "protocol",
            )
        }
        | {
            "domain": item.task.domain,
            "perturbations": list(result.perturbations),
            "metrics": dict(result.metrics),
        },
        "total_time": seconds,
        "working_time": seconds,
        "uuid": result.case,
    }  # fmt: skip
    if result.status == "error":
        message = result.error or "error"
        sample["error"] = {"message": message, "traceback": message, "traceback_ansi": message}
    return sample


def _scores(result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
    if result.status == "error":
        return
    why = {"explanation": result.error} if result.error else {}
    if result.success is not None:
        yield "success", {"value": "C" if result.success else "I", **why}
    if result.score is not None:
        yield "score", {"value": result.score}
    elif result.success is None:
        yield "score", {"value": "N", **why}  # Inspect's letter for no answer
