"""Perturbed runs: controls, random streams, invariance, what does not apply, and what the simulator
carries out itself."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import conftest
import numpy as np
import pytest
import toys

from harness.compare.pairs import read_scored_run
from harness.core import Agent, Answer, Case, SimulatorPerturbation, Task, TimeStep, Turn, UserError
from harness.perturb import parse_conditions
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_suites, select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import Plan
from harness.records.run_file import read_run
from harness.records.traces import read_traces
from leaderboards.perturbed_results import read_case_arrays
from leaderboards.report import load_report
from suites import SUITES

SIMULATOR_PERTURBATIONS = {"wind", "friction"}


class WindyToy(toys.ToyAdapter):
    """A toy whose simulator has a wind, which moves the start. A size of 5 has none."""

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return (
            SimulatorPerturbation(
                "wind", "the start is moved", tuple({"cells": k} for k in (0.25, 0.5, 1, 2, 3))
            ),
        )

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        wind = case.simulator_perturbation("wind")
        if wind is not None:
            if self.size == 5:
                raise UserError("it is too small for wind")
            self.shift(wind["cells"])
        return self.seen()


class Recorder(Agent):
    """Walks, and writes down in its memory what it was shown."""

    reads = ("state",)
    history = 3

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [Answer([3 if turn.step % 2 else 4], (*(turn.memory or ()), turn)) for turn in turns]


def run(
    path: Path,
    perturb: str,
    tasks: Sequence[Task],
    episodes: int = 3,
    agent: str = "GoodAgent",
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """The last line of each case, without times, by case id."""
    spec = AgentSpec(agent, agent if ":" in agent else f"toys:{agent}", {})
    suite = conftest.Suite("toys", "toys", tuple(tasks), episodes)
    plan = make_plan(
        [(suite, task) for task in tasks],
        spec,
        episodes=None,
        seed=0,
        perturb=parse_conditions(perturb, SIMULATOR_PERTURBATIONS) if perturb else (),
    )
    play(spec, ["toys"], plan, path, RunOptions(**options), conftest.Notes())
    return {line["case"]: line for line in conftest.results_of(path)}


GLIDE = toys.toy_task("glide", action="box")
GOAL = toys.toy_task("goal")
BATCH = toys.toy_task("batch", adapter="toys:BatchedToy")
MANY = (
    "action_noise:1,4,state_noise:3,observation_delay:2,action_sticky:5,typos:2,burst:4,"
    "action_random:2+action_delay:1"
)


def test_every_perturbed_case_has_one_control(tmp_path: Path) -> None:
    lines = run(tmp_path, "action_dropout:1,2,3,action_sticky:2", [GOAL])
    conditions = Counter(tuple(line["perturbations"]) for line in lines.values())
    assert len(conditions) == 5
    assert set(conditions.values()) == {3}
    assert conditions[()] == 3  # a control is played once, not once a perturbation
    seeds = {
        condition: {
            line["seed"] for line in lines.values() if tuple(line["perturbations"]) == condition
        }
        for condition in conditions
    }
    assert len({frozenset(each) for each in seeds.values()}) == 1


def test_severity_0_is_bit_identical_to_none(tmp_path: Path) -> None:
    every = "action_noise:0,state_noise:0,observation_delay:0,burst:0,history:0,typos:0"
    lines = run(tmp_path / "zero", every, [GLIDE, GOAL]).values()
    clean = {(line["task"], line["seed"]): line for line in lines if not line["perturbations"]}
    zero = [line for line in lines if line["perturbations"]]
    assert len(zero) == 6 * len(clean)
    names = ("case", "perturbations")
    for line in zero:
        control = clean[line["task"], line["seed"]]
        assert {k: v for k, v in line.items() if k not in names} == {
            k: v for k, v in control.items() if k not in names
        }


@pytest.mark.parametrize("options", [{"lanes": 3}, {"shuffle": 5}, {"shuffle": 6, "lanes": 4}])
def test_perturbed_cases_are_the_same_in_any_order_and_lane(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    tasks = [GLIDE, GOAL, BATCH]
    assert run(tmp_path / "one", MANY, tasks) == run(tmp_path / "other", MANY, tasks, **options)


def test_what_is_seen_is_the_same_in_any_order_and_lane(tmp_path: Path) -> None:
    """By an agent whose every action depends on every pixel and number that it sees."""
    seen = (
        "image_noise:3,shot_noise:1,frozen_frames:5,occlusion:2+observation_delay:1,jpeg:3,"
        "state_noise:2+state_dropout:5,camera_shift:5+blackout:1"
    )
    one = run(tmp_path / "one", seen, [GOAL, GLIDE], agent="toysuite:Looker")
    assert (
        run(tmp_path / "other", seen, [GOAL, GLIDE], agent="toysuite:Looker", lanes=4, shuffle=3)
        == one
    )
    digests = Counter((line["task"], line["seed"], line["digest"]) for line in one.values())
    assert len(digests) > 0.8 * len(one)  # it did see them


def test_what_is_hidden_is_the_same_in_any_order_and_lane(tmp_path: Path) -> None:
    """Of a grid and of a text, for an agent that looks at both."""
    names = {"babyai/GoToRedBall", "pddl/gripper"}
    chosen = [
        dataclasses.replace(task, max_steps=12)
        for _, task in select_tasks(find_suites("smoke,pddl", SUITES), None)
        if task.name in names
    ]
    assert {task.name for task in chosen} == names
    hidden = "occlusion:4,frozen_frames:4,dropped_frames:4,blackout:1,blackout:5"
    one = run(tmp_path / "one", hidden, chosen, 2, "toysuite:GridLooker")
    other = run(tmp_path / "other", hidden, chosen, 2, "toysuite:GridLooker", lanes=5, shuffle=2)
    assert other == one
    digests = Counter((line["task"], line["seed"], line["digest"]) for line in one.values())
    assert len(digests) > 0.8 * len(one)


@pytest.mark.slow
def test_and_on_any_worker(tmp_path: Path, ray_here: None) -> None:
    tasks = [GLIDE, GOAL]
    assert run(tmp_path / "here", MANY, tasks) == run(
        tmp_path / "there", MANY, tasks, workers=2, lanes=2
    )


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", MANY, [GLIDE])
    run(tmp_path / "cut", MANY, [GLIDE])
    file = tmp_path / "cut" / "episodes.jsonl"
    kept = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(kept[::3]))
    assert run(tmp_path / "cut", MANY, [GLIDE]) == whole


def test_unperturbed_results_do_not_depend_on_perturbations(tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", "", [GLIDE, GOAL])
    beside = run(tmp_path / "beside", MANY, [GLIDE, GOAL])
    assert alone.items() <= beside.items()


def test_what_was_executed_is_what_is_recorded_and_told_to_the_expert(tmp_path: Path) -> None:
    lines = run(tmp_path, "action_dropout:5", [GOAL], episodes=6, agent="ExpertAgent")
    perturbed = {case for case, line in lines.items() if line["perturbations"]}
    recorded = {trace.case: trace.decoded() for trace in read_traces(tmp_path)}
    lost = sum(recorded[case].count(0) for case in perturbed)
    assert lost > 0
    assert all(0 not in recorded[case] for case in lines.keys() - perturbed)
    assert all(
        line["success"] for line in lines.values()
    )  # an expert that is told goes on from where it is


def test_the_agent_learns_of_nothing(tmp_path: Path) -> None:
    seen: list[Turn] = []

    class Spy(toys.GoodAgent):
        history = 3

        def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
            seen.extend(turns)
            return super().act(turns)

    Module.Spy = Spy  # type: ignore[attr-defined]
    run(tmp_path, "action_random:5", [GOAL], agent=f"{__name__}:Module.Spy")
    briefs = {repr(turn.brief) for turn in seen}
    assert len(briefs) == 1
    by_episode: dict[str, list[Turn]] = {}
    for turn in seen:
        by_episode.setdefault(turn.episode, []).append(turn)
    assert len(by_episode) == 6
    for turns in by_episode.values():
        for before, now in itertools.pairwise(turns):
            wanted = toys.towards(
                before.brief.action,
                before.observation["state"][:2],
                before.observation["state"][2:],
            )
            assert now.actions[-1] == wanted  # what it sent, not what was done with it


class Module:
    """A place for classes of tests that `module:Class` can name."""


def test_what_has_nothing_to_change_is_a_row_and_not_played(tmp_path: Path) -> None:
    lines = run(tmp_path, "action_noise:2,hue:1,friction:1,action_dropout:2", [GOAL, GLIDE])
    played = Counter(
        (line["task"], line["perturbations"][0].partition(":")[0])
        for line in lines.values()
        if line["perturbations"]
    )
    assert played == {
        ("toys/glide@1", "action_noise"): 3,
        **{(t, p): 3 for t in ("toys/goal@1", "toys/glide@1") for p in ("hue", "action_dropout")},
    }
    report = load_report(tmp_path)
    absent = {(row.task, row.perturbation) for row in report.not_applicable}
    assert absent == {
        ("toys/goal@1", "action_noise:2"),
        ("toys/goal@1", "friction:1"),
        ("toys/glide@1", "friction:1"),
    }
    assert all(row.reason and row.remedy for row in report.not_applicable)
    assert not report.not_run
    assert not report.overall.partial
    again = run(tmp_path, "action_noise:2,hue:1,friction:1,action_dropout:2", [GOAL, GLIDE])
    assert again == lines
    assert len(read_run(tmp_path)["plan"]["not_run"]) == 3


def test_what_the_simulator_does_itself(tmp_path: Path) -> None:
    windy = [
        dataclasses.replace(task, adapter=f"{__name__}:WindyToy")
        for task in (GOAL, toys.toy_task("small", size=5))
    ]
    lines = run(tmp_path, "wind:1,5", windy)
    traces = {trace.case: trace for trace in read_traces(tmp_path)}
    for case, line in lines.items():
        if line["perturbations"]:
            assert line["task"] == "toys/goal@1"
            assert line["perturbations"][0] in ('wind:1{"cells":0.25}', 'wind:5{"cells":3}')
            control = next(
                c
                for c, other in lines.items()
                if (other["task"], other["seed"], other["perturbations"])
                == (line["task"], line["seed"], [])
            )
            assert traces[case].digest != traces[control].digest
    report = load_report(tmp_path)
    assert {(row.task, row.perturbation) for row in report.not_applicable} == {
        ("toys/small@1", "wind:1"),
        ("toys/small@1", "wind:5"),
    }
    assert {row.reason for row in report.not_applicable} == {"it is too small for wind"}


def test_the_report_pairs_each_case_with_its_control(tmp_path: Path) -> None:
    run(tmp_path, "action_random:1,3,5,burst:5", [GOAL, GLIDE], episodes=8)
    outcomes = read_case_arrays(read_scored_run(tmp_path))
    report = load_report(tmp_path)
    overall = {
        (row.perturbation, row.severity): row
        for row in report.perturbations
        if row.task is None and row.domain is None
    }
    assert set(overall) == {
        ("action_random", 1),
        ("action_random", 3),
        ("action_random", 5),
        ("burst", 5),
        ("action_random", None),
        ("burst", None),
    }
    for row in overall.values():
        if row.severity is not None:
            assert (row.n, row.pairs, row.tasks) == (16, 16, 2)
            rates = [
                np.mean(
                    outcomes.state[item][
                        outcomes.condition(item, f"{row.perturbation}:{row.severity}")
                    ]
                    == 1
                )
                for item in (0, 1)
            ]
            assert row.success_rate == pytest.approx(np.mean(rates))
    burst = overall["burst", 5]
    assert burst.recovery_n
    assert burst.recovery_n <= 16


def test_a_plan_with_conditions_survives_its_json() -> None:
    spec = AgentSpec("good", "toys:GoodAgent", {})
    suite = conftest.Suite("toys", "toys", (GOAL, GLIDE), 3)
    plan = make_plan(
        [(suite, task) for task in suite.tasks],
        spec,
        episodes=None,
        seed=0,
        perturb=parse_conditions("friction:1,hue:2", SIMULATOR_PERTURBATIONS),
    )
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.total == 3 * 2 * 2
    other = make_plan(
        [(suite, task) for task in suite.tasks],
        spec,
        episodes=None,
        seed=0,
        perturb=parse_conditions("hue:3", SIMULATOR_PERTURBATIONS),
    )
    assert plan.hash != other.hash


def test_the_sets_exist_and_of_a_set_what_is_not_read_is_left_out(tmp_path: Path) -> None:
    loop = parse_conditions("closed-loop", SIMULATOR_PERTURBATIONS)
    assert len(loop) == 29
    assert len(parse_conditions("closed-loop:2", SIMULATOR_PERTURBATIONS)) == 10
    with pytest.warns(DeprecationWarning, match="gea-rl is called closed-loop now"):
        assert parse_conditions("gea-rl", SIMULATOR_PERTURBATIONS) == loop
    lines = run(tmp_path, "closed-loop:1", [GLIDE], agent="ExpertAgent")
    played = {
        line["perturbations"][0].partition(":")[0]
        for line in lines.values()
        if line["perturbations"]
    }
    assert played == {"action_noise", "action_random", "action_sticky", "action_delay", "burst"}
    reasons = {row.perturbation: row.reason for row in load_report(tmp_path).not_applicable}
    assert reasons["occlusion@2:1"] == "this agent reads no picture, grid, page or text"
