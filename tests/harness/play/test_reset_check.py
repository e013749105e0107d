"""Starts that do not follow from the seed are told before anything is played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Run

from harness.core import Task
from harness.play.reset_check import ResetCheck

Play = Callable[..., Run]
pytest.importorskip("gymnasium")
UNIFORM = "baselines.simple:Uniform"
WORDS = "reset(seed) does not fix the start: two resets with one seed differ"


def sick(name: str, **params: Any) -> Task:
    return Task(
        f"sick/{name}@1",
        "games",
        "adapters.gym:GymAdapter",
        {"id": f"sickgyms:sick/{name}-v0", "kwargs": {}, **params},
        max_steps=5,
        success=None,
    )


@pytest.mark.parametrize("way", [{"workers": 0}, {"workers": 2}], ids=["here", "workers"])
def test_a_start_that_the_seed_does_not_fix_is_told_once(
    play_toys: Play, ray_here: None, way: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    run = play_toys(UNIFORM, [sick("GlobalRandom"), sick("Seeded")], 4, **way)
    said = [*run.notes.said, *caplog.messages]
    assert [text for text in said if WORDS in text] == [
        f"sick/GlobalRandom@1: {WORDS} in one environment. Runs of it cannot be compared in pairs, "
        "and a replay differs"
    ]


def test_environments_that_start_differently_are_told(
    play_toys: Play, caplog: pytest.LogCaptureFixture
) -> None:
    play_toys(UNIFORM, [sick("Numbered")], 4, out="one", workers=0)
    assert not [text for text in caplog.messages if WORDS in text], "there is one environment only"
    play_toys(UNIFORM, [sick("Numbered")], 4, out="two", workers=0, lanes=2)
    (said,) = [text for text in caplog.messages if WORDS in text]
    assert "in two environments" in said


def test_a_fresh_environment_for_each_episode(
    play_toys: Play, caplog: pytest.LogCaptureFixture
) -> None:
    used = play_toys(UNIFORM, [sick("Leftovers")], 3, out="used", workers=0)
    assert len([text for text in caplog.messages if WORDS in text]) == 1
    caplog.clear()
    fresh = [
        play_toys(UNIFORM, [sick("Leftovers", fresh=True)], 3, out=out, workers=0, lanes=n)
        for out, n in (("one", 1), ("two", 2))
    ]
    assert not [text for text in caplog.messages if WORDS in text]
    starts = [[line["start"] for line in run.results] for run in fresh]
    assert starts[0] == starts[1]
    assert starts[0] != [line["start"] for line in used.results]


def test_our_own_families_are_not_checked(play_toys: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(ResetCheck, "_start_of", lambda *_: checked.append("reset") or "")
    task = Task(
        "gym/CartPole-v1@1",
        "games",
        "adapters.gym:GymAdapter",
        {"id": "CartPole-v1", "kwargs": {}},
        success=None,
    )
    run = play_toys(UNIFORM, [task], 2, workers=0)
    assert checked == []
    assert {line["status"] for line in run.results} == {"finished"}
