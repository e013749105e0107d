"""An agent whose server cannot be asked: an error like a lost worker, and the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Notes, Run

from harness.core import Suite, UserError
from harness.records.identity import AgentSpec
from harness.verify.invariance import check_invariance

Play = Callable[..., Run]

HERE = {"workers": 0, "lanes": 1}
WORKERS = {"workers": 2, "lanes": 2}
WAYS = pytest.mark.parametrize(
    ("agent", "way"),
    [("Silent", HERE), ("Silent", WORKERS), ("ServedSilent", WORKERS)],
    ids=["here", "workers", "served"],
)
GONE = "ws://nowhere:1 does not answer"


def tasks() -> list[Any]:
    """A good task, and one of which seed 2 is struck."""
    return [toys.toy_task(), toys.toy_task("bad", marker="struck", marker_seeds=[2])]


@WAYS
def test_a_run_whose_agent_cannot_be_asked_stops_and_can_go_on(
    play_toys: Play, ray_here: None, tmp_path: Path, agent: str, way: dict[str, int]
) -> None:
    args = {"calls": str(tmp_path / "calls"), "times": 10**9}
    agent = f"silentagents:{agent}"
    run = play_toys(agent, tasks=tasks(), episodes=8, args=args, **way)
    assert run.summary.stopped is not None
    assert "could not be asked in 3 cases in a row" in run.summary.stopped
    assert GONE in run.summary.stopped
    assert "the same command continues" in run.summary.stopped
    assert run.results == []
    assert run.summary.missing == run.summary.planned
    assert run.summary.agent_errors == 0


def test_the_run_that_stopped_is_continued_where_it_was(play_toys: Play, tmp_path: Path) -> None:
    args = {
        "calls": str(tmp_path / "calls"),
        "words": "struck",
        "times": 5,
    }  # two of each case, but the last
    plenty = [toys.toy_task("bad", marker="struck", marker_seeds=[2, 3, 4])]
    clean = play_toys(tasks=plenty, episodes=8, out="clean")
    stopped = play_toys("silentagents:Silent", tasks=plenty, episodes=8, args=args)
    assert stopped.summary.stopped is not None
    done = len(stopped.results)
    assert 0 < done < stopped.summary.planned
    again = play_toys("silentagents:Silent", tasks=plenty, episodes=8, args=args)
    assert again.summary.stopped is None
    assert again.summary.missing == 0
    assert [line["success"] for line in again.results] == [
        line["success"] for line in clean.results
    ]


@WAYS
def test_one_case_that_cannot_be_asked_has_no_score_and_is_tried_three_times(
    play_toys: Play, ray_here: None, tmp_path: Path, agent: str, way: dict[str, int]
) -> None:
    calls = tmp_path / "calls"
    args = {"calls": str(calls), "words": "struck"}
    run = play_toys(f"silentagents:{agent}", tasks=tasks(), args=args, **(way | {"lanes": 1}))
    wrong = [line for line in run.results if line["status"] != "finished"]
    assert [(line["task"], line["seed"], line["status"]) for line in wrong] == [
        ("toys/bad@1", 2, "error")
    ]
    assert wrong[0]["error"] == GONE
    assert wrong[0]["score"] is None
    assert wrong[0]["success"] is None
    assert run.summary.stopped is None
    assert (run.summary.missing, run.summary.agent_errors) == (1, 0)
    assert len(calls.read_text().splitlines()) >= 3


def test_a_batch_that_cannot_be_asked_is_not_asked_in_halves(
    play_toys: Play, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    play_toys("silentagents:Silent", args={"calls": str(calls)}, workers=0, lanes=4)
    assert calls.read_text().splitlines() == ["4"]


def test_a_server_that_comes_back_leaves_no_mark(play_toys: Play, tmp_path: Path) -> None:
    clean = play_toys(tasks=tasks(), out="clean")
    args = {"calls": str(tmp_path / "calls"), "times": 2}
    run = play_toys("silentagents:Silent", tasks=tasks(), args=args, **HERE)
    assert [line["digest"] for line in run.results] == [line["digest"] for line in clean.results]


def test_an_end_that_could_not_be_told_is_an_error_too(play_toys: Play) -> None:
    run = play_toys("silentagents:SilentAtEnd", tasks=tasks(), **HERE)
    assert {line["status"] for line in run.results} == {"finished"}
    assert any("the server went away" in text for text in run.notes.said)


def test_invariance_is_not_judged_by_a_run_that_stopped(tmp_path: Path) -> None:
    """Cases that were never played are no drift."""
    spec = AgentSpec("silent", "silentagents:Silent", {"calls": str(tmp_path / "calls")})
    suite = Suite("toys", "toys", tuple(tasks()), 4)
    with pytest.raises(UserError, match="nothing is proved: 1 lane came to no end"):
        check_invariance(
            spec,
            [(suite, task) for task in suite.tasks],
            sample=8,
            workers=0,
            seed=0,
            progress=Notes(),
        )
