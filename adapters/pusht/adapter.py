"""PushT: the adapter. See the class."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._params import levels
from adapters.pusht.expert import PushExpert
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Field,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UserError,
)

__all__ = ["PushTAdapter"]

HORIZON = 300
"""The package's limit of an episode in steps (`gym_pusht.register`), where a task has none."""
SIDE = 512.0
"""px of the plane."""
FRAME = 512
"""px of a frame for people."""
DIGITS = 9
"""Of coverages and rewards. Shapely computes an area from the same corners with another last bit
from time to time."""
INSTRUCTION = "Push the T-shaped block onto the T-shaped target."
"""The text of LeRobot's data set lerobot/pusht; the package has none."""
PLACE = Field("body_position", 2, "absolute", "world", "px")
ACTION = Box(
    (2,),
    low=0.0,
    high=SIDE,
    unit="px",
    meaning="where the disc's centre should go: x to the right, y down; it gets there within about "
    "half a second. No action does nothing: the disc's own place keeps it there",
    neutral=SIDE / 2,
    layout=(PLACE,),
)
FRICTION = SimulatorPerturbation(
    "friction",
    "the coefficient of friction of the disc and the walls against the T, which is 0 otherwise",
    levels("coefficient", 0.1, 0.2, 0.4, 0.7, 1.0),
)
TEXTURE = SimulatorPerturbation(
    "texture",
    "the colours of the disc, the T and the walls: their red, green and blue each multiplied by a "
    "random number from 1 - amount to 1",
    levels("amount", 0.1, 0.25, 0.5, 0.75, 1.0),
)
START = SimulatorPerturbation(
    "start",
    "the start: this many random actions are executed before the episode begins",
    levels("steps", 1, 2, 4, 7, 10),
)


