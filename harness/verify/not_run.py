"""Rows that say that a task or a condition could not run: could it run here?

A row is probed as a run would find it out: the episodes are begun with the views that the agent of
the run read, by the same loop, and ended after one step. A row that this machine cannot confirm
nor refute is a claim.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core import Agent, Answer, Missing, Perturbation, Result, Task, Turn, UserError
from harness.host.loading import load_adapter
from harness.perturb.parse import Condition
from harness.perturb.pipeline import other_versions
from harness.perturb.registry import REGISTRY
from harness.perturb.resolve import not_observed, resolve
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.expert_run import ASKING
from harness.play.fit import CANNOT_PLAY
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play_cases
from harness.play.stopped import Stopped
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, NotRun, Plan, PlanItem, label
from harness.records.stored_run import StoredRun
from harness.records.traces import Trace
from harness.verify.difference import Difference
from harness.verify.knowledge import Knowledge
from harness.verify.plan_items import quotes_claim

__all__ = ["NotRunReport", "ProbeAgent", "check_not_run"]

PROBE_AGENT = "harness.verify.not_run:ProbeAgent"
MOST_EPISODES = 50
"""Of one task. A perturbation may suit most seeds; a run leaves it out if one seed does not."""
CANNOT = "what could not run, and cannot be tried here"
_PART = re.compile(r"([A-Za-z0-9_]+)(?:@(\d{1,3}))?:(\d{1,3})")


class ProbeAgent(Agent):
    """Does nothing for one step, and then gives up."""

    def __init__(self, reads: Sequence[str], history: int) -> None:
        self.reads = tuple(reads)  # type: ignore[misc]
        self.history = history  # type: ignore[misc]

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        """The no-op at an episode's first turn. Raises UserError at a second one."""
        if any(turn.step for turn in turns):
            raise UserError("one step is enough")
        return [Answer([turn.brief.action.noop()]) for turn in turns]


@dataclass(kw_only=True)
class NotRunReport:
    """The result of `check_not_run`."""

    differences: list[Difference] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)


