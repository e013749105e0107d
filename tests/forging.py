"""What somebody may do to a run whose hashes and ids are then made to fit, for tests of verify."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import toys
from conftest import Notes, plan_of
from tampering import Tampered

from harness.cli.verification import stops_of
from harness.core import Missing, Perturbation, Reference, Suite, Task
from harness.play.runner import RunOptions, play
from harness.records.plan import NotRun, Plan, PlanItem, protocol_hash
from harness.verify.knowledge import Knowledge

REFERENCE = Reference("a paper", 0.5, "success_rate", "https://example.org")
CLEAR = toys.toy_task(tags=("easy",), references=(REFERENCE,))
GLIDE = toys.toy_task("glide", action="box")
STAY = toys.toy_task("stay", success="end", max_steps=20)
BLIND = toys.toy_task("bad", fault="missing", references=(REFERENCE,))
SUITE = Suite("toys", "toys", (CLEAR, GLIDE, STAY, BLIND), 4)
OTHER = Suite("others", "others", (CLEAR,), 4)
KNOWN = Knowledge(
    tasks={task.id: task for task in SUITE.tasks},
    suite={"toys": SUITE, "others": OTHER}.get,
    stops=stops_of,
)
RANDOM = (Perturbation("action_random", 4, {"share": 0.4}),)
NOISE = (Perturbation("action_noise", 3, {"sigma": 0.2}),)
BURST = (Perturbation("burst", 4, {"steps": 10}),)


def honest_run(path: Path, agent: str = "RandomAgent") -> Path:
    """A run of three tasks, unperturbed and perturbed, and of one that cannot run here."""
    spec, plan = plan_of(agent, SUITE.tasks, 4)
    items = tuple(
        dataclasses.replace(item, conditions=None if item.task == GLIDE else (0, 2))
        for item in plan.items
    )
    rows = [
        NotRun.of("toys", item.task, Missing("actions are Discrete, not continuous", "-"), "x")
        for item in items
        if item.task != GLIDE
    ]
    rows = [dataclasses.replace(row, perturbation="action_noise:3") for row in rows]
    plan = dataclasses.replace(
        plan,
        items=items,
        perturbations=(RANDOM, NOISE, BURST),
        not_run=(*plan.not_run, *rows),
    )
    play(spec, ["toys"], plan, path, RunOptions(command="bench run"), Notes())
    return path


class Forged(Tampered):
    """A copy of a run whose plan may be changed, with every hash and id made to fit."""

    @property
    def plan(self) -> Plan:
        return Plan.from_json(self.run["plan"])

    def replace(
        self, plan: Plan, renamed: Mapping[tuple[str, ...], tuple[str, ...]] | None = None
    ) -> None:
        """Another plan. `renamed`: old perturbations -> new ones. Lines without a place go."""
        self.run["plan"] = plan.to_json()
        self.run["suites"] = list(dict.fromkeys(item.suite for item in plan.items))
        kept, traces = [], []
        for line in self.lines:
            old = self.traces_of(line)
            parts = tuple(line["perturbations"])
            line["perturbations"] = list((renamed or {}).get(parts, parts))
            index = plan.locate(line["task"], line["seed"], line["perturbations"])
            if index is None or not plan.plays(index.item, index.condition):
                continue
            line["protocol"] = plan.items[index.item].protocol
            line["case"] = plan.case(index).id
            for trace in old:
                trace["case"] = line["case"]
            kept.append(line)
            traces += old
        self.lines, self.traces = kept, traces

    def traces_of(self, line: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [trace for trace in self.traces if trace["case"] == line["case"]]

    def with_task(self, old: Task, **fields: Any) -> None:
        """The plan's task `old` gets other fields."""
        plan = self.plan
        new = dataclasses.replace(old, **fields)
        items = tuple(
            dataclasses.replace(item, task=new, protocol=protocol_hash(new, item.packages))
            if item.task.id == old.id
            else item
            for item in plan.items
        )
        for each in (*self.lines, *self.traces):
            if each["task"] == old.id:
                each["task"] = new.id
        self.replace(dataclasses.replace(plan, items=items))

    def with_item(self, task: Task, **fields: Any) -> None:
        """The plan's item of this task gets other fields."""
        plan = self.plan
        items = tuple(
            dataclasses.replace(item, **fields) if item.task.id == task.id else item
            for item in plan.items
        )
        self.replace(dataclasses.replace(plan, items=items))

    def without(self, keep: Callable[[PlanItem], bool], *rows: NotRun) -> None:
        """The plan lacks items, and gets rows instead."""
        plan = self.plan
        items = tuple(item for item in plan.items if keep(item))
        not_run = (*plan.not_run, *rows)
        self.replace(dataclasses.replace(plan, items=items, not_run=not_run))

    def with_condition(self, old: tuple[Perturbation, ...], new: tuple[Perturbation, ...]) -> None:
        """The condition `old` becomes `new`."""
        plan = self.plan
        conditions = tuple(new if each == old else each for each in plan.perturbations)
        self.replace(
            dataclasses.replace(plan, perturbations=conditions),
            {tuple(map(str, old)): tuple(map(str, new))},
        )


