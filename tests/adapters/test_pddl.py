"""Planning in words: our executor and planner against unified-planning, pyperplan and Fast Downward, and the adapter's own rules."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.pddl import PddlAdapter
from adapters.pddl.domains import DOMAINS
from adapters.pddl.strips import Domain, Ground, Problem, ground, read
from harness.core import BadAction, Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.pddl import SUITES

ROOT = Path(__file__).parents[2]
TASKS = {task.name: task for suite in SUITES for task in suite.tasks}

names = pytest.mark.parametrize("name", sorted(DOMAINS))


def task_of(name: str, mode: str = "steps", *sizes: int) -> Task:
    task = TASKS[f"{'pddl' if mode == 'steps' else 'pddl-plan'}/{name}"]
    return (
        dataclasses.replace(task, params={**task.params, "sizes": list(sizes)}) if sizes else task
    )


def begun(name: str, mode: str = "steps", seed: int = 0, *sizes: int) -> tuple[Any, TimeStep]:
    task = task_of(name, mode, *sizes)
    adapter = PddlAdapter(task)
    return adapter, adapter.reset(Case(task, seed))


def look(timestep: TimeStep, view: str) -> Any:
    return timestep.observation[view]()


# The second opinions.


@pytest.fixture(scope="module")
def planning() -> Any:
    shortcuts = pytest.importorskip("unified_planning.shortcuts")
    shortcuts.get_environment().credits_stream = None
    return shortcuts


def parsed(text: str) -> Any:
    from unified_planning.io import PDDLReader

    domain, _, problem = text.partition("(define (problem")
    return PDDLReader().parse_problem_string(domain, f"(define (problem{problem}")


def called(problem: Any, text: str) -> Any:
    """An action of ours as one of unified-planning's."""
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


@names
def test_the_executor_agrees_with_unified_planning(name: str, planning: Any) -> None:
    """Along a random walk: the same actions apply, among all that can be written, and the goal is reached at the same time."""
    adapter, timestep = begun(name, "steps", 1)
    problem = parsed(look(timestep, "pddl"))
    calls = {text: called(problem, text) for text in every_call(problem)}
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


@names
def test_the_validator_of_unified_planning_says_the_same_of_plans(name: str, planning: Any) -> None:
    from unified_planning.plans import SequentialPlan

    adapter, timestep = begun(name, "plan", 2)
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
            steps = SequentialPlan([called(problem, line) for line in plan])
            assert success is bool(validator.validate(problem, steps)), plan
            verdicts.append(success)
    assert verdicts[:2] == [True, False]


@names
def test_plans_are_as_short_as_those_of_pyperplan(name: str, planning: Any) -> None:
    """A* with LM-cut, on the second largest problem."""
    pytest.importorskip("up_pyperplan")
    shortest_by("pyperplan-opt", planning, name, seeds=(2,))


@names
@pytest.mark.slow
def test_plans_are_as_short_as_those_of_fast_downward(name: str, planning: Any) -> None:
    """A* with LM-cut, on problems of the largest size."""
    pytest.importorskip("up_fast_downward")
    shortest_by("fast-downward-opt", planning, name, seeds=(3, 7))


def shortest_by(engine: str, planning: Any, name: str, seeds: tuple[int, ...]) -> None:
    for seed in seeds:
        adapter, timestep = begun(name, "plan", seed)
        problem = parsed(look(timestep, "pddl"))
        problem.add_quality_metric(planning.MinimizeSequentialPlanLength())
        with planning.OneshotPlanner(name=engine) as planner:
            found = planner.solve(problem)
        assert len(adapter.expert(None).splitlines()) == len(found.plan.actions)


# The contract and the suites.


@pytest.mark.parametrize(
    ("name", "mode", "elsewhere"),
    [
        ("blocksworld", "steps", True),
        ("rovers", "steps", True),
        ("logistics", "plan", True),
        ("visitall", "steps", False),
        ("hanoi", "plan", False),
    ],
)
def test_contract(name: str, mode: str, elsewhere: bool) -> None:
    task = task_of(name, mode)
    others = [
        other for other in TASKS.values() if other.params["mode"] == mode and other is not task
    ][:2]
    check_adapter(task, steps=40, others=others, another_process=elsewhere)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_conforms_and_the_expert_solves_it_at_once(name: str) -> None:
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


