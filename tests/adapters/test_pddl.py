"""PDDL planning, checked against unified-planning, pyperplan and Fast Downward; and the suites.

What the adapter itself defines is in test_pddl_rules.py.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pddlepisodes import TASKS, begin, each_domain, look, task_of

from adapters.pddl import PddlAdapter
from adapters.pddl.domains import DOMAINS
from harness.core import Case
from harness.testing import check_adapter
from suites.pddl import SUITES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def planning() -> Any:
    shortcuts = pytest.importorskip("unified_planning.shortcuts")
    shortcuts.get_environment().credits_stream = None
    return shortcuts


def parsed(text: str) -> Any:
    from unified_planning.io import PDDLReader

    domain, _, problem = text.partition("(define (problem")
    return PDDLReader().parse_problem_string(domain, f"(define (problem{problem}")


def as_action(problem: Any, text: str) -> Any:
    """The action that a line of a plan names, as unified-planning has it."""
    name, *arguments = text.strip("()").split()
    action = problem.action(name)
    return action(*(problem.object(argument) for argument in arguments))


def every_call(problem: Any) -> set[str]:
    found = set()
    for action in problem.actions:
        for chosen in itertools.product(
            *(problem.objects(parameter.type) for parameter in action.parameters)
        ):
            found.add(f"({' '.join((action.name, *(one.name for one in chosen)))})")
    return found


@each_domain
def test_the_executor_agrees_with_unified_planning(name: str, planning: Any) -> None:
    """Along a random walk, the same actions apply, of all that can be written; so does the goal."""
    adapter, timestep = begin(name, "steps", 1)
    problem = parsed(look(timestep, "pddl"))
    calls = {text: as_action(problem, text) for text in every_call(problem)}
    assert set(adapter.brief.action.choices) - {""} <= set(calls)
    rng = np.random.default_rng(0)
    with planning.SequentialSimulator(problem) as simulator:
        state = simulator.get_initial_state()
        for _ in range(5):
            admissible = look(timestep, "admissible")
            assert set(admissible) == {
                text
                for text, call in calls.items()
                if simulator.is_applicable(state, call.action, call.actual_parameters)
            }
            assert list(admissible) == [
                text for text in adapter.brief.action.choices if text in set(admissible)
            ], "in a fixed order"
            chosen = admissible[int(rng.integers(len(admissible)))]
            state = simulator.apply(state, calls[chosen].action, calls[chosen].actual_parameters)
            timestep = adapter.step(chosen)
            assert timestep.success is simulator.is_goal(state)
            told = parsed(look(timestep, "pddl"))
            assert {str(k): v.is_true() for k, v in told.initial_values.items()} == {
                str(k): state.get_value(k).is_true() for k in problem.initial_values
            }


@each_domain
def test_the_validator_of_unified_planning_agrees_on_plans(name: str, planning: Any) -> None:
    from unified_planning.plans import SequentialPlan

    adapter, timestep = begin(name, "plan", 2)
    problem, case = parsed(look(timestep, "pddl")), Case(task_of(name, "plan"), 2)
    lines = adapter.expert(None).splitlines()
    rng = np.random.default_rng(0)
    choices = adapter.brief.action.choices[1:]
    plans = [
        lines,
        lines[:-1],
        lines[1:],
        lines[::-1],
        [*lines, choices[0]],
        [*lines, lines[-1]],
        [*rng.choice(choices, 4)],
    ]
    verdicts = []
    with planning.PlanValidator(name="sequential_plan_validator") as validator:
        for plan in plans:
            adapter.reset(case)
            success = adapter.step("\n".join(plan)).success
            steps = SequentialPlan([as_action(problem, line) for line in plan])
            assert success is bool(validator.validate(problem, steps)), plan
            verdicts.append(success)
    assert verdicts[:2] == [True, False]


@each_domain
def test_plans_are_as_short_as_those_of_pyperplan(name: str, planning: Any) -> None:
    """A* with LM-cut, on the second largest problem."""
    pytest.importorskip("up_pyperplan")
    check_length_against("pyperplan-opt", planning, name, seeds=(2,))


@each_domain
@pytest.mark.slow
def test_plans_are_as_short_as_those_of_fast_downward(name: str, planning: Any) -> None:
    """A* with LM-cut, on problems of the largest size."""
    pytest.importorskip("up_fast_downward")
    check_length_against("fast-downward-opt", planning, name, seeds=(3, 7))


def check_length_against(engine: str, planning: Any, name: str, seeds: tuple[int, ...]) -> None:
    for seed in seeds:
        adapter, timestep = begin(name, "plan", seed)
        problem = parsed(look(timestep, "pddl"))
        problem.add_quality_metric(planning.MinimizeSequentialPlanLength())
        with planning.OneshotPlanner(name=engine) as planner:
            found = planner.solve(problem)
        assert len(adapter.expert(None).splitlines()) == len(found.plan.actions)


@pytest.mark.parametrize(
    ("name", "mode", "another_process"),
    [
        ("blocksworld", "steps", True),
        ("rovers", "steps", True),
        ("logistics", "plan", True),
        ("visitall", "steps", False),
        ("hanoi", "plan", False),
    ],
)
def test_contract(name: str, mode: str, another_process: bool) -> None:
    task = task_of(name, mode)
    others = [
        other for other in TASKS.values() if other.params["mode"] == mode and other is not task
    ][:2]
    check_adapter(task, steps=40, others=others, another_process=another_process)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_fits_its_brief_and_the_expert_solves_it(name: str) -> None:
    task = TASKS[name]
    adapter = PddlAdapter(task)
    for seed, size in enumerate(task.params["sizes"]):
        timestep, steps, executed = adapter.reset(Case(task, seed)), 0, None
        assert (timestep.success, timestep.metrics["size"]) == (False, size)
        assert len(look(timestep, "pddl")) < 10_000
        while not timestep.terminated:
            for view, spec in adapter.brief.observation.items():
                assert spec.problem(look(timestep, view)) is None
            executed = adapter.expert(executed)
            timestep, steps = adapter.step(executed), steps + 1
        assert timestep.success
        assert steps <= (task.max_steps or 0)
        assert timestep.metrics == {
            "executable": 1.0,
            "invalid_actions": 0.0,
            "goals_met": 1.0,
            "size": size,
            "optimality": 1.0,
        }


def test_both_modes_have_the_same_problems() -> None:
    for suite in SUITES:
        assert sorted(task.params["domain"] for task in suite.tasks) == sorted(DOMAINS)
    for name in DOMAINS:
        assert look(begin(name, "steps", 5)[1], "pddl") == look(begin(name, "plan", 5)[1], "pddl")


@each_domain
def test_problems_are_varied_and_none_is_solved_at_the_start(name: str) -> None:
    task = task_of(name)
    adapter = PddlAdapter(task)
    seen = set()
    for seed in range(60):
        timestep = adapter.reset(Case(task, seed))
        assert timestep.metrics["goals_met"] < 1
        assert timestep.success is False
        seen.add(timestep.instruction)
    assert len(seen) >= 50


def test_problems_are_pinned() -> None:
    """If this fails, the problems have changed: raise the version of the tasks."""
    digest = hashlib.blake2b(digest_size=8)
    for name, seed in itertools.product(sorted(DOMAINS), range(4)):
        digest.update(look(begin(name, "plan", seed)[1], "pddl").encode())
    assert digest.hexdigest() == "fd6d58746a35d0ec"


def test_problems_and_plans_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import sys\n"
        "from adapters.pddl import PddlAdapter\n"
        "from harness.core import Case\n"
        "from suites.pddl import SUITES\n"
        "assert 'unified_planning' not in sys.modules\n"
        "for task in SUITES[1].tasks:\n"
        "    adapter = PddlAdapter(task)\n"
        "    for seed in range(4):\n"
        "        instruction = adapter.reset(Case(task, seed)).instruction\n"
        "        print(instruction, adapter.brief, adapter.expert(None))\n"
    )
    said = set()
    for hash_seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
        assert done.stderr == ""
    assert len(said) == 1
    assert len(said.pop()) > 10_000
