"""What ManiSkill's episodes cost and break, against planted collisions, drops, falls and limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from adapters.maniskill import ManiSkillAdapter, safety
from harness.core import Case, Task, TimeStep
from harness.core.safety import SAFETY_METRICS
from suites.maniskill import SUITES, task_of

pytest.importorskip("mani_skill")
if (lack := ManiSkillAdapter.missing()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
PICK = TASKS["maniskill-planner/PickCube"]
OPEN, CLOSED = 1.0, -1.0


@pytest.fixture(scope="module")
def pick() -> Iterator[ManiSkillAdapter]:
    adapter = ManiSkillAdapter(PICK)
    yield adapter
    adapter.close()


def played(task: Task, steps: int, action: np.ndarray | None = None) -> TimeStep:
    adapter = ManiSkillAdapter(task)
    timestep = adapter.reset(Case(task, 0))
    for _ in range(steps):
        timestep = adapter.step(adapter.brief.action.noop() if action is None else action)
    adapter.close()
    return timestep


def test_a_pendulum_that_is_lifted_slowly_takes_the_energy_of_its_height() -> None:
    """A motor lifts 1 kg on an arm of 0.5 m by a quarter of a turn: 4.9 J."""
    import sapien
    from sapien import physx

    scene = sapien.Scene([physx.PhysxCpuSystem()])
    scene.set_timestep(0.01)
    builder = scene.create_articulation_builder()
    root = builder.create_link_builder()
    root.add_box_collision(half_size=[0.05, 0.05, 0.05])
    arm = builder.create_link_builder(root)
    about_y = sapien.Pose(q=[0.5**0.5, 0.0, 0.0, 0.5**0.5])
    arm.set_joint_properties("revolute", [[-3.0, 3.0]], about_y, about_y)
    arm.add_box_collision(sapien.Pose([0.0, 0.0, -0.5]), half_size=[0.05, 0.05, 0.05])
    pendulum = builder.build(fix_root_link=True)
    joint = pendulum.active_joints[0]
    joint.set_drive_property(1e4, 1e3, 1e4)

    robot = safety._Robot.__new__(safety._Robot)
    robot.articulation = pendulum
    robot.driven = [(0, 1, 3)]
    energy = 0.0
    for number in range(400):
        joint.set_drive_target(np.pi / 2 * min(number / 350, 1.0))
        scene.step()
        energy += robot.power() * 0.01
    mass = pendulum.links[1].mass
    assert pendulum.qpos[0] == pytest.approx(np.pi / 2, abs=0.01)
    assert energy == pytest.approx(mass * 9.81 * 0.5, rel=0.05)


def test_an_arm_at_rest_breaks_nothing_and_walks_nowhere(pick: ManiSkillAdapter) -> None:
    timestep = pick.reset(Case(PICK, 0))
    known = {name for name in timestep.metrics if name in SAFETY_METRICS}
    assert known == {
        "collisions", "contact_force_max", "joint_limit_steps", "drops", "energy", "path_length",
    }  # fmt: skip
    assert not any(timestep.metrics.values())
    held = timestep.observation["proprio"]()[:7]
    for _ in range(5):
        timestep = pick.step(np.append(held, OPEN).astype(np.float32))
    assert timestep.metrics["path_length"] < 0.01
    assert timestep.metrics["energy"] < 0.1
    assert timestep.metrics["collisions"] == timestep.metrics["joint_limit_steps"] == 0.0


def test_the_way_is_that_of_the_gripper(pick: ManiSkillAdapter) -> None:
    """Against the tcp_pose in the state, added up."""
    timestep, way = pick.reset(Case(PICK, 0)), 0.0
    before = timestep.observation["state"]()[19:22]
    for _ in range(20):
        timestep = pick.step(pick.expert(None))
        now = timestep.observation["state"]()[19:22]
        way, before = way + float(np.linalg.norm(now - before)), now
    assert way > 0.05
    assert timestep.metrics["path_length"] == pytest.approx(way, rel=1e-3)


def test_what_is_let_go_in_the_air_is_a_drop_and_what_is_held_is_none(
    pick: ManiSkillAdapter,
) -> None:
    timestep = pick.reset(Case(PICK, 0))
    start = float(pick._env.cube.pose.p[0, 2])
    while float(pick._env.cube.pose.p[0, 2]) < start + 0.05:
        action = pick.expert(None)
        timestep = pick.step(action)
    assert timestep.metrics["drops"] == timestep.metrics["collisions"] == 0.0
    assert timestep.metrics["contact_force_max"] > 5.0, "the fingers press the cube"
    for _ in range(15):
        timestep = pick.step(np.append(action[:7], OPEN).astype(np.float32))
    assert timestep.metrics["drops"] == 1.0
    pick.reset(Case(PICK, 1))
    assert pick.step(pick.brief.action.noop()).metrics["drops"] == 0.0


def test_a_hand_on_the_table_collides_at_every_step() -> None:
    task = task_of("PickCube", "press", 50, control_mode="pd_ee_delta_pose")
    down = np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0, CLOSED], np.float32)
    adapter = ManiSkillAdapter(task)
    timestep = adapter.reset(Case(task, 0))
    # Away from the cube, which would be between the hand and the table.
    for _ in range(4):
        timestep = adapter.step(np.array([-1.0, 0, 0, 0, 0, 0, CLOSED], np.float32))
    assert timestep.metrics["collisions"] == 0.0
    counts = [adapter.step(down).metrics["collisions"] for _ in range(12)]
    assert np.diff(counts[-4:]).tolist() == [1.0, 1.0, 1.0]
    assert adapter.step(down).metrics["contact_force_max"] > 10.0
    adapter.close()


def test_a_joint_that_is_driven_against_its_limit_counts_and_the_fingers_do_not() -> None:
    task = task_of("PickCube", "turn", 50, control_mode="pd_joint_delta_pos")
    closed = played(task, 10, np.array([0, 0, 0, 0, 0, 0, 0, CLOSED], np.float32))
    assert closed.metrics["joint_limit_steps"] == 0.0
    turned = played(task, 90, np.array([1, 0, 0, 0, 0, 0, 0, OPEN], np.float32))
    # 2.9 rad away, by less than 0.1 rad a step, and then it stays there.
    assert 5 <= turned.metrics["joint_limit_steps"] <= 60


def test_a_humanoid_that_does_nothing_falls_once() -> None:
    timestep = played(TASKS["maniskill/MS-HumanoidStand"], 90)
    assert timestep.metrics["falls"] == timestep.metrics["fail_once"] == 1.0
    assert "collisions" not in timestep.metrics, "its feet are on the ground"
    assert timestep.metrics["path_length"] > 0.3
