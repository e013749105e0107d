"""What the PDDL adapter itself defines: how text is read, counted and scored, and its expert."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pddlepisodes import begin, each_domain, look, task_of

from adapters.pddl import PddlAdapter
from adapters.pddl.domains import DOMAINS
from adapters.pddl.reader import read
from adapters.pddl.strips import Domain, Ground, Problem, ground
from harness.core import BadAction, Case, TimeStep, UserError


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
def test_text_that_names_no_action_does_nothing_and_is_counted(given: str) -> None:
    adapter, before = begin("blocksworld")
    facts = look(before, "text")
    after = adapter.step(given)
    assert look(after, "text") == facts
    assert (after.terminated, after.success, after.reward) == (False, False, 0.0)
    assert (after.metrics["executable"], after.metrics["invalid_actions"]) == (0.0, 1.0)


@pytest.mark.parametrize("form", ["{}", "({})", "( {} )", "  {}  ", "({})\n"])
def test_an_action_may_be_written_with_or_without_parentheses(form: str) -> None:
    adapter, timestep = begin("gripper")
    bare = look(timestep, "admissible")[0].strip("()")
    for words in (bare, bare.upper(), bare.replace(" ", "   ")):
        adapter.reset(Case(task_of("gripper"), 0))
        assert adapter.step(form.format(words)).metrics["executable"] == 1.0


@pytest.mark.parametrize("action", [None, 3, b"(stack b1 b2)", ["(stack b1 b2)"], "x" * 10_001])
def test_anything_but_text_of_reasonable_length_is_refused(action: Any) -> None:
    adapter, _ = begin("blocksworld")
    before = adapter.state()
    with pytest.raises(BadAction):
        adapter.step(action)
    assert adapter.state() == before


def test_invalid_actions_lower_optimality_step_by_step() -> None:
    adapter, timestep = begin("hanoi", "steps", 2)
    shortest = 0
    adapter.step("wait")
    while not timestep.success:
        timestep = adapter.step(adapter.expert(None))
        shortest += 1
    assert timestep.metrics["optimality"] == pytest.approx(shortest / (shortest + 1))
    assert timestep.metrics["invalid_actions"] == 1.0
    assert timestep.success, "an invalid action does not spoil the goal step by step"


def test_a_whole_plan_succeeds_only_if_every_line_applies() -> None:
    adapter, _ = begin("ferry", "plan", 1)
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


@each_domain
def test_there_are_no_dead_ends_and_the_expert_recovers_from_random_actions(name: str) -> None:
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


def test_the_expert_gives_up_when_the_search_bound_is_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter, _ = begin("blocksworld", "steps", 3)
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


def test_the_text_tells_all_rules_and_facts() -> None:
    adapter, timestep = begin("blocksworld", "steps", 0)
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


def test_an_unreachable_goal_is_refused() -> None:
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
def test_an_unknown_domain_or_mode_is_named(params: dict[str, str], said: str) -> None:
    task = dataclasses.replace(task_of("ferry"), params={**task_of("ferry").params, **params})
    with pytest.raises(UserError, match=said):
        PddlAdapter(task).reset(Case(task, 0))
