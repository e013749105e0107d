"""`bench verify --invariance`: the same cases are played in several ways, which must not matter.

Where results drift, the agent is asked turns again in other batches: see batch_dependence.py.
"""

from __future__ import annotations

import importlib.util
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Agent, Result, Suite, Task, UserError
from harness.core.grammar import counted
from harness.core.text import printable
from harness.play.coordinator import Coordinator
from harness.play.inference import LocalAgent, Watch
from harness.play.local import play_locally
from harness.play.planning import make_plan
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play
from harness.play.stopped import Stopped
from harness.play.text_table import text_table
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.results import FIELDS
from harness.records.stored_run import load_run
from harness.records.traces import Trace, read_traces
from harness.verify.batch_dependence import RepeatingAgent, action_distance, explain_drift

__all__ = ["Drift", "InvarianceReport", "check_invariance", "sample_tasks"]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One case whose result differs from that of the first way."""

    way: str
    task: str
    seed: int
    perturbations: tuple[str, ...]
    fields: tuple[str, ...]
    """What differs in its result."""
    step: int | None
    """The first step whose action differs, from 0; None: no action that both have differs."""
    at_first: float
    """The largest difference between elements of the two actions at `step`, in the action's unit;
    infinite between two choices or texts."""
    largest: float
    """The same over all steps that both have."""


@dataclass(frozen=True, kw_only=True)
class InvarianceReport:
    """The result of `check_invariance`."""

    ways: tuple[str, ...]
    cases: int
    drifts: tuple[Drift, ...]
    cause: str
    """Why results drift; empty where nothing drifted."""
    not_run: tuple[str, ...] = ()

    def as_text(self) -> str:
        """The verdict, in a few lines."""
        cases = counted(self.cases, "case")
        lines = [f"{cases}, each played {len(self.ways)} times: {', '.join(self.ways)}"]
        if self.drifts:
            count = len({(d.task, d.seed, d.perturbations) for d in self.drifts})
            lines.append(f"{count} of {cases} {'drifts' if count == 1 else 'drift'}")
        else:
            lines.append("every case went the same way each time")
        return "\n".join([*lines, *([printable(self.cause)] if self.cause else [])])

    def table(self) -> str:
        """A row for each drift: at which step the first other action is, and by how much."""
        rows = [
            [
                d.way,
                d.task,
                d.seed,
                "none" if d.step is None else d.step,
                _size(d.at_first),
                _size(d.largest),
                _some(d.fields),
            ]
            for d in self.drifts
        ]
        head = ["way", "task", "seed", "step", "by", "at most", "what differs"]
        return text_table(head, rows)


def _size(value: float) -> str:
    return "a choice" if math.isinf(value) else f"{value:.3g}"


def _some(fields: Sequence[str]) -> str:
    """The first of several names, and how many there are more: a line each drift."""
    return fields[0] if len(fields) == 1 else f"{fields[0]} +{len(fields) - 1}"


def sample_tasks(
    chosen: Sequence[tuple[Suite, Task]], cases: int | None
) -> tuple[list[tuple[Suite, Task]], int | None]:
    """(tasks, episodes of each task) with at least `cases` cases, evenly over the tasks.

    With `cases` None the tasks have the episodes that their suites ask for.
    """
    if cases is None:
        return list(chosen), None
    if cases < len(chosen):
        return [chosen[k * len(chosen) // cases] for k in range(cases)], 1
    return list(chosen), -(-cases // len(chosen))


def check_invariance(
    spec: AgentSpec,
    chosen: Sequence[tuple[Suite, Task]],
    *,
    sample: int | None,
    workers: int,
    seed: int,
    progress: Progress,
    backend: str = "",
) -> InvarianceReport:
    """Play a sample of cases in every way, and compare the results.

    `sample`: the number of cases; None: all that the suites ask for.
    `workers`: the number of Ray workers of the last way; 0: none.
    Raises UserError on wrong use, or when no task can run.
    """
    tasks, episodes = sample_tasks(chosen, sample)
    plan = make_plan(tasks, spec, episodes=episodes, seed=seed, backend=backend)
    if not plan.total:
        reasons = "; ".join(f"{row.task}: {row.reason}" for row in plan.not_run[:3])
        raise UserError(f"none of these tasks can run here: {reasons}")
    ways: dict[str, RunOptions] = {
        "1 lane": RunOptions(),
        "1 lane again": RunOptions(),
        "8 lanes": RunOptions(lanes=8),
        "3 lanes, shuffled": RunOptions(lanes=3, shuffle=5),
        "cut and resumed": RunOptions(lanes=2),
    }
    if workers and importlib.util.find_spec("ray") is not None:
        ways[counted(workers, "worker")] = RunOptions(workers=workers, lanes=4, shuffle=7)
    drifts: list[Drift] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        first = Path(folder) / "0"
        for number, (way, options) in enumerate(ways.items()):
            path = Path(folder) / str(number)
            if way == "cut and resumed":
                _cut(first, path)
            progress.say(f"playing {counted(plan.total, 'case')}: {way}")
            summary = play(spec, [], plan, path, options, progress)
            if summary.stopped is not None:
                raise UserError(f"nothing is proved: {way} came to no end: {summary.stopped}")
            if number:
                drifts += _compare(way, first, path)
    cause = _explain(spec, plan, ways[drifts[0].way].lanes or 8, drifts, progress) if drifts else ""
    rows = tuple(f"{row.task}: {row.reason}" for row in plan.not_run)
    return InvarianceReport(
        ways=tuple(ways), cases=plan.total, drifts=tuple(drifts), cause=cause, not_run=rows
    )


def _cut(whole: Path, path: Path) -> None:
    """Copy a run without every other line, and with a torn last one, as a kill may leave it."""
    shutil.copytree(whole, path)
    file = path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    torn = lines[1][: len(lines[1]) // 2] if len(lines) > 1 else b""
    file.write_bytes(b"".join(lines[::2]) + torn)


def _compare(way: str, first: Path, other: Path) -> list[Drift]:
    one, two = (_results(path) for path in (first, other))
    found = []
    actions: list[Mapping[str, Any]] = []
    for case, result in one.items():
        again = two.get(case)
        names = tuple(
            name
            for name in FIELDS
            if name != "timing" and getattr(result, name) != getattr(again, name, None)
        )
        if names:
            actions = actions or [
                {trace.case: trace for trace in read_traces(path)} for path in (first, other)
            ]
            pair = [list(traces[case].decoded()) if case in traces else [] for traces in actions]
            distances = [action_distance(a, b) for a, b in zip(*pair)]
            step = next((k for k, size in enumerate(distances) if size > 0), None)
            at_first = 0.0 if step is None else distances[step]
            found.append(
                Drift(
                    way=way,
                    task=result.task,
                    seed=result.seed,
                    perturbations=result.perturbations,
                    fields=names,
                    step=step,
                    at_first=at_first,
                    largest=max(distances, default=0.0),
                )
            )
    return found


def _results(path: Path) -> dict[str, Result]:
    return {result.case: result for result in load_run(path).results()}


class _DiscardingSink:
    """A result sink that keeps nothing: these episodes are played for their turns only."""

    def __init__(self) -> None:
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}

    def done(self, index: CaseIndex) -> bool:
        """No case is."""
        return False

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Discard the result."""


def _explain(
    spec: AgentSpec, plan: Plan, lanes: int, drifts: Sequence[Drift], progress: Progress
) -> str:
    agents: list[RepeatingAgent] = []

    def make_client(agent: Agent, watch: Watch, timeout: float) -> LocalAgent:
        agents.append(RepeatingAgent(agent, watch, timeout))
        return agents[0]

    progress.say("asking the agent the same turns in other batches")
    try:
        play_locally(
            Coordinator(plan, _DiscardingSink(), progress),
            spec,
            lanes=lanes,
            agent_timeout=RunOptions.agent_timeout,
            make_client=make_client,
        )
    except Stopped as end:
        return f"why they drift is not known: {end}"
    firsts = [drift.at_first for drift in drifts if drift.step is not None]
    return explain_drift(agents[0].repeated, max(firsts, default=math.inf))
