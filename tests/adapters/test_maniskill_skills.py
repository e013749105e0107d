"""ManiSkill's solutions cut into skills, in the real simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adapters.maniskill import ManiSkillAdapter, expert, stages
from harness.core import Case, SkillCall, SkillEnd
from suites.maniskill import SUITES

pytest.importorskip("mani_skill")
if (lack := ManiSkillAdapter.missing()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
PICK = TASKS["maniskill-planner/PickCube"]
PICK_UP = SkillCall("pick_up", ("red cube",))
HOLD = SkillCall("hold_at", ("red cube", "goal"))


@pytest.fixture(scope="module")
def pick() -> Iterator[ManiSkillAdapter]:
    adapter = ManiSkillAdapter(PICK)
    yield adapter
    adapter.close()


def run(adapter: ManiSkillAdapter, call: SkillCall, *, closes: bool = True) -> tuple[SkillEnd, int]:
    """(how the call ends, its steps); `closes`: False keeps the gripper open, whatever is asked."""
    taken, executed = 0, None
    while taken < 300:
        given: Any = adapter.skill(call, taken, executed)
        if isinstance(given, SkillEnd):
            return given, taken
        given = np.array(given, copy=True)
        given[-1] = given[-1] if closes else 1.0
        adapter.step(adapter.brief.action.coerce(given)[0])
        taken, executed = taken + 1, given
    raise AssertionError(f"{call} does not end")


def test_every_task_with_a_solution_has_stages() -> None:
    assert stages.STAGES.keys() == expert.SOLUTIONS.keys()
    for task in TASKS.values():
        assert bool(ManiSkillAdapter.skills(task)) == ManiSkillAdapter.has_expert(task)
        for skill in ManiSkillAdapter.skills(task):
            assert skill.what
            assert {kind for _, kind in skill.parameters} <= {"object"}
    for several in stages.STAGES.values():
        for stage in several:
            assert len(stages.WHAT[stage.skill][0]) == len(stage.arguments)


def test_the_stages_play_what_the_solution_plays(pick: ManiSkillAdapter) -> None:
    case = Case(PICK, PICK.first_seed)
    pick.reset(case)
    wanted = [pick.step(pick.expert(None)).success for _ in range(70)]
    assert any(wanted)
    state = pick.state()
    pick.reset(case)
    assert pick.expert_plan() == (PICK_UP, HOLD)
    picked, first = run(pick, PICK_UP)
    held, second = run(pick, HOLD)
    assert (picked, held) == (SkillEnd(True), SkillEnd(True))
    assert pick.expert_plan() == ()
    last = first + second
    assert wanted.index(True) + 1 <= last
    assert last <= 70
    # The solution goes on with its last action; so does a body that holds still.
    pick.reset(case)
    taken, executed = 0, None
    for call in (PICK_UP, HOLD):
        while not isinstance(given := pick.skill(call, taken, executed), SkillEnd):
            pick.step(given)
            taken, executed = taken + 1, given
        taken = 0
    for _ in range(70 - last):
        pick.step(executed)
    assert pick.state() == state


def test_what_slips_is_noticed_and_can_be_picked_up_again(pick: ManiSkillAdapter) -> None:
    pick.reset(Case(PICK, PICK.first_seed))
    end, _ = run(pick, PICK_UP, closes=False)
    assert end == SkillEnd(False, "the red cube is not in the gripper")
    end, steps = run(pick, HOLD)
    assert (end.done, steps) == (False, 0)
    assert end.why == "it cannot be done now: pick_up(red cube) comes first"
    assert run(pick, PICK_UP)[0].done
    assert run(pick, HOLD)[0].done
    assert pick.expert_plan() == ()


def test_what_no_stage_does_is_refused(pick: ManiSkillAdapter) -> None:
    pick.reset(Case(PICK, PICK.first_seed))
    end, steps = run(pick, SkillCall("pick_up", ("goal",)))
    assert (end, steps) == (SkillEnd(False, "it cannot be done with these objects"), 0)


def test_a_solution_that_is_left_ends_with_the_episode(pick: ManiSkillAdapter) -> None:
    import threading

    pick.reset(Case(PICK, PICK.first_seed))
    assert not isinstance(pick.skill(PICK_UP, 0, None), SkillEnd)
    assert any(each.name.startswith("expert ") for each in threading.enumerate())
    pick.reset(Case(PICK, PICK.first_seed))
    assert not any(each.name.startswith("expert ") for each in threading.enumerate())
