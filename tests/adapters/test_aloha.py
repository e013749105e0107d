"""ALOHA in simulation against the real package."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulatorcases import make_case, step_digests

from adapters.aloha import AlohaAdapter
from adapters.aloha.kinematics import Arm, rotation
from harness.core import BadAction, Case, Task, TimeStep, UserError
from harness.policies.profiles import load_profile
from harness.testing import check_adapter
from suites.aloha import SUITES

pytest.importorskip("gym_aloha")

ROOT = Path(__file__).parents[2]
TASKS = {task.params["name"]: task for task in SUITES[0].tasks}
CUBE = TASKS["transfer_cube"]
STATES = ("proprio", "state")


def small(task: Task) -> Task:
    """The task with small images, which are drawn sooner."""
    return dataclasses.replace(
        task, id=f"{task.name}-small@1", params={**task.params, "height": 48, "width": 64}
    )


@pytest.fixture(scope="module")
def adapters() -> Iterator[dict[str, AlohaAdapter]]:
    found = {name: AlohaAdapter(small(task)) for name, task in TASKS.items()}
    yield found
    for adapter in found.values():
        adapter.close()


@pytest.fixture(scope="module")
def cube(adapters: dict[str, AlohaAdapter]) -> AlohaAdapter:
    return adapters["transfer_cube"]


def view(step: TimeStep, name: str) -> np.ndarray:
    value: Any = step.observation[name]
    return value()


def test_the_suite_is_lerobots_evaluation() -> None:
    assert SUITES[0].episodes == 50
    for task in TASKS.values():
        assert (task.first_seed, task.max_steps, task.success) == (1000, 400, "ever")
        assert (task.score, task.control_hz) == ("success", 50.0)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": "transfer"}, "it has transfer_cube, insertion"),
        ({"name": "insertion", "height": 0}, "height is a whole number"),
        ({"name": "insertion", "size": 3}, "do not fit"),
    ],
)
def test_a_wrong_param_is_named(params: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        AlohaAdapter(dataclasses.replace(CUBE, params=params))


def test_a_seed_that_the_package_cannot_take_is_refused(cube: AlohaAdapter) -> None:
    with pytest.raises(UserError, match="seeds from 0 to 4294967295"):
        cube.reset(Case(CUBE, 2**32))


@pytest.mark.slow
def test_contract() -> None:
    check_adapter(small(CUBE), steps=12, views=(*STATES, "image"))


@pytest.mark.slow
def test_contract_of_the_insertion() -> None:
    check_adapter(small(TASKS["insertion"]), steps=12, views=STATES, another_process=False)


@pytest.mark.parametrize("name", TASKS)
def test_it_plays_as_the_bare_package(name: str, adapters: dict[str, AlohaAdapter]) -> None:
    """Places, joints and rewards at every step of an episode that touches things."""
    from gym_aloha.env import AlohaEnv

    bare, adapter = AlohaEnv(name, obs_type="pixels_agent_pos"), adapters[name]
    bare._env.task.get_observation = lambda physics: {
        "qpos": bare._env.task.get_qpos(physics),
        "images": {"top": np.zeros(1)},
    }
    case = Case(adapter_task(name), 1000)
    for again in (False, True):
        seen, _ = bare.reset(seed=1000)
        step, executed, rewards = adapter.reset(case), None, set()
        for _ in range(150):
            assert np.array_equal(view(step, "proprio"), seen["agent_pos"].astype(np.float32))
            things = bare._env.task.get_env_state(bare._env.physics).astype(np.float32)
            assert np.array_equal(view(step, "state")[28:], things)
            executed = adapter.expert(executed)
            step = adapter.step(executed)
            seen, reward, terminated, _, info = bare.step(executed)
            rewards.add(step.reward)
            assert (step.reward, step.success) == (reward, info["is_success"])
            assert step.terminated == terminated
        assert rewards == {0.0, 1.0, 2.0}, again


def adapter_task(name: str) -> Task:
    return small(TASKS[name])


@pytest.mark.slow
def test_pictures_are_those_of_the_package() -> None:
    """Drawn by dm_control there and by MuJoCo's own functions here, in the published size."""
    from gym_aloha.env import AlohaEnv

    bare, adapter = AlohaEnv("transfer_cube"), AlohaAdapter(CUBE)
    try:
        bare.reset(seed=1003)
        step = adapter.reset(Case(CUBE, 1003))
        for number in range(2):
            for camera, name in {"top": "image", "angle": "image_angle"}.items():
                theirs = bare._env.physics.render(height=480, width=640, camera_id=camera)
                ours = view(step, name)
                assert ours.shape == theirs.shape == (480, 640, 3)
                off = np.abs(ours.astype(int) - theirs)
                assert (off > 3).mean() < 1e-3, (number, camera, off.max())
            action = adapter.brief.action.sample(np.random.default_rng(number))
            bare.step(action)
            step = adapter.step(action)
    finally:
        adapter.close()


