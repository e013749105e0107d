"""Crafter against the real package."""

from __future__ import annotations

import collections
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters._crafter_words import possessions, scene
from adapters.crafter import ACHIEVEMENTS, ACTIONS, ITEMS, CrafterAdapter
from harness.core import BadAction, Case
from harness.testing import check_adapter
from suites.crafter import SUITES

if (absent := CrafterAdapter.missing()) is not None:
    pytest.skip(absent.reason, allow_module_level=True)

ROOT = Path(__file__).parents[2]
(TASK,) = SUITES[0].tasks
NOOP, SLEEP = 0, 6
COMPASS = {"west": "left", "east": "right", "north": "up", "south": "down"}


@pytest.fixture(scope="module")
def adapter() -> Iterator[CrafterAdapter]:
    adapter = CrafterAdapter(TASK)
    yield adapter
    adapter.close()


def test_contract() -> None:
    check_adapter(TASK, steps=40)


def test_the_words_are_those_of_the_package() -> None:
    from crafter import constants

    told = [
        " ".join([first, COMPASS.get(rest, rest)]).strip()
        for first, _, rest in (name.partition(" ") for name in ACTIONS)
    ]
    assert [name.replace(" ", "_") for name in told] == constants.actions
    assert list(ACHIEVEMENTS) == constants.achievements
    assert list(ITEMS) == list(constants.items)
    assert {item["max"] for item in constants.items.values()} == {9}


class Ordered(dict[Any, None]):
    def add(self, thing: Any) -> None:
        self[thing] = None

    remove = dict.__delitem__


def test_it_plays_as_the_package_does_also_at_night(adapter: CrafterAdapter) -> None:
    """Every picture and reward, with only the order in a region fixed."""
    import crafter

    case = Case(TASK, 3)
    bare = crafter.Env(seed=case.simulator_seed)
    original = bare._world.reset

    def reset(seed: int) -> None:
        original(seed)
        bare._world._chunks = collections.defaultdict(Ordered)

    bare._world.reset = reset
    expected = bare.reset()
    step = adapter.reset(case)
    rng = np.random.default_rng(0)
    nights = 0
    for number in range(320):
        nights += bare._world.daylight < 0.5
        # What else is drawn, or left undrawn, changes nothing.
        if number % 3 == 0:
            adapter.render()
        if number % 2 == 0:
            np.testing.assert_array_equal(step.observation["image"](), expected)
        action = int(rng.integers(5)) if number < 60 else NOOP
        expected, reward, done, info = bare.step(action)
        step = adapter.step(action)
        assert (step.reward, step.terminated) == (reward, done)
        unlocked = {name for name in ACHIEVEMENTS if step.metrics[f"unlocked_{name}"]}
        assert unlocked == {name for name, count in info["achievements"].items() if count}
        assert step.metrics["achievements"] == len(unlocked)
        np.testing.assert_array_equal(step.observation["state"](), info["semantic"])
        proprio = dict(zip(ITEMS, step.observation["proprio"]()))
        assert proprio == info["inventory"]
        if done:
            break
    assert nights > 10


