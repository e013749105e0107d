"""PointMaze, AntMaze and Fetch against the real simulator."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import subprocess
import sys
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from adapters.robotics import AntMazeAdapter, FetchAdapter, PointMazeAdapter
from adapters.robotics.visibility_graph import VisibilityGraph
from harness.core import BadAction, Case, Task, TimeStep, UserError
from harness.records.registry import load
from harness.testing import check_adapter
from suites.robotics import SUITES

pytest.importorskip("gymnasium_robotics")

ROOT = Path(__file__).parents[2]
TASKS = {task.name: task for suite in SUITES for task in suite.tasks if suite.name != "hand-touch"}
UMAZE, LARGE, ANT = TASKS["pointmaze/umaze"], TASKS["pointmaze/large"], TASKS["antmaze/umaze"]
PUSH, PICK, SLIDE = TASKS["fetch/push"], TASKS["fetch/pick-and-place"], TASKS["fetch/slide"]


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def small(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, "image_size": 64, **params})


def solve(task: Task, seed: int) -> tuple[TimeStep, int]:
    """The last TimeStep of the expert's episode, and its number of steps."""
    adapter = load(task.adapter)(task)
    timestep, executed = adapter.reset(Case(task, seed)), None
    for count in itertools.count(1):
        executed = adapter.brief.action.validate(adapter.expert(executed))
        timestep = adapter.step(executed)
        if timestep.terminated or timestep.truncated:
            adapter.close()
            return timestep, count
    raise AssertionError


def test_the_suites_have_the_packages_tasks_and_horizons() -> None:
    import gymnasium

    ids = {task.params["id"]: task for task in TASKS.values()}
    newest = re.compile(r"(PointMaze_\w+-v3|AntMaze_\w+-v5|Fetch\w+-v4)$")
    assert set(ids) == {
        name for name in gymnasium.registry if newest.match(name) and "Dense" not in name
    }
    assert all(
        task.max_steps == gymnasium.spec(name).max_episode_steps for name, task in ids.items()
    )
    assert {suite.name: len(suite.tasks) for suite in SUITES} == {
        "pointmaze": 10,
        "antmaze": 10,
        "fetch": 4,
        "hand-touch": 8,
    }


@pytest.mark.parametrize(
    ("task", "another_process"),
    [(UMAZE, True), (TASKS["pointmaze/large-diverse-g"], False), (PICK, False)],
    ids=["umaze", "large", "pick"],
)
def test_contract(task: Task, another_process: bool) -> None:
    check_adapter(small(task), steps=16, another_process=another_process)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", [small(ANT), small(TASKS["fetch/reach"]), small(SLIDE)], ids=lambda task: task.name
)
def test_contract_of_the_others(task: Task) -> None:
    check_adapter(task, steps=12, views=("state", "proprio", "image"))


