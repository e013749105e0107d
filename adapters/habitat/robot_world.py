"""A simulator with rigid bodies: a home, a Fetch and the objects of an episode. Metres, y up.

What habitat-lab's `rearrange` code does with habitat-sim is done here in the same way: motors of
the arm with its gains, a base that is moved along the navmesh, a magic grasp that holds an object
by a constraint, and contacts that are read after the last substep of a control step.

As in `world.py`, simulators are never destroyed but reused, see `robot_simulators.py`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from adapters.habitat import fetch
from adapters.habitat.idle import idle
from adapters.habitat.robot_simulators import Camera, configuration, navmesh_settings
from adapters.habitat.world import LOGS

__all__ = ["SUBSTEPS", "Contacts", "RobotWorld"]

SUBSTEPS = 4
"""Substeps of a control step: habitat-lab's `ac_freq_ratio`."""
POSITION_GAIN, VELOCITY_GAIN, IMPULSE = 0.3, 1.0, 10.0
"""Of the arm's motors: habitat-lab's, but for the velocity's gain. With its 0.3 the arm of this
Fetch swings about its target by up to 0.3 rad in Bullet at 120 Hz, with 1 it stands still."""
GRASP_DISTANCE, HOLD_DISTANCE, HOLD_IMPULSE = 0.15, 0.15, 10000.0
"""habitat-lab's `grasp_thresh_dist`, `hold_thresh` (m) and `grasp_impulse`."""
HOLDS_AT = 0.1
"""m along the gripper's x: where habitat-lab's magic grasp holds an object's centre."""
BASE_LINKS = (
    "base_link", "r_wheel_link", "l_wheel_link", "bellows_link", "bellows_link2", "estop_link",
    "laser_link", "torso_fixed_link",
)  # fmt: skip
"""Links whose contacts do not count: habitat-lab's."""
EYE, LOOKS_AT = (0.25, 1.2, 0.0), (0.75, 1.0, 0.0)
"""habitat-lab's head camera, fixed to the base, x ahead, y up, m."""


@dataclasses.dataclass(frozen=True)
class Contacts:
    """What touches what after a control step. Forces are the largest of one contact point, N."""

    force: float
    """On the robot or on what it holds, but for the links of its base."""
    touched: frozenset[str]
    """What the robot, or the object that it holds, touches: names of objects, `home`."""


