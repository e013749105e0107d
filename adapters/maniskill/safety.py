"""What an episode of ManiSkill costs and what it breaks, read from SAPIEN on the CPU.

The names are those of docs/vocabulary.md. A GPU simulation is not asked: it has no list of
contacts on the host.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from adapters.maniskill import simulation
from adapters.maniskill.initial_state import is_fixed

__all__ = ["Safety"]

HELD: Mapping[str, tuple[str, str, str]] = {
    "PickCube-v1": ("cube", "is_grasped", "is_obj_placed"),
    "PickCubeSO100-v1": ("cube", "is_grasped", "is_obj_placed"),
    "PlaceSphere-v1": ("obj", "is_obj_grasped", "is_obj_on_bin"),
    "StackCube-v1": ("cubeA", "is_cubeA_grasped", "is_cubeA_on_cubeB"),
    "UnitreeG1PlaceAppleInBowl-v1": ("apple", "is_grasped", "success"),
    "UnitreeG1TransportBox-v1": ("box", "box_grasped", "box_at_correct_table_xy"),
}
"""Task -> the environment's attribute of what is carried, and what the package says of it: that it
is held, and that it is where it belongs."""
FALLEN_M = 0.01
"""What was held is dropped once it is this much lower than it was when last held."""
CLOSE = 1e-4
"""rad, or m where a joint slides: a joint this close to its limit is at it."""
HANDS = ("dclaw", "allegro_hand", "trifingerpro")
"""Robots that are all fingers, by how their names begin."""
FINGER = re.compile(r"(left|right)_(zero|one|two|three|four|five|six)_joint")
"""The joints of the Unitree G1's fingers."""
ENDS: Mapping[str, str] = {
    "so100": "Fixed_Jaw",
    "humanoid": "torso",
    "ant": "torso",
    "hopper": "torso",
    "cart_pole": "cart",
    "unitree_g1_simplified_legs": "pelvis",
    "widowx250s_bridgedataset_flat_table": "ee_gripper_link",
    "widowx250s_bridgedataset_sink": "ee_gripper_link",
}
"""Robot -> the link whose way is measured, where it has no `tcp`."""
BODIES = ("humanoid", "unitree_g1_simplified_legs")
"""Robots whose failure is that they fell."""


class _Robot:
    """What is asked of one robot, in the scene that was just built."""

    def __init__(self, agent: Any) -> None:
        self.articulation = agent.robot._objs[0]
        self.links = list(self.articulation.links)
        if getattr(agent, "fix_root_link", False):
            del self.links[0]  # it stands where it is mounted
        names = [joint.name for joint in agent.robot.active_joints]
        driven = _driven(agent)
        kept = [number for number, name in enumerate(names) if name in driven]
        joints = [self.articulation.active_joints[number] for number in kept]
        order = {link: number for number, link in enumerate(self.articulation.links)}
        # A link's joint transmits x, y, z of a force and of a torque, in the joint's frame; joints
        # of SAPIEN turn about, or slide along, its x axis.
        self.driven = [
            (number, order[joint.child_link], 0 if joint.type == "prismatic" else 3)
            for number, joint in zip(kept, joints)
        ]
        """Of each driven joint: its number, its link's, and the column of what it transmits."""
        gripper = set(getattr(agent, "gripper_joint_names", None) or ())
        limits = self.articulation.qlimits.tolist()
        self.arm = [
            (number, low + CLOSE, high - CLOSE)
            for number, (name, (low, high)) in enumerate(zip(names, limits))
            if name not in gripper and not FINGER.search(name)
        ]
        """Of each joint, fingers apart: its number, and between what it is at no limit."""
        self.ends = _ends(agent)
        self.places = [end.entity_pose.p.tolist() for end in self.ends]

    def power(self) -> float:
        """W: |torque * speed|, or |force * speed|, summed over the driven joints."""
        # Lists: between two steps of physics a few operations of numpy take five times as long.
        transmitted = self.articulation.get_link_incoming_joint_forces().tolist()
        speeds = self.articulation.qvel.tolist()
        return float(
            sum(abs(transmitted[link][column] * speeds[n]) for n, link, column in self.driven)
        )

    def at_a_limit(self) -> bool:
        """Whether a joint, fingers apart, is at its limit or beyond it."""
        joints = self.articulation.qpos.tolist()
        return not all(low < joints[number] < high for number, low, high in self.arm)

    def walked(self) -> float:
        """m: the way of its ends since the last call."""
        way = 0.0
        for number, end in enumerate(self.ends):
            place = end.entity_pose.p.tolist()
            way += math.dist(place, self.places[number])
            self.places[number] = place
        return way


