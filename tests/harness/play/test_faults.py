"""The table of faults in docs/architecture.md, line by line, on toys.

Each fault gets its status, and no other case is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import toys
from conftest import Run

from harness.records.stored_run import load_run

Play = Callable[..., Run]

BAD = 2  # the seed that is struck
HERE = {"workers": 0, "lanes": 3}
WORKERS = {"workers": 2, "lanes": 3}


def bad(**params: Any) -> list[Any]:
    """A good task and one with a fault in the case of seed 2."""
    seeds = {"fault_seeds": [BAD]} if "fault" in params else {"marker_seeds": [BAD]}
    return [toys.toy_task(), toys.toy_task("bad", **seeds, **params)]


def check(run: Run, status: str, words: str) -> None:
    """Only the struck case has this status; every other one is as it would be without."""
    wrong = [line for line in run.results if line["status"] != "finished"]
    assert [(line["task"], line["seed"], line["status"]) for line in wrong] == [
        ("toys/bad@1", BAD, status)
    ]
    assert words in wrong[0]["error"]
    assert wrong[0]["score"] is None
    assert wrong[0]["success"] is (False if status == "agent_error" else None)
    assert len(run.results) == run.summary.planned
    assert all(line["success"] for line in run.results if line["status"] == "finished")
    assert run.summary.missing == (status == "error")
    assert run.summary.agent_errors == (status == "agent_error")


@pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])
@pytest.mark.parametrize(
    "fault", ["raise_on_step", "raise_on_reset", "memory_on_step", "nan_reward"]
)
def test_a_simulator_that_breaks_the_same_way_twice_is_not_tried_again(
    play_toys: Play, ray_here: None, fault: str, way: dict[str, int]
) -> None:
    run = play_toys(tasks=bad(fault=fault), **way)
    words = {
        "nan_reward": "nan",
        "memory_on_step": "MemoryError",
    }.get(fault, "the simulator broke")
    check(run, "error", words)
    assert len([text for text in run.notes.said if words in text]) == 1
    timing = next(each.timing for each in load_run(run.path).results() if each.status == "error")
    assert (timing["attempt"], timing["fails_always"]) == (2, True)
    assert "same way each time" in run.summary.as_text()
    assert "plays them again" not in run.summary.as_text()


@pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])
def test_a_fault_that_passes_leaves_no_mark(
    play_toys: Play, ray_here: None, way: dict[str, int], tmp_path: Any
) -> None:
    clean = play_toys(tasks=[toys.toy_task(), toys.toy_task("bad")], out="clean")
    run = play_toys(tasks=bad(fault="raise_on_step", fault_once=str(tmp_path / "once")), **way)
    assert (tmp_path / "once").exists()
    assert [line["digest"] for line in run.results] == [line["digest"] for line in clean.results]


@pytest.mark.parametrize("adapter", ["toys:ToyAdapter", "toys:BatchedToy"])
def test_a_shared_simulator_that_breaks_harms_no_neighbour(play_toys: Play, adapter: str) -> None:
    run = play_toys(tasks=bad(fault="raise_on_step", adapter=adapter), episodes=8, lanes=4)
    check(run, "error", "the simulator broke")


def test_a_segfault_costs_one_case(play_toys: Play, ray_here: None) -> None:
    check(play_toys(tasks=bad(fault="segfault"), **WORKERS), "error", "the worker died")


def test_a_worker_that_is_killed_costs_nothing(
    play_toys: Play, ray_here: None, tmp_path: Any
) -> None:
    run = play_toys(tasks=bad(fault="segfault", fault_once=str(tmp_path / "once")), **WORKERS)
    assert (tmp_path / "once").exists()
    assert all(line["status"] == "finished" and line["success"] for line in run.results)


@pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])
@pytest.mark.parametrize("fault", ["hang", "hang_on_reset"])
def test_a_simulator_that_hangs_is_an_error(
    play_toys: Play, ray_here: None, fault: str, way: dict[str, int]
) -> None:
    check(play_toys(tasks=bad(fault=fault), **way), "error", "did not return")


@pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])
def test_an_agent_that_raises_fails_its_own_case(
    play_toys: Play, ray_here: None, way: dict[str, int]
) -> None:
    check(
        play_toys("RaiseOn", tasks=bad(marker="raise"), **way), "agent_error", "cannot read 'raise'"
    )


def test_an_agent_that_exits_fails_its_own_case(play_toys: Play) -> None:
    run = play_toys("Exits", tasks=bad(marker="exit"), **HERE)
    check(run, "agent_error", "SystemExit: 3")


@pytest.mark.parametrize(
    ("agent", "way"),
    [("Exits", HERE), ("Exits", WORKERS), ("ServedExits", WORKERS)],
    ids=["here", "workers", "served"],
)
def test_an_agent_that_raises_at_the_end_of_an_episode_fails_its_own_case(
    play_toys: Play, ray_here: None, agent: str, way: dict[str, int]
) -> None:
    run = play_toys(agent, tasks=bad(marker="exit"), args={"at_end": True}, **way)
    check(run, "agent_error", "end: RuntimeError: this agent cannot end")


def test_a_served_agent_is_told_of_the_end_of_every_episode(
    play_toys: Play, ray_here: None, tmp_path: Any
) -> None:
    """Of the last ones too, after which no turn follows."""
    run = play_toys("ServedEnds", args={"file": str(tmp_path / "ended")}, **WORKERS)
    ended = (tmp_path / "ended").read_text().split()
    assert len(ended) == len(set(ended)) == run.summary.planned


@pytest.mark.parametrize("way", [HERE, WORKERS], ids=["here", "workers"])
def test_an_agent_that_sleeps_fails_its_own_case(
    play_toys: Play, ray_here: None, way: dict[str, int]
) -> None:
    check(
        play_toys("SleepOn", tasks=bad(marker="sleep"), agent_timeout=1.0, **way),
        "agent_error",
        "no answer within 1 s",
    )


@pytest.mark.parametrize("action", ["discrete", "box"])
def test_an_agent_that_answers_nonsense_fails_its_own_case(play_toys: Play, action: str) -> None:
    run = play_toys(
        "NaNAgent", tasks=bad(marker="nonsense", action=action), args={"marker": "nonsense"}, **HERE
    )
    check(run, "agent_error", "NaN" if action == "box" else "does not exist")


@pytest.mark.parametrize("marker", ["raise", "sleep"])
def test_a_served_agent_that_fails_fails_its_own_case(
    play_toys: Play, ray_here: None, marker: str
) -> None:
    agent = {"raise": "ServedRaiseOn", "sleep": "ServedSleepOn"}[marker]
    run = play_toys(agent, tasks=bad(marker=marker), workers=2, agent_timeout=1.0)
    check(run, "agent_error", "cannot read" if marker == "raise" else "no answer")


def test_a_simulator_that_never_works_does_not_burn_the_night(play_toys: Play) -> None:
    run = play_toys(
        tasks=[toys.toy_task(), toys.toy_task("bad", fault="raise_on_step")], episodes=20, lanes=3
    )
    errors = [line for line in run.results if line["status"] == "error"]
    assert len(errors) == 20
    assert sum("not tried" in line["error"] for line in errors) > 8
    assert run.summary.missing == 20
    assert sum(line["status"] == "finished" for line in run.results) == 20


def test_errors_are_played_again_by_the_same_command(play_toys: Play, tmp_path: Any) -> None:
    switch = tmp_path / "mended"
    tasks = bad(fault="raise_on_step", fault_until=str(switch))
    check(play_toys(tasks=tasks), "error", "the simulator broke")
    switch.touch()
    again = play_toys(tasks=tasks)
    assert again.summary.missing == 0
    assert all(line["success"] for line in again.results)


def test_a_task_that_cannot_run_is_a_row(play_toys: Play) -> None:
    run = play_toys(tasks=[toys.toy_task(), toys.toy_task("bad", fault="missing")])
    assert [(row.task, row.reason, row.remedy) for row in run.summary.not_run] == [
        ("toys/bad@1", "there is no chalk to draw the square", "buy chalk")
    ]
    assert run.summary.planned == 4


def test_a_view_that_is_not_on_offer_is_a_row(play_toys: Play) -> None:
    run = play_toys("ReadsSmell")
    assert {row.task for row in run.summary.not_run} == {task.id for task in toys.SUITE_TASKS}
    assert "'smell'" in run.summary.not_run[0].reason
    assert run.summary.planned == 0
