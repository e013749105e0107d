"""Layouts against the real simulators: a positive number moves what its field says, that way."""

from __future__ import annotations

import dataclasses
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core import Box, Case, Field, Task
from harness.core.lane import build_adapter
from harness.records.catalogue import find_suites
from harness.records.registry import load
from suites import SUITES


def task_named(suite: str, name: str, **params: object) -> Task:
    (found,) = (t for t in find_suites(suite, SUITES)[0].tasks if t.name == name)
    return dataclasses.replace(found, params={**found.params, **params})


def offsets(layout: tuple[Field, ...]) -> dict[str, slice]:
    """Field name -> its elements."""
    found, begin = {}, 0
    for field in layout:
        found[field.name] = slice(begin, begin + field.size)
        begin += field.size
    return found


class Body:
    """An adapter that is moved one element of its action at a time."""

    def __init__(self, task: Task, seed: int = 0) -> None:
        self.adapter: Any = build_adapter(load(task.adapter), task, 1)
        self._case = Case(task, seed)
        self._seen: Any = None
        self.reset()
        spec = self.adapter.brief.action
        assert isinstance(spec, Box)
        self.action = spec
        self.fields = {field.name: field for field in spec.layout}
        self._places = offsets(spec.layout)

    def reset(self) -> None:
        self._seen = self.adapter.reset(self._case)

    def read(self, name: str, view: str = "state") -> np.ndarray:
        """A field of a view, in the field's unit."""
        spec = self.adapter.brief.observation[view]
        value = self._seen.observation[view]
        value = value() if callable(value) else value
        field = {each.name: each for each in spec.layout}[name]
        return np.asarray(value[offsets(spec.layout)[name]], np.float64) * field.scale

    def act(self, name: str, values: Any, steps: int) -> None:
        """Hold the action that has `values` in the field and is neutral elsewhere."""
        move = self.action.noop()
        move[self._places[name]] = values
        for _ in range(steps):
            self._seen = self.adapter.step(move)

    def shift(self, name: str, axis: int, number: float, measured: str, steps: int) -> np.ndarray:
        """How `measured` changes when one element of the field has this number, from a reset."""
        self.reset()
        self.act(
            name,
            0.0 if self.fields[name].kind != "absolute" else self.action.noop()[self._places[name]],
            5,
        )
        before = self.read(measured)
        values = self.action.noop()[self._places[name]]
        values[axis] += number
        self.act(name, values, steps)
        return self.read(measured) - before


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module} is not installed"
    )


def assert_moves_along(body: Body, name: str, measured: str, steps: int, share: float) -> None:
    """Each axis moves along itself, and by about `steps` times the scale (at least `share`)."""
    scale = body.fields[name].scale
    assert isinstance(scale, float)
    for axis in range(3):
        for number in (1.0, -1.0):
            moved = body.shift(name, axis, number, measured, steps)
            expected = number * scale * steps
            assert abs(moved[axis]) == max(abs(moved)), (axis, number, moved)
            assert share <= moved[axis] / expected <= 1.2, (axis, number, moved, expected)


@needs("metaworld")
def test_metaworld() -> None:
    body = Body(task_named("metaworld", "metaworld/reach-v3"))
    try:
        assert_moves_along(body, "eef_position", "eef_position", 10, 0.5)
        wide = body.read("gripper")
        body.act("gripper", 1.0, 20)
        assert body.read("gripper") < wide - 0.2  # positive closes
        closed = body.read("gripper")
        body.act("gripper", -1.0, 20)
        assert body.read("gripper") > closed + 0.2
        assert body.fields["gripper"].sign == "positive closes"
    finally:
        body.adapter.close()


@needs("gymnasium_robotics")
def test_fetch() -> None:
    body = Body(task_named("fetch", "fetch/pick-and-place"))
    try:
        assert_moves_along(body, "eef_position", "eef_position", 4, 0.3)
        body.reset()
        body.act("gripper", -1.0, 10)
        closed = body.read("gripper").sum()
        body.act("gripper", 1.0, 10)
        assert body.read("gripper").sum() > closed + 0.05  # positive opens
        assert body.fields["gripper"].sign == "positive opens"
        # What is called m/s is the way of the next steps over their time.
        before = body.read("eef_position")
        body.act("eef_position", (0.3, 0.0, 0.0), 1)
        first = body.read("eef_velocity")
        body.act("eef_position", (0.3, 0.0, 0.0), 1)
        way = (body.read("eef_position") - before)[0] / (2 / body.adapter.brief.control_hz)
        assert 0.3 * way < (first + body.read("eef_velocity"))[0] / 2 < 3.0 * way
    finally:
        body.adapter.close()


@needs("gymnasium_robotics")
def test_fetch_gives_euler_angles_about_the_turned_axes() -> None:
    from gymnasium_robotics.utils.rotations import mat2euler
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_euler("XYZ", [0.3, -0.5, 0.9])
    assert np.allclose(mat2euler(turned.as_matrix()), [0.3, -0.5, 0.9])


@needs("gymnasium_robotics")
def test_the_ball_of_a_maze_is_pushed_by_newtons() -> None:
    body = Body(task_named("pointmaze", "pointmaze/umaze"))
    try:
        field = body.fields["body_force"]
        assert field.unit == "N"
        mass = float(body.adapter._env.point_env.model.body("particle").mass[0])
        for axis in range(2):
            body.reset()
            before = body.read("body_velocity")
            values = [0.0, 0.0]
            values[axis] = 1.0
            body.act("body_force", values, 1)
            seconds = 1.0 / body.adapter.brief.control_hz
            gained = (body.read("body_velocity") - before)[axis]
            assert gained == pytest.approx(field.scale * seconds / mass, rel=0.15)
    finally:
        body.adapter.close()


