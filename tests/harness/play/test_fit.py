"""An agent that does not fit a task is not played there, whatever plays it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from conftest import Run

from harness.play.fit import CANNOT_PLAY

Play = Callable[..., Run]
WAYS = pytest.mark.parametrize(
    ("agent", "way"),
    [
        ("Choosy", {"workers": 0, "lanes": 2}),
        ("Choosy", {"workers": 2, "lanes": 2}),
        ("ServedChoosy", {"workers": 2, "lanes": 2}),
    ],
    ids=["here", "workers", "served"],
)


def tasks() -> list[Any]:
    return [
        toys.toy_task(),
        toys.toy_task("glide", action="box"),
        toys.toy_task("together", action="box", adapter="toys:BatchedToy"),
    ]


@WAYS
def test_a_task_that_the_agent_does_not_fit_is_not_run(
    play_toys: Play, ray_here: None, tmp_path: Path, agent: str, way: dict[str, int]
) -> None:
    asked = tmp_path / "asked"
    run = play_toys(
        f"choosyagents:{agent}", tasks=tasks(), episodes=6, args={"asked": str(asked)}, **way
    )
    assert {line["task"] for line in run.results} == {"toys/goal@1"}
    assert len(run.results) == 6
    assert all(line["success"] for line in run.results)
    rows = {row.task: (row.reason, row.remedy) for row in run.summary.not_run}
    assert rows == {
        "toys/glide@1": (f"{CANNOT_PLAY}it cannot glide", "teach it to"),
        "toys/together@1": (f"{CANNOT_PLAY}it cannot glide", "teach it to"),
    }
    assert run.summary.agent_errors == 0
    assert set(asked.read_text().splitlines()) == {
        "Discrete ['image', 'state']",  # all views on offer, not only those that it reads
        "Box ['image', 'state']",
    }


def test_it_is_asked_once_for_each_environment(play_toys: Play, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    args = {"asked": str(asked)}
    play_toys("choosyagents:Choosy", tasks=tasks()[:2], episodes=10, args=args, workers=0, lanes=1)
    assert sorted(line.split()[0] for line in asked.read_text().splitlines()) == ["Box", "Discrete"]


@pytest.mark.parametrize(
    ("how", "reason", "remedy"),
    [
        ("raise", "unfit failed: SystemExit: no idea", "correct the agent's unfit"),
        ("word", "it returned str, not Missing or None", "correct the agent's unfit"),
        ("refuse", "there is no profile 'x'", "correct the agent's arguments"),
    ],
)
def test_an_agent_that_fails_while_it_is_asked_does_not_play(
    play_toys: Play, tmp_path: Path, how: str, reason: str, remedy: str
) -> None:
    args = {"asked": str(tmp_path / "asked"), "how": how}
    run = play_toys("choosyagents:Choosy", tasks=tasks()[:2], args=args, workers=0)
    (row,) = run.summary.not_run
    assert row.task == "toys/glide@1"
    assert reason in row.reason
    assert row.remedy == remedy
    assert len(run.results) > 0


def test_a_profile_keeps_its_agent_from_playing_unless_the_check_is_off(play_toys: Play) -> None:
    args = {"profile": "metaworld-image"}
    kept = play_toys("profiled:Profiled", tasks=tasks()[1:2], args=args, out="on", workers=0)
    (row,) = kept.summary.not_run
    assert "the profile metaworld-image does not fit: view-kind" not in row.reason
    assert "dimension: the policy expects actions of 4 elements, the task has 2" in row.reason
    assert row.remedy.endswith("--profile-check off")
    assert kept.results == []
    off = {**args, "profile_check": "off"}
    played = play_toys("profiled:Profiled", tasks=tasks()[1:2], args=off, out="off", workers=0)
    assert played.summary.not_run == ()
    assert len(played.results) > 0
