"""The same results on every real family, however they are played: in this process or in workers, with 1 and 8 lanes, shuffled, cut and resumed.

Two agents lay bare the least difference: one whose every action is drawn with a seed made from all that it sees (images where there are
some), and the expert, which follows the simulator's inner state.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Notes, plan_of, results_of

from harness.catalogue import find_suites
from harness.core import Task
from harness.runner import RunOptions, play
from harness.store import read_episodes
from suites import SUITES

EPISODES = 3
WAYS: dict[str, dict[str, Any]] = {
    "lanes": {"lanes": 8},
    "shuffled": {"shuffle": 5, "lanes": 3},
    "cut": {"lanes": 2},
    "one worker": {"workers": 1},
    "two workers": {"workers": 2, "lanes": 4, "shuffle": 7},
}


ALL = {task.name: task for suite in SUITES for task in find_suites(suite, SUITES)[0].tasks}


def short(name: str, steps: int, **params: Any) -> Task:
    """A task of ours cut short: another task, with an id of its own."""
    task = ALL[name]
    return dataclasses.replace(task, id=f"{name}-short@1", max_steps=steps, params={**task.params, **params})


TASKS = {
    "toysuite:Looker": [
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
    ],
    "baselines.simple:Oracle": [
        short("babyai/GoToRedBall", 60),
        short("babyai/Unlock", 200),
        short("metaworld/reach-v3", 60),
        short("metaworld/drawer-open-v3", 150),
    ],
}
FAMILIES = [(agent, family) for agent, tasks in TASKS.items() for family in dict.fromkeys(task.id.partition("/")[0] for task in tasks)]
Played = Callable[[str, str], Mapping[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, ray_here: None) -> Played:
    """The results of an agent, by family, played in one of WAYS or undisturbed; each is played once."""
    folder = tmp_path_factory.mktemp("families")
    known: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}

    def results(agent: str, way: str = "undisturbed") -> Mapping[str, list[dict[str, Any]]]:
        if (agent, way) not in known:
            path = folder / f"{agent.partition(':')[2]} {way}"
            spec, plan = plan_of(agent, TASKS[agent], EPISODES)
            if way == "cut":
                results(agent)
                _cut(folder / f"{agent.partition(':')[2]} undisturbed", path)
            summary = play(spec, ["families"], plan, path, RunOptions(**WAYS.get(way, {})), Notes())
            assert not summary.not_run
            assert sum(1 for _ in read_episodes(path)) == plan.total, "no case was played twice"
            found = known[agent, way] = {}
            for line in results_of(path):
                found.setdefault(line["task"].partition("/")[0], []).append(line)
        return known[agent, way]

    return results


def _cut(whole: Path, path: Path) -> None:
    """A copy without every other line, and with a torn one: what a kill leaves behind, but worse."""
    shutil.copytree(whole, path)
    file = path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[::2]) + lines[1][: len(lines[1]) // 2])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("agent", "family"), FAMILIES)
def test_the_same_results_however_it_is_played(played: Played, agent: str, family: str, way: str) -> None:
    undisturbed = played(agent, "undisturbed")[family]
    tasks = [task for task in TASKS[agent] if task.id.startswith(f"{family}/")]
    assert len(undisturbed) == EPISODES * len(tasks)
    assert {line["status"] for line in undisturbed} == {"finished"}
    assert played(agent, way)[family] == undisturbed


@pytest.mark.parametrize(("agent", "family"), FAMILIES)
def test_episodes_differ_and_go_somewhere(played: Played, agent: str, family: str) -> None:
    """Else equal results would say little."""
    lines = played(agent, "undisturbed")[family]
    assert len({line["digest"] for line in lines}) == len(lines)
    assert all(line["steps"] > 1 for line in lines)
    if "expert" in plan_of(agent, [], 1)[0].kind().reads:
        assert sum(line["success"] for line in lines) >= len(lines) - 1
