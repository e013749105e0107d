"""What somebody may do to the files of a run, and what `bench verify` must then name."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import toys

from harness.core import Task
from harness.records.plan import Plan, PlanItem, protocol_hash
from harness.records.traces import encode_actions

TASKS = (
    toys.toy_task(),
    toys.toy_task("glide", action="box"),
    toys.toy_task("batch", adapter="toys:BatchedToy"),
    toys.toy_task("survive", success=None, max_steps=20),
    toys.toy_task("stay", success="end", max_steps=20),
)


class Tampered:
    """A copy of a run, to be changed.

    `lines` and `traces` are lists of plain dictionaries, `run` is run.json.
    """

    def __init__(self, honest: Path, path: Path, seed: int) -> None:
        shutil.copytree(honest, path)
        self.path = path
        self.rng = np.random.default_rng(seed)
        self.run = json.loads((path / "run.json").read_text())
        self.lines = [
            json.loads(line) for line in (path / "episodes.jsonl").read_text().splitlines()
        ]
        (self.part,) = (path / "traces").iterdir()
        with self.part.open("rb") as file:
            self.traces = list(msgpack.Unpacker(file))

    def pick(self, wanted: Callable[[dict[str, Any]], bool] = lambda line: True) -> dict[str, Any]:
        chosen = [line for line in self.lines if wanted(line)]
        return chosen[int(self.rng.integers(len(chosen)))]

    def trace(self, line: dict[str, Any]) -> dict[str, Any]:
        return next(trace for trace in self.traces if trace["case"] == line["case"])

    def save(self) -> None:
        (self.path / "run.json").write_text(json.dumps(self.run))
        (self.path / "episodes.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in self.lines)
        )
        self.part.write_bytes(b"".join(map(msgpack.packb, self.traces)))


def rated(line: dict[str, Any]) -> bool:
    return line["success"] is not None


def changed_score(run: Tampered) -> None:
    run.pick()["score"] += float(run.rng.integers(1, 9))


def changed_metric(run: Tampered) -> None:
    run.pick()["metrics"]["distance"] += 0.5


def changed_steps(run: Tampered) -> None:
    run.pick()["steps"] -= 1


def made_up_success(run: Tampered) -> None:
    line = run.pick(lambda line: line["success"] is False)
    line |= {"success": True, "ended": "success"}


def hidden_failure(run: Tampered) -> None:
    """A failure that becomes a fault of the agent's, cut short, with a trace to fit."""
    line = run.pick(rated)
    line |= {
        "status": "agent_error",
        "ended": "agent_error",
        "success": False,
        "score": None,
        "normalised": None,
        "error": "it broke",
    }


def swapped_seeds(run: Tampered) -> None:
    one = run.pick()
    other = run.pick(lambda line: line["task"] == one["task"] and line["seed"] != one["seed"])
    one["seed"], other["seed"] = other["seed"], one["seed"]


def swapped_results(run: Tampered) -> None:
    """Two episodes that trade everything but their names, traces and digests included."""
    one = run.pick()
    other = run.pick(lambda line: line["task"] == one["task"] and line["digest"] != one["digest"])
    names = one.keys() - {"case", "task", "seed", "perturbations"}
    for left, right, both in (
        (one, other, names),
        (run.trace(one), run.trace(other), ("actions", "digest")),
    ):
        for name in both:
            left[name], right[name] = right[name], left[name]


def truncated_trace(run: Tampered) -> None:
    line = run.pick(lambda line: line["steps"] > 2)
    _edit(run.trace(line), lambda actions: actions[: -int(run.rng.integers(1, len(actions)))])


def truncated_to_fit(run: Tampered) -> None:
    """Line and trace both end early."""
    line = run.pick(lambda line: line["steps"] > 2 and line["ended"] != "success")
    _edit(run.trace(line), lambda actions: actions[:-1])
    line["steps"] -= 1