def test_another_process_plays_the_same(tmp_path: Path) -> None:
    """The package alone does not: its sets of creatures follow the addresses of objects."""
    code = (
        "import sys, hashlib\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import numpy as np\n"
        "from adapters.crafter import CrafterAdapter\n"
        "from harness.core import Case\n"
        "from suites.crafter import SUITES\n"
        "assert CrafterAdapter.missing() is None and 'crafter' not in sys.modules\n"
        "junk = [object() for _ in range(int(sys.argv[1]))]\n"
        "task = SUITES[0].tasks[0]\n"
        "adapter = CrafterAdapter(task)\n"
        "adapter.reset(Case(task, 0))\n"
        "rng, told = np.random.default_rng(1), hashlib.sha256()\n"
        "for _ in range(150):\n"
        "    step = adapter.step(int(rng.integers(17)))\n"
        "    told.update(adapter.state())\n"
        "print(told.hexdigest())\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(junk)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            cwd=tmp_path,
        ).stdout
        for junk in (0, 5000)
    }
    assert len(told) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_achievement_is_rewarded_once(adapter: CrafterAdapter) -> None:
    """Grass gives a sapling with one chance in ten; the player starts on grass and faces it."""
    step = adapter.reset(Case(TASK, 0))
    assert step.success is None
    assert step.metrics["achievements"] == 0
    rewards = []
    do, plant = ACTIONS.index("do"), ACTIONS.index("place plant")
    for _ in range(150):
        step = adapter.step(do)
        rewards.append(step.reward)
        if dict(zip(ITEMS, step.observation["proprio"]()))["sapling"] >= 2:
            break
    assert sum(reward >= 0.5 for reward in rewards) == 1, "the second sapling is worth nothing"
    assert step.metrics["unlocked_collect_sapling"] == step.metrics["achievements"] == 1
    assert "- sapling: 2" in step.observation["text_inventory"]()
    step = adapter.step(plant)
    assert step.reward >= 0.5
    assert step.metrics["achievements"] == 2
    assert "You face plant at your front." in step.observation["text"]()


def test_death_terminates_and_nothing_else_does(adapter: CrafterAdapter) -> None:
    step, steps = adapter.reset(Case(TASK, 1)), 0
    while not step.terminated:
        step, steps = adapter.step(NOOP), steps + 1
        assert not step.truncated
    assert 100 < steps < 1000
    assert step.observation["proprio"]()[0] == 0
    assert "You died." in step.observation["text"]()


def test_what_no_action_is(adapter: CrafterAdapter) -> None:
    adapter.reset(Case(TASK, 0))
    with pytest.raises(BadAction):
        adapter.step(17)


def test_words_of_a_scene() -> None:
    names = ("none", "grass", "tree", "cow")
    cells = np.full((5, 3), 1, np.uint8)
    cells[2, 1] = 0  # the player's own cell is not told
    cells[0, 0] = cells[4, 0] = 2
    cells[3, 1] = 3
    cells[:, 2] = 255  # outside the world
    told = scene(cells, names, (2, 1), (1, 0), sleeping=False, dead=False)
    assert told.splitlines() == [
        "You see:",
        "- tree 3 steps to your north-west",
        "- grass 1 step to your west",
        "- cow 1 step to your east",
        "",
        "You face cow at your front.",
    ]
    south = scene(cells, names, (2, 1), (0, 1), sleeping=True, dead=True)
    assert south.startswith("You are sleeping, and will not be able take actions until energy")
    assert south.endswith("You face nothing at your front.")
    nowhere = np.full((3, 3), 255, np.uint8)
    assert scene(nowhere, names, (1, 1), (0, 1), sleeping=False, dead=True) == (
        "You died.\n\nYou see nothing away from you.\n\nYou face nothing at your front."
    )


def test_words_of_an_inventory() -> None:
    amounts = {"health": 9, "food": 8, "drink": 7, "energy": 6, "wood": 0}
    assert possessions(amounts) == (
        "Your status:\n- health: 9/9\n- food: 8/9\n- drink: 7/9\n- energy: 6/9\n\n"
        "You have nothing in your inventory."
    )
    assert possessions({**amounts, "wood": 2}).endswith("\n\nYour inventory:\n- wood: 2")


def test_the_edge_of_the_world_is_told(adapter: CrafterAdapter) -> None:
    """BALROG's own text gives up there."""
    adapter.reset(Case(TASK, 0))
    player = adapter._env._player
    assert adapter._world[(0, 0)][1] is None
    adapter._world.move(player, (0, 0))
    step = adapter.step(NOOP)
    player.facing = (-1, 0)
    assert tuple(player.pos) == (0, 0)
    told = step.observation["text"]()
    assert "You face nothing at your front." in told
    assert "north" not in told.partition("You face")[0]
    assert "west" not in told.partition("You face")[0]