def test_the_suites_are_the_same_problems_in_both_modes() -> None:
    for suite in SUITES:
        assert sorted(task.params["domain"] for task in suite.tasks) == sorted(DOMAINS)
    for name in DOMAINS:
        assert look(begun(name, "steps", 5)[1], "pddl") == look(begun(name, "plan", 5)[1], "pddl")


@names
def test_problems_are_varied_and_none_is_solved(name: str) -> None:
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
    """Where this fails, other problems are played: the version of the tasks must rise."""
    digest = hashlib.blake2b(digest_size=8)
    for name, seed in itertools.product(sorted(DOMAINS), range(4)):
        digest.update(look(begun(name, "plan", seed)[1], "pddl").encode())
    assert digest.hexdigest() == "fd6d58746a35d0ec"


def test_problems_and_plans_do_not_depend_on_the_salt_of_hashes() -> None:
    code = (
        "from adapters.pddl import PddlAdapter\nfrom harness.core import Case\nfrom suites.pddl import SUITES\nimport sys\n"
        "assert 'unified_planning' not in sys.modules\n"
        "for task in SUITES[1].tasks:\n"
        "    adapter = PddlAdapter(task)\n"
        "    for seed in range(4):\n"
        "        print(adapter.reset(Case(task, seed)).instruction, adapter.brief, adapter.expert(None))\n"
    )
    said = set()
    for salt in "123":
        environment = {**os.environ, "PYTHONHASHSEED": salt}
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


# The rules of our own.


@pytest.mark.parametrize(
    "given",
    [
        "",
        "stack",
        "(stack b9 b1)",
        "(fly b1)",
        "(stack b1 b2",
        "stack b1 b2)",
        "import os",
        "(unstack b1 b1)",
        "\n",
        "ä",
    ],
)
def test_text_that_is_no_action_does_nothing_and_is_counted(given: str) -> None:
    adapter, before = begun("blocksworld")
    facts = look(before, "text")
    after = adapter.step(given)
    assert look(after, "text") == facts
    assert (after.terminated, after.success, after.reward) == (False, False, 0.0)
    assert (after.metrics["executable"], after.metrics["invalid_actions"]) == (0.0, 1.0)


@pytest.mark.parametrize("form", ["{}", "({})", "( {} )", "  {}  ", "({})\n"])
def test_an_action_may_be_written_with_or_without_parentheses(form: str) -> None:
    adapter, timestep = begun("gripper")
    bare = look(timestep, "admissible")[0].strip("()")
    for words in (bare, bare.upper(), bare.replace(" ", "   ")):
        adapter.reset(Case(task_of("gripper"), 0))
        assert adapter.step(form.format(words)).metrics["executable"] == 1.0


@pytest.mark.parametrize("action", [None, 3, b"(stack b1 b2)", ["(stack b1 b2)"], "x" * 10_001])
def test_what_is_no_text_is_refused(action: Any) -> None:
    adapter, _ = begun("blocksworld")
    before = adapter.state()
    with pytest.raises(BadAction):
        adapter.step(action)
    assert adapter.state() == before


def test_every_action_given_counts_in_optimality_step_by_step() -> None:
    adapter, timestep = begun("hanoi", "steps", 2)
    shortest = 0
    adapter.step("wait")
    while not timestep.success:
        timestep = adapter.step(adapter.expert(None))
        shortest += 1
    assert timestep.metrics["optimality"] == pytest.approx(shortest / (shortest + 1))
    assert timestep.metrics["invalid_actions"] == 1.0
    assert timestep.success, "an invalid action does not spoil the goal step by step"