def forged_reference(run: Forged) -> None:
    run.with_task(CLEAR, references=(dataclasses.replace(REFERENCE, value=0.01),))


def forged_tags(run: Forged) -> None:
    run.with_task(CLEAR, tags=("hard",))


def forged_domain(run: Forged) -> None:
    run.with_task(CLEAR, domain="manipulation")


def forged_rule_text(run: Forged) -> None:
    run.with_task(CLEAR, rule="the point is exactly on the goal, blindfolded")


def another_version(run: Forged) -> None:
    run.with_task(CLEAR, id="toys/goal@2")


class Easy(toys.ToyAdapter):
    """Another adapter."""


def another_adapter(run: Forged) -> None:
    run.with_task(CLEAR, adapter="forging:Easy")


def another_suite(run: Forged) -> None:
    run.with_item(GLIDE, suite="others")


def another_name(run: Forged) -> None:
    """A task of somebody's own, in the name of our suite."""
    run.with_task(CLEAR, id="toys/harder@1")


def easier_in_a_suite_of_ones_own(run: Forged) -> None:
    run.with_task(CLEAR, max_steps=1000)
    run.with_item(CLEAR, suite="mine")


def bad_task_not_run(run: Forged) -> None:
    row = NotRun.of("toys", STAY, Missing("its package is not installed", "pip install it"))
    run.without(lambda item: item.task != STAY, row)


def bad_task_not_run_any_more(run: Forged) -> None:
    """The item stays in the plan, as in a run that found out while it played."""
    row = NotRun.of("toys", STAY, Missing("step: it broke", "-"))
    run.without(lambda item: True, row)
    run.lines = [line for line in run.lines if line["task"] != STAY.id]
    run.traces = [trace for trace in run.traces if trace["task"] != STAY.id]


def bad_condition_not_run(run: Forged) -> None:
    """Action noise does change the actions of this task."""
    row = NotRun.of("toys", GLIDE, Missing("nothing to change", "-"), "action_noise:3")
    run.without(lambda item: True, row)


def bad_condition_left_out(run: Forged) -> None:
    """As above; it has gone from the plan as well."""
    row = NotRun.of("toys", GLIDE, Missing("nothing to change", "-"), "action_random:4")
    plan = run.plan
    items = tuple(
        dataclasses.replace(item, conditions=(0, 1) if item.task == GLIDE else (1,))
        for item in plan.items
    )
    not_run = (*plan.not_run, row)
    run.replace(
        dataclasses.replace(plan, items=items, perturbations=(NOISE, BURST), not_run=not_run)
    )


def forged_row(run: Forged) -> None:
    """What the report prints of a task that was not run."""
    (row,) = (row for row in run.run["plan"]["not_run"] if row["task"] == BLIND.id)
    row["references"][0]["value"] = 0.0


