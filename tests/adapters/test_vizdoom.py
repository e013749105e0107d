"""ViZDoom against the real engine."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.vizdoom import METRE, SCENARIOS, VizDoomAdapter
from harness.core import Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.vizdoom import ENDLESS, PRIZES, SUITES

if (absent := VizDoomAdapter.missing()) is not None:
    pytest.skip(absent.reason, allow_module_level=True)

ROOT = Path(__file__).parents[2]
TASKS = {task.params["scenario"]: task for task in SUITES[0].tasks}


@pytest.fixture
def build() -> Iterator:
    built: list[VizDoomAdapter] = []

    def build(scenario: str) -> tuple[VizDoomAdapter, Task]:
        built.append(VizDoomAdapter(TASKS[scenario]))
        return built[-1], TASKS[scenario]

    yield build
    for adapter in built:
        adapter.close()


def over(timestep: TimeStep) -> bool:
    return timestep.terminated or timestep.truncated or timestep.success is True


def test_the_suite_has_the_scenarios() -> None:
    assert set(TASKS) == set(SCENARIOS)
    assert {task.domain for task in TASKS.values()} == {"navigation", "games"}
    assert {name for name, task in TASKS.items() if task.success} == {
        name for name, scenario in SCENARIOS.items() if scenario.ends_by_reward
    }
    assert set(PRIZES) == {name for name, scenario in SCENARIOS.items() if scenario.ends_by_reward}


@pytest.mark.parametrize(
    ("scenario", "another_process"),
    [("my_way_home", True), ("health_gathering", False), ("deadly_corridor", False)],
)
def test_contract(scenario: str, another_process: bool) -> None:
    check_adapter(TASKS[scenario], steps=20, another_process=another_process)


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario", sorted(set(TASKS) - {"my_way_home", "health_gathering", "deadly_corridor"})
)
def test_contract_of_the_others(scenario: str) -> None:
    check_adapter(TASKS[scenario], steps=20, another_process=False)


def test_the_expert_finds_the_vest(build) -> None:
    adapter, task = build("my_way_home")
    for seed in range(4):
        timestep, actions = adapter.reset(Case(task, seed)), []
        while not over(timestep):
            actions.append(adapter.expert(None))
            assert actions[-1] is not None
            timestep = adapter.step(actions[-1])
        metrics, steps = timestep.metrics, len(actions)
        adapter.reset(Case(task, seed))
        alone = [adapter.step(action) for action in actions][-1]
        assert alone.metrics == metrics, "asking the expert changes nothing"
        assert timestep.success is True
        assert timestep.reward > 0.99
        assert steps < 150
        assert metrics["spl"] == pytest.approx(
            min(1.0, metrics["shortest_path"] / metrics["path_length"])
        )
        assert metrics["spl"] > 0.8


def test_standing_still_is_a_failure_at_the_scenarios_time_limit(build) -> None:
    adapter, task = build("my_way_home")
    timestep, steps = adapter.reset(Case(task, 0)), 0
    while not over(timestep):
        timestep, steps = adapter.step(0), steps + 1
    assert (timestep.truncated, timestep.terminated, timestep.success) == (True, False, False)
    assert steps == 2100 / 4
    assert timestep.metrics["spl"] == 0.0
    assert timestep.observation["image"]().std() > 5, (
        "after the last step the frame before is shown"
    )


def test_dying_terminates_and_costs(build) -> None:
    adapter, task = build("health_gathering")
    timestep, total = adapter.reset(Case(task, 0)), 0.0
    assert timestep.success is None
    while not over(timestep):
        timestep = adapter.step(0)
        total += timestep.reward
    assert (timestep.terminated, timestep.truncated) == (True, False)
    assert 100 < total < 400
    assert timestep.reward < -90


def test_scenarios_without_a_time_limit_have_a_horizon() -> None:
    import vizdoom

    for name, task in TASKS.items():
        game = vizdoom.DoomGame()
        game.load_config(os.path.join(vizdoom.scenarios_path, f"{name}.cfg"))
        assert (
            (game.get_episode_timeout() == 0) == (task.max_steps is not None) == (name in ENDLESS)
        )
        assert game.get_ticrate() == 35
        game.close()


def test_depth_is_in_metres_and_state_is_the_players_pose(build) -> None:
    """Checked at walls of my_way_home, whose map is known."""
    adapter, task = build("my_way_home")
    errors = []
    for seed in range(5):
        timestep = adapter.reset(Case(task, seed))
        for _ in range(15):
            timestep = adapter.step(1 + seed % 2)
            x, y, _, heading = timestep.observation["state"]()
            errors.append(
                float(timestep.observation["depth"]()[120, 160])
                - wall_ahead(adapter, x, y, heading)
            )
    assert np.abs(errors).max() < 0.35
    assert abs(np.mean(errors)) < 0.06
    assert timestep.observation["depth"]().dtype == np.float32


def wall_ahead(adapter: VizDoomAdapter, x: float, y: float, heading: float) -> float:
    dx, dy = math.cos(heading), math.sin(heading)
    nearest = math.inf
    for sector in adapter._last.sectors:
        for line in sector.lines:
            ex, ey = (line.x2 - line.x1) / METRE, (line.y2 - line.y1) / METRE
            across = dx * ey - dy * ex
            if line.is_blocking and abs(across) > 1e-9:
                px, py = line.x1 / METRE - x, line.y1 / METRE - y
                ahead, along = (px * ey - py * ex) / across, (px * dy - py * dx) / across
                if ahead > 0 and 0 <= along <= 1:
                    nearest = min(nearest, ahead)
    return nearest


def test_actions_are_the_buttons(build) -> None:
    adapter, task = build("my_way_home")
    assert adapter.brief.action.names == (
        "nothing",
        "turn_left",
        "turn_right",
        "move_forward",
        "move_left",
        "move_right",
    )
    start = adapter.reset(Case(task, 0)).observation["state"]()
    left = adapter.step(1).observation["state"]()
    assert 0 < (left[3] - start[3]) % (2 * math.pi) < 0.5
    adapter.reset(Case(task, 0))
    for _ in range(3):
        timestep = adapter.step(3)
    ahead = timestep.observation["state"]()
    moved = np.array([ahead[0] - start[0], ahead[1] - start[1]])
    assert np.dot(moved, [math.cos(start[3]), math.sin(start[3])]) > 0.5
    tic = 1 / 8  # of a step: the frame is that much older than the position
    assert timestep.metrics["path_length"] == pytest.approx(np.hypot(*moved), rel=tic)


def test_nothing_is_printed_or_left_behind_even_when_killed(tmp_path) -> None:
    code = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from adapters.vizdoom import VizDoomAdapter\n"
        "from harness.core import Case\n"
        "from suites.vizdoom import SUITES\n"
        "task = SUITES[0].tasks[0]\n"
        "assert VizDoomAdapter.missing(task) is None\n"
        "assert VizDoomAdapter.env_key(task) and VizDoomAdapter.has_expert(task)\n"
        "early = {'vizdoom', 'scipy'} & set(sys.modules)\n"
        "assert not early, early\n"
        "adapter = VizDoomAdapter(task)\n"
        "adapter.step(adapter.expert(None)) if adapter.reset(Case(task, 0)) else None\n"
    )
    here = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path / "work",
        env=here,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((tmp_path / "work").iterdir()) == list((tmp_path / "tmp").iterdir()) == []

    command[-1] += "import time; print(adapter._folder, flush=True); time.sleep(60)\n"
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path / "work", env=here
    ) as child:
        assert child.stdout is not None
        folder = child.stdout.readline().strip()
        assert engines(folder)
        opened = (Path("/proc") / str(child.pid) / "maps").read_text()
        assert "/dev/shm/ViZDoom" in opened, "the memory that is shared has another name"
        shared = {line.split()[5] for line in opened.splitlines() if "/dev/shm/ViZDoom" in line}
        child.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while engines(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert not engines(folder), "the engine outlives its parent"
    assert not [path for path in shared if Path(path).exists()]
    assert list((tmp_path / "work").iterdir()) == []


def engines(folder: str) -> list[int]:
    """The processes that were started with a configuration in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{folder}/vizdoom.ini".encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended in the meantime
            continue
    return found


def test_an_unknown_scenario_is_named() -> None:
    with pytest.raises(UserError, match="there is no scenario 'my_way_out'"):
        VizDoomAdapter(
            dataclasses.replace(
                TASKS["my_way_home"], params={"scenario": "my_way_out", "frame_skip": 4}
            )
        )