class RobotWorld:
    """A simulator with a robot. Use and close it in the thread that created it."""

    def __init__(self, camera: Camera) -> None:
        for name, value in LOGS.items():
            os.environ.setdefault(name, value)  # the library reads them when it is loaded
        import habitat_sim
        import magnum

        self._lib: Any = habitat_sim
        self._mn: Any = magnum
        self._camera = camera
        self._sim: Any = None
        self._scene = ""
        self._thread = threading.get_ident()
        self._robot: Any = None
        self._things: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._hold: int | None = None
        self._leaves: Any = None
        self.held: str | None = None
        """The object that the gripper holds, or None."""

    def load(self, scene: str, robot: Path, configs: Mapping[str, str]) -> None:
        """Load a scene and compute its navmesh. `robot` is the description that `fetch.write` made,
        and `configs` has the file of each object.

        Raises RuntimeError if there is nothing to walk on.
        """
        self._urdf, self._configs = str(robot), dict(configs)
        if self._sim is None and idle(self._camera):
            self._sim, self._scene = idle(self._camera).pop()
        if scene == self._scene:
            return
        config = configuration(self._lib, self._camera, scene, robot.parent)
        self._scene = ""
        if self._sim is None:
            self._sim = self._lib.Simulator(config)
            # A reference that is never released keeps it alive until the process ends.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._sim))
        else:
            self._clear()
            self._sim.reconfigure(config)
        settings = navmesh_settings(self._lib)
        if not self._sim.recompute_navmesh(self._sim.pathfinder, settings):
            raise RuntimeError(f"habitat-sim found nothing to walk on in {scene}")
        self._scene = scene

    def begin(
        self,
        things: Mapping[str, tuple[ArrayLike, float]],
        at: ArrayLike,
        heading: float,
        joints: Sequence[float],
    ) -> None:
        """Put objects and the robot where an episode begins.

        `things`: name -> (position (3,) in m, turn about y in rad). `at`: the base (3,); `heading`:
        rad about y, 0 looks along x; `joints`: the arm (7,) in rad.
        """
        mn, lib = self._mn, self._lib
        self._renew()
        lib.physics.CollisionGroupHelper.set_mask_for_group(
            lib.physics.CollisionGroups.UserGroup7, ~lib.physics.CollisionGroups.Robot
        )
        self._robot = self._sim.get_articulated_object_manager().add_articulated_object_from_urdf(
            self._urdf, fixed_base=True
        )
        self._robot.auto_clamp_joint_limits = True
        links = {self._robot.get_link_name(link): link for link in self._robot.get_link_ids()}
        joint_names = {self._robot.get_link_joint_name(link): link for link in links.values()}
        self._gripper = links[fetch.GRIPPER]
        self._base = {links[name] for name in BASE_LINKS if name in links} | {-1}
        arm = [joint_names[name] for name in fetch.ARM]
        self._where = [self._robot.get_link_joint_pos_offset(link) for link in arm]
        for motor in list(self._robot.existing_joint_motor_ids):
            self._robot.remove_joint_motor(motor)
        self._robot.create_all_motors(lib.physics.JointMotorSettings())
        self._motors = {
            link: motor for motor, link in dict(self._robot.existing_joint_motor_ids).items()
        }
        self._arm = arm
        self.targets = np.array(joints, np.float64)
        positions = np.array(self._robot.joint_positions)
        positions[self._where] = self.targets
        self._robot.joint_positions = positions
        self._aim()
        self._at, self._heading = np.array(at, np.float64), float(heading)
        self._stand()
        manager = self._sim.get_rigid_object_manager()
        templates = self._sim.get_object_template_manager()
        for name, (place, turn) in things.items():
            (template,) = templates.load_configs(self._configs[name])
            body = manager.add_object_by_template_id(template)
            body.translation = mn.Vector3(*np.asarray(place, np.float64))
            body.rotation = mn.Quaternion.rotation(mn.Rad(turn), mn.Vector3.y_axis())
            self._things[name], self._names[body.object_id] = body, name
        self._names[self._robot.object_id] = "robot"

    def settle(self, substeps: int) -> None:
        """Let objects come to rest; the robot holds its place."""
        for _ in range(substeps):
            self._sim.step_world(-1)

    def turn_joints(self, change: ArrayLike, low: np.ndarray, high: np.ndarray) -> None:
        """Move the targets of the arm's motors by `change` (7,) in rad, within these limits."""
        self.targets = np.clip(self.targets + np.asarray(change, np.float64), low, high)
        self._aim()

    def move_base(self, ahead: float, turn: float) -> bool:
        """Move the base by `ahead` m and turn it by `turn` rad; whether nothing was in the way."""
        mid = self._heading + turn / 2
        wanted = self._at + ahead * np.array([math.cos(mid), 0.0, -math.sin(mid)])
        self._heading = math.remainder(self._heading + turn, 2 * math.pi)
        free = True
        if ahead:
            end = self._sim.pathfinder.try_step(
                self._sim.pathfinder.snap_point(self._at.astype(np.float32)),
                wanted.astype(np.float32),
            )
            reached = np.array([end[0], self._at[1], end[2]], np.float64)
            free = bool(np.linalg.norm(reached - wanted) < 0.01)
            if np.isfinite(reached).all():
                self._at = reached
        self._stand()
        return free

    def advance(self) -> None:
        """The substeps of a control step."""
        for _ in range(SUBSTEPS):
            self._sim.step_world(-1)
        if self._leaves is not None:
            body, least = self._leaves
            if np.linalg.norm(self.tip() - np.array(body.translation)) >= least:
                body.override_collision_group(self._lib.physics.CollisionGroups.Default)
                self._leaves = None

    def grasp(self) -> str | None:
        """Hold the object whose centre is nearest to the end effector; None if none is near."""
        if self.held is not None or not self._things:
            return self.held
        tip = self.tip()
        apart, name = min(
            (float(np.linalg.norm(self.place(name) - tip)), name) for name in self._things
        )
        if apart < GRASP_DISTANCE:
            self._constrain(name)
        return self.held

    def hold(self, name: str) -> None:
        """Put an object into the gripper, and hold it."""
        link = self._robot.get_link_scene_node(self._gripper).transformation
        body = self._things[name]
        body.translation = link.transform_point(self._mn.Vector3(HOLDS_AT, 0.0, 0.0))
        self._constrain(name)

    def release(self) -> None:
        """Let go of what is held; it collides with the robot again once it is clear of it."""
        if self._hold is None or self.held is None:
            return
        self._sim.remove_rigid_constraint(self._hold)
        body = self._things[self.held]
        box = body.aabb
        self._leaves = (body, max(box.size_x(), box.size_y(), box.size_z()))
        self._hold, self.held = None, None

    def lost(self) -> bool:
        """Whether what is held is too far from the end effector, as habitat-lab judges it."""
        if self.held is None:
            return False
        return bool(np.linalg.norm(self.place(self.held) - self.tip()) >= HOLD_DISTANCE)

    def contacts(self) -> Contacts:
        """Contacts of the robot and of what it holds, in the last substep."""
        own = {self._robot.object_id}
        if self.held is not None:
            own.add(self._things[self.held].object_id)
        force, touched = 0.0, set()
        for point in self._sim.get_physics_contact_points():
            sides = (
                (point.object_id_a, point.link_id_a), (point.object_id_b, point.link_id_b),
            )  # fmt: skip
            if (sides[0][0] in own) == (sides[1][0] in own):
                continue
            mine, other = sides if sides[0][0] in own else sides[::-1]
            if mine[0] == self._robot.object_id and mine[1] in self._base:
                continue
            pushes = abs(float(point.normal_force))
            if point.contact_distance > 0 and not pushes:
                continue  # Bullet already keeps points of what comes near
            force = max(force, pushes)
            touched.add(self._names.get(other[0], "home"))
        return Contacts(force, frozenset(touched))

    def joints(self) -> np.ndarray:
        """The arm's joints, float64 (7,) in rad."""
        return np.array(self._robot.joint_positions, np.float64)[self._where]

    def tip(self) -> np.ndarray:
        """The end effector, float64 (3,) in m."""
        link = self._robot.get_link_scene_node(self._gripper).transformation
        return np.array(link.transform_point(self._mn.Vector3(fetch.TIP, 0.0, 0.0)), np.float64)

    def place(self, name: str) -> np.ndarray:
        """The centre of an object, float64 (3,) in m."""
        return np.array(self._things[name].translation, np.float64)

    def bottom(self, name: str) -> float:
        """The height of an object's lowest point, m."""
        body = self._things[name]
        box = body.aabb
        corners = [
            body.transformation.transform_point(self._mn.Vector3(x, y, z))[1]
            for x in (box.left, box.right)
            for y in (box.bottom, box.top)
            for z in (box.back, box.front)
        ]
        return float(min(corners))

    def base(self) -> tuple[np.ndarray, float]:
        """(position (3,) in m on the floor, heading in rad about y; 0 looks along x)."""
        return self._at.copy(), self._heading

    def in_base(self, point: ArrayLike) -> np.ndarray:
        """A point of the world (3,) in the base's frame: x ahead, y to the left, z up."""
        x, y, z = np.asarray(point, np.float64) - self._at
        cos, sin = math.cos(self._heading), math.sin(self._heading)
        return np.array([cos * x - sin * z, -sin * x - cos * z, y])

    def state(self) -> np.ndarray:
        """Joints, base and every object, float64 (n,)."""
        bodies = [
            value
            for body in self._things.values()
            for value in (*body.translation, *body.rotation.vector, body.rotation.scalar)
        ]
        return np.array([*self.joints(), *self._at, self._heading, *bodies], np.float64)

    def draw(self, camera: str) -> np.ndarray:
        """Render `image`, (H, W, 3) uint8 RGB, or `depth`, (H, W) float32 in m, 0 where nothing was
        hit."""
        sensor = self._sim._sensors[camera]
        sensor.draw_observation()
        seen = np.array(sensor.get_observation())
        if camera == "image":
            return np.ascontiguousarray(seen[..., :3])
        return np.ascontiguousarray(seen, np.float32)

    def snap(self, point: ArrayLike) -> np.ndarray | None:
        """The point of the navmesh nearest to `point` (3,), float64 (3,) in m, or None."""
        snapped = np.array(
            self._sim.pathfinder.snap_point(np.asarray(point, np.float32)), np.float64
        )
        return snapped if np.isfinite(snapped).all() else None

    def way(self, start: ArrayLike, end: ArrayLike) -> tuple[float, np.ndarray]:
        """(the geodesic distance from `start` to `end`, the corners (n, 3) of that path), m;
        infinite without a path."""
        path = self._lib.ShortestPath()
        path.requested_start = np.asarray(start, np.float32)
        path.requested_end = np.asarray(end, np.float32)
        if not self._sim.pathfinder.find_path(path):
            return math.inf, np.zeros((0, 3))
        return float(path.geodesic_distance), np.array(path.points, np.float64).reshape(-1, 3)

    def close(self) -> None:
        """Return the simulator to the pool, for the next world with this camera."""
        if self._sim is not None and self._scene and threading.get_ident() == self._thread:
            self._clear()
            idle(self._camera).append((self._sim, self._scene))
        self._sim = self._robot = None
        self._things = {}

    def _renew(self) -> None:
        """Begin a new physical world with the same scene and navmesh.

        The order in which Bullet finds and solves contacts depends on all that a world has seen:
        in a world that is kept, objects come to rest elsewhere in the second episode.
        """
        self._clear()
        paths = self._sim.pathfinder
        again = configuration(self._lib, self._camera, self._scene, Path(self._urdf).parent)
        # The simulator makes a new world where its configuration has changed. Nothing is drawn
        # from this seed.
        again.sim_cfg.random_seed = 1 - self._sim.config.sim_cfg.random_seed % 2
        # The simulator keeps its old scene graphs, and with them what their cameras drew on.
        self._sim.get_agent(0).reconfigure(self._lib.AgentConfiguration(sensor_specifications=[]))
        self._sim.reconfigure(again)
        self._sim.pathfinder = paths

    def _clear(self) -> None:
        """Remove the robot and all objects."""
        if self._hold is not None:
            self._sim.remove_rigid_constraint(self._hold)
        self._hold, self._leaves, self.held = None, None, None
        self._sim.get_articulated_object_manager().remove_all_objects()
        self._sim.get_rigid_object_manager().remove_all_objects()
        self._robot, self._things, self._names = None, {}, {}

    def _constrain(self, name: str) -> None:
        mn, lib, body = self._mn, self._lib, self._things[name]
        body.override_collision_group(lib.physics.CollisionGroups.UserGroup7)
        rule = lib.physics.RigidConstraintSettings()
        rule.constraint_type = lib.physics.RigidConstraintType.Fixed
        rule.object_id_a, rule.link_id_a = self._robot.object_id, self._gripper
        rule.object_id_b = body.object_id
        rule.pivot_a, rule.pivot_b = mn.Vector3(HOLDS_AT, 0.0, 0.0), mn.Vector3()
        link = self._robot.get_link_scene_node(self._gripper).absolute_transformation()
        rule.frame_a = link.rotation().inverted() @ body.transformation.rotation()
        rule.max_impulse = HOLD_IMPULSE
        self._hold, self.held = self._sim.create_rigid_constraint(rule), name

    def _aim(self) -> None:
        """Give the motors their targets."""
        for link, target in zip(self._arm, self.targets):
            self._robot.update_joint_motor(
                self._motors[link],
                self._lib.physics.JointMotorSettings(
                    float(target), POSITION_GAIN, 0.0, VELOCITY_GAIN, IMPULSE
                ),
            )

    def _stand(self) -> None:
        """Move the robot, what it holds, and the cameras to the base's place."""
        mn = self._mn
        before = self._robot.transformation
        turned = mn.Matrix4.rotation_y(mn.Rad(self._heading))
        stands = mn.Matrix4.translation(mn.Vector3(*self._at)) @ turned
        # The description has z up, the world y.
        upright = mn.Matrix4.rotation_x(mn.Rad(-math.pi / 2))
        self._robot.transformation = stands @ upright
        if self.held is not None:
            body = self._things[self.held]
            moved = self._robot.transformation @ before.inverted()
            body.transformation = moved @ body.transformation
        look = mn.Matrix4.look_at(mn.Vector3(*EYE), mn.Vector3(*LOOKS_AT), mn.Vector3.y_axis())
        agent = self._sim.get_agent(0).scene_node
        for sensor in self._sim._sensors.values():
            sensor._sensor_object.node.transformation = (
                agent.transformation.inverted() @ stands @ look
            )