def another_action(run: Tampered) -> None:
    """One that may change nothing that is seen: against a wall, say."""

    def other(actions: np.ndarray) -> np.ndarray:
        changed = actions.copy()
        changed[int(run.rng.integers(len(changed)))] = 0 if changed.dtype.kind != "f" else 0.25
        return (
            changed
            if (changed != actions).any()
            else (actions + 1) % 5
            if changed.dtype.kind != "f"
            else -actions
        )

    _edit(run.trace(run.pick()), other)


def foreign_trace(run: Tampered) -> None:
    """A trace of another run's case, in the place of ours."""
    trace = run.trace(run.pick())
    trace |= {"seed": trace["seed"] + 1000, "case": f"{run.rng.integers(1 << 60):020x}"}


def damaged_trace(run: Tampered) -> None:
    actions = run.trace(run.pick())["actions"]
    actions["data"] = actions["data"][:-4] + bytes(4) if len(actions["data"]) % 2 else b"nothing"


def another_digest(run: Tampered) -> None:
    line = run.pick()
    line["digest"] = run.trace(line)["digest"] = f"{run.rng.integers(1 << 60):020x}"


def another_protocol(run: Tampered) -> None:
    run.pick()["protocol"] = "0123456789ab"


def easier_rules(run: Tampered) -> None:
    """The task of the plan gets another horizon, and every hash is made to fit."""
    line = run.pick()
    plan = Plan.from_json(run.run["plan"])
    items = []
    for item in plan.items:
        if item.task.id == line["task"]:
            task = Task(
                **{
                    **{name: getattr(item.task, name) for name in Task.__dataclass_fields__},
                    "max_steps": 1000,
                }
            )
            item = PlanItem(
                item.suite,
                task,
                item.episodes,
                protocol_hash(task, item.packages),
                item.packages,
                item.env_key,
            )
        items.append(item)
    changed = Plan(tuple(items), plan.seed)
    run.run["plan"] = changed.to_json()
    for each in run.lines:
        index = changed.locate(each["task"], each["seed"], ())
        assert index is not None
        trace = run.trace(each)
        each["protocol"] = changed.items[index.item].protocol
        each["case"] = trace["case"] = changed.case(index).id


def missing_case(run: Tampered) -> None:
    line = run.pick()
    run.lines.remove(line)
    run.traces.remove(run.trace(line))


def repeated_case(run: Tampered) -> None:
    run.lines.insert(int(run.rng.integers(len(run.lines))), dict(run.pick()))


def foreign_case(run: Tampered) -> None:
    run.pick()["seed"] += 77


def unreadable_line(run: Tampered) -> None:
    del run.pick()["steps"]


def another_instruction(run: Tampered) -> None:
    run.trace(run.pick())["instruction"] = "do as you like"


def fewer_planned(run: Tampered) -> None:
    run.run["plan"]["items"][int(run.rng.integers(len(TASKS)))]["episodes"] = 2


def _edit(trace: dict[str, Any], edit: Callable[[np.ndarray], np.ndarray]) -> None:
    given = trace["actions"]
    array = edit(
        np.frombuffer(zlib.decompress(given["data"]), given["dtype"]).reshape(given["shape"])
    )
    trace["actions"] = encode_actions(array.tolist() if given["plain"] else list(array))


CHANGES: dict[Callable[[Tampered], None], str | tuple[str, ...]] = {
    changed_score: "score",
    changed_metric: "metrics.distance",
    changed_steps: "the trace's length",
    made_up_success: "success",
    hidden_failure: "status",
    swapped_seeds: "the case's id",
    swapped_results: "digest",
    truncated_trace: "the trace's length",
    truncated_to_fit: "the actions",
    another_action: ("digest", "the actions"),
    foreign_trace: "foreign trace",
    damaged_trace: "the actions",
    another_digest: "digest",
    another_protocol: "the protocol",
    easier_rules: "the task's rules",
    missing_case: "missing case",
    repeated_case: "repeated case",
    foreign_case: "foreign case",
    unreadable_line: "line ",
    another_instruction: "the instruction",
    fewer_planned: "the plan's hash",
}
