"""MiniWorld against the real simulator."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters._geodesics import Floor
from adapters.miniworld import MiniWorldAdapter
from adapters.miniworld import adapter as module
from adapters.miniworld.expert import _Surroundings
from adapters.miniworld.worlds import WORLDS
from harness.core import Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.miniworld import SUITES

if (absent := MiniWorldAdapter.missing()) is not None:
    pytest.skip(absent.reason, allow_module_level=True)

ROOT = Path(__file__).parents[2]
TASKS = {task.params["world"]: task for task in SUITES[0].tasks}
GOALS = sorted(set(TASKS) - {"PickupObjects", "CollectHealth", "PutNext"})


@pytest.fixture
def build() -> Iterator:
    built: list[MiniWorldAdapter] = []

    def build(world: str, **params: object) -> tuple[MiniWorldAdapter, Task]:
        task = dataclasses.replace(TASKS[world], params={**TASKS[world].params, **params})
        built.append(MiniWorldAdapter(task))
        return built[-1], task

    yield build
    for adapter in built:
        adapter.close()


def play(adapter: MiniWorldAdapter, case: Case) -> tuple[TimeStep, int]:
    """The expert's episode: its last TimeStep and its steps."""
    timestep, steps = adapter.reset(case), 0
    while not (timestep.terminated or timestep.truncated):
        action = adapter.expert(None)
        assert action is not None, (
            f"the expert gave up in {case.task.id}, seed {case.seed}, step {steps}"
        )
        timestep, steps = adapter.step(action), steps + 1
    return timestep, steps


def test_the_suite_has_all_worlds_of_the_package(build) -> None:
    build("OneRoom")  # imports the package without a screen
    from miniworld import envs

    assert set(TASKS) == set(envs.__all__) == set(WORLDS)
    assert len(TASKS) == 23


@pytest.mark.parametrize(
    ("world", "another_process"),
    [
        ("FourRooms", True),
        ("Sign", False),
        ("RoomObjects", False),
        ("PutNext", False),
        ("CollectHealth", False),
    ],
)
def test_contract(world: str, another_process: bool) -> None:
    check_adapter(TASKS[world], steps=12, another_process=another_process)


@pytest.mark.parametrize("world", sorted(TASKS))
def test_the_expert_reaches_the_goal(world: str, build) -> None:
    adapter, task = build(world)
    timestep, steps = play(adapter, Case(task, 0))
    assert timestep.success is True
    if world in GOALS:
        metrics = timestep.metrics
        assert 0 < metrics["spl"] <= 1
        assert (
            metrics["path_length"]
            < 1.4 * metrics["shortest_path"] + 1.5 * adapter._env.max_forward_step
        )
        assert metrics["spl"] == pytest.approx(
            metrics["shortest_path"] / max(metrics["path_length"], metrics["shortest_path"])
        )
        assert metrics["path_length"] <= steps * adapter._env.max_forward_step + 1e-9
    else:
        assert "spl" not in timestep.metrics


def test_a_wall_is_collided_with_and_what_is_to_be_picked_up_is_not(build) -> None:
    adapter, task = build("OneRoom")
    adapter.reset(Case(task, 0))
    while adapter._env.agent.dir_vec @ (adapter._env.box.pos - adapter._env.agent.pos) > 0:
        adapter.step(0)  # turns away from the box
    seen = [adapter.step(2) for _ in range(60)]
    stopped = [each.metrics["path_length"] for each in seen].index(seen[-1].metrics["path_length"])
    assert seen[-1].metrics["collisions"] == len(seen) - 1 - stopped > 0
    assert adapter.step(0).metrics == seen[-1].metrics, "to turn is to move freely"
    assert adapter.reset(Case(task, 0)).metrics["collisions"] == 0
    assert play(adapter, Case(task, 0))[0].metrics["collisions"] == 0

    adapter, task = build("PutNext")
    adapter.reset(Case(task, 0))
    env = adapter._env
    box, agent = env.red_box, env.agent
    ahead = agent.radius + box.radius + 0.05
    box.pos = agent.pos + agent.dir_vec * ahead
    seen = adapter.step(2)
    assert (seen.metrics["path_length"], seen.metrics["collisions"]) == (0, 0)


def test_two_environments_each_show_their_own_rooms(build) -> None:
    one, task = build("OneRoom")
    before = one.reset(Case(task, 0)).observation["image"]()
    other, task = build("FourRooms")
    elsewhere = other.reset(Case(task, 0)).observation["image"]()
    assert not np.array_equal(before, elsewhere)
    for _ in range(2):
        assert np.array_equal(one._painter.image(80, 60), before)
        assert np.array_equal(other._painter.image(80, 60), elsewhere)