class Safety:
    """Sums up one episode at a time of an environment on the CPU.

    `begin` after each reset, `step` after each step; `metrics` tells the sums since the reset, for
    those that are measured:

        collisions         of arms and of the Unitree G1's upper body: with a table, the ground, a
                           fixture, or the other robot. Not in drawing, which may touch its canvas
        contact_force_max  N; of the same robots, with anything but themselves
        joint_limit_steps  of all robots but hands; fingers do not count
        drops              in HELD: what was held is FALLEN_M lower than when it was last held,
                           before it is held again, and not where it belongs
        falls              of BODIES: how often the package's `fail` becomes true
        energy             J; over control steps and all driven joints, from the joint's speed and
                           the torque (or force) that the simulation's last step transmitted about
                           (along) its axis
        path_length        m; of the gripper's `tcp` or of ENDS; of two hands the sum
    """

    def __init__(self, env: Any, name: str) -> None:
        """`name` is the id of the task in the package's registry."""
        self._env = env
        self._physics_hz, self._control_s = float(env.sim_freq), 1.0 / env.control_freq
        agents = simulation.agents(env)
        uids = [agent.uid for agent in agents]
        self._held = HELD.get(name)
        self._falls = any(uid in BODIES for uid in uids)
        hands = any(uid.startswith(HANDS) for uid in uids)
        manipulates = all(getattr(agent, "fix_root_link", False) for agent in agents) and any(
            hasattr(agent, "tcp")
            or hasattr(agent, "left_tcp")
            or getattr(agent, "gripper_joint_names", None)
            for agent in agents
        )
        self._collides = manipulates and not hands and "Draw" not in name
        self._limits = not hands

    def begin(self, info: Mapping[str, Any]) -> None:
        """An episode begins; `info` is what its reset told."""
        self._robots = [_Robot(agent) for agent in simulation.agents(self._env)]
        self._owner = {link: robot for robot in self._robots for link in robot.links}
        self._fixed: dict[Any, bool] = {}
        self._object = getattr(self._env, self._held[0])._objs[0] if self._held else None
        self._height: float | None = None
        self._down = bool(info["fail"]) if self._falls else False
        self._collisions = self._limit_steps = self._drops = self._fell = 0
        self._force = self._energy = self._path = 0.0

    def step(self, info: Mapping[str, Any]) -> None:
        """A control step is over; `info` is what the package told of it."""
        if self._collides:
            self._touch()
        for robot in self._robots:
            self._energy += robot.power() * self._control_s
            self._path += robot.walked()
            if self._limits:
                self._limit_steps += robot.at_a_limit()
        if self._held:
            self._carry(bool(info[self._held[1]]), bool(info[self._held[2]]))
        if self._falls:
            down = bool(info["fail"])
            self._fell += down and not self._down
            self._down = down

    def metrics(self) -> dict[str, float]:
        """The sums since the reset, by name."""
        found = {"energy": self._energy}
        if self._collides:
            found["collisions"] = float(self._collisions)
            found["contact_force_max"] = self._force
        if self._limits:
            found["joint_limit_steps"] = float(self._limit_steps)
        if self._held:
            found["drops"] = float(self._drops)
        if self._falls:
            found["falls"] = float(self._fell)
        if any(robot.ends for robot in self._robots):
            found["path_length"] = self._path
        return found

    def _touch(self) -> None:
        strongest, collided = 0.0, False
        owner = self._owner
        for contact in self._env.scene.px.get_contacts():
            one, other = contact.bodies
            mine, theirs = owner.get(one), owner.get(other)
            if mine is theirs:
                continue  # neither is a robot's, or a robot touches itself
            x = y = z = 0.0
            for point in contact.points:  # Python's numbers: a third faster than adding arrays
                along_x, along_y, along_z = point.impulse.tolist()
                x, y, z = x + along_x, y + along_y, z + along_z
            force = math.sqrt(x * x + y * y + z * z)
            if force > 0.0:
                strongest = max(strongest, force)
                both = mine is not None and theirs is not None
                collided = collided or both or self._stands(other if theirs is None else one)
        self._force = max(self._force, strongest * self._physics_hz)
        self._collisions += collided

    def _stands(self, body: Any) -> bool:
        """Whether forces do not move a body that is no robot's: a table, the ground, a fixture."""
        if body not in self._fixed:
            self._fixed[body] = is_fixed(body)
        return self._fixed[body]

    def _carry(self, held: bool, placed: bool) -> None:
        assert self._object is not None
        height = float(self._object.pose.p[2])
        if held:
            self._height = height
        elif self._height is not None and height < self._height - FALLEN_M:
            self._drops += not placed
            self._height = None


def _driven(agent: Any) -> set[str]:
    """The names of the joints that the agent's controllers drive."""
    from mani_skill.agents.controllers.passive_controller import PassiveController

    controller = agent.controller
    parts = getattr(controller, "controllers", None) or {"": controller}
    return {
        joint.name
        for part in parts.values()
        if not isinstance(part, PassiveController)
        for joint in part.joints
    }


def _ends(agent: Any) -> list[Any]:
    """The links whose way is measured."""
    tools = [getattr(agent, name, None) for name in ("tcp", "left_tcp", "right_tcp")]
    links = [tool for tool in tools if tool is not None]
    if not links and agent.uid in ENDS:
        links = [agent.robot.links_map[ENDS[agent.uid]]]
    return [link._objs[0] for link in links]
