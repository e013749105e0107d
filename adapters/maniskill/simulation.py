"""Makes an environment of ManiSkill, and describes its observations and actions."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.maniskill.layouts import action_layout, state_layout
from harness.core import Box, Brief, Spec, Task, UserError

__all__ = [
    "action_parts", "agents", "as_box", "cameras", "describe", "draw", "instruction_of", "make",
    "quiet", "renderer_info",
]  # fmt: skip

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
FARTHEST = 32.767
"""m: depth is drawn in whole millimetres of 16 bits."""

MODES = {
    "pd_joint_delta_pos": "joint targets relative to the joints now, -1..1 (1 is 0.1 rad on the "
    "Panda arm)",
    "pd_joint_target_delta_pos": "joint targets relative to the last targets, -1..1 (1 is 0.1 rad "
    "on the Panda arm)",
    "pd_joint_pos": "joint targets, rad (m where a joint slides)",
    "pd_joint_vel": "joint velocities, rad/s",
    "pd_joint_pos_vel": "joint targets (rad), then as many joint velocities (rad/s)",
    "pd_joint_delta_pos_vel": "joint targets relative to the joints now, then as many joint "
    "velocities, all -1..1",
    "pd_ee_delta_pos": "displacement x, y, z of the hand in the robot's base frame, -1..1 (1 is "
    "0.1 m)",
    "pd_ee_target_delta_pos": "displacement x, y, z of the hand's target in the robot's base "
    "frame, -1..1 (1 is 0.1 m)",
    "pd_ee_delta_pose": "displacement x, y, z (1 is 0.1 m) and rotation vector (1 is 0.1 rad) of "
    "the hand, robot's base frame, -1..1",
    "pd_ee_target_delta_pose": "displacement x, y, z (1 is 0.1 m) and rotation vector (1 is "
    "0.1 rad) of the hand's target, -1..1",
    "pd_ee_pose": "the hand's position x, y, z (m) and Euler angles (rad) in the robot's base "
    "frame",
}
"""Control mode of the Panda, and of others -> what its actions mean."""
OTHER_MODES = {
    "arm_pd_ee_target_delta_pose_align2_gripper_pd_joint_pos": "displacement x, y, z (m) and "
    "rotation (Euler angles, rad) of the hand's target, robot's base frame, then the gripper",
}
"""The same of modes that the Panda lacks."""
ROBOTS = {
    "panda": "a Franka Emika Panda arm of seven joints with a parallel gripper",
    "panda_wristcam": "a Franka Emika Panda arm of seven joints with a parallel gripper and a "
    "camera at its wrist",
    "panda_stick": "a Franka Emika Panda arm of seven joints that holds a stick",
    "xarm6_robotiq": "a UFACTORY xArm 6 of six joints with a Robotiq gripper",
    "so100": "a small SO-100 arm of five joints with a gripper",
    "widowx250s_bridgedataset_flat_table": "a WidowX 250 S arm of six joints with a parallel "
    "gripper, before a table",
    "widowx250s_bridgedataset_sink": "a WidowX 250 S arm of six joints with a parallel gripper, "
    "before a sink",
    "dclaw": "a D'Claw: three fingers of three joints each",
    "allegro_hand_right_touch": "a right Allegro hand of sixteen joints with touch sensors",
    "trifingerpro": "a TriFingerPro: three fingers of three joints each",
    "unitree_g1_simplified_upper_body_with_head_camera": "the upper body of a Unitree G1 humanoid "
    "with two hands and a camera in its head",
    "unitree_g1_simplified_legs": "a Unitree G1 humanoid that moves its legs",
    "humanoid": "a humanoid of 21 actuated joints",
    "ant": "a four-legged ant of eight actuated joints",
    "hopper": "a planar one-legged hopper of four actuated joints",
    "cart_pole": "a cart on a rail with a pole hinged on it; the cart is pushed",
}
"""Robot -> its embodiment."""


class _RareCollector:
    """Stands in for the module gc in ManiSkill.

    ManiSkill collects the garbage of the whole process whenever it rebuilds a scene, which takes
    two thirds of a reset. Here every tenth call collects.
    """

    def __init__(self) -> None:
        self._calls = 0

    def collect(self) -> None:
        self._calls += 1
        if self._calls % 10 == 0:
            gc.collect()


@functools.lru_cache(maxsize=1)
def _prepare() -> None:
    """Set up the packages, once per process, before the first environment."""
    import sapien
    from mani_skill import logger
    from mani_skill.envs import sapien_env

    logger.setLevel(logging.ERROR)  # it repeats advice to authors of tasks at every reset
    sapien.set_log_level("error")
    sapien_env.gc = _RareCollector()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings, such as Gymnasium's on the precision of bounds at every new scene."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make(
    task: Task, lanes: int, sim_backend: str, render_backend: str, kind: Any = None
) -> tuple[Any, int | None]:
    """The environment without wrappers, and its own horizon in steps.

    `kind` is a class that takes the place of the one that the package registers under the id.
    Raises UserError, with the remedy, for an id, an argument or files that do not exist.
    """
    with quiet():
        import gymnasium
        import mani_skill.envs  # noqa: F401 - registers the tasks
        from mani_skill.utils.gym_utils import find_max_episode_steps_value
        from mani_skill.utils.registration import REGISTERED_ENVS

        _prepare()
        name, mode = task.params["id"], task.params.get("control_mode")
        if name not in REGISTERED_ENVS:
            raise UserError(
                f"ManiSkill has no task {name!r}; it has {', '.join(sorted(REGISTERED_ENVS))}"
            )
        kwargs = {
            "obs_mode": "state",
            "num_envs": lanes,
            "sim_backend": sim_backend,
            "render_backend": render_backend,
        }
        kwargs |= {"control_mode": mode, **task.params.get("make", {})}
        with _no_downloads():
            try:
                env = gymnasium.make(name, **kwargs) if kind is None else kind(**kwargs)
            # It asserts that the control mode exists; a wrong argument is a TypeError.
            except (AssertionError, TypeError) as refused:
                raise UserError(
                    f"ManiSkill cannot make {name} with {kwargs}: {refused}"
                ) from refused
        registered = REGISTERED_ENVS[name].max_episode_steps
        return env.unwrapped, find_max_episode_steps_value(env) if kind is None else registered


def instruction_of(task: Task, env: Any, lane: int) -> str:
    """The instruction of the episode that was just reset in `lane`.

    `{direction}` in the task's instruction is replaced by the way in which the valve is to be
    turned, `clockwise` or `counter-clockwise` seen from above: the valve's joint points down, and
    the package draws the sign for an episode. Raises UserError where nothing is to be turned.
    """
    words = str(task.params["instruction"])
    if "{direction}" not in words:
        return words
    signs = getattr(env, "rotate_direction", None)
    if signs is None:
        raise UserError(
            f"task {task.id}: the instruction has {{direction}}, and {task.params['id']} draws none"
        )
    return words.replace("{direction}", "clockwise" if signs[lane] > 0 else "counter-clockwise")


@contextlib.contextmanager
def _no_downloads() -> Iterator[None]:
    """Raise UserError where files are missing.

    ManiSkill would ask on stdin whether to fetch them, and exit the process if told no.
    """
    from mani_skill.utils import download_asset

    def refuse(question: str) -> bool:
        remedy = "python -m mani_skill.utils.download_asset NAME"
        raise UserError(
            f"ManiSkill lacks files for this task ({' '.join(question.split())}); fetch them with "
            f"{remedy}"
        )

    asked, download_asset.prompt_yes_no = download_asset.prompt_yes_no, refuse
    try:
        yield
    finally:
        download_asset.prompt_yes_no = asked


def cameras(env: Any) -> dict[str, str]:
    """Suffix of the views -> the camera's name; the suffix of the task's first camera is empty."""
    names = list(env.scene.sensors)
    return {
        ("" if number == 0 else f"_{name.replace('-', '_')}"): name
        for number, name in enumerate(names)
    }


def draw(env: Any) -> Any:
    """RGB and depth of all cameras, by name, with the goal markers that the package hides.

    Where a goal is drawn at random, no picture without its marker tells where it is.
    """
    markers, env._hidden_objects = env._hidden_objects, []
    try:
        for marker in markers:
            marker.show_visual()
        return env._get_obs_sensor_data()
    finally:
        env._hidden_objects = markers


def renderer_info(env: Any) -> str:
    """The Vulkan device that draws, and the version of its driver where it is NVIDIA's."""
    import sapien

    device = env.scene.sub_scenes[0].render_system.device
    # The summary has a paragraph for each device that Vulkan finds; those without CUDA have id -1.
    found = re.findall(
        r"GPU: (.+)\n(?:  .*\n)*?  cudaId: +(-?\d+)", sapien.render.get_device_summary()
    )
    names = [name.strip() for name, number in found if int(number) == device.cuda_id]
    if device.is_cuda() and NVIDIA_DRIVER.exists():
        names.append(NVIDIA_DRIVER.read_text().partition("\n")[0])
    return ", ".join(["Vulkan", *names])