class PushTAdapter(Adapter):
    """A disc pushes a T onto a target of its shape, on a plane without friction that stops it.

    `task.params`: `size`, px of `image`, which is square.
    Case.seed -> start: as the package's `reset(seed=...)`; the disc anywhere, the T anywhere near
    the middle and turned anyhow. Starts are alike for all tasks with one seed.

    Views, computed when read:
        image            uint8 (size, size, 3)  RGB from above: target green, T grey, disc blue
        proprio          float32 (2,)   px, the disc's centre
        state            float32 (5,)   privileged: disc x, y, T x, y (px), and the T's angle, 0 to
                                        2 pi rad: the package's observation `state`
        state_keypoints  float32 (16,)  px, privileged: the corners of the T's two rectangles, x, y
                                        each: the package's `environment_state`
    World frame: px of the plane of 512 by 512, x to the right, y down, from the top left corner;
    angles turn x towards y.

    Action: Box (2,), 0 to 512 px, where the disc should go; 10 of them per second.
    Success: more than 95 % of the target is covered by the T; ends the episode.
    Reward: the share of the target that is covered, over 0.95, at most 1.
    Metrics: `coverage` (now), `max_coverage` (after any step), and `max_reward`, the published
    score: the largest reward of any step.
    Expert: plans pushes in a copy of the simulator (expert.py). It knows nothing of perturbations.
    """

    packages: ClassVar[tuple[str, ...]] = (
        "gym-pusht", "pymunk", "pygame", "opencv-python", "shapely",
    )  # fmt: skip
    redraws: ClassVar[bool] = False
    guide: ClassVar[str] = "bench doctor --fix pusht"
    requirements: ClassVar[tuple[str, ...]] = (
        "gym-pusht==0.1.8", "pymunk==6.11.1", "pygame==2.6.1", "opencv-python==4.11.0.86",
        "shapely==2.2.0", "numpy<2",
    )  # fmt: skip
    pythons: ClassVar[tuple[str, ...]] = ("3.11", "3.12")
    privileged_views: ClassVar[tuple[str, ...]] = ("state", "state_keypoints")
    start_kind: ClassVar[str] = "continuous"

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return (FRICTION, TEXTURE, START)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def __init__(self, task: Task) -> None:
        size = task.params.get("size")
        if set(task.params) != {"size"} or type(size) is not int or not 1 <= size <= 2048:
            raise UserError(
                f"task {task.id}: the params of PushT are `size`, a whole number of px from 1 to "
                f"2048; got {dict(task.params)}"
            )
        # pygame greets on stdout when it is imported.
        with contextlib.redirect_stdout(io.StringIO()):
            from gym_pusht.envs.pusht import PushTEnv
        self._make: Callable[[], Any] = PushTEnv
        self._env: Any = PushTEnv()
        self._size, self._horizon = size, task.max_steps or HORIZON
        self._planner: PushExpert | None = None
        self._answer: np.ndarray | None = None
        self._gave_up = False
        self._steps, self._best = 0, 0.0
        self._views = MappingProxyType(
            {
                "image": self._image,
                "proprio": self._disc,
                "state": self._privileged,
                "state_keypoints": self._keypoints,
            }
        )
        self.brief = _brief(size)

    def reset(self, case: Case) -> TimeStep:
        self._env.reset(seed=case.seed)
        self._env._last_action = None  # which the package would go on drawing
        self._perturb(case)
        self._steps, self._best, self._gave_up, self._answer = 0, 0.0, False, None
        if self._planner is not None:
            self._planner.reset()
        return self._told(round(self._env._get_coverage(), DIGITS), 0.0, False)

    def _perturb(self, case: Case) -> None:
        space, tee, disc = self._env.space, self._env.block, self._env.agent
        friction = case.simulator_perturbation(FRICTION.name)
        if friction is not None:  # the engine multiplies the friction of two bodies
            for shape in space.shapes:
                shape.friction = 1.0 if shape.body is tee else friction["coefficient"]
        texture = case.simulator_perturbation(TEXTURE.name)
        if texture is not None:
            rng = case.rng("perturbation", TEXTURE.name)
            tints = 1.0 - texture["amount"] * rng.random((3, 3))
            for shape in space.shapes:
                tint = tints[0 if shape.body is tee else 1 if shape.body is disc else 2]
                red, green, blue, alpha = shape.color
                shape.color = (int(red * tint[0]), int(green * tint[1]), int(blue * tint[2]), alpha)
        start = case.simulator_perturbation(START.name)
        if start is not None:
            rng = case.rng("perturbation", START.name)
            for _ in range(start["steps"]):
                self._env.step(ACTION.sample(rng))

    def step(self, action: Any) -> TimeStep:
        action = ACTION.validate(action)
        _, reward, terminated, _, info = self._env.step(action)
        self._steps += 1
        coverage = round(float(info["coverage"]), DIGITS)
        self._best = max(self._best, coverage)
        return self._told(coverage, round(float(reward), DIGITS), bool(terminated))

    def _told(self, coverage: float, reward: float, success: bool) -> TimeStep:
        metrics = {
            "coverage": coverage,
            "max_coverage": self._best,
            "max_reward": round(min(self._best / self._env.success_threshold, 1.0), DIGITS),
        }
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(
            self._views,
            INSTRUCTION,
            reward,
            terminated=success,
            truncated=not success and self._steps >= self._horizon,
            success=success,
            metrics=metrics,
        )

    def render(self) -> np.ndarray:
        """The plane, uint8 (512, 512, 3), with a cross where the disc was sent."""
        frame: np.ndarray = self._env._get_img(self._env._draw(), FRAME, FRAME, render_action=True)
        return frame

    def expert(self, executed: Any) -> np.ndarray | None:
        if self._planner is None:
            self._planner = PushExpert(self._make())
        if self._answer is not None and not np.array_equal(executed, self._answer):
            self._planner.reset()  # another action was executed, so that its plan is void
        disc, tee = self._env.agent, self._env.block
        target = self._planner.act(
            np.array(disc.position), np.array(disc.velocity), (*tee.position, tee.angle)
        )
        if target is None:
            self._gave_up = True
            return None
        self._answer = np.clip(target, 0.0, SIDE, dtype=np.float32)
        return self._answer.copy()

    def state(self) -> bytes:
        disc, tee = self._env.agent, self._env.block
        values = (*disc.position, *disc.velocity, *tee.position, tee.angle)
        return np.array(values, np.float64).tobytes()

    def close(self) -> None:
        self._env.close()

    def _image(self) -> np.ndarray:
        image: np.ndarray = self._env._get_img(self._env._draw(), self._size, self._size)
        return image

    def _disc(self) -> np.ndarray:
        return np.array(self._env.agent.position, np.float32)

    def _privileged(self) -> np.ndarray:
        disc, tee = self._env.agent, self._env.block
        angle = tee.angle % (2 * math.pi)
        return np.array([*disc.position, *tee.position, angle], np.float32)

    def _keypoints(self) -> np.ndarray:
        points: np.ndarray = self._env.get_keypoints(self._env._block_shapes)
        return points.astype(np.float32).reshape(-1)


def _brief(size: int) -> Brief:
    return Brief(
        observation={
            "image": Box(
                (size, size, 3), "uint8", 0, 255, "px", "RGB of the whole plane, from above"
            ),
            "proprio": Box(
                (2,),
                unit="px",
                meaning="the disc's centre: x to the right, y down",
                layout=(PLACE,),
            ),
            "state": Box(
                (5,),
                meaning="the disc's x, y (px), the T's x, y (px) and its angle (rad), 0 to 2 pi, "
                "from x towards y; the target's is at (256, 256), turned by pi / 4",
                layout=(
                    PLACE,
                    Field("object_position", 2, "absolute", "world", "px"),
                    Field("object_rotation", 1, "absolute", "world", "rad"),
                ),
            ),
            "state_keypoints": Box(
                (16,),
                unit="px",
                meaning="x, y of the four corners of the T's bar, then of its stem",
                layout=(Field("object_keypoints", 16, "absolute", "world", "px"),),
            ),
        },
        action=ACTION,
        embodiment="a disc of 15 px radius on a plane of 512 px, which moves wherever it is sent "
        "and pushes what is in its way",
        simulator="gym-pusht on the two-dimensional engine Pymunk, steps of 0.01 s, ten an action",
        control_hz=10.0,
    )