def failures_as_errors(run: Forged) -> None:
    """Failures become the simulator's errors, which have no score; their traces stay."""
    for line in run.lines:
        if line["success"] is False:
            line |= {"status": "error", "ended": "error", "error": "it crashed", "digest": ""}
            line |= {"success": None, "score": None, "normalised": None}


def clean_case_as_perturbed(run: Forged, condition: tuple[Perturbation, ...] = RANDOM) -> None:
    """A perturbed case gets all of its control's: actions, digest and result."""
    line = run.pick(
        lambda line: line["perturbations"] == list(map(str, condition)) and line["steps"] > 15
    )
    control = run.pick(
        lambda other: (
            not other["perturbations"]
            and (other["task"], other["seed"]) == (line["task"], line["seed"])
        )
    )
    copied = control.keys() - {"case", "perturbations"}
    line |= {name: control[name] for name in copied}
    run.trace(line).update(
        {name: run.trace(control)[name] for name in ("actions", "digest", "instruction")}
    )


def clean_case_as_noisy(run: Forged) -> None:
    clean_case_as_perturbed(run, NOISE)


def lower_severity_by_name(run: Forged) -> None:
    run.with_condition(RANDOM, (Perturbation("action_random", 1, {"share": 0.4}),))


def lower_severity_by_parameters(run: Forged) -> None:
    run.with_condition(RANDOM, (Perturbation("action_random", 1, {"share": 0.05}),))


def lower_noise_by_parameters(run: Forged) -> None:
    run.with_condition(NOISE, (Perturbation("action_noise", 1, {"sigma": 0.05}),))


def shorter_burst(run: Forged) -> None:
    """Its metric says so."""
    run.with_condition(BURST, (Perturbation("burst", 1, {"steps": 1}),))


def made_up_metric(run: Forged) -> None:
    run.pick(lambda line: bool(line["perturbations"]))["metrics"]["grace"] = 1.0


def changed_metric_of_a_perturbed_line(run: Forged) -> None:
    run.pick(lambda line: bool(line["perturbations"]))["metrics"]["distance"] = 0.0


def expert_that_never_was(run: Forged) -> None:
    """The agent of this run asked no expert."""
    run.pick()["metrics"]["expert_gave_up"] = 1.0


def more_clipped_than_played(run: Forged) -> None:
    run.pick()["metrics"]["clipped_actions"] = 1000.0


def stopped_without_a_rule(run: Forged) -> None:
    run.run["stopped"] = {item.task.id: 1 for item in run.plan.items}


FORGERIES: dict[Callable[[Forged], None], str] = {
    forged_reference: "the task's description",
    forged_tags: "the task's description",
    forged_domain: "the task's description",
    forged_rule_text: "the task's rules",
    another_version: "the task's version",
    another_adapter: "the task's rules",
    another_suite: "the suite",
    another_name: "the suite",
    easier_in_a_suite_of_ones_own: "the task's rules",
    bad_task_not_run: "not run",
    bad_task_not_run_any_more: "not run",
    bad_condition_not_run: "action_noise:3 not run",
    bad_condition_left_out: "action_random:4 not run",
    forged_row: "the description of a task that was not run",
    failures_as_errors: "status",
    clean_case_as_perturbed: "the actions",
    clean_case_as_noisy: "the actions",
    lower_severity_by_name: "the severity",
    lower_severity_by_parameters: "the actions",
    lower_noise_by_parameters: "the actions",
    shorter_burst: "metrics.burst_steps",
    made_up_metric: "metrics.grace",
    changed_metric_of_a_perturbed_line: "metrics.distance",
    expert_that_never_was: "metrics.expert_gave_up",
    more_clipped_than_played: "metrics.clipped_actions",
    stopped_without_a_rule: "the stopping rule",
}
"""What was done, and what verify must name."""
