"""Scripted players of games, to be imitated."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.gea.teachers import (
    Basic,
    BigFish,
    CoinRun,
    DefendTheCenter,
    Freeway,
    Maze,
    Pong,
    PongFollower,
)
from baselines.gea.teachers.maze import CELLS, WALL, first_move, read_maze
from baselines.gea.teachers.pong import (
    BALL_X,
    BALL_Y,
    COURT,
    LAG,
    MEETS,
    PADDLE_Y,
    PATIENCE,
    REACH,
    WAITS,
    ball,
    ball_below,
    first_push,
    paddle_ways,
)  # fmt: skip
from baselines.gea.teachers.vizdoom import monsters
from harness.core import Agent, Box, Brief, Discrete, Turn
from harness.host.loading import load_adapter
from harness.records.catalogue import find_suites, select_tasks
from harness.testing import check_agent
from suites import SUITES


def _memory(x: int, y: int, paddle: int = 120) -> np.ndarray:
    memory = np.zeros(128, int)
    memory[[BALL_X, BALL_Y, PADDLE_Y]] = x, y, paddle
    return memory


def test_where_a_ball_will_meet_the_paddle() -> None:
    assert ball(_memory(MEETS - 44, 100), _memory(MEETS - 40, 110)) == (210 - 2 * 4, 10, True)
    # Five steps more would bring it to line 0: it bounces.
    assert ball(_memory(MEETS - 24, 60), _memory(MEETS - 20, 50)) == (2 * COURT[0], 5, True)
    # A ball that goes away, that stands, or that is not in play is awaited.
    away = (WAITS, PATIENCE, False)
    assert ball(_memory(100, 100), _memory(96, 104)) == away
    assert ball(_memory(100, 100), _memory(100, 104)) == away
    assert ball(_memory(100, 100), _memory(104, 0)) == away
    assert ball(_memory(100, 0), _memory(104, 100)) == away


def test_a_push_goes_on_to_move_the_paddle() -> None:
    ways = paddle_ways(100, [])
    assert ways[:, 0].tolist() == [100] * len(ways)  # the first plan rests
    ways = paddle_ways(100, [0, 0, 1])
    assert np.allclose(np.diff(ways[:5, 0]), [*LAG[1:], 0])
    assert np.allclose(paddle_ways(100, [1, 0, 0, 1]), ways), "three pushes count"
    assert paddle_ways(195, [1, 1, 1]).max() == REACH[1]
    assert paddle_ways(45, [-1]).min() == REACH[0]


def test_the_paddle_of_pong_goes_where_the_ball_will_be() -> None:
    assert first_push((170, 4, True), 100, []) == 1
    assert first_push((60, 4, True), 100, []) == -1
    assert first_push((100, 4, True), 100, []) == 0, "the ball meets an end of the paddle"
    assert first_push((113, 4, True), 100, []) == 1
    assert first_push((113, 4, True), 100, [1]) == 0, "it is on its way there"
    assert first_push((WAITS, PATIENCE, False), WAITS, []) == 0


def test_the_follower_keeps_its_paddle_where_the_ball_will_be() -> None:
    def below(*memories: np.ndarray) -> float:
        return ball_below([{"state": memory.astype(np.uint8)} for memory in memories])

    still = _memory(100, 150, 100)
    assert below(still) == below(still, still) > 0
    # A ball that falls will be lower, a paddle that moves down goes on.
    assert below(_memory(90, 140, 100), still) > below(still, still)
    assert below(_memory(90, 150, 90), still) < below(still, still)
    # A ball that goes away, or none: back to the middle, or nothing to do.
    assert abs(below(_memory(100, 20), _memory(90, 20))) < 10
    assert below(still, _memory(100, 0, 30)) == 0


def test_a_player_of_pong_sees_who_pushed() -> None:
    """The plan follows what was executed, which another agent may have drawn."""
    names = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    brief = Brief({"state": Box((128,), "uint8", 0, 255)}, Discrete(6, names), "b", "s")

    def played(actions: tuple[int, ...], *memories: np.ndarray) -> str:
        shown = tuple({"state": memory.astype(np.uint8)} for memory in memories)
        (answer,) = Pong().act([Turn(brief, "", shown, actions, 0, "e")])
        return names[answer]

    near = [_memory(MEETS - 24 + 4 * step, 113, 100) for step in range(3)]
    assert played((), near[0]) == "NOOP", "one memory does not tell where the ball goes"
    assert played((0, 0), *near) == played((1, 1), *near)
    assert played((0, 5), *near) == played((0, 3), *near) == "NOOP" != played((0, 0), *near)
    low = [_memory(MEETS - 40 + 8 * step, 180, 100) for step in range(3)]
    assert played((0, 0), *low) == "LEFT"
    high = [_memory(MEETS - 40 + 8 * step, 60, 100) for step in range(3)]
    assert played((0, 0), *high) == "RIGHT"
    assert played((4, 2), *high) == played((2, 4), *high)


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


@pytest.mark.parametrize("player", [Pong, PongFollower])
def test_pong_is_played_from_its_memory(player: type[Agent]) -> None:
    tasks = select_tasks(find_suites("atari", SUITES), "atari/pong")
    task = tasks[0][1]
    assert "state" in load_adapter(task.adapter).privileged_views
    check_agent(player, [task], steps=12)


def _drawn(lines: str) -> np.ndarray:
    """A picture of a maze: a character a cell, with walls around it; m the mouse, c the cheese."""
    colours = {"#": WALL, ".": (40, 100, 170), "m": (190, 190, 180), "c": (250, 190, 40)}
    image = np.empty((64, 64, 3), np.uint8)
    rows = [line.ljust(CELLS, "#") for line in lines.split()]
    rows += ["#" * CELLS] * (CELLS - len(rows))
    for y in range(64):
        for x in range(64):
            image[y, x] = colours[rows[y * CELLS // 64][x * CELLS // 64]]
    return image


@pytest.mark.parametrize(
    ("lines", "move"),
    [
        ("m.#c #.#. #...", "right"),
        ("#c# #.# #m#", "up"),
        ("c.m", "left"),
        ("m## .## ..c", "down"),
        ("m#c", "nothing"),  # no way
        ("m..", "nothing"),  # no cheese
        ("..c", "nothing"),  # no mouse
    ],
)
def test_the_way_through_a_maze_is_read_from_its_picture(lines: str, move: str) -> None:
    free, mouse, cheese = read_maze(_drawn(lines))
    assert first_move(free, mouse, cheese) == move
    shown = "".join(line.ljust(CELLS, "#") for line in lines.split()).ljust(CELLS * CELLS, "#")
    assert free.ravel().tolist() == [cell != "#" for cell in shown]
    names = ("nothing", "left", "right", "up", "down")
    brief = Brief({"image": Box((64, 64, 3), "uint8", 0, 255)}, Discrete(5, names), "b", "s")
    turn = Turn(brief, "", ({"image": _drawn(lines)},), (), 0, "e")
    assert Maze().act([turn]) == [names.index(move)]


def _hall(*stands: tuple[int, int, float]) -> np.ndarray:
    """Distances to a corner's two walls, things (first column, width, m), and a weapon in front."""
    walls = 12 - np.abs(np.arange(320) - 160) / 40
    depth = np.repeat(walls[None], 240, 0).astype(np.float32)
    for first, width, near in stands:
        depth[100:150, first : first + width] = near
    depth[125:, 150:170] = 0.2
    return depth


