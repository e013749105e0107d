"""MiniGrid's scene in words."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from adapters._grid_words import scene
from adapters.minigrid import MiniGridAdapter
from harness.core import Case, Task
from harness.play.start_digest import compared, start_digest

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
WALL, DOOR, KEY, BALL, BOX, GOAL, LAVA = 2, 4, 5, 6, 7, 8, 9


def room(**cells: tuple[int, int, int]) -> np.ndarray:
    """A view of empty cells; `x2y5` names one of them."""
    grid = np.zeros((7, 7, 3), np.uint8)
    grid[..., 0] = 1
    for name, cell in cells.items():
        grid[int(name[1]), int(name[3])] = cell
    return grid


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        (room(), "nothing but the room"),
        (room(x2y4=(BALL, 0, 0)), "a red ball 2 steps ahead and 1 step to the left"),
        (room(x3y5=(DOOR, 4, 2)), "a locked yellow door 1 step ahead"),
        (room(x3y5=(DOOR, 4, 0)), "an open yellow door 1 step ahead"),
        (room(x6y6=(KEY, 5, 0)), "a grey key 3 steps to the right"),
        (room(x3y0=(LAVA, 0, 0)), "lava 6 steps ahead"),
        (room(x3y6=(BOX, 2, 0)), "nothing but the room"),
        (
            room(x4y5=(GOAL, 1, 0), x3y3=(BOX, 2, 0)),
            "a goal square 1 step ahead and 1 step to the right\na blue box 3 steps ahead",
        ),
        (
            room(x3y4=(WALL, 5, 0), x1y6=(WALL, 5, 0)),
            "nothing but the room\na wall 2 steps ahead\na wall 2 steps to the left",
        ),
    ],
)
def test_what_is_in_sight_is_told_from_where_the_agent_stands(grid: np.ndarray, text: str) -> None:
    assert scene(grid, None, COLOURS) == text


def test_what_is_carried_is_told() -> None:
    assert scene(room(), (KEY, 3, 0), COLOURS).endswith("you carry a purple key")


TASK = Task(
    "babyai/GoToLocal@1",
    "navigation",
    "adapters.minigrid:MiniGridAdapter",
    {"id": "BabyAI-GoToLocal-v0"},
)


def test_the_words_agree_with_the_simulator_while_the_agent_moves() -> None:
    pytest.importorskip("minigrid")
    adapter = MiniGridAdapter(TASK)
    case = Case(TASK, 1_000_000_000)
    seen = adapter.reset(case)
    offsets = ((1, 0), (0, 1), (-1, 0), (0, -1))
    named = 0
    for action in case.rng("test").integers(0, 3, 40):
        env = adapter._env
        forward, (x, y) = np.array(offsets[env.agent_dir]), env.agent_pos
        right = np.array(offsets[(env.agent_dir + 1) % 4])
        for line in seen.observation["text_scene"]().splitlines():
            if line.startswith(("a wall", "nothing")):
                continue
            place = {"ahead": 0, "left": 0, "right": 0}
            words = line.split()
            for number, word in enumerate(words):
                if word in place:
                    count = next(int(each) for each in reversed(words[:number]) if each.isdigit())
                    place[word] = count
            cell = (x, y) + place["ahead"] * forward + (place["right"] - place["left"]) * right
            there = env.grid.get(*cell)
            assert {there.color, there.type} <= set(words), line
            named += 1
        seen = adapter.step(int(action))
    assert named > 20
    adapter.close()


def test_the_digest_of_a_start_is_what_it_was_before_there_were_words() -> None:
    pytest.importorskip("minigrid")
    adapter = MiniGridAdapter(TASK)
    first = adapter.reset(Case(TASK, 1_000_000_000))
    assert "text_scene" not in compared(adapter)
    found = start_digest(compared(adapter), first, adapter.state())
    views = {name: first.observation[name]() for name in ("direction", "grid")}
    assert sorted(compared(adapter)) == ["direction", "grid", "image", "image_partial"]
    assert len(found) == hashlib.blake2b(digest_size=8).digest_size * 2
    changed = adapter.brief.observation
    assert start_digest(changed, first, adapter.state()) != found
    assert views["grid"].shape == (7, 7, 3)
    adapter.close()
