"""What the hooks of the families without heavy packages say of agents with a known failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Notes

from harness.cli.names import suites_named
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.stored_run import load_run
from harness.verify.stages import stages_of_run

BABYAI, PDDL = "babyai/GoToLocalS8N7", "pddl/blocksworld"


@pytest.mark.parametrize(
    ("task", "agent", "arguments", "mode", "stage"),
    [
        (BABYAI, "WalksTo", {}, "wrong_object", None),
        (BABYAI, "Stops", {"steps": 1}, "stopped_early", None),
        ("babyai/OpenDoorColor", "NeverToggles", {}, "near_goal", 2),
        ("minigrid/LavaGapS7", "WalksTo", {"kind": 9, "then": 2}, "collided", None),
        ("minigrid/MemoryS11", "TakesWrongEnd", {}, "other_goal", 1),
        ("minigrid/RedBlueDoors-8x8", "WalksTo", {"kind": 4, "then": 5, "colour": 2},
         "other_goal", 0),
        (PDDL, "NoAction", {}, "invalid_action", 0),
        (PDDL, "NeverMoves", {}, "never_moved", 0),
        ("pddl-plan/blocksworld", "HalfPlan", {}, "stopped_early", None),
        ("pointmaze/umaze", "Repeats", {"actions": [[1.0, 1.0]]}, "collided", None),
        ("pointmaze/open", "HoversNear", {}, "near_goal", 2),
    ],
)  # fmt: skip
def test_a_planted_failure_is_named_first(
    tmp_path: Path, task: str, agent: str, arguments: Any, mode: str, stage: int | None
) -> None:
    spec = AgentSpec(mode, f"planted_failures:{agent}", arguments)
    chosen = select_tasks(suites_named(task.partition("/")[0]), task)
    plan = make_plan(chosen, spec, episodes=3, seed=0)
    play(spec, [chosen[0][0].name], plan, tmp_path / "run", RunOptions(), Notes())
    failed = [each for each in stages_of_run(load_run(tmp_path / "run")) if not each.result.success]
    assert failed
    for each in failed:
        assert each.found is not None, each.unknown
        assert each.found.modes[0] == mode
        assert stage in (None, each.found.stage)
