"""CALVIN: the adapter. See the class."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters._gl_strings import current_renderer
from adapters.calvin.chains import ARM, LENGTH, Chain, beginning_with, chains, scene_of
from adapters.calvin.table import open_table
from harness.core import Adapter, Box, Brief, Case, Field, Missing, Task, TimeStep, UserError
from harness.core.layout import UNKNOWN

__all__ = ["CalvinAdapter"]

VARIABLE = "CALVIN_ROOT"
ANNOTATIONS = Path("calvin_models", "conf", "annotations", "new_playtable_validation.yaml")
SUBTASK_STEPS = 360


class CalvinAdapter(Adapter):
    """A Panda arm follows five instructions in a row at a table.

    On the table are a drawer, a sliding door, a light, an LED and three blocks. `params`:
        scene     `calvin_scene_D` is the one of the evaluation
        subtasks  5: the whole chain; 1: its first task alone
        first     only the chains that begin with this task, such as `turn_on_led`; not there: all
        egl       false: cameras render on the CPU, the same pixels every time. true, as in CALVIN's
                  own evaluation: on the GPU, where textures look slightly different, a second table
                  in the process is drawn wrong, and the first pictures differ from later ones
        root      the checkout of mees/calvin, unless it is at $CALVIN_ROOT or contains the
                  installed calvin_env

    Case.seed -> chain: number seed % n of the n chains, 1000 in all, in CALVIN's order (chains.py).
    An instruction is given until its task is done, for at most 360 steps; the first task that is
    not done ends the episode. calvin_env's `Tasks` decides whether the current task is done.

    Views, rendered when read:
        image          uint8 (200, 200, 3)    RGB, row 0 at the top, from a corner of the table
        image_gripper  uint8 (84, 84, 3)      the same from the hand
        depth          float32 (200, 200)     m, as `image`
        depth_gripper  float32 (84, 84)       m, as `image_gripper`
        proprio        float32 (15,)          `robot_obs`
        state          float32 (39,)          `robot_obs`, then `scene_obs`: the full state
    Action: Box (7,), -1 to 1: the hand moves along x, y, z (1 is 0.02 m) and turns about them (1 is
    0.05 rad), world frame, z up; the gripper opens at values from 0 on and closes below 0. 30 Hz.

    Success: all `subtasks` are done. Score: `chain_length`, the number of tasks done; metrics
    `reached_1` to `reached_5`. Reward: 1 for each task. No expert.
    """

    code_params: ClassVar[tuple[str, ...]] = ("scene",)
    path_params: ClassVar[tuple[str, ...]] = ("root",)
    packages: ClassVar[tuple[str, ...]] = ("pybullet",)
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    guide: ClassVar[str] = (
        "git clone --recursive https://github.com/mees/calvin; "
        "pip install pybullet hydra-core hydra-colorlog gitpython numpy-quaternion "
        "opencv-python gym scipy numba; pip install --no-deps -e calvin/calvin_env; "
        f"set {VARIABLE} to calvin"
    )

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        found = importlib.util.find_spec("calvin_env")
        # Without an origin it is only a folder of that name in the working directory.
        if absent is None and (found is None or found.origin is None):
            absent = Missing("the package calvin_env is not installed", cls.guide)
        if absent is None:
            root = _root(task)
            if root is None or not (root / ANNOTATIONS).is_file():
                return Missing(
                    f"there is no checkout of mees/calvin, with its {ANNOTATIONS}, "
                    f"at {root or VARIABLE}",
                    cls.guide,
                )
        return absent

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One table serves all chains of its scene."""
        return f"{task.params.get('scene')} {task.params.get('egl')}"

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        """Always: the chains are fixed."""
        return True

    def __init__(self, task: Task) -> None:
        root = _root(task)
        if root is None:
            raise UserError(f"task {task.id}: set {VARIABLE} to a checkout of mees/calvin")
        import calvin_env
        import hydra
        from omegaconf import OmegaConf

        conf = Path(calvin_env.__file__).resolve().parents[1] / "conf"
        wanted = [
            f"scene={task.params['scene']}",
            "cameras=static_and_gripper",
            "robot=panda_longer_finger",
        ]
        quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]
        with _quietly():
            with hydra.initialize_config_dir(str(conf), version_base=None):
                config = hydra.compose("config_data_collection", overrides=[*wanted, *quiet])
            self._egl = bool(task.params.get("egl", False))
            self._env: Any = open_table(config, self._egl)
        self._cameras = {camera.name: camera for camera in self._env.cameras}
        self._env.cameras = []  # or every step would render them
        self._oracle: Any = hydra.utils.instantiate(config.tasks)
        self._words: Any = OmegaConf.load(root / ANNOTATIONS)
        self._pictures: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._views = {
            "image": lambda: self._draw("static")[0],
            "image_gripper": lambda: self._draw("gripper")[0],
            "depth": lambda: self._draw("static")[1],
            "depth_gripper": lambda: self._draw("gripper")[1],
            "proprio": lambda: self._robot.astype(np.float32),
            "state": lambda: self._state.astype(np.float32),
        }
        self.brief, self._action = _brief(
            {name: (camera.height, camera.width) for name, camera in self._cameras.items()}
        )

    def reset(self, case: Case) -> TimeStep:
        choice = _chains_of(case.task)
        self._chain = choice[case.seed % len(choice)]
        self._wanted = self._chain.tasks[: case.task.params.get("subtasks", LENGTH)]
        longest = SUBTASK_STEPS * len(self._wanted)
        if (case.task.max_steps or 0) > longest:
            raise UserError(
                f"task {case.task.id}: each instruction has {SUBTASK_STEPS} steps: set max_steps "
                f"to at most {longest}, or leave it out; got {case.task.max_steps}"
            )
        self._done = self._steps = 0
        with _quietly():
            self._env.load()  # a reset alone keeps the last episode's contacts and constraints
            self._env.robot.gripper_action = 1
            seen = self._env.reset(robot_obs=np.array(ARM), scene_obs=scene_of(self._chain.start))
        self._look(seen)
        self._before = self._env.get_info()
        return self._timestep(0.0, False)

    def step(self, action: Any) -> TimeStep:
        move = self._action.validate(action).astype(np.float64)
        hand = 1 if move[6] >= 0 else -1
        self._env.address()
        seen, _, _, now = self._env.step(np.array([*move[:6], hand]))
        self._look(seen)
        self._steps += 1
        task = self._wanted[self._done]
        if self._oracle.get_task_info_for_set(self._before, now, {task}):
            self._done, self._steps, self._before = self._done + 1, 0, now
            return self._timestep(1.0, self._done == len(self._wanted))
        return self._timestep(0.0, self._steps >= SUBTASK_STEPS)

    def render(self) -> np.ndarray:
        return self._draw("static")[0]

    def renderer_info(self) -> str:
        """Empty without `egl`: PyBullet draws by itself then."""
        return f"egl, {current_renderer()}" if self._egl else ""

    def state(self) -> bytes:
        return self._state.tobytes()

    def close(self) -> None:
        with _quietly():
            self._env.close()
        self._env.ownsPhysicsClient = False  # its destructor would close it again

    def _look(self, seen: Any) -> None:
        self._robot = np.asarray(seen["robot_obs"], np.float64)
        self._state = np.concatenate([self._robot, np.asarray(seen["scene_obs"], np.float64)])
        self._pictures = {}

    def _draw(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """(colours, depth) of a camera, rendered at most once a step."""
        if camera not in self._pictures:
            colours, depth = self._cameras[camera].render()
            self._pictures[camera] = (
                np.ascontiguousarray(colours, np.uint8),
                np.asarray(depth, np.float32),
            )
        colours, depth = self._pictures[camera]
        return colours.copy(), depth.copy()

    def _timestep(self, reward: float, over: bool) -> TimeStep:
        asked = self._wanted[min(self._done, len(self._wanted) - 1)]
        metrics = {f"reached_{k}": float(self._done >= k) for k in range(1, len(self._wanted) + 1)}
        metrics["chain_length"] = float(self._done)
        return TimeStep(
            self._views,
            str(self._words[asked][0]),
            reward,
            over,
            False,
            self._done == len(self._wanted),
            metrics,
        )


def _chains_of(task: Task) -> tuple[Chain, ...]:
    first = task.params.get("first")
    found = chains() if first is None else beginning_with(str(first))
    if not found:
        begin = sorted({chain.tasks[0] for chain in chains()})
        raise UserError(
            f"task {task.id}: no chain of CALVIN begins with {first!r}; they begin with "
            f"{', '.join(begin)}"
        )
    return found


def _root(task: Task | None) -> Path | None:
    root = (task.params.get("root") if task is not None else None) or os.environ.get(VARIABLE)
    if root:
        return Path(root).expanduser()
    found = importlib.util.find_spec("calvin_env")
    return (
        None if found is None or found.origin is None else Path(found.origin).resolve().parents[2]
    )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Suppress what the package prints and logs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.disable(before)


ARM_LAYOUT = (
    Field("eef_position", 3, "absolute", "world", "m"),
    Field("eef_rotation", 3, "absolute", "world", "rad", "euler_xyz"),
    Field("gripper", 1, "absolute", "", "m", sign="positive opens"),
    Field("joint_position", 7, "absolute", "", "rad"),
    Field("gripper_command", 1, "command", unit="1", sign="positive opens"),
)
THINGS_LAYOUT = (
    Field("slider", 1, "absolute", "", "m"),
    Field("drawer", 1, "absolute", "", "m"),
    *(Field(name, 1, UNKNOWN, scale=None) for name in ("button", "switch", "lightbulb", "led")),
    *(
        field
        for colour in ("red", "blue", "pink")
        for field in (
            Field(f"{colour}_block_position", 3, "absolute", "world", "m"),
            Field(f"{colour}_block_rotation", 3, "absolute", "world", "rad", "euler_xyz"),
        )
    ),
)
# The package adds the numbers to its last target, of the Euler angles too: relative_to_absolute in
# calvin_env/robot/robot.py.
ACTION_LAYOUT = (
    Field("eef_position", 3, "target_delta", "world", "m", scale=0.02),
    Field("eef_rotation", 3, "target_delta", "world", "rad", "euler_xyz", scale=0.05),
    Field("gripper", 1, "command", unit="1", sign="positive opens"),
)


def _brief(sizes: dict[str, tuple[int, int]]) -> tuple[Brief, Box]:
    picture = {name: Box((*size, 3), "uint8", 0, 255, "px", "RGB") for name, size in sizes.items()}
    depth = {
        name: Box(size, "float32", 0, 100, "m", "along the optical axis")
        for name, size in sizes.items()
    }
    arm = (
        "the hand's position (m) and Euler angles (rad), the gripper's width (m), "
        "seven joints (rad), the gripper's command"
    )
    things = (
        "slider, drawer (m), button, switch, lightbulb, LED; "
        "red, blue, pink block: position (m) and Euler angles (rad) each"
    )
    action = Box(
        (7,),
        "float32",
        -1,
        1,
        "1",
        "the hand moves by x, y, z (1 is 0.02 m) and turns about x, y, z (1 is 0.05 rad), "
        "world frame; the gripper opens from 0 on, closes below",
        (0, 0, 0, 0, 0, 0, 1),
        ACTION_LAYOUT,
    )
    brief = Brief(
        observation={
            "image": picture["static"],
            "image_gripper": picture["gripper"],
            "depth": depth["static"],
            "depth_gripper": depth["gripper"],
            "proprio": Box((15,), "float32", unit="m, rad", meaning=arm, layout=ARM_LAYOUT),
            "state": Box(
                (39,),
                "float32",
                unit="m, rad",
                meaning=f"{arm}; {things}",
                layout=(*ARM_LAYOUT, *THINGS_LAYOUT),
            ),
        },
        action=action,
        embodiment="a Franka Panda arm with a gripper at a table with a drawer, a sliding door, "
        "a switch, a button and three blocks",
        simulator="CALVIN on PyBullet",
        control_hz=30.0,
    )
    return brief, action
