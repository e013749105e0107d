"""Foreign code does what it likes to its process: no result is lost, and no run hangs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import toys
from conftest import Run

Play = Callable[..., Run]

WAYS = [
    pytest.param({"workers": 0, "lanes": 3}, id="here"),
    pytest.param({"workers": 2, "lanes": 3}, id="workers"),
]
TASKS = [toys.toy_task()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["empties", "extends", "reorders", "keeps", "asked again"])
def test_the_list_of_turns_is_the_agents_own(
    play_toys: Play, ray_here: None, how: str, way: dict[str, int]
) -> None:
    run = play_toys("meddlers:TakesTurns", tasks=TASKS, args={"how": how}, **way)
    assert [line["success"] for line in run.results] == [True] * 4


@pytest.mark.parametrize("agent", ["meddlers:TakesTurns", "meddlers:AnswersForever"])
def test_an_agent_that_spoils_every_batch_fails_every_case(play_toys: Play, agent: str) -> None:
    args = {"how": "empties, then raises"} if agent.endswith("Turns") else {}
    run = play_toys(agent, tasks=TASKS, args=args, lanes=3)
    assert [line["status"] for line in run.results] == ["agent_error"] * 4
