"""BabyAI's skills on real levels: what they do, when they fail, and that asking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters._babyai_skills import SKILLS
from adapters.minigrid import MiniGridAdapter
from harness.core import Case, SkillCall, SkillEnd, Task
from suites.babyai import SUITES

TASKS = {task.params["id"]: task for suite in SUITES for task in suite.tasks}
ANY = next(iter(TASKS.values()))


def level(name: str) -> Task:
    """A task of any level of the package."""
    fields = {**vars(ANY), "id": f"babyai/{name}@1", "params": {"id": f"BabyAI-{name}-v0"}}
    fields.pop("content", None)
    return Task(**fields)


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[MiniGridAdapter]:
    """An adapter of the level and seed that the test names, after its reset."""
    name, seed = request.param
    task = level(name)
    adapter = MiniGridAdapter(task)
    adapter.reset(Case(task, seed))
    yield adapter
    adapter.close()


def run(adapter: MiniGridAdapter, skill: str, *arguments: str, most: int = 300) -> SkillEnd:
    """Carry out a call to its end, or to the end of the episode, which counts as done."""
    taken, executed = 0, None
    while taken < most:
        given = adapter.skill(SkillCall(skill, arguments), taken, executed)
        if isinstance(given, SkillEnd):
            return given
        seen = adapter.step(given)
        if seen.terminated:
            return SkillEnd(bool(seen.success), "the episode is over")
        taken, executed = taken + 1, given
    raise AssertionError(f"{skill} does not end")


def carried(adapter: MiniGridAdapter) -> str:
    held = adapter._env.carrying
    return "" if held is None else f"{held.color} {held.type}"


def ahead(adapter: MiniGridAdapter) -> str:
    found = adapter._env.grid.get(*adapter._env.front_pos)
    return "" if found is None else f"{found.color} {found.type}"


# A level of nine rooms whose mission needs several things at once; `GoToSeq` names no door.
@pytest.mark.parametrize("started", [("SynthSeq", 3), ("BossLevel", 5)], indirect=True)
def test_each_skill_does_what_it_says(started: MiniGridAdapter) -> None:
    there = {
        f"{each.color} {each.type}"
        for each in started._env.grid.grid
        if each is not None and each.type in ("ball", "box", "key")
    }
    one, other = sorted(there)[:2]
    assert run(started, "go_to", one).done
    assert ahead(started) == one
    assert run(started, "pick_up", one).done
    assert carried(started) == one
    assert run(started, "pick_up", other) == SkillEnd(False, f"it carries the {one} already")
    assert run(started, "drop").done
    assert carried(started) == ""
    assert run(started, "drop") == SkillEnd(False, "it carries nothing")
    assert run(started, "put_next_to", other) == SkillEnd(False, "it carries nothing")
    assert run(started, "pick_up", one).done
    assert run(started, "put_next_to", other).done
    assert carried(started) == ""
    door = next(
        f"{each.color} door"
        for each in started._env.grid.grid
        if each is not None and each.type == "door" and not each.is_open
    )
    assert run(started, "open", door).done
    assert ahead(started).endswith("door")
    assert started._env.grid.get(*started._env.front_pos).is_open
    # To open what is open is to close it and to open it: missions ask for the act.
    assert run(started, "open", door).done
    assert started._env.grid.get(*started._env.front_pos).is_open
    before = int(started._controller._bot.vis_mask.sum())  # type: ignore[union-attr]
    assert run(started, "explore").done
    assert int(started._controller._bot.vis_mask.sum()) > before  # type: ignore[union-attr]


@pytest.mark.parametrize("started", [("GoToObj", 1000000000)], indirect=True)
def test_what_cannot_be_done_ends_with_the_reason(started: MiniGridAdapter) -> None:
    (there,) = (
        f"{each.color} {each.type}"
        for each in started._env.grid.grid
        if each is not None and each.type != "wall"
    )
    gone = next(
        name
        for name in started.skill_objects()["object"]
        if " " in name and name != there and not name.endswith("you")
    )
    assert run(started, "go_to", gone) == SkillEnd(False, f"there is no {gone}")
    assert run(started, "open", there) == SkillEnd(False, f"{there} is no door")
    refused = f"{there} is neither a door nor a box"
    if not there.endswith("box"):
        assert run(started, "toggle", there) == SkillEnd(False, refused)


@pytest.mark.parametrize("started", [("Unlock", 7), ("UnlockLocal", 7)], indirect=True)
def test_a_locked_door_is_opened_with_its_key(started: MiniGridAdapter) -> None:
    doors = [
        each
        for each in started._env.grid.grid
        if each is not None and each.type == "door" and each.is_locked
    ]
    end = run(started, "open", f"{doors[0].color} door")
    assert end.done
    assert any(each.is_open for each in doors)


@pytest.mark.parametrize("started", [("OpenRedDoor", 2)], indirect=True)
def test_a_door_is_toggled(started: MiniGridAdapter) -> None:
    end = run(started, "toggle", "red door")
    assert end.done
    assert started._env.grid.get(*started._env.front_pos).is_open


@pytest.mark.parametrize("started", [("GoToObjS4", 1)], indirect=True)
def test_when_all_is_seen_exploring_fails(started: MiniGridAdapter) -> None:
    for _ in range(20):
        end = run(started, "explore")
        if not end.done:
            break
    assert end == SkillEnd(False, "nothing left to explore")


@pytest.mark.parametrize("started", [("PutNextLocal", 11)], indirect=True)
def test_a_plan_goes_on_from_the_present_state(started: MiniGridAdapter) -> None:
    first = started.expert_plan()
    assert [call.skill for call in first] == ["pick_up", "put_next_to"]
    assert run(started, "pick_up", *first[0].arguments).done
    assert started.expert_plan() == first[1:]
    assert run(started, "drop").done
    assert started.expert_plan() == first


@pytest.mark.parametrize("started", [("PutNextLocal", 11)], indirect=True)
def test_asking_does_not_touch_the_verifiers_lists(started: MiniGridAdapter) -> None:
    instr = started._env.instrs
    before = [(list(d.obj_set), list(d.obj_poss)) for d in (instr.desc_move, instr.desc_fixed)]
    started.expert_plan()
    for skill in SKILLS:
        names = started.skill_objects()["object"]
        for name in names if skill.parameters else ("",):
            call = SkillCall(skill.name, (name,) if name else ())
            started.skill(call, 0, None)
    after = [(list(d.obj_set), list(d.obj_poss)) for d in (instr.desc_move, instr.desc_fixed)]
    assert before == after


def test_levels_of_minigrid_have_none() -> None:
    fields = {**vars(ANY), "id": "minigrid/Empty@1", "params": {"id": "MiniGrid-Empty-5x5-v0"}}
    fields.pop("content", None)
    assert MiniGridAdapter.skills(Task(**fields)) == ()
