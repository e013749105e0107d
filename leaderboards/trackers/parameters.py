"""What was played, and by whom, as the parameters of a run in a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.text import printable, shorten
from harness.records.plan import label
from harness.records.stored_run import StoredRun
from leaderboards.trackers.tracker import Parameter

__all__ = ["parameters_of"]

MOST_TEXT = 500
"""Characters of a value: the least that the trackers take."""


def parameters_of(run: StoredRun) -> dict[str, Parameter]:
    """The parameters of a run, from its run.json alone, by names such as `agent.args.temperature`.

    They are the same however often the run was resumed.
    """
    return {
        shorten(printable(name), 200): shorten(printable(value), MOST_TEXT)
        if isinstance(value, str)
        else value
        for name, value in _all(run)
    }


def _all(run: StoredRun) -> Iterator[tuple[str, Parameter]]:
    told, agent, plan = run.description, run.description["agent"], run.whole
    yield "agent", str(agent["name"])
    yield "agent.entry", str(agent["entry"])
    yield "agent.fingerprint", str(agent["fingerprint"])
    yield "agent.reads", ", ".join(agent["reads"])
    yield "agent.privileged", bool(agent.get("privileged"))
    yield from _flat("agent.args", agent["args"])
    yield "suites", ", ".join(map(str, told["suites"]))
    yield "seed", plan.seed
    yield "plan", str(told["plan"]["hash"])
    yield "tasks", len(plan.items)
    yield "cases", plan.total
    if plan.perturbations:
        yield "perturbations", ", ".join(map(label, plan.perturbations))
    if plan.clock is not None:
        yield from _flat("clock", plan.clock.to_json())
    if told.get("stopping"):
        yield "stopping", str(told["stopping"])
    yield "bench", str(told["bench"])
    yield "commit", str(told.get("commit") or "unknown")
    yield from _flat("machine", told.get("machine") or {})
    packages: dict[str, set[str]] = {}
    for item in plan.items:
        for name, version in item.packages.items():
            packages.setdefault(name, set()).add(version)
    for name, versions in sorted(packages.items()):
        yield f"package.{name}", ", ".join(sorted(versions))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Parameter]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{prefix}.{name}", each)
    elif isinstance(value, (bool, int, float, str)):
        yield prefix, value
    elif value is not None:
        yield prefix, str(value)