def action_parts(env: Any) -> list[tuple[str, slice]]:
    """(robot, its part of the flat action); the name is empty where there is only one robot."""
    from gymnasium import spaces

    space = env.single_action_space
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    ends = np.cumsum([part.shape[0] for part in parts.values()]).tolist()
    return [
        (name, slice(end - part.shape[0], end)) for (name, part), end in zip(parts.items(), ends)
    ]


def as_box(spec: Spec) -> Box:
    """`spec`, which is a Box: all views and actions of ManiSkill are."""
    assert isinstance(spec, Box)
    return spec


def describe(env: Any, task: Task, device: str) -> Brief:
    """The brief of an environment that has been reset; `device` is `CPU` or `GPU`."""
    views: dict[str, Any] = {}
    elements, proprio, total = _elements(env)
    own, fields = state_layout(env.get_obs(unflattened=True), _size, _parts(env))
    frames = (
        "poses are x, y, z (m) and a quaternion w, x, y, z in the world frame (z up); velocities "
        "in m/s and rad/s"
    )
    views["state"] = Box((total,), meaning=f"{elements}; {frames}", layout=fields)
    views["proprio"] = Box(
        (proprio,),
        meaning="joint positions (rad; m where a joint slides), their velocities, and the "
        "controller's state",
        layout=own,
    )
    for suffix, name in cameras(env).items():
        config = env.scene.sensors[name].config
        shape = config.height, config.width
        views[f"image{suffix}"] = Box((*shape, 3), "uint8", 0, 255, "1", f"RGB, camera {name}")
        meaning = f"distance along the optical axis, camera {name}; 0 where nothing is seen"
        views[f"depth{suffix}"] = Box(shape, "float32", 0.0, FARTHEST, "m", meaning)
    simulator = (
        f"ManiSkill 3 on SAPIEN (PhysX on the {device}), {env.sim_freq} Hz simulation, "
        f"{env.control_freq} Hz control; images rasterised with the default shader; "
        f"reward: {env.reward_mode}"
    )
    return Brief(views, _action(env), _body(env), simulator, control_hz=float(env.control_freq))