@needs("gymnasium_robotics")
def test_the_joints_of_the_ant_get_newton_metres() -> None:
    body = Body(task_named("antmaze", "antmaze/umaze"))
    try:
        model = body.adapter._env.ant_env.model
        assert body.fields["joint_torque"].scale == 150.0
        assert np.allclose(model.actuator_gear[:, 0], 150.0)
        layout = body.adapter.brief.observation["proprio"].layout
        assert sum(field.size for field in layout) == 105
        rotation = body.read("body_rotation")
        assert np.linalg.norm(rotation) == pytest.approx(1.0, abs=1e-5)
        assert rotation[0] > 0.9  # it starts upright: w comes first
    finally:
        body.adapter.close()


MANISKILL = "maniskill-planner/PickCube"


def panda(mode: str) -> Body:
    return Body(task_named("maniskill-planner", MANISKILL, control_mode=mode))


@needs("mani_skill")
@pytest.mark.parametrize("mode", ["pd_ee_delta_pos", "pd_ee_target_delta_pos"])
def test_maniskill_moves_the_hand(mode: str) -> None:
    body = panda(mode)
    try:
        field = body.fields["eef_position"]
        assert (field.frame, field.unit, field.scale) == ("base", "m", 0.1)
        assert field.kind == ("target_delta" if "target" in mode else "delta")
        for axis in range(3):  # the base of the Panda is turned as the world is
            for number in (0.3, -0.3):
                moved = body.shift("eef_position", axis, number, "eef_position", 2)
                assert abs(moved[axis]) == max(abs(moved)), (axis, number, moved)
                assert 0.1 < moved[axis] / (number * 0.1 * 2) < 1.3, (axis, number, moved)
    finally:
        body.adapter.close()


@needs("mani_skill")
@pytest.mark.parametrize("mode", ["pd_ee_delta_pose", "pd_ee_target_delta_pose"])
def test_maniskill_turns_the_hand_backwards_for_positive_numbers(mode: str) -> None:
    from scipy.spatial.transform import Rotation

    body = panda(mode)
    try:
        field = body.fields["eef_rotation"]
        assert (field.representation, field.scale) == ("euler_xyz_intrinsic", -0.1)
        for axis in range(3):
            body.reset()
            body.act("eef_rotation", 0.0, 3)
            w, *xyz = body.read("eef_rotation")
            before = Rotation.from_quat([*xyz, w])
            values = np.zeros(3)
            values[axis] = 1.0
            body.act("eef_rotation", values, 3)
            w, *xyz = body.read("eef_rotation")
            turned = (Rotation.from_quat([*xyz, w]) * before.inv()).as_rotvec()
            assert abs(turned[axis]) == max(abs(turned)), (axis, turned)
            assert turned[axis] < -0.03, (axis, turned)
    finally:
        body.adapter.close()


@needs("mani_skill")
@pytest.mark.parametrize(
    ("mode", "name", "kind", "scale"),
    [
        ("pd_joint_delta_pos", "joint_position", "delta", 0.1),
        ("pd_joint_target_delta_pos", "joint_position", "target_delta", 0.1),
        ("pd_joint_pos", "joint_position", "absolute", 1.0),
        ("pd_joint_vel", "joint_velocity", "velocity", 1.0),
    ],
)
def test_maniskill_moves_joints(mode: str, name: str, kind: str, scale: float) -> None:
    body = panda(mode)
    try:
        field = body.fields[name]
        assert (field.kind, field.scale, field.size) == (kind, scale, 7)
        moved = body.shift(name, 1, 0.2, "joint_position", 4)
        assert abs(moved[1]) == max(abs(moved))
        assert moved[1] > 0.01, moved
    finally:
        body.adapter.close()


@needs("mani_skill")
def test_maniskill_opens_the_hand_for_positive_numbers_and_gives_quaternions_w_first() -> None:
    body = panda("pd_joint_pos")
    try:
        assert body.fields["gripper"].sign == "positive opens"
        body.act("gripper", -1.0, 8)
        closed = body.read("gripper").sum()
        body.act("gripper", 1.0, 8)
        assert body.read("gripper").sum() > closed + 0.05
        cube = body.read("obj_rotation")  # it lies on the table, turned about z at most
        assert np.allclose(cube[1:3], 0.0, atol=1e-3)
        assert np.hypot(cube[0], cube[3]) == pytest.approx(1.0, abs=1e-3)
        # `proprio` is described by the first fields of the state.
        views = body.adapter.brief.observation
        own = views["proprio"].layout
        assert views["state"].layout[: len(own)] == own
    finally:
        body.adapter.close()


@needs("mani_skill")
def test_maniskill_names_the_parts_of_two_robots() -> None:
    body = Body(task_named("maniskill", "maniskill/TwoRobotPickCube"))
    try:
        assert [field.name for field in body.action.layout] == [
            "panda_wristcam-0/joint_position",
            "panda_wristcam-0/gripper",
            "panda_wristcam-1/joint_position",
            "panda_wristcam-1/gripper",
        ]
    finally:
        body.adapter.close()


def test_families_that_are_not_installed_cover_their_vectors() -> None:
    """A Box refuses a layout that does not; the specs of these are made without a simulator."""
    import adapters.calvin.adapter as calvin
    from adapters.libero.spaces import make_brief

    table, _ = calvin._brief({"static": (200, 200), "gripper": (84, 84)})
    kitchen, _ = make_brief(256, 79)
    for brief in (table, kitchen):
        action = brief.action
        assert isinstance(action, Box)
        assert [field.name for field in action.layout] == [
            "eef_position",
            "eef_rotation",
            "gripper",
        ]
        for view in ("proprio", "state"):
            spec = brief.observation[view]
            assert isinstance(spec, Box)
            assert spec.layout, view