def test_a_whole_plan_needs_every_line_to_apply() -> None:
    adapter, _ = begun("ferry", "plan", 1)
    case, plan = Case(task_of("ferry", "plan"), 1), adapter.expert(None)

    def judged(text: str) -> TimeStep:
        adapter.reset(case)
        timestep = adapter.step(text)
        assert timestep.terminated
        return timestep

    assert judged(f"; a plan\n\n{plan} ; that is all\n").metrics["optimality"] == 1.0
    spoilt = judged(f"{plan}\n(sail port1 port1)")
    assert (
        spoilt.success,
        spoilt.metrics["goals_met"],
        spoilt.metrics["executable"],
        spoilt.metrics["optimality"],
    ) == (
        False,
        1.0,
        0.0,
        0.0,
    )
    prose = judged(f"Here is my plan:\n{plan}")
    assert (prose.success, prose.metrics["invalid_actions"]) == (False, 1.0)
    for nothing in ("", "\n \n", "; nothing"):
        empty = judged(nothing)
        assert (empty.success, empty.metrics["executable"], empty.metrics["optimality"]) == (
            False,
            1.0,
            0.0,
        )
    lines = plan.splitlines()
    origin, target = lines[0].strip("()").split()[1:] if lines[0].startswith("(sail") else ("", "")
    assert origin, "this seed is here because its plan starts with sailing"
    detour = judged("\n".join([lines[0], f"(sail {target} {origin})", *lines]))
    assert detour.success
    assert detour.metrics["optimality"] == pytest.approx(len(lines) / (len(lines) + 2))


@names
def test_nothing_leads_to_a_dead_end_and_the_expert_finds_its_way_back(name: str) -> None:
    task = task_of(name)
    adapter, rng = PddlAdapter(task), np.random.default_rng(0)
    for seed in range(4):
        timestep, steps = adapter.reset(Case(task, seed)), 0
        while not timestep.terminated and steps < 400:
            wanted = adapter.expert(None)
            assert wanted in look(timestep, "admissible")
            astray = steps % 3 == 2 and steps < 30
            admissible = look(timestep, "admissible")
            timestep, steps = (
                adapter.step(admissible[int(rng.integers(len(admissible)))] if astray else wanted),
                steps + 1,
            )
        assert timestep.success


def test_the_expert_gives_up_where_the_bound_does_not_suffice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter, _ = begun("blocksworld", "steps", 3)
    made = adapter._ground
    assert made.plan(made.init, bound=5) is None
    assert len(made.plan(made.init)) == len(made.shortest) > 0
    monkeypatch.setattr(Ground, "plan", lambda self, state, bound=0: None)
    ground.cache_clear()
    solution = [made.actions[number] for number in made.shortest]
    timestep = adapter.reset(Case(task_of("blocksworld"), 3))
    assert adapter.expert(None) is None
    for action in solution:
        timestep = adapter.step(" ".join(action))
        assert adapter.expert(None) is None
        assert timestep.metrics["expert_gave_up"] == 1.0
    assert timestep.success
    assert "optimality" not in timestep.metrics
    ground.cache_clear()
    assert "expert_gave_up" not in adapter.reset(Case(task_of("blocksworld"), 3)).metrics


def test_words_tell_all_rules_and_facts() -> None:
    adapter, timestep = begun("blocksworld", "steps", 0)
    assert (
        "(stack X Y): put block X on block Y. Needed: the hand holds X; Y is clear."
        in timestep.instruction
    )
    assert look(timestep, "text") in timestep.instruction
    taken = adapter.step(look(timestep, "admissible")[0])
    assert "The hand holds b" in look(taken, "text")
    assert taken.instruction == timestep.instruction
    for domain in DOMAINS.values():
        assert set(domain.facts) == set(domain.predicates)
        assert set(domain.actions) == {schema.name for schema in domain.schemas}
        assert set(domain.untold) <= set(domain.facts)


def test_a_goal_that_nothing_brings_about_is_refused() -> None:
    domain: Domain = DOMAINS["blocksworld"]
    problem = Problem(
        (("b1", "block"),),
        (("on-table", "b1"), ("clear", "b1"), ("hand-empty",)),
        (("on", "b1", "b2"),),
    )
    with pytest.raises(ValueError, match="on"):
        Ground(domain, problem)


def test_pddl_is_read_without_comments_and_in_lower_case() -> None:
    assert read("(A (b ; no ) (c)\n ?X) d)") == ["a", ["b", "?x"], "d"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"domain": "sokoban"}, "no planning domain 'sokoban'; there are blocksworld"),
        ({"mode": "both"}, "steps, plan"),
    ],
)
def test_what_does_not_exist_is_named(params: dict[str, str], said: str) -> None:
    task = dataclasses.replace(task_of("ferry"), params={**task_of("ferry").params, **params})
    with pytest.raises(UserError, match=said):
        PddlAdapter(task).reset(Case(task, 0))
