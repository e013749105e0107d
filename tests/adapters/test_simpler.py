"""SIMPLER's tasks: the package's own classes, on files of our own in the package's format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.maniskill import SimplerAdapter, needs, simpler
from suites.simpler import AGENTS, SUITES

pytest.importorskip("mani_skill")
if (lack := needs.software_vulkan()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
EPISODES = Path(__file__).parents[1] / "simplerepisodes.py"


def test_tasks_are_the_packages_with_its_horizons() -> None:
    import mani_skill.envs  # noqa: F401 - registers the tasks
    from mani_skill.utils.registration import REGISTERED_ENVS

    for task in TASKS.values():
        known = REGISTERED_ENVS[task.params["id"]]
        assert known.max_episode_steps == task.max_steps
        assert known.asset_download_ids == ["bridge_v2_real2sim"]
        assert (task.success, task.control_hz) == ("end", 5.0)
        assert [reference.label for reference in task.references] == list(AGENTS)
    assert SUITES[0].episodes == 24
    figures = {
        name: [reference.value for reference in task.references] for name, task in TASKS.items()
    }
    assert figures == {
        "simpler/spoon-on-towel": [0.0, 0.125, 0.472],
        "simpler/carrot-on-plate": [0.042, 0.083, 0.097],
        "simpler/stack-cube": [0.0, 0.0, 0.042],
        "simpler/eggplant-in-basket": [0.0, 0.431, 0.569],
    }


def test_what_the_wheel_lacks_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch
) -> None:
    from mani_skill.utils.assets import data

    monkeypatch.setenv("MS_ASSET_DIR", str(tmp_path))
    found = SimplerAdapter.missing(next(iter(TASKS.values())))
    assert found is not None
    for name, place in simpler.FILES.items():
        assert name in found.reason
        assert f"python -m mani_skill.utils.download_asset {name} -y" in found.remedy
        assert place == data.DATA_SOURCES[name].target_path
        (tmp_path / "data" / place).mkdir(parents=True)
    assert SimplerAdapter.missing(next(iter(TASKS.values()))) is None


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("simpler")
    done = subprocess.run(
        [sys.executable, EPISODES, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_packages_class_plays_by_the_rule(played: dict[str, Any], name: str) -> None:
    task, found = TASKS[name], played[name]
    assert found["instruction"] == found["package's"] == task.params["instruction"]
    assert found["hz"] == task.control_hz
    shape, low, high = found["action"]
    turn = 1.5707963705062866
    assert shape == [7]
    assert high == [1.0, 1.0, 1.0, turn, turn, turn, 1.0]
    assert low == [-bound for bound in high]
    assert found["fields"] == ["eef_position", "eef_rotation", "gripper"]
    # What lies where it belongs is a success, and only then.
    assert found["before"] == [False, 0.0, 0.0]
    assert found["after"] == [True, 1.0]
    assert {"collisions", "path_length", "grasped_once"} <= set(found["metrics"])


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_seed_is_the_packages_episode(played: dict[str, Any], name: str) -> None:
    first, second, later = played[name]["starts"]
    assert first != second
    # The eggplant has 64 starts, of which the protocol plays the first 24.
    assert (first == later) == (name != "simpler/eggplant-in-basket")


@pytest.mark.slow
def test_each_task_has_its_own_photograph(played: dict[str, Any]) -> None:
    """The package's class would give all tasks of a process the last one's."""
    for name in TASKS:
        found = played[name]
        assert (found["image"], found["type"]) == ([480, 640, 3], "uint8")
        sink = name == "simpler/eggplant-in-basket"
        assert found["corner"] == ([200, 20, 120] if sink else [10, 200, 30])
        assert 0.8 < found["photograph"] < 0.99, "the arm and the objects are before it"
    assert played["lacking"] is not None
    assert played["then"] is True
