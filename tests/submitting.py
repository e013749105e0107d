"""Runs and entries of the board for tests, and what a forger who knows bench does to them.

A forger has the program: every hash, id, count and label that follows from the files is made to
fit after each change. What is left is what a check must find.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conftest import Notes
from tampering import (
    Tampered,
    another_action,
    another_digest,
    another_instruction,
    foreign_case,
    missing_case,
    repeated_case,
    swapped_results,
    swapped_seeds,
    truncated_to_fit,
    truncated_trace,
)

from harness.cli.names import agent_named, our_tasks, suite_table, suites_named
from harness.cli.verification import knowledge
from harness.core import Missing, UserError
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import select_tasks
from harness.records.plan import NotRun, Plan, protocol_hash
from harness.records.stored_run import load_run
from harness.records.trust import Trust
from harness.verify.knowledge import Knowledge
from leaderboards.submissions.check import Settings, conclude, examine, replay
from leaderboards.submissions.describe import describe
from leaderboards.submissions.entry import FILES, Submission, as_bytes
from leaderboards.submissions.packing import pack
from leaderboards.submissions.verdict import Verdict

SUBMISSION = Submission(
    url="https://example.org/agent",
    licence="Apache-2.0",
    selection="one agent, without a choice",
    checkpoints_tried=1,
    seeds_tried=1,
    training_data="none",
    parameters=0,
    weights=None,
    cost_per_episode=0.0,
    contact="somebody at example.org",
)
SEED = "5eed"
SUITES = frozenset(suite_table())
TASKS = "babyai/GoToRedBall,babyai/GoToObj,pddl/blocksworld,pddl/ferry"


def ours() -> Knowledge:
    """What the command knows when it checks an entry: the tasks of our suites alone are trusted."""
    return knowledge(Trust(our_tasks().get).refuse)


def play_run(path: Path, agent: str, episodes: int, seed: int = 0, tasks: str = TASKS) -> Path:
    """A run of one of our agents, on BabyAI and PDDL."""
    spec = agent_named(agent, {"epsilon": 0.8} if agent == "noisy-oracle" else {})
    chosen = select_tasks(suites_named("babyai,pddl"), tasks)
    plan = make_plan(chosen, spec, episodes=episodes, seed=seed)
    play(spec, ["babyai", "pddl"], plan, path, RunOptions(command="bench run"), Notes())
    return path


def check_entry(entry: Path, folder: Path, sample: str = "all", **fields: Any) -> Verdict:
    """The verdict of `bench leaderboard check`, in this process."""
    settings = Settings(sample=sample, seed=SEED, **fields)
    known = ours()
    folder.mkdir()
    found = examine(entry, folder, known, SUITES, settings)
    if isinstance(found, Verdict):
        return found
    return conclude(found, replay(found.run, known, settings, RunOptions(), Notes()), settings)


class Forger(Tampered):
    """A copy of a run that is changed and then submitted."""

    only = "babyai/"
    """Begins the tasks whose lines are picked: most changes are of actions that are numbers."""

    def pick(self, wanted: Callable[[dict[str, Any]], bool] = lambda line: True) -> dict[str, Any]:
        return super().pick(lambda line: line["task"].startswith(self.only) and wanted(line))

    @property
    def plan(self) -> Plan:
        return Plan.from_json(self.run["plan"])

    def replace_plan(self, plan: Plan) -> None:
        """Another plan; protocols and ids are made to fit, and what has no place in it goes."""
        self.run["plan"] = plan.to_json()
        traces = {trace["case"]: trace for trace in self.traces}
        kept = []
        for each in self.lines:
            index = plan.locate(each["task"], each["seed"], ())
            if index is not None:
                trace = traces[each["case"]]
                each["protocol"] = plan.items[index.item].protocol
                each["case"] = trace["case"] = plan.case(index).id
                kept.append((each, trace))
        self.lines, self.traces = [line for line, _ in kept], [trace for _, trace in kept]

    def with_task(self, **fields: Any) -> None:
        """The first task of the plan gets other fields."""
        plan = self.plan
        old = plan.items[0].task
        new = dataclasses.replace(old, **fields)
        for each in (*self.lines, *self.traces):
            if each["task"] == old.id:
                each["task"] = new.id
        self.with_item(plan, task=new, protocol=protocol_hash(new, plan.items[0].packages))

    def with_item(self, plan: Plan, **fields: Any) -> None:
        """The first item of the plan gets other fields."""
        item = dataclasses.replace(plan.items[0], **fields)
        self.replace_plan(dataclasses.replace(plan, items=(item, *plan.items[1:])))

    def submit(self, entries: Path, label: Callable[[dict[str, Any]], None] | None = None) -> Path:
        """Write the entry of the changed run: its lines and traces as they are, in order.

        `label` changes entry.json last.
        """
        self.lines, self.traces = (
            sorted(each, key=self._place) for each in (self.lines, self.traces)
        )
        self.save()
        path = entries / "forged"
        path.mkdir(parents=True)
        files = {
            kind: pack(kind, name, [self._content(kind)], path / name, None)
            for kind, name in FILES.items()
        }
        try:
            raw = as_bytes("Forged agent", SUBMISSION, describe(load_run(self.path)), files)
        except UserError:  # the lines are no results of this plan, so the old labels have to do
            raw = as_bytes("Forged agent", SUBMISSION, self.described, files)
        document = json.loads(raw)
        if label is not None:
            label(document)
        (path / "entry.json").write_text(json.dumps(document))
        return path

    def _place(self, each: Mapping[str, Any]) -> tuple[int, ...]:
        # A trace does not say how its case is perturbed, so its id must.
        lines = (line["perturbations"] for line in self.lines if line["case"] == each["case"])
        index = self.plan.locate(each["task"], each["seed"], next(lines, ()))
        return (1,) if index is None else (0, *index)

    def _content(self, kind: str) -> bytes:
        names = {"run": "run.json", "episodes": "episodes.jsonl", "traces": self.part}
        return (self.path / names[kind]).read_bytes()

    @property
    def described(self) -> dict[str, Any]:
        return dict(self._described)

    def __init__(self, honest: Path, path: Path, seed: int) -> None:
        super().__init__(honest, path, seed)
        self._described = describe(load_run(honest))


# Changes of what is recorded


def success_flipped(run: Forger) -> None:
    line = run.pick(lambda line: line["success"] is False)
    line |= {"success": True, "success_ever": True, "success_end": True, "ended": "success"}
    line |= {"first_success": line["steps"], "score": 0.9}


def failure_made_up(run: Forger) -> None:
    """Of a planning task, with every measure to fit."""
    run.only = "pddl/"
    line = run.pick(lambda line: line["success"] is True)
    line |= {"success": False, "success_ever": False, "success_end": False, "first_success": None}
    line |= {"score": 0.0, "ended": "truncated"}


def score_inflated(run: Forger) -> None:
    run.pick(lambda line: line["score"] != 0.0)["score"] += 0.01


def metric_edited(run: Forger) -> None:
    run.only = "pddl/"
    line = run.pick(lambda line: bool(line["metrics"]))
    line["metrics"][sorted(line["metrics"])[int(run.rng.integers(len(line["metrics"])))]] += 1.0


def metric_made_up(run: Forger) -> None:
    run.pick()["metrics"]["grace"] = 1.0


def normalised_edited(run: Forger) -> None:
    run.pick()["normalised"] = 0.99


def first_success_earlier(run: Forger) -> None:
    run.pick(lambda line: (line["first_success"] or 0) > 1)["first_success"] -= 1


def another_start(run: Forger) -> None:
    run.pick()["start"] = f"{run.rng.integers(1 << 60):016x}"


def failure_as_error(run: Forger) -> None:
    line = run.pick(lambda line: line["success"] is False)
    line |= {"status": "error", "ended": "error", "error": "it crashed", "digest": "", "start": ""}
    line |= dict.fromkeys(("success", "score", "normalised", "success_ever", "success_end"))


def failure_as_agent_error(run: Forger) -> None:
    line = run.pick(lambda line: line["success"] is False)
    line |= {"status": "agent_error", "ended": "agent_error", "error": "it broke"}
    line |= {"score": None, "normalised": None}


def protocol_of_a_line(run: Forger) -> None:
    run.pick()["protocol"] = f"{run.rng.integers(1 << 48):012x}"


def protocol_of_the_plan(run: Forger) -> None:
    """In the plan, the lines and the labels alike."""
    run.with_item(run.plan, protocol=f"{run.rng.integers(1 << 48):012x}")


def longer_horizon(run: Forger) -> None:
    run.with_task(max_steps=1000 + int(run.rng.integers(9)))


def another_task(run: Forger) -> None:
    run.with_task(id=f"babyai/Easy{run.rng.integers(99)}@1")


def another_adapter(run: Forger) -> None:
    run.with_task(adapter="os:system")


def another_rule(run: Forger) -> None:
    run.with_task(rule=f"done in spirit {run.rng.integers(99)}")


def another_suite(run: Forger) -> None:
    run.with_item(run.plan, suite="minigrid")


def fewer_planned(run: Forger) -> None:
    """The lines that are left over stay."""
    number = int(run.rng.integers(len(run.run["plan"]["items"])))
    run.run["plan"]["items"][number]["episodes"] = 2


def trace_dropped(run: Forger) -> None:
    run.traces.remove(run.trace(run.pick()))


def trace_repeated(run: Forger) -> None:
    """With another one of the same case, the last of which counts."""
    run.traces.insert(0, dict(run.trace(run.pick())))


def bad_task_not_run(run: Forger) -> None:
    plan = run.plan
    number = int(run.rng.integers(2))
    row = NotRun.of("babyai", plan.items[number].task, Missing("no package", "pip install it"))
    items = (*plan.items[:number], *plan.items[number + 1 :])
    run.replace_plan(dataclasses.replace(plan, items=items, not_run=(row,)))


def stopped_at_a_good_moment(run: Forger) -> None:
    run.run["stopped"] = {item.task.id: 2 for item in run.plan.items}
    run.run["stopping"] = "until width 0.2"


def unfinished(run: Forger) -> None:
    run.run["finished"] = None


def label_privileged(run: Forger) -> None:
    run.run["agent"]["privileged"] = False


CHANGES: Mapping[Callable[[Forger], None], str] = {
    success_flipped: "success is True, not False",
    failure_made_up: "success is False, not True",
    score_inflated: "score is",
    metric_edited: "metrics.",
    metric_made_up: "metrics.grace is 1.0, not None",
    normalised_edited: "normalised is 0.99, not None",
    first_success_earlier: "first_success is",
    another_start: "start is",
    failure_as_error: "have no score",
    failure_as_agent_error: "status is agent_error",
    protocol_of_a_line: "the protocol is",
    protocol_of_the_plan: "the plan's protocol is",
    longer_horizon: "its content differs",
    another_task: "is no task of bench's suites",
    another_adapter: "its content differs",
    another_rule: "its content differs",
    another_suite: "the suite is minigrid",
    fewer_planned: "more lines than",
    trace_dropped: "its traces are not",
    trace_repeated: "its traces are not",
    bad_task_not_run: "not run",
    stopped_at_a_good_moment: "stopped by a rule",
    unfinished: "it is not finished",
    label_privileged: "the label `privileged` contradicts",
    truncated_trace: "the trace's length",
    truncated_to_fit: "the actions",
    another_action: "digest",
    another_digest: "digest",
    another_instruction: "the instruction",
    swapped_results: "digest",
    swapped_seeds: "not every case once in the plan's order",
    missing_case: "its lines are not",
    repeated_case: "more lines than",
    foreign_case: "does not plan",
}
"""What is done to a run -> a part of the reason for which its entry is refused."""


# Changes of the labels in entry.json


def _first(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["results"]["tasks"][0]
    return found


def more_successes(document: dict[str, Any]) -> None:
    _first(document)["successes"] += 1


def higher_mean(document: dict[str, Any]) -> None:
    _first(document)["score_mean"] = 1.0


def more_episodes(document: dict[str, Any]) -> None:
    _first(document)["episodes"] += 100


def task_left_out(document: dict[str, Any]) -> None:
    del document["results"]["tasks"][-1]


def protocol_label(document: dict[str, Any]) -> None:
    _first(document)["protocol"] = "0" * 12


def not_privileged(document: dict[str, Any]) -> None:
    document["agent"]["privileged"] = not document["agent"]["privileged"]


def another_name(document: dict[str, Any]) -> None:
    document["agent"]["name"] = "gea"


def mark_added(document: dict[str, Any]) -> None:
    document["marks"].append("verified by everybody")


def newer_packages(document: dict[str, Any]) -> None:
    document["played"]["packages"]["minigrid"] = "99"


LABELS: tuple[Callable[[dict[str, Any]], None], ...] = (
    more_successes,
    higher_mean,
    more_episodes,
    task_left_out,
    protocol_label,
    not_privileged,
    another_name,
    mark_added,
    newer_packages,
)
