"""ManiSkill's motion-planning solutions as an expert that answers one step at a time.

A solution is a function that drives an environment from reset to end by itself. Here it runs in a
separate thread, strictly in turn with the episode: where it steps, it waits, and its action is the
expert's answer; where it plans, it reads the episode's real state. So it plans from what has really
happened, one waypoint at a time; between two waypoints it follows its planned path, whatever is
executed.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CONTROL_MODES", "SOLUTIONS", "Expert", "solution_of"]

log = logging.getLogger("bench")

SOLUTIONS = {
    "PickCube-v1": "panda:solvePickCube",
    "StackCube-v1": "panda:solveStackCube",
    "PegInsertionSide-v1": "panda:solvePegInsertionSide",
    "PlugCharger-v1": "panda:solvePlugCharger",
    "PlaceSphere-v1": "panda:solvePlaceSphere",
    "PushCube-v1": "panda:solvePushCube",
    "PullCube-v1": "panda:solvePullCube",
    "PullCubeTool-v1": "panda:solvePullCubeTool",
    "LiftPegUpright-v1": "panda:solveLiftPegUpright",
    "StackPyramid-v1": "panda:solveStackPyramid",
}
"""Task -> its solution.

The package's solution of DrawTriangle raises TypeError in 3.0.1; that of DrawSVG needs a further
package.
"""
CONTROL_MODES = ("pd_joint_pos",)
"""The solutions answer with joint positions."""


class _Abandoned(BaseException):
    """Raised into a solution whose episode is over.

    It is no Exception, so that the solution cannot swallow it.
    """


class Expert:
    """One episode's solution, and what that solution takes for its environment.

    As an environment it has `unwrapped`, `reset` and `step`.
    """

    def __init__(self, name: str, env: Any) -> None:
        """`name` is a key of SOLUTIONS; `env` is the unwrapped environment, just reset."""
        self.unwrapped = env
        self._name = name
        self._action: np.ndarray | None = None
        self._over = self._abandoned = False
        self._turn, self._answered = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._solve, name=f"expert {name}", daemon=True)

    def act(self) -> np.ndarray | None:
        """The next action, float32, not yet clipped.

        Once the solution is done it is the last action, for ever; None once it has given up.
        """
        if not self._over:
            if not self._thread.ident:
                self._thread.start()
            # The solutions print plans that fail, and the binding of mplib warns.
            with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._turn.release()
                self._answered.acquire()
        return self._action

    def close(self) -> None:
        """End the solution and its thread."""
        self._abandoned = True
        if self._thread.ident:
            self._turn.release()
            self._thread.join()

    def solution(self) -> Callable[..., Any]:
        """The function that drives the environment."""
        return solution_of(self._name)

    def _solve(self) -> None:
        self._turn.acquire()
        try:
            if not self._abandoned:
                solve = self.solution()
                if solve(self, seed=None, debug=False, vis=False) == -1:
                    self._action = None
        except _Abandoned:
            pass
        # The package's own loop over its solutions counts any exception as "no plan found".
        except Exception as fault:
            log.warning("ManiSkill's solution of %s gave up: %r", self._name, fault)
            self._action = None
        self._over = True
        self._answered.release()

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        """Called by the solution first; does nothing, since the episode has been reset already."""

    def step(self, action: Any) -> tuple[None, float, bool, bool, dict[str, Any]]:
        """Called by the solution: hand out the action and wait for the next turn."""
        self._action = np.asarray(action, np.float32)
        self.rest()
        return None, 0.0, False, False, {}

    def rest(self) -> None:
        """Called by the solution: wait for the next turn."""
        self._answered.release()
        self._turn.acquire()
        if self._abandoned:
            raise _Abandoned


def solution_of(name: str) -> Callable[..., Any]:
    """The package's solution of a task; `name` is a key of SOLUTIONS."""
    robot, _, function = SOLUTIONS[name].partition(":")
    module = importlib.import_module(f"mani_skill.examples.motionplanning.{robot}.solutions")
    found: Callable[..., Any] = getattr(module, function)
    return found
