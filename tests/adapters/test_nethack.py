"""NetHack and MiniHack against the real games, in the interpreter that has them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adapters.nethack import STATS, NetHackAdapter
from adapters.nethack.keys import names_of, neutral_of
from adapters.nethack.progression import BY_DUNGEON_LEVEL, BY_EXPERIENCE_LEVEL, progression
from adapters.nethack.words import inventory, scene, text_of, whole
from harness.core import Adapter, BadAction, Case, Task, TimeStep, UserError
from harness.host.hosted import end_probes
from harness.host.interpreters import VARIABLE, _from_file
from harness.host.loading import load_adapter
from harness.testing import check_adapter
from suites.nethack import GOALS, NAVIGATION, SCORES, SKILLS, SUITES

ROOT = Path(__file__).parents[2]
ENTRY = "adapters.nethack:NetHackAdapter"
TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
BATTLE, QUEST = TASKS["minihack/corridorbattle"], TASKS["minihack/quest-easy"]
CHALLENGE, SCORE = TASKS["nethack/challenge"], TASKS["nethack/score"]


def with_params(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, **params})


@pytest.fixture(scope="module")
def there() -> Iterator[None]:
    """Make the games available, from whichever interpreter has them, or skip."""
    with pytest.MonkeyPatch.context() as patch:
        if NetHackAdapter.missing() is not None:
            python = _from_file(ROOT / "bench.toml").get("nethack") or str(
                ROOT / ".bench/interpreters/nethack/bin/python"
            )
            patch.setenv(VARIABLE, json.dumps({"nethack": python}))
            missing = load_adapter(ENTRY).missing()
            end_probes()
            if missing is not None:
                pytest.skip(f"{missing.reason}: {missing.remedy}")
        yield


@pytest.fixture
def build(there: None) -> Iterator[Any]:
    built: list[Adapter] = []

    def build(task: Task) -> Any:
        built.append(load_adapter(ENTRY)(task))
        return built[-1]

    yield build
    for adapter in built:
        adapter.close()


def seen(step: TimeStep, name: str) -> Any:
    value: Any = step.observation[name]
    return value() if callable(value) else value


def play(adapter: Any, case: Case, steps: int, seed: int = 0) -> list[Any]:
    """What is told in an episode of random keys."""
    rng, told = np.random.default_rng(seed), []
    step = adapter.reset(case)
    while len(told) < steps:
        told.append((adapter.state(), step.reward, step.terminated, step.success, step.metrics))
        if step.terminated or step.truncated:
            break
        step = adapter.step(int(rng.integers(adapter.brief.action.n)))
    return told


@pytest.mark.parametrize("task", [QUEST, CHALLENGE], ids=lambda task: task.name)
def test_contract(there: None, task: Task) -> None:
    check_adapter(task, steps=40, another_process=False)


@pytest.mark.slow
def test_contract_with_another_task_and_in_another_process(there: None) -> None:
    paged = with_params(dataclasses.replace(SCORE, id="own/score@1"), skip_more=True)
    check_adapter(SCORE, steps=60, others=[paged])


def test_a_death_leaves_nothing_in_a_kept_game(build: Any) -> None:
    """The list of high scores would be another one at the second death."""
    adapter = build(BATTLE)
    first = play(adapter, Case(BATTLE, 0), 350)
    assert first[-1][2] is True, "the hero dies"
    assert first[-1][0] == b"over"
    assert play(adapter, Case(BATTLE, 1), 350) != first
    assert play(adapter, Case(BATTLE, 0), 350) == first
    assert play(build(BATTLE), Case(BATTLE, 0), 350) == first
    assert [row[1] for row in first if row[1] > 0] == []
    assert {row[3] for row in first} == {False}


def test_the_challenge_draws_its_hero_from_the_case(build: Any) -> None:
    adapter = build(CHALLENGE)
    heroes = set()
    for seed in range(6):
        step = adapter.reset(Case(CHALLENGE, seed))
        heroes.add(seen(step, "text_screen").splitlines()[-2].split()[2])
        assert step.success is None
    assert len(heroes) > 2


def test_a_game_that_stands_still_is_truncated(build: Any) -> None:
    task = with_params(CHALLENGE, no_progress=20)
    adapter = build(task)
    step, steps = adapter.reset(Case(task, 0)), 0
    while not (step.terminated or step.truncated):
        step, steps = adapter.step(adapter.brief.action.noop()), steps + 1
        assert steps < 50
    assert (step.truncated, step.terminated) == (True, False)
    assert steps == 20


def test_a_level_is_solved_on_its_stairs(build: Any) -> None:
    """A dark room of 15 x 15 cells with the stairs in the other corner."""
    task = TASKS["minihack/room-15x15"]
    adapter = build(task)
    step = adapter.reset(Case(task, 0))
    assert adapter.brief.action.names[5] == "southeast (n)"
    assert "staircase down" in seen(step, "text")
    steps = 0
    while not step.terminated:
        assert step.success is False
        step, steps = adapter.step(5), steps + 1
        assert steps < 20
    assert (step.success, step.reward) == (True, 1.0)
    assert "progression" not in step.metrics


def test_the_wrong_way_of_a_memento_is_no_success(build: Any) -> None:
    """The package gives it the status of the right one, and a reward of -1."""
    task = TASKS["minihack/memento-short-f2"]
    adapter = build(task)
    ends = set()
    for seed in range(8):
        step, steps, rng = adapter.reset(Case(task, seed)), 0, np.random.default_rng(seed)
        while not step.terminated and steps < 4000:
            step, steps = adapter.step(int(rng.integers(8))), steps + 1
        if step.terminated:
            ends.add((step.success, round(step.reward)))
    assert ends == {(True, 1), (False, -1)}


def test_what_the_views_show(build: Any) -> None:
    adapter = build(SCORE)
    step = adapter.reset(Case(SCORE, 3))
    stats = dict(zip(STATS, seen(step, "proprio")))
    grid, screen = seen(step, "grid"), seen(step, "text_screen").splitlines()
    x, y = int(stats["x"]), int(stats["y"])
    assert chr(grid[x, y, 0]) == "@"
    assert screen[y + 1][x] == "@", "the first line is the message's"
    assert stats["depth"] == stats["experience level"] == step.metrics["depth"] == 1
    assert step.metrics["progression"] == 0.0
    assert len(screen) == 24
    told = seen(step, "text")
    parts = ("message:", "language observation:", "cursor:", "map:", "inventory:")
    assert [told.index(part) for part in parts] == sorted(told.index(part) for part in parts)
    assert seen(step, "text_inventory") in told
    assert "monk called Agent" in told
    image = seen(step, "image")
    assert image.std() > 5
    tile = image[y * 16 : y * 16 + 16, x * 16 : x * 16 + 16]
    assert tile.std() > 5, "the hero's tile"


def test_long_messages_are_shown_as_one(build: Any) -> None:
    """A spellbook too hard, a list of skills: with random keys some message has several pages."""
    pages = {}
    for skip in (False, True):
        task = with_params(CHALLENGE, skip_more=skip)
        adapter = build(task)
        rng, asked = np.random.default_rng(0), 0
        for seed in range(4):
            step = adapter.reset(Case(task, seed))
            for _ in range(60):
                step = adapter.step(int(rng.integers(24)))
                asked += "--More--" in seen(step, "text_screen")
                if step.terminated:
                    break
        pages[skip] = asked
    assert pages[False] > 0
    assert pages[True] == 0


def test_horizons_are_those_of_the_packages(there: None) -> None:
    """Asked of the packages themselves, since the adapter lifts their limits."""
    python = json.loads(os.environ.get(VARIABLE, "{}")).get("nethack", sys.executable)
    names = [task.params["id"] for task in TASKS.values()]
    code = (
        "import gymnasium, json, minihack, nle, sys\n"
        "told = {}\n"
        "for name in json.load(sys.stdin):\n"
        "    env = gymnasium.make(name).unwrapped\n"
        "    told[name] = env._max_episode_steps, hasattr(env.StepStatus, 'TASK_SUCCESSFUL')\n"
        "    env.close()\n"
        "print(json.dumps(told))\n"
    )
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    told = json.loads(done.stdout)
    for task in TASKS.values():
        assert told[task.params["id"]] == [task.max_steps, task.success is not None], task.id


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"id": "NetHackScores-v0"}, "has a game 'NetHackScores-v0'"),
        ({"id": "CartPole-v1"}, "has a game 'CartPole-v1'"),
        ({"id": "os:MiniHack-River-v0"}, "has a game 'os:MiniHack-River-v0'"),
        ({"id": "MiniHack-Skill-Custom-v0"}, "has a game 'MiniHack-Skill-Custom-v0'"),
        ({"x": 1}, "do not fit"),
    ],
)
def test_a_wrong_param_is_named(there: None, params: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_adapter(ENTRY)(with_params(SCORE, **params))


def test_a_patience_of_no_step_is_refused(build: Any) -> None:
    task = with_params(CHALLENGE, no_progress=0)
    with pytest.raises(UserError, match="a number of steps from 1 on"):
        build(task).reset(Case(task, 0))


def test_what_no_action_is(build: Any) -> None:
    adapter = build(BATTLE)
    adapter.reset(Case(BATTLE, 0))
    with pytest.raises(BadAction):
        adapter.step(8)


def test_boxoban_says_how_to_get_its_levels(there: None) -> None:
    task = with_params(BATTLE, id="MiniHack-Boxoban-Hard-v0")
    missing = load_adapter(ENTRY).missing(task)
    end_probes()
    if missing is None:
        pytest.skip("the levels are there")
    assert "download_boxoban_levels" in missing.remedy


def test_the_suites() -> None:
    nethack, minihack = SUITES
    assert len(nethack.tasks) == len(SCORES) + len(GOALS) + 1 == 8
    assert len(minihack.tasks) == len(NAVIGATION) + len(SKILLS)
    assert {task.domain for task in minihack.tasks} == {"navigation", "games"}


def test_progression() -> None:
    assert len(BY_DUNGEON_LEVEL) == 50
    assert len(BY_EXPERIENCE_LEVEL) == 30
    assert list(BY_DUNGEON_LEVEL) == sorted(BY_DUNGEON_LEVEL)
    assert list(BY_EXPERIENCE_LEVEL) == sorted(BY_EXPERIENCE_LEVEL)
    assert progression(1, 1) == progression(0, 0) == 0.0
    assert progression(4, 1) == pytest.approx(0.0212, abs=1e-4)
    assert progression(4, 10) == pytest.approx(0.1791, abs=1e-4)
    assert progression(60, 1) == BY_DUNGEON_LEVEL[-1]


class CompassDirection(int):
    name = "NE"


class Command(int):
    def __new__(cls, key: int, name: str) -> Any:
        made = super().__new__(cls, key)
        made.name = name
        return made


def test_names_of_keys() -> None:
    keys = [
        CompassDirection(ord("u")),
        Command(ord("e"), "EAT"),
        Command(4, "KICK"),
        Command(0x80 | ord("p"), "PRAY"),
        Command(32, "SPACE"),
        Command(ord("7"), "NUM_7"),
        Command(27, "ESC"),
    ]
    assert names_of(keys) == (
        "northeast (u)",
        "eat (e)",
        "kick (^D)",
        "pray (M-p)",
        "space (space)",
        "7 (7)",
        "esc (^[)",
    )
    assert neutral_of(keys) == 6
    assert neutral_of([*keys[:4], SimpleNamespace(name="SEARCH")]) == 4
    assert neutral_of(keys[:2]) == 0


def test_words() -> None:
    cells = np.zeros((21, 79, 80), np.uint8)

    def put(x: int, y: int, what: bytes) -> None:
        cells[y, x, : len(what)] = list(what)

    assert scene(cells, 5, 5) == "nothing but the ground"
    put(5, 5, b"human monk called Agent")
    put(5, 6, b"floor of a room")
    put(9, 5, b"doorway")
    put(4, 7, b"kobold")
    assert scene(cells, 5, 5) == "kobold 2 south 1 west\ndoorway 4 east"
    names = np.zeros((55, 80), np.uint8)
    names[0, :6] = list(b"a club")
    letters = np.zeros(55, np.uint8)
    letters[0] = ord("a")
    assert inventory(letters, names) == "a: a club"
    assert text_of(names[1]) == ""
    told = whole("You see.", "kobold 1 east", (6, 5), "human monk", ["You see.", "  @", ""], "")
    assert told == (
        "message:\nYou see.\n\nlanguage observation:\nkobold 1 east\n\n"
        "cursor:\nhuman monk\n(x=5, y=6)\n\nmap:\n  @\n\ninventory:\n"
    )