@pytest.mark.parametrize(
    ("task", "seed"),
    [
        (UMAZE, 0),
        (LARGE, 1),
        (TASKS["pointmaze/medium-diverse-gr"], 2),
        (ANT, 0),
        (TASKS["fetch/reach"], 0),
        (PUSH, 1),
        (PICK, 2),
        (SLIDE, 3),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_expert_solves(task: Task, seed: int) -> None:
    timestep, steps = solve(task, seed)
    assert timestep.success is True
    assert timestep.truncated == (task.domain == "manipulation")
    if task.domain == "navigation":
        assert 0.7 < timestep.metrics["spl"] <= 1.0
        assert steps < task.max_steps  # reaching the goal ends the episode
    else:
        assert steps == task.max_steps
        assert timestep.metrics["distance"] < 0.05


@pytest.mark.parametrize(
    ("task", "inner"), [(LARGE, {"continuing_task": False}), (PUSH, {})], ids=["maze", "fetch"]
)
def test_a_kept_environment_plays_what_the_bare_package_plays(
    task: Task, inner: dict[str, bool]
) -> None:
    import gymnasium

    env = gymnasium.make(task.params["id"], **inner)
    if task is LARGE:
        Path(env.unwrapped.tmp_xml_file_path).unlink()  # the package does not delete it
    adapter = load(task.adapter)(task)
    case = Case(task, 4)  # not solved at reset, so not drawn again
    shape = env.action_space.shape
    adapter.reset(Case(task, 8))
    for action in np.random.default_rng(0).uniform(-1, 1, (20, *shape)).astype(np.float32):
        adapter.step(action)
    timestep = adapter.reset(case)
    observed, _ = env.reset(seed=case.simulator_seed)
    for action in np.random.default_rng(1).uniform(-1, 1, (40, *shape)).astype(np.float32):
        expected = np.concatenate(
            [observed["observation"], observed["desired_goal"], observed["achieved_goal"]]
        )
        assert np.array_equal(view(timestep, "state"), expected.astype(np.float32))
        observed, reward, terminated, truncated, info = env.step(action)
        timestep = adapter.step(action)
        assert timestep.reward == reward
        assert (timestep.terminated, timestep.truncated) == (terminated, truncated)
        assert timestep.success == bool(info.get("success", info.get("is_success")))
    adapter.close()
    env.close()


def test_a_maze_has_one_goal_and_ends_there() -> None:
    adapter = PointMazeAdapter(UMAZE)
    adapter.reset(Case(UMAZE, 0))
    goal, executed = adapter._observed["desired_goal"].copy(), None
    for _ in range(UMAZE.max_steps):
        executed = adapter.expert(executed)
        timestep = adapter.step(executed)
        near = timestep.metrics["distance"] <= 0.45
        assert timestep.terminated == timestep.success == near == bool(timestep.reward)
        assert np.array_equal(adapter._observed["desired_goal"], goal)
        if near:
            break
    assert timestep.success
    adapter.close()


@pytest.mark.parametrize("max_steps", [40, None])
def test_the_horizon_is_the_tasks_or_else_the_packages(max_steps: int | None) -> None:
    task = dataclasses.replace(UMAZE, max_steps=max_steps)
    adapter = PointMazeAdapter(task)
    adapter.reset(Case(task, 0))
    horizon = max_steps or 300
    assert [adapter.step(np.zeros(2, np.float32)).truncated for _ in range(horizon)] == [False] * (
        horizon - 1
    ) + [True]
    adapter.close()


def test_path_length_and_spl() -> None:
    adapter = PointMazeAdapter(UMAZE)
    timestep = adapter.reset(Case(UMAZE, 1))
    assert (timestep.metrics["path_length"], timestep.metrics["spl"]) == (0.0, 0.0)
    assert timestep.metrics["shortest_path"] >= timestep.metrics["distance"] > 0.45
    walked, last = 0.0, view(timestep, "state")[:2].astype(np.float64)
    rng = np.random.default_rng(0)
    for count in range(UMAZE.max_steps):
        action = rng.uniform(-1, 1, 2).astype(np.float32) if count < 40 else adapter.expert(None)
        timestep = adapter.step(action)
        here = view(timestep, "state")[:2].astype(np.float64)
        walked, last = walked + math.dist(here, last), here
        if timestep.terminated:
            break
        assert timestep.metrics["spl"] == 0.0
    assert timestep.metrics["path_length"] == pytest.approx(walked, rel=1e-3)
    shortest = timestep.metrics["shortest_path"]
    assert timestep.metrics["spl"] == pytest.approx(
        shortest / max(shortest, timestep.metrics["path_length"])
    )
    adapter.close()


def cells(walls: list[list[bool]], start: tuple[int, int], goal: tuple[int, int]) -> int:
    """Number of moves from cell to cell, by breadth-first search."""
    far = {start: 0}
    queue = deque([start])
    while queue:
        row, column = queue.popleft()
        for there in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if not walls[there[0]][there[1]] and there not in far:
                far[there] = far[row, column] + 1
                queue.append(there)
    return far[goal]


def test_shortest_paths_worked_out_by_hand() -> None:
    walls = [[c == "#" for c in row] for row in ("#####", "#   #", "### #", "#   #", "#####")]
    start, goal = (
        np.array([-1.0, 1.0]),
        np.array([-1.0, -1.0]),
    )  # the upper and the lower end of the U
    for clearance in (0.0, 0.1):
        graph = VisibilityGraph(walls, 1.0, clearance)
        length, first = graph.shortest_path(start, goal, graph.distances_to(goal))
        corner = np.array([0.5, 0.5]) + clearance
        assert np.allclose(first, corner)
        assert length == pytest.approx(2 * math.dist(start, corner) + 2 * corner[1])
    assert graph.shortest_path(goal, goal, graph.distances_to(goal))[0] == 0.0
    assert np.allclose(graph.push_out(np.array([0.0, 0.55])), [0.0, 0.6])
    shut = VisibilityGraph(
        [[c == "#" for c in row] for row in ("####", "# ##", "## #", "####")], 1.0, 0.1
    )  # two cells that touch at a corner
    assert (
        shut.shortest_path(
            np.array([-0.5, 0.5]), np.array([0.5, -0.5]), shut.distances_to(np.array([0.5, -0.5]))
        )[0]
        == math.inf
    )


def test_shortest_paths_lie_between_the_straight_line_and_the_cells() -> None:
    from gymnasium_robotics.envs.maze.maps import LARGE_MAZE

    walls = [[cell == 1 for cell in row] for row in LARGE_MAZE]
    free = [(row, column) for row in range(9) for column in range(12) if not walls[row][column]]
    graph = VisibilityGraph(walls, 1.0, 0.1)
    for one, other in itertools.combinations(free[::4], 2):
        start, goal = (
            np.array([column + 0.5 - 6.0, 4.5 - row - 0.5]) for row, column in (one, other)
        )
        there, _ = graph.shortest_path(start, goal, graph.distances_to(goal))
        back, _ = graph.shortest_path(goal, start, graph.distances_to(start))
        assert math.dist(start, goal) - 1e-9 <= there <= cells(walls, one, other) + 1e-9
        assert there == pytest.approx(back)


@pytest.mark.parametrize("task", [PUSH, PICK, TASKS["fetch/reach"]], ids=lambda task: task.name)
def test_nothing_is_solved_at_reset(task: Task) -> None:
    adapter = FetchAdapter(task)
    drawn_again = 0
    for seed in range(60):
        case = Case(task, seed)
        assert adapter.reset(case).metrics["distance"] >= 0.05
        goal = adapter._observed["desired_goal"].copy()
        adapter._env.reset(seed=case.simulator_seed)
        drawn_again += not np.array_equal(goal, adapter._env.goal)
    assert 0 < drawn_again < 15
    adapter.close()


def test_the_slide_is_planned_on_a_copy() -> None:
    adapter = FetchAdapter(SLIDE)
    adapter.reset(Case(SLIDE, 0))
    before, data = adapter.state(), adapter._env.data
    first = adapter.expert(None)
    assert adapter.state() == before
    assert adapter._env.data is data
    assert np.array_equal(adapter.expert(None), first)
    adapter.close()


@pytest.mark.parametrize("task", [UMAZE, PUSH], ids=["maze", "fetch"])
def test_bad_actions_are_refused_and_change_nothing(task: Task) -> None:
    adapter = load(task.adapter)(task)
    adapter.reset(Case(task, 0))
    before = adapter.state()
    n = adapter.brief.action.shape[0]
    for action in (None, "up", np.zeros(n + 1), np.full(n, np.nan), np.full(n, 1.5, np.float32)):
        with pytest.raises(BadAction):
            adapter.step(action)
        assert adapter.state() == before
    adapter.close()


def red(image: np.ndarray) -> np.ndarray:
    """Mean row and column of the red pixels."""
    r, g, b = np.moveaxis(image.astype(int), 2, 0)
    found = np.argwhere((r > 120) & (g < 60) & (b < 60))
    assert len(found) > 3
    return found.mean(0)


@pytest.mark.parametrize("task", [LARGE, ANT], ids=lambda task: task.name)
def test_the_image_agrees_with_the_map(task: Task) -> None:
    adapter = load(task.adapter)(task)
    for seed in range(3):
        timestep = adapter.reset(Case(task, seed))
        goal = adapter._observed["desired_goal"]
        row, column = red(view(timestep, "image"))
        pixel = (
            224 / max(np.shape(adapter._env.maze.maze_map)) / adapter._env.maze.maze_size_scaling
        )
        assert np.allclose([column - 112, 112 - row], goal * pixel, atol=12), (
            "x is right and y is up, in the scale of the maze"
        )
    assert adapter.render().shape == (480, 480, 3)
    adapter.close()


def test_the_goal_is_drawn_where_it_is() -> None:
    adapter = FetchAdapter(PUSH)
    data, site = adapter._env.data, adapter._env.model.site("target0").id
    timestep = adapter.reset(Case(PUSH, 0))
    assert np.array_equal(data.site_xpos[site], adapter._env.goal)
    before = red(view(timestep, "image"))
    for _ in range(3):
        timestep = adapter.step(np.array([0, 0, 1, 0], np.float32))
    assert np.allclose(data.site_xpos[site], adapter._env.goal), "steps put it where the model says"
    assert np.allclose(red(view(timestep, "image")), before, atol=3)
    assert view(timestep, "image_external").std() > 10
    adapter.close()


def test_nothing_is_printed_left_or_imported_too_early(tmp_path: Path) -> None:
    names = [UMAZE.name, ANT.name, PUSH.name]
    code = (
        "import sys\n"
        "from harness.core import Case\n"
        "from harness.records.registry import load\n"
        "from suites.robotics import SUITES\n"
        "tasks = {task.name: task for suite in SUITES for task in suite.tasks}\n"
        f"for name in {names}:\n"
        "    task = tasks[name]\n"
        "    form = load(task.adapter)\n"
        "    assert form.missing(task) is None and form.env_key(task) and form.has_expert(task)\n"
        "    early = {'mujoco', 'gymnasium', 'gymnasium_robotics'} & set(sys.modules)\n"
        f"    assert name != {UMAZE.name!r} or not early, early\n"
        "    adapter = form(task)\n"
        "    timestep = adapter.reset(Case(task, 0))\n"
        "    timestep = adapter.step(adapter.expert(None))\n"
        "    assert not adapter._canvases, 'an OpenGL context was made before anything was drawn'\n"
        "    assert timestep.observation['image']().std() > 0\n"  # the process ends without close()
    )
    here = tmp_path / "here"
    here.mkdir()
    environment = {
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(here),
        "PATH": "",
        "HOME": str(tmp_path),
    }  # Mesa caches shaders in the home directory
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=here, env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        (PointMazeAdapter, "PointMaze_Tiny-v3", "has no 'PointMaze_Tiny-v3'"),
        (PointMazeAdapter, "AntMaze_UMaze-v5", "are called PointMaze_"),
        (AntMazeAdapter, "PointMaze_UMaze-v3", "are called AntMaze_"),
        (FetchAdapter, "FetchJuggle-v4", "FetchPickAndPlace, FetchPush"),
    ],
)
def test_what_does_not_exist_is_named(form: type, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        form(dataclasses.replace(UMAZE, params={**UMAZE.params, "id": name}))