def _elements(env: Any) -> tuple[str, int, int]:
    """(meaning of the state's elements, how many of them are the body's own, how many in all)."""
    meanings: list[str] = []
    sizes: dict[str, int] = {}
    start = 0
    for part, values in env.get_obs(unflattened=True).items():
        sizes[part] = 0
        for name, value in (values if isinstance(values, dict) else {part: values}).items():
            size = _size(name, value)
            meanings.append(f"{start}-{start + size - 1} {name}" if size > 1 else f"{start} {name}")
            start, sizes[part] = start + size, sizes[part] + size
    return ", ".join(meanings), sizes["agent"], start


def _size(name: str, value: Any) -> int:
    """How many elements a part of the nested state has in the flat one."""
    from mani_skill.utils.common import flatten_state_dict

    return int(flatten_state_dict({name: value}, use_torch=True).shape[-1])


def _parts(env: Any) -> list[tuple[str, Any]]:
    """(its name among several, or nothing; the robot) of each robot."""
    found = agents(env)
    if len(found) == 1:
        return [("", found[0])]
    return list(zip((name for name, _ in action_parts(env)), found))


def agents(env: Any) -> list[Any]:
    """The package's agents, one a robot."""
    return list(getattr(env.agent, "agents", None) or [env.agent])


def _body(env: Any) -> str:
    uids = [agent.uid for agent in agents(env)]
    return " and ".join(ROBOTS.get(uid) or f"the robot {uid}" for uid in uids) if uids else ""


def _action(env: Any) -> Box:
    from gymnasium import spaces

    space = env.single_action_space
    boxes = list(space.spaces.values()) if isinstance(space, spaces.Dict) else [space]
    lows, highs, neutral, meanings, first = [], [], [], [], 0
    for agent, box in zip(agents(env), boxes):
        lows += box.low.tolist()
        highs += box.high.tolist()
        neutral += _neutral(agent, box).tolist()
        mode = (MODES | OTHER_MODES).get(agent.control_mode, agent.control_mode)
        meanings.append(
            f"{first}-{first + box.shape[0] - 1}: {agent.control_mode}: {mode}; a gripper is one "
            "element, -1 closed, 1 open"
        )
        first += box.shape[0]
    low, high = (limits[0] if len(set(limits)) == 1 else tuple(limits) for limits in (lows, highs))
    unit = "1" if (low, high) == (-1.0, 1.0) else ""  # else the meaning names the units
    meaning = "; then ".join(meanings)
    fields = action_layout(_parts(env))
    return Box((first,), "float32", low, high, unit, meaning, tuple(neutral), fields)


def _neutral(agent: Any, box: Any) -> np.ndarray:
    """The action that moves nothing from the usual start, float64, of the box's shape.

    It is zero where targets are relative, and the joint's position where they are absolute.
    """
    from mani_skill.agents.controllers.pd_joint_pos import PDJointPosController

    parts: Mapping[str, Any] = getattr(agent.controller, "controllers", None) or {
        "": agent.controller
    }
    places: Callable[[str], tuple[int, int]] = getattr(
        agent.controller, "action_mapping", {"": (0, box.shape[0])}
    ).__getitem__
    neutral = np.zeros(box.shape)
    for name, controller in parts.items():
        start, end = places(name)
        if not isinstance(controller, PDJointPosController) or controller.config.use_delta:
            continue
        joints = controller.qpos[0].cpu().numpy().astype(np.float64)[: end - start]
        if controller.config.normalize_action:
            low, high = (
                getattr(controller, f"action_space_{side}").cpu().numpy()
                for side in ("low", "high")
            )
            joints = (joints - low) / (high - low) * 2.0 - 1.0
        neutral[start : start + joints.size] = joints
    return np.clip(neutral, box.low, box.high)