@pytest.mark.parametrize(
    ("stands", "basic", "center"),
    [
        ([], "nothing", "turn_right"),
        ([(154, 16, 9.0)], "attack", "attack"),
        ([(60, 24, 6.0)], "move_left", "turn_left"),
        ([(200, 24, 6.0), (40, 10, 7.0)], "move_right", "turn_right"),
    ],
)
def test_monsters_stand_out_before_the_walls(
    stands: list[tuple[int, int, float]], basic: str, center: str
) -> None:
    depth = _hall(*stands)
    found = monsters(depth)
    assert [round(near) for _, _, near in found] == [round(s[2]) for s in sorted(stands)]
    for (middle, _, _), (first, width, _) in zip(found, sorted(stands)):
        assert abs(middle - (first + width / 2 - 160)) <= 2
    for teacher, wanted in ((Basic, basic), (DefendTheCenter, center)):
        way = "turn" if teacher is DefendTheCenter else "move"
        names = ("nothing", f"{way}_left", f"{way}_right", "attack")
        brief = Brief({"depth": Box((240, 320))}, Discrete(4, names), "b", "s")
        turn = Turn(brief, "", ({"depth": depth},), (), 0, "e")
        assert teacher().act([turn]) == [names.index(wanted)]


def test_the_monster_of_basic_is_shot() -> None:
    ((_, task),) = select_tasks(find_suites("vizdoom", SUITES), "vizdoom/basic")
    check_agent(Basic, [task], steps=12)