def test_clipping_to_our_bounds_changes_nothing(adapters: dict[str, AlohaAdapter]) -> None:
    """The motors clip to the same bounds, and the fingers' a little inside."""
    from gym_aloha.env import AlohaEnv

    bare, adapter = AlohaEnv("transfer_cube"), adapters["transfer_cube"]
    bare._env.task.get_observation = lambda physics: {"images": {"top": np.zeros(1)}}
    spec: Any = adapter.brief.action
    bare.reset(seed=1000)
    step = adapter.reset(Case(adapter_task("transfer_cube"), 1000))
    beyond = spec.noop()
    beyond[[5, 6, 12, 13]] = 4.0, 1.5, -4.0, -0.5
    clipped = np.clip(beyond, *spec.bounds())
    assert (clipped != beyond).sum() == 4
    for _ in range(40):
        bare.step(beyond)
        step = adapter.step(clipped)
    theirs = bare._env.task.get_qpos(bare._env.physics)
    assert np.allclose(view(step, "proprio"), theirs, atol=1e-4)
    assert theirs[5] > 3.0
    assert theirs[6] > 0.9


def test_a_simulation_that_diverges_ends_the_episode(adapters: dict[str, AlohaAdapter]) -> None:
    """The package raises an error then."""
    adapter = adapters["transfer_cube"]
    step, rng = (
        adapter.reset(Case(adapter_task("transfer_cube"), 1001)),
        np.random.default_rng(1001),
    )
    while not (step.terminated or step.truncated):
        step = adapter.step(adapter.brief.action.sample(rng))
    assert step.metrics["unstable"] == 1.0
    assert (step.terminated, step.success, step.reward) == (True, False, 0.0)
    again = adapter.reset(Case(adapter_task("transfer_cube"), 1000))
    assert again.metrics["unstable"] == 0.0
    assert np.allclose(view(again, "proprio"), adapter.brief.action.noop(), atol=1e-5)


@pytest.mark.parametrize(("name", "most"), [("transfer_cube", 300), ("insertion", 330)])
def test_the_expert_solves(name: str, most: int, adapters: dict[str, AlohaAdapter]) -> None:
    adapter = adapters[name]
    for seed in (1000, 1002):
        step, executed, reached = adapter.reset(Case(adapter_task(name), seed)), None, []
        assert step.success is False
        for _ in range(most):
            executed = adapter.brief.action.validate(adapter.expert(executed))
            step = adapter.step(executed)
            reached.append(step.reward)
            if step.terminated:
                break
        assert step.success is True, seed
        told = {"reward": 4.0, "max_reward": 4.0, "lifted": 1.0, "unstable": 0.0}
        assert {name: step.metrics[name] for name in told} == told
        assert {1.0, 2.0} <= set(reached), "it is picked up and lifted first"


def test_each_joint_goes_where_it_is_sent(cube: AlohaAdapter) -> None:
    """The layout's order: joint by joint, in rad, the left arm first; grippers open upwards."""
    case = Case(adapter_task("transfer_cube"), 1000)
    start = cube.brief.action.noop()
    for number in range(14):
        cube.reset(case)
        target = start.copy()
        target[number] = 0.9 if number in (6, 13) else start[number] + 0.15
        for _ in range(40):
            step = cube.step(target)
        moved = view(step, "proprio") - start
        assert abs(moved[number]) == np.abs(moved).max(), number
        assert moved[number] == pytest.approx(target[number] - start[number], abs=0.06), number
    fields = [field.name for field in cube.brief.action.layout]
    assert [name.partition("/")[0] for name in fields] == ["left", "left", "right", "right"]
    assert [name.partition("/")[2] for name in fields] == ["joint_position", "gripper"] * 2
    model = cube._physics.model.ptr
    names = [model.joint(number).name for number in (0, 8)]
    assert names == ["vx300s_left/waist", "vx300s_right/waist"]