class _Probes:
    """A result sink that remembers which probes the simulator played."""

    def __init__(self, wanted: set[tuple[int, int]]) -> None:
        self._wanted = wanted
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
        self.plan: Plan
        self.played: set[tuple[int, int]] = set()

    def done(self, index: CaseIndex) -> bool:
        """True for all that no row is about."""
        return index.place not in self._wanted

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Take note of one probe."""
        index = self.plan.locate(result.task, result.seed, result.perturbations)
        if index is not None and result.status != "error":
            self.played.add(index.place)


def check_not_run(
    run: StoredRun,
    known: Knowledge,
    *,
    most: int | None,
    rng: np.random.Generator,
    options: RunOptions,
    progress: Progress,
) -> NotRunReport:
    """Check the rows of a plan that say what could not run; `most`: so many of them, drawn."""
    found = NotRunReport()
    rows = list(run.whole.not_run)
    for row in rows:
        _check_row(row, known, found, run.description["schema"])
    if most is not None and len(rows) > most:
        rows = [rows[k] for k in sorted(rng.permutation(len(rows))[:most])]
        left = len(run.whole.not_run) - most
        found.claims.append(f"{left} more rows of what could not run, which the sample left out")
    probes = _Builder(run, known)
    for row in rows:
        probes.add(row)
    _play(probes, options, progress, found)
    for what, tasks in probes.claims.items():
        more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
        found.claims.append(f"{what} ({tasks[0]}{more})")
    return found


def _check_row(row: NotRun, known: Knowledge, found: NotRunReport, schema: int) -> None:
    """Compare what a row says of its task with our task of this name."""
    suite = known.suite(row.suite) if not row.suite.startswith("gym:") else None
    ours = {task.id: task for task in suite.tasks}.get(row.task) if suite is not None else None
    if suite is not None and ours is None and schema == 1 and _is_elsewhere(row, known):
        found.claims.append(f"that {row.task} belonged to {row.suite}, to which it does not belong")
    elif suite is not None and ours is None:
        found.differences.append(
            Difference(
                what="the suite",
                recorded=row.suite,
                expected="a suite that has this task",
                task=row.task,
            )
        )
    if ours is None:
        return
    told, right = (
        json.dumps([each.domain, [dataclasses.asdict(one) for one in each.references]])
        for each in (row, ours)
    )
    if told != right and schema == 1 and row.domain == ours.domain:
        if quotes_claim(row.task) not in found.claims:
            found.claims.append(quotes_claim(row.task))
    elif told != right:
        found.differences.append(
            Difference(
                what="the description of a task that was not run",
                recorded=told,
                expected=right,
                task=row.task,
            )
        )


def _is_elsewhere(row: NotRun, known: Knowledge) -> bool:
    """Whether another suite of ours has this task."""
    task = known.by_name.get(row.task.rpartition("@")[0])
    return task is not None and task.id == row.task


class _Builder:
    """Collects the probes: a plan of the cases that say whether a row is right."""

    def __init__(self, run: StoredRun, known: Knowledge) -> None:
        self._run, self._known = run, known
        agent = run.description["agent"]
        history = agent.get("history", 1)
        self.history = history if type(history) is int and 1 <= history <= 1000 else 1
        self.reads = run.reads
        self._gate = str(run.description.get("stopping", "")).startswith("gate")
        self._items = {item.task.id: item for item in run.whole.items}
        self._conditions: dict[str, int] = {}
        self._parts: list[tuple[Perturbation, ...]] = []
        self._chosen: dict[str, tuple[PlanItem, list[int]]] = {}
        self.rows: dict[tuple[str, int], NotRun] = {}
        """The row that the probes of (task, condition) are about."""
        self.claims: dict[str, list[str]] = {}
        """What is only claimed, and of which tasks."""

    def add(self, row: NotRun) -> None:
        """Probe a row, or note that it is a claim."""
        item = self._item(row)
        if item is None:
            return None
        kind = load_adapter(item.task.adapter)
        if kind.missing(item.task) is not None:
            return self._claim(CANNOT, row.task)
        if row.perturbation is None:
            if row.reason.startswith(CANNOT_PLAY):
                return self._claim("that the agent does not fit", row.task)
            if ASKING.intersection(self.reads) and not kind.has_expert(item.task):
                return None  # what the row says is so
            if "skills" in self.reads and not kind.skills(item.task):
                return None
            return self._probe(row, item, 0)
        if self._gate:
            return self._claim("what a gate left out because its base did", row.task)
        for parts in self._parts_of(row.perturbation):
            if any(other_versions([parts])):
                return self._claim("what another version of a perturbation left out", row.task)
            if any(not_observed(part.name, self.reads, self.history) for part in parts):
                return self._claim("what the agent could not notice of a set", row.task)
            resolved = resolve(Condition(parts), item.task, kind, ProbeAgent)
            if not isinstance(resolved, Missing):
                key = "+".join(map(str, resolved))
                if key not in self._conditions:
                    self._conditions[key] = len(self._conditions) + 1
                    self._parts.append(resolved)
                self._probe(row, item, self._conditions[key])
        return None

    def _item(self, row: NotRun) -> PlanItem | None:
        """The task of a row as an item that can be probed here; None: the row is a claim."""
        item = self._items.get(row.task)
        task: Task | None = item.task if item is not None else self._known.tasks.get(row.task)
        refused = self._known.refuse(task) if task is not None else "it is not ours"
        if task is None or refused is not None:
            self._claim(CANNOT, row.task)
            return None
        try:
            key = environment_key(task)
            load_adapter(task.adapter).missing(task)
        except Exception:  # params that do not fit, which check_items names
            self._claim(CANNOT, row.task)
            return None
        episodes = min(MOST_EPISODES, item.episodes if item is not None else MOST_EPISODES)
        return PlanItem(row.suite, task, episodes, "", {}, key)

    def _parts_of(self, text: str) -> list[tuple[Perturbation, ...]]:
        """The conditions that a row's label can mean; those of the plan have parameters."""
        planned = [each for each in self._run.whole.perturbations if label(each) == text]
        if planned:
            return planned
        parts = [_PART.fullmatch(part) for part in text.split("+")]
        if not all(parts):
            return []
        return [tuple(_of_row(part) for part in parts if part is not None)]

    def _claim(self, what: str, task: str) -> None:
        self.claims.setdefault(what, []).append(task)

    def _probe(self, row: NotRun, item: PlanItem, condition: int) -> None:
        self._chosen.setdefault(row.task, (item, []))[1].append(condition)
        self.rows[row.task, condition] = row

    def plan(self) -> Plan:
        """All probes, and the controls of the perturbed ones."""
        items = tuple(
            dataclasses.replace(item, conditions=tuple(each - 1 for each in conditions if each))
            for item, conditions in self._chosen.values()
        )
        return Plan(items, seed=self._run.whole.seed, perturbations=tuple(self._parts))


def _of_row(part: re.Match[str]) -> Perturbation:
    name, version, severity = part[1], int(part[2] or 1), int(part[3])
    kind = REGISTRY.get(name)
    if kind is None or kind.version == version:
        return Perturbation(name, severity, {} if kind is None else kind.params(severity))
    return Perturbation(name, severity, {"version": version})


def _play(probes: _Builder, options: RunOptions, progress: Progress, found: NotRunReport) -> None:
    plan = probes.plan()
    wanted = {
        (number, condition)
        for number, item in enumerate(plan.items)
        for condition in range(len(plan.conditions))
        if (item.task.id, condition) in probes.rows
    }
    if not wanted:
        return
    sink = _Probes(wanted)
    sink.plan = plan
    coordinator = Coordinator(plan, sink, progress)
    coordinator.tally.total = sum(plan.items[item].episodes for item, _ in wanted)
    spec = AgentSpec("probe", PROBE_AGENT, {"reads": list(probes.reads), "history": probes.history})
    try:
        play_cases(coordinator, spec, options, progress)
    except Stopped as end:
        raise UserError(f"{end}; verify it again") from None
    finally:
        progress.close(coordinator.tally)
    for place in sorted(wanted):
        item, condition = place
        refused = item in coordinator.not_run or place in coordinator.not_applicable
        if refused or place not in sink.played:
            continue
        row = probes.rows[plan.items[item].task.id, condition]
        found.differences.append(
            Difference(
                what="not run" if row.perturbation is None else f"{row.perturbation} not run",
                recorded=row.reason,
                expected="results: it can be played here",
                task=row.task,
            )
        )
