"""The proof of invariance: what keeps the contract passes, what breaks it is named, and rounding is
distinguished from a bug."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Said

from harness.core import Box, Suite, Task, UserError
from harness.records.identity import AgentSpec
from harness.verify.batch_dependence import action_distance
from harness.verify.invariance import InvarianceReport, check_invariance, sample_tasks

GOAL, GLIDE = toys.toy_task(max_steps=15), toys.toy_task("glide", action="box", max_steps=15)


def proof(
    agent: str, *tasks: Task, sample: int | None = 8, workers: int = 0, **args: Any
) -> InvarianceReport:
    suite = Suite("toys", "toys", tasks, 4)
    return check_invariance(
        AgentSpec(agent, agent, args),
        [(suite, task) for task in tasks],
        sample=sample,
        workers=workers,
        seed=0,
        progress=Notes(),
    )


def test_who_keeps_the_contract_passes() -> None:
    found = proof("toys:GoodAgent", GOAL, GLIDE, sample=None)
    assert found.drifts == ()
    assert found.cases == 8
    assert "every case went the same way" in found.as_text()


@pytest.mark.slow
def test_in_workers_too(ray_here: None) -> None:
    found = proof("toys:RandomAgent", GOAL, workers=2)
    assert found.drifts == ()
    assert found.ways[-1] == "2 workers"


BUGS = {
    "batch statistics": (
        "batching:Network",
        {"disease": "batchnorm"},
        GLIDE,
        "next to other turns",
    ),
    "batch statistics, choices": (
        "batching:Network",
        {"disease": "batchnorm"},
        GOAL,
        "next to other turns",
    ),
    "other randomness": ("batching:Network", {"disease": "noise"}, GLIDE, "in an unchanged batch"),
    "alone": ("batching:Network", {"disease": "switch"}, GLIDE, "of another size"),
    "alone, choices": ("toys:BatchDependent", {}, GOAL, "of another size"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_real_bug(bug: str) -> None:
    agent, args, task, words = BUGS[bug]
    found = proof(agent, task, **args)
    assert len({drift.seed for drift in found.drifts}) > 1
    assert found.cause.startswith("a bug of the agent")
    assert words in found.cause
    drift = found.drifts[0]
    assert drift.step is not None
    assert drift.largest >= drift.at_first > 1e-3
    assert "digest" in drift.fields


def test_rounding_is_distinguished_from_a_bug() -> None:
    found = proof("batching:Network", GLIDE, width=512)
    assert found.drifts, "single precision rounds differently in another batch"
    assert all(drift.at_first < 1e-5 for drift in found.drifts)
    assert found.cause.startswith("numerical drift")


def test_a_simulator_that_remembers_is_not_the_agents_fault() -> None:
    found = proof("toys:GoodAgent", toys.toy_task("leak", fault="leaky_state"))
    assert found.drifts
    assert found.cause.startswith("not the agent's batch")


def test_the_table_names_every_drift() -> None:
    found = proof("toys:BatchDependent", GOAL)
    rows = found.table().splitlines()[2:]
    assert len(rows) == len(found.drifts)
    assert all("a choice" in row for row in rows)


def test_distances() -> None:
    spec = Box((2,), low=(0.0, -1.0), high=(10.0, 1.0))
    one, other = np.array([1.0, 0.0], np.float32), np.array([2.0, 0.5], np.float32)
    assert action_distance(one, other) == 1.0
    assert action_distance(one, other, spec) == 0.25
    assert action_distance(3, 3) == 0.0
    assert action_distance(3, 4) == math.inf
    assert action_distance("go", "go") == 0.0
    assert action_distance("go", "stay") == math.inf


def test_samples() -> None:
    tasks = [(Suite("s", "s", (GOAL,), 9), toys.toy_task(str(k))) for k in range(5)]
    assert sample_tasks(tasks, None) == (tasks, None)
    assert sample_tasks(tasks, 7)[1] == 2
    few, episodes = sample_tasks(tasks, 2)
    assert [task.name for _, task in few] == ["toys/0", "toys/2"]
    assert episodes == 1


def test_nothing_to_play_is_a_users_error() -> None:
    with pytest.raises(UserError, match="chalk"):
        proof("toys:GoodAgent", toys.toy_task("bad", fault="missing"))


def test_the_command_line(bench_here: Callable[..., Said]) -> None:
    words = ("verify", "--invariance", "--suite", "toysuite:QUICK", "--workers", 0, "--sample", 5)
    said = bench_here(*words, "--agent", "uniform")
    assert (said.code, said.out) == (0, ""), said.err
    assert "5 cases, each played 5 times" in said.err
    said = bench_here(*words, "--agent", "toys:BatchDependent")
    assert said.code == 1
    assert "a choice" in said.out
    assert "a bug of the agent" in said.err
    assert bench_here("verify", "--invariance", "--agent", "uniform").code == 2
    assert bench_here("verify").code == 2
