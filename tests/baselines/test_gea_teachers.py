"""Scripted players of games, to be imitated."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.gea.teachers import BigFish, CoinRun, Freeway, Pong
from baselines.gea.teachers.atari import BALL_X, BALL_Y, PADDLE_Y, WAITS, ball_below
from harness.core import Agent, Box, Brief, Discrete, Turn
from harness.host.loading import load_adapter
from harness.records.catalogue import find_suites, select_tasks
from harness.testing import check_agent
from suites import SUITES


def _memory(x: int, y: int, paddle: int) -> dict[str, np.ndarray]:
    memory = np.zeros(128, np.uint8)
    memory[[BALL_X, BALL_Y, PADDLE_Y]] = x, y, paddle
    return {"state": memory}


def test_the_paddle_of_pong_goes_where_the_ball_will_be() -> None:
    still = _memory(100, 150, 100)
    assert ball_below([still]) == ball_below([still, still]) > 0
    # A ball that falls will be lower, a paddle that moves down goes on.
    assert ball_below([_memory(90, 140, 100), still]) > ball_below([still, still])
    assert ball_below([_memory(90, 150, 90), still]) < ball_below([still, still])
    # A ball that goes away, or none: back to the middle, or nothing to do.
    away = _memory(90, 20, WAITS)
    assert abs(ball_below([_memory(100, 20, WAITS), away])) < 10
    assert ball_below([still, _memory(100, 0, 30)]) == 0


@pytest.mark.parametrize(
    ("teacher", "choices", "wanted"),
    [
        (Freeway, ("NOOP", "UP", "DOWN"), "UP"),
        (CoinRun, ("nothing", "right", "right up"), "right up"),
        (BigFish, ("nothing", "right", "right up"), "right up"),
    ],
)
def test_a_teacher_of_one_action_names_it(
    teacher: type[Agent], choices: tuple[str, ...], wanted: str
) -> None:
    brief = Brief({"image": Box((4, 4, 3), "uint8", 0, 255)}, Discrete(3, choices), "b", "s")
    turn = Turn(brief, "", ({},), (), 0, "e")
    assert teacher().act([turn, turn]) == [choices.index(wanted)] * 2


def test_pong_is_played_from_its_memory() -> None:
    tasks = select_tasks(find_suites("atari", SUITES), "atari/pong")
    task = tasks[0][1]
    assert "state" in load_adapter(task.adapter).privileged_views
    check_agent(Pong, [task], steps=12)