def test_doing_nothing_keeps_the_pose_of_the_start(cube: AlohaAdapter) -> None:
    step = cube.reset(Case(adapter_task("transfer_cube"), 1001))
    before = view(step, "proprio")
    for _ in range(50):
        step = cube.step(cube.brief.action.noop())
    assert np.abs(view(step, "proprio") - before).max() < 0.05
    for wrong in (None, np.zeros(3), [np.nan] * 14):
        with pytest.raises(BadAction):
            cube.step(wrong)


def test_the_horizon_is_the_tasks_or_the_packages(cube: AlohaAdapter) -> None:
    assert cube._horizon == 400
    free = AlohaAdapter(dataclasses.replace(small(CUBE), max_steps=None))
    try:
        free.reset(Case(CUBE, 1000))
        ends = [free.step(free.brief.action.noop()).truncated for _ in range(300)]
    finally:
        free.close()
    assert ends == [False] * 299 + [True]


def test_lerobots_profile_fits() -> None:
    adapter = AlohaAdapter(CUBE)
    profile = load_profile("lerobot-aloha")
    assert profile.mismatches(adapter.brief) == ()
    assert profile.missing(adapter.brief) is None
    adapter.close()


@pytest.mark.parametrize(
    ("name", "view_name"),
    [("friction", "state"), ("mass", "state"), ("light", "image"), ("texture", "image"),
     ("camera", "image")],
)  # fmt: skip
def test_perturbations_take_effect_and_the_next_episode_is_clean(
    cube: AlohaAdapter, name: str, view_name: str
) -> None:
    task, steps = adapter_task("transfer_cube"), 3 if view_name == "image" else 30
    clean = step_digests(cube, make_case(task), view_name, steps)
    changed = step_digests(cube, make_case(task, name, 5), view_name, steps)
    assert changed != clean
    assert step_digests(cube, make_case(task), view_name, steps) == clean
    assert step_digests(cube, make_case(task, name, 5), view_name, steps) == changed


def test_frames_for_people(cube: AlohaAdapter) -> None:
    cube.reset(Case(CUBE, 1000))
    before = cube.state()
    frame = cube.render()
    assert (frame.shape, frame.dtype) == ((480, 640, 3), np.uint8)
    assert cube.state() == before
    assert "," in cube.renderer_info()


def test_the_simulator_leaves_the_process_as_it_was() -> None:
    """dm_control sets a variable, and looks for a display."""
    script = """
import os
before = dict(os.environ)
from adapters.aloha import AlohaAdapter
from suites.aloha import TASKS
AlohaAdapter(TASKS[1])
assert dict(os.environ) == before
"""
    variables = {name: os.environ[name] for name in os.environ if name != "DISPLAY"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hands_are_brought_to_a_place_and_a_direction() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gym_aloha.constants as constants
    import mujoco

    file = constants.ASSETS_DIR / "bimanual_viperx_transfer_cube.xml"
    model = mujoco.MjModel.from_xml_path(str(file))
    start = np.array(constants.START_ARM_POSE[:6])
    for side, away in (("left", -1.0), ("right", 1.0)):
        arm = Arm(model, side)
        for x, y, z, pitch, roll in (
            (0.15, 0.42, 0.03, 0.6, 0.0),
            (0.05, 0.58, 0.10, 0.6, 0.0),
            (0.16, 0.50, 0.25, 0.0, np.pi / 2),
        ):
            point = np.array([away * x, y, z])
            frame = rotation(arm.heading(point), pitch, roll)
            here, found = arm.pose(arm.solve(point, frame, start))
            assert np.allclose(here, point, atol=1e-3)
            assert np.allclose(found, frame, atol=5e-3)
            assert here[0] * away > 0
            assert found[2, 0] == pytest.approx(-np.sin(pitch), abs=5e-3), "downwards"