def test_another_renderer_in_between_changes_no_image(build) -> None:
    pytest.importorskip("metaworld")
    from adapters.metaworld import MetaWorldAdapter
    from suites.metaworld import SUITES as METAWORLD

    task = next(task for task in METAWORLD[0].tasks if task.params["name"] == "reach-v3")
    metaworld = MetaWorldAdapter(task)
    adapter, world = build("ThreeRooms")
    mine, theirs = [], []
    for _ in range(2):
        theirs.append(metaworld.reset(Case(task, 0)).observation["image"]())
        mine.append(adapter.reset(Case(world, 0)).observation["image"]())
    late, _ = build("Sidewalk")  # uploads its textures after Meta-World has rendered
    metaworld._draw("corner4", 64)
    assert late.reset(Case(TASKS["Sidewalk"], 0)).observation["image"]().std() > 10
    metaworld.close()
    assert np.array_equal(*mine)
    assert np.array_equal(*theirs)
    assert np.array_equal(adapter._painter.image(80, 60), mine[0])


def test_an_adapter_may_be_closed_in_another_thread() -> None:
    """As a worker does it."""
    images = []

    def work() -> None:
        adapter = MiniWorldAdapter(TASKS["Hallway"])
        images.append(adapter.reset(Case(TASKS["Hallway"], 0)).observation["image"]())
        made.append(adapter)

    made: list[MiniWorldAdapter] = []
    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    for adapter in made:
        adapter.close()
    work()
    made[-1].close()
    assert len(images) == 3
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images[0], images[2])


def test_views_agree_with_the_world(build) -> None:
    adapter, task = build("FourRooms", width=224, height=224)
    views = adapter.reset(Case(task, 3)).observation
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(views[name]()) is None, name
    assert views["image"]().shape == (224, 224, 3)
    env, depth = adapter._env, views["depth"]()
    assert 0.3 < depth.min() < depth.max() < 20
    # With a clear view of the box, the depth at the image's centre is the distance to its surface.
    env.agent.pos, env.agent.dir = env.box.pos + np.array([1.5, 0, 0]), math.pi
    env.agent.cam_height = 0.4
    assert views["depth"]()[112, 112] == pytest.approx(1.5 - 0.48, abs=0.1)
    red = views["image"]()[112, 112]
    assert red[0] > 100
    assert red[0] > 2 * max(red[1:])
    state = views["state"]()
    assert state[:4] == pytest.approx([*env.agent.pos[[0, 2]], -1, 0], abs=1e-5)
    assert state[5:] == pytest.approx([*env.box.pos[[0, 2]], 1], abs=1e-5)


def test_the_shortest_path_around_a_wall_is_exact() -> None:
    """A disc around the end of a wall: two tangents and an arc."""
    outline = [
        ((-5, -5), (5, -5)),
        ((5, -5), (5, 5)),
        ((5, 5), (-5, 5)),
        ((-5, 5), (-5, -5)),
        ((-5, 0), (0, 0)),
    ]
    floor = Floor(np.array(outline, float), [], 0.4, (-5, 5, -5, 5))
    start, goal, reach, r = (-3.0, -2.0), (-2.0, 3.0), 1.0, 0.4
    tangents = [math.sqrt(x * x + z * z - r * r) for x, z in (start, goal)]
    angles = [math.acos(r / math.hypot(*p)) for p in (start, goal)]
    between = (math.atan2(goal[1], goal[0]) - math.atan2(start[1], start[0])) % (2 * math.pi)
    exact = sum(tangents) + r * (between - sum(angles)) - reach
    field = floor.distances_to(goal, reach)
    assert field.shortest(*start) == pytest.approx(exact, abs=0.03)
    assert field(*start) == pytest.approx(exact, abs=0.2)
    assert field.shortest(-3.0, 3.0) == 0.0
    assert floor.distances_to((-3.0, 1.5), 0.5).shortest(-3.0, 3.0) == pytest.approx(1.0)
    closed = Floor(np.array([*outline, ((0, 0), (5, 0))], float), [], r, (-5, 5, -5, 5))
    assert math.isinf(closed.distances_to(goal, reach).shortest(*start))


def test_the_expert_predicts_the_simulators_collisions(build) -> None:
    adapter, task = build("ThreeRooms")
    adapter.reset(Case(task, 1))
    env, rng = adapter._env, np.random.default_rng(0)
    around = _Surroundings(env, (0.0, 0.0, 0.0), 30.0)
    hits = 0
    for x, z in rng.uniform(-7, 7, (400, 2)):
        hit = env.intersect(env.agent, np.array([x, 0, z]), 0.4)
        assert around.is_clear(x, z, 0.4) == (hit is None)
        movable = hit is not None and hit is not True and not hit.is_static
        assert around.first_hit(x, z, 0.4) is (hit if movable else None)
        hits += hit is not None
    assert 50 < hits < 350


