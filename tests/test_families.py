"""The same results on every real family, however they are played.

In this process or in workers, with 1 and 8 lanes, shuffled, cut and resumed. Two agents reveal the
least difference: one whose every action is drawn with a seed made from all that it sees (images
where there are some), and the expert, which follows the simulator's inner state.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Notes, plan_of, read_lines, results_of

from harness.core import Task
from harness.host.interpreters import VARIABLE, _from_file
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_suites
from suites import SUITES

WAYS: dict[str, dict[str, Any]] = {
    "lanes": {"lanes": 8},
    "shuffled": {"shuffle": 5, "lanes": 3},
    "two workers": {"workers": 2, "lanes": 4, "shuffle": 7},
    "cut, two workers": {"workers": 2, "lanes": 3, "shuffle": 9},
}
LIGHT, SLOW, APART = (
    ("lanes", "shuffled", "cut, two workers"),
    ("cut, two workers",),
    ("two workers",),
)
"""The ways for families that start at once, for those that start slowly (a browser, Java, a
renderer), and for those that live in an interpreter of their own."""
INTERPRETERS = {
    name: _from_file(ROOT / "bench.toml").get(
        name, str(ROOT / f".bench/interpreters/{name}/bin/python")
    )
    for name in ("nethack", "pusht")
}


ALL = {task.name: task for suite in SUITES for task in find_suites(suite, SUITES)[0].tasks}


def short(name: str, steps: int, **params: Any) -> Task:
    """One of our tasks cut short: another task, with another id."""
    task = ALL[name]
    return dataclasses.replace(
        task, id=f"{name}-short@1", max_steps=steps, params={**task.params, **params}
    )


LOOKER, ORACLE = "toysuite:Looker", "baselines.simple:Oracle"
TASKS = {
    (LOOKER, LIGHT): [
        short("babyai/PickupLoc", 20),
        short("babyai/GoToRedBall", 20),
        short("minigrid/FourRooms", 15),
        short("minigrid/Dynamic-Obstacles-8x8", 20),
        short("atari/pong", 25),
        short("atari/qbert", 25),
        short("atari-sticky/breakout", 25),
        short("atari-sticky/seaquest", 25),
        short("metaworld/reach-v3", 8, size=32),
        short("metaworld/drawer-open-v3", 8, size=32),
        short("gym/CartPole-v1", 50),
        short("pddl/gripper", 15),
    ],
    (LOOKER, SLOW): [
        short("maniskill/PickCube", 4),
        short("pointmaze/umaze", 15),
        short("antmaze/umaze", 15),
        short("fetch/push", 10),
        short("hand-touch/egg-rotate", 6, image_size=64),
        short("miniworld/OneRoom", 15),
        short("vizdoom/my_way_home", 12),
        short("miniwob/click-checkboxes", 4),
        short("scienceworld/find-animal", 8),
        short("textworld/cooking-3", 12),
        short("alfworld-synthetic/pick_and_place_simple", 12),
        short("crafter/achievements", 12),
        short("aloha/TransferCube", 6, height=36, width=48),
    ],
    (LOOKER, APART): [
        short("pusht/PushT", 15),
        short("nethack/score", 15),
        short("minihack/room-15x15", 15),
    ],
    (ORACLE, LIGHT): [
        short("babyai/GoToRedBall", 60),
        short("babyai/Unlock", 200),
        short("metaworld/reach-v3", 60),
        short("metaworld/drawer-open-v3", 150),
        short("pddl/blocksworld", 40),
    ],
    (ORACLE, SLOW): [
        short("pointmaze/umaze", 300),
        short("miniworld/OneRoom", 180),
        short("vizdoom/my_way_home", 525),
        short("miniwob/enter-text", 10),
        short("scienceworld/find-animal", 60),
        short("textworld/treasure-hunter-5", 60),
        short("alfworld-synthetic/pick_and_place_simple", 50),
    ],
}
Group = tuple[str, tuple[str, ...]]
FAMILIES = [
    (group, family)
    for group, tasks in TASKS.items()
    for family in dict.fromkeys(task.id.partition("/")[0] for task in tasks)
]
Played = Callable[[Group, str], Mapping[str, list[dict[str, Any]]]]


def episodes(group: Group) -> int:
    """How many of each task."""
    return 3 if group[1] == LIGHT else 2


def named(value: object) -> str:
    """A test's name says the agent alone."""
    return value[0].partition(":")[2] if isinstance(value, tuple) else str(value)


@pytest.fixture
def apart() -> Iterator[None]:
    """The interpreters that `make setup` makes; without them, their families are skipped."""
    absent = [name for name, python in INTERPRETERS.items() if not Path(python).exists()]
    if absent:
        pytest.skip(f"no interpreter: bench doctor --fix {absent[0]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps(INTERPRETERS))
        yield


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, ray_here: None) -> Played:
    """The results of a group of tasks, by family, played in one of WAYS or undisturbed.

    Each is played once.
    """
    folder = tmp_path_factory.mktemp("families")
    known: dict[tuple[Group, str], dict[str, list[dict[str, Any]]]] = {}

    def results(group: Group, way: str = "undisturbed") -> Mapping[str, list[dict[str, Any]]]:
        if (group, way) not in known:
            number = list(TASKS).index(group)
            path = folder / f"{number} {way}"
            spec, plan = plan_of(group[0], TASKS[group], episodes(group))
            if way.startswith("cut"):
                results(group)
                _cut(folder / f"{number} undisturbed", path)
            summary = play(spec, ["families"], plan, path, RunOptions(**WAYS.get(way, {})), Notes())
            assert not summary.not_run
            assert sum(1 for _ in read_lines(path)) == plan.total, "no case was played twice"
            found = known[group, way] = {}
            for line in results_of(path):
                found.setdefault(line["task"].partition("/")[0], []).append(line)
        return known[group, way]

    return results


def _cut(whole: Path, path: Path) -> None:
    """A copy without every other line, and with a torn one: worse than what a kill leaves."""
    shutil.copytree(whole, path)
    file = path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[::2]) + lines[1][: len(lines[1]) // 2])


@pytest.mark.parametrize(
    ("group", "family", "way"),
    [(group, family, way) for group, family in FAMILIES for way in group[1]],
    ids=named,
)
def test_the_same_results_however_it_is_played(
    played: Played, group: Group, family: str, way: str, request: pytest.FixtureRequest
) -> None:
    if group[1] == APART:
        request.getfixturevalue("apart")
    undisturbed = played(group, "undisturbed")[family]
    tasks = [task for task in TASKS[group] if task.id.startswith(f"{family}/")]
    assert len(undisturbed) == episodes(group) * len(tasks)
    assert {line["status"] for line in undisturbed} == {"finished"}
    assert played(group, way)[family] == undisturbed


@pytest.mark.parametrize(("group", "family"), FAMILIES, ids=named)
def test_episodes_differ_and_go_somewhere(
    played: Played, group: Group, family: str, request: pytest.FixtureRequest
) -> None:
    """Else equal results would say little."""
    if group[1] == APART:
        request.getfixturevalue("apart")
    lines = played(group, "undisturbed")[family]
    assert len({line["digest"] for line in lines}) == len(lines)
    assert sum(line["steps"] for line in lines) > len(lines)
    if "expert" in plan_of(group[0], [], 1)[0].kind().reads:
        assert sum(line["success"] for line in lines) >= len(lines) - 1