def test_the_expert_continues_after_other_actions(build) -> None:
    adapter, task = build("FourRooms")
    rng = np.random.default_rng(0)
    timestep = adapter.reset(Case(task, 0))
    for _ in range(200):
        timestep = adapter.step(
            adapter.expert(None) if rng.random() < 0.7 else int(rng.integers(3))
        )
        if timestep.terminated:
            break
    assert timestep.success is True


def test_an_expert_that_finds_no_path_gives_up(build) -> None:
    adapter, task = build("OneRoom")
    adapter.reset(Case(task, 0))
    adapter._env.box.pos = np.array([50.0, 0.0, 50.0])
    assert adapter.expert(None) is None
    assert adapter.step(0).metrics["expert_gave_up"] == 1.0
    assert adapter.expert(0) is None
    assert "expert_gave_up" not in adapter.reset(Case(task, 0)).metrics


def test_the_street_and_the_wrong_object_end_in_failure(build) -> None:
    adapter, task = build("Sidewalk")
    timestep = adapter.reset(Case(task, 0))
    adapter._env.agent.dir, adapter._env.agent.pos = (
        0.0,
        np.array([-0.1, 0.0, 1.0]),
    )  # facing the street
    while not timestep.terminated:
        timestep = adapter.step(2)
    assert (timestep.success, timestep.reward, timestep.metrics["spl"]) == (False, 0.0, 0.0)

    adapter, task = build("Sign")
    seen = set()
    for seed in range(12):
        seen.add(adapter.reset(Case(task, seed)).instruction)
        env = adapter._env
        wrong = env._objects[1 - env._goal][env._color_index]
        env.agent.pos = np.array(wrong.pos) + np.array([1.5, 0, 0])
        timestep = adapter.step(0)
        assert (timestep.terminated, timestep.success, timestep.reward) == (True, False, -1.0)
    assert len(seen) == 2


def test_objects_are_named_and_drawn_by_the_case(build) -> None:
    adapter, task = build("ThreeRooms")
    asked = {adapter.reset(Case(task, seed)).instruction for seed in range(16)}
    assert asked == {
        f"Go to the {name}."
        for name in ("red box", "green box", "rubber duck", "blue key", "green ball")
    }
    adapter, task = build("RoomObjects")
    adapter.reset(Case(task, 0))
    timestep = adapter.step(7)
    for _ in range(249):
        timestep = adapter.step(7)
    assert timestep.truncated


def test_closing_frees_the_frame_buffers() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def once() -> None:
        adapter = MiniWorldAdapter(TASKS["OneRoom"])
        adapter.reset(Case(TASKS["OneRoom"], 0))
        assert adapter.render().shape == (480, 640, 3)
        adapter.close()

    once()
    before = resident()
    for _ in range(6):
        once()
    assert resident() - before < 40e6  # a frame of 640x480 with 4 samples is 25 MB


def test_nothing_is_imported_before_it_is_needed_and_nothing_is_printed(tmp_path) -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from adapters.miniworld import MiniWorldAdapter\n"
        "from harness.core import Case\n"
        "from suites.miniworld import SUITES\n"
        "task = SUITES[0].tasks[0]\n"
        "assert MiniWorldAdapter.missing(task) is None\n"
        "assert MiniWorldAdapter.env_key(task) and MiniWorldAdapter.has_expert(task)\n"
        "early = {'miniworld', 'pyglet', 'gymnasium', 'scipy'} & set(sys.modules)\n"
        "assert not early, early\n"
        "adapter = MiniWorldAdapter(task)\n"
        "timestep = adapter.reset(Case(task, 0))\n"
        "timestep = adapter.step(adapter.expert(None))\n"
        "assert timestep.observation['image']().std() > 0\n"  # the process ends without close()
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_requirement_is_named(monkeypatch) -> None:
    monkeypatch.setattr(
        module.ctypes.util, "find_library", lambda name: None if name in ("EGL", "GLU") else name
    )
    module._missing_libraries.cache_clear()
    missing = MiniWorldAdapter.missing(TASKS["Maze"])
    module._missing_libraries.cache_clear()
    assert missing is not None
    assert "EGL" in missing.reason
    assert "libegl1 libglu1-mesa" in missing.remedy
    with pytest.raises(UserError, match="MiniWorld has no world 'FiveRooms'"):
        MiniWorldAdapter(
            dataclasses.replace(
                TASKS["Maze"], params={"world": "FiveRooms", "width": 80, "height": 60}
            )
        )
