"""Perturbations that the simulator carries out, after LIBERO-Plus (arXiv 2510.13626).

LIBERO-Plus has 10,030 variants of the tasks in files and assets of its own. These draw what it
varies - the view, the start of the arm, the places of things, lights and backgrounds - from the
ranges that its files have, on LIBERO's assets, as severities of any task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adapters._mujoco_perturbations import PERTURBATIONS as SHARED
from adapters._mujoco_perturbations import ModelPerturbations
from adapters._params import levels
from adapters.libero import layout
from adapters.libero.world import World
from harness.core import Case, SimulatorPerturbation, UserError

__all__ = ["PERTURBATIONS", "Changes", "styles_of"]

CAMERA = SimulatorPerturbation(
    "camera",
    "the view from the front, changed in one of three ways, drawn: the camera goes round the "
    "vertical through the middle of the scene by `orbit` degrees to one side; or away from the "
    "point 0.8 m above it, `distance` times as far; or turns where it is, by `turn` degrees "
    "about the vertical and as many about y",
    tuple(
        {"orbit": orbit, "distance": distance, "turn": turn}
        for orbit, distance, turn in (
            (15.0, 1.2, 2.0), (30.0, 1.4, 4.0), (45.0, 1.6, 6.0), (60.0, 1.8, 8.0),
            (75.0, 1.96, 10.0),
        )
    ),
)  # fmt: skip
LIGHT = SimulatorPerturbation(
    "light",
    "the lights: their brightness multiplied by `factor`; their directions turned by `degrees` "
    "about one random axis; their red, green and blue each multiplied by a random number from "
    "1 - `tint` to 1",
    tuple(
        {"factor": factor, "degrees": degrees, "tint": tint}
        for factor, degrees, tint in (
            (0.8, 5.0, 0.1), (0.6, 10.0, 0.2), (0.4, 20.0, 0.3), (0.25, 30.0, 0.4),
            (0.1, 45.0, 0.5),
        )
    ),
)  # fmt: skip
START = SimulatorPerturbation(
    "start",
    "the start of the arm: its seven joints moved by this many rad in all (the length of the "
    "vector), in a random direction",
    levels("rad", 0.1, 0.2, 0.3, 0.4, 0.5),
)
BACKGROUND = SimulatorPerturbation(
    "background",
    "the pictures on the floor and on the walls: others of the package's, drawn",
    ({"surfaces": "floor and walls"},),
)
PERTURBATIONS = (
    *(each for each in SHARED if each.name != LIGHT.name),
    LIGHT, CAMERA, START, layout.PERTURBATION, BACKGROUND,
)  # fmt: skip

PIVOT = np.array([0.0, 0.0, 0.8])
"""m, world frame: LIBERO-Plus' point in `scale_distance_from_pivot`."""
FRONT = "agentview"
TRIES = 100
OURS = ("cam_quat", "light_dir")
"""What is changed here beside the arrays that ModelPerturbations restores."""


def styles_of(case: Case) -> Mapping[str, str] | None:
    """The textures of floor and walls by name; None: those of the scene."""
    if case.simulator_perturbation(BACKGROUND.name) is None:
        return None
    from libero.libero.envs.arenas.style import FLOOR_STYLE, WALL_STYLE

    rng = case.rng("perturbation", BACKGROUND.name)
    # These two are what most scenes have.
    floors = sorted(set(FLOOR_STYLE) - {"light-gray"})
    walls = sorted(set(WALL_STYLE) - {"light-gray-plaster"})
    return {
        "floor_style": floors[int(rng.integers(len(floors)))],
        "wall_style": walls[int(rng.integers(len(walls)))],
    }


class Changes:
    """Applies the perturbations of a case to one kept scene, and takes them back."""

    def __init__(self, world: World) -> None:
        """`world` is a scene that nothing has changed yet."""
        self._world = world
        self._model = world.sim.model._model
        self._shared = ModelPerturbations(self._model)
        self._original = {name: getattr(self._model, name).copy() for name in OURS}

    def restore(self) -> None:
        """Undo all changes of the model. Call it before every reset."""
        self._shared.restore()
        for name, values in self._original.items():
            getattr(self._model, name)[:] = values

    def move_arm(self, case: Case) -> None:
        """Move the arm to another start, right after the reset, before the idle steps.

        A direction is drawn until the arm touches nothing at any severity; so it does not depend on
        the severity. Raises UserError where there is none.
        """
        params = case.simulator_perturbation(START.name)
        if params is None:
            return
        world, robot = self._world, self._world.robot
        joints = np.array(robot._ref_joint_pos_indexes)
        first = world.sim.data.qpos[joints].copy()
        rng = case.rng("perturbation", START.name)
        for _ in range(TRIES):
            direction = rng.standard_normal(len(joints))
            direction /= np.linalg.norm(direction)
            for level in (*START.levels, params):
                world.sim.data.qpos[joints] = first + level["rad"] * direction
                world.sim.forward()
                if layout.touches(world.sim, robot):
                    break
            else:
                # The controller keeps the elbow near these joints.
                robot.controller.update_initial_joints(world.sim.data.qpos[joints].copy())
                world.refresh()
                return
        raise UserError("there is no other start: the arm would touch something everywhere")

    def apply(self, case: Case) -> None:
        """Change the scene where the idle steps left it, so that the start is that of the control.

        Raises UserError where there is nothing to change.
        """
        layout.move(self._world, case)
        self._shared.apply(case)
        params = case.simulator_perturbation(LIGHT.name)
        if params is not None:
            self._turn_lights(case, params)
        params = case.simulator_perturbation(CAMERA.name)
        if params is not None:
            self._move_camera(case, params)
        if case.perturbations:
            self._world.refresh()

    def _turn_lights(self, case: Case, params: Mapping[str, Any]) -> None:
        """What ModelPerturbations leaves to do of `light`: all but the brightness."""
        model, rng = self._model, case.rng("perturbation", LIGHT.name)
        axis = rng.standard_normal(3)
        turn = _about(axis / np.linalg.norm(axis), params["degrees"])
        for light in range(model.nlight):
            model.light_dir[light] = _turned(model.light_dir[light], turn)
        tint = 1.0 - params["tint"] * rng.random(3)
        head = model.vis.headlight
        for colours in (model.light_diffuse, model.light_ambient, model.light_specular):
            colours[:] *= tint
        for colour in (head.diffuse, head.ambient, head.specular):
            colour[:] *= tint

    def _move_camera(self, case: Case, params: Mapping[str, Any]) -> None:
        model = self._model
        camera = model.camera(FRONT).id
        rng = case.rng("perturbation", CAMERA.name)
        way, side, raised = int(rng.integers(3)), rng.choice((-1.0, 1.0), 2), rng.random() < 0.5
        place, turn = model.cam_pos[camera].copy(), model.cam_quat[camera].copy()
        if way == 0:
            around = _about((0.0, 0.0, 1.0), side[0] * params["orbit"])
            place, turn = _turned(place, around), _product(around, turn)
            if raised:  # LIBERO-Plus raises half of these by 15 degrees
                across = _about(_turned(np.array([0.0, 1.0, 0.0]), around), -15.0)
                place = PIVOT + _turned(place - PIVOT, across)
                turn = _product(across, turn)
        elif way == 1:
            place = PIVOT + params["distance"] * (place - PIVOT)
        else:
            turn = _product(_about((0.0, 0.0, 1.0), side[0] * params["turn"]), turn)
            turn = _product(_about((0.0, 1.0, 0.0), side[1] * params["turn"]), turn)
        model.cam_pos[camera], model.cam_quat[camera] = place, turn


def _about(axis: Any, degrees: float) -> np.ndarray:
    """The quaternion, w, x, y, z, of a turn about an axis of length 1."""
    half = np.radians(degrees) / 2
    return np.array([np.cos(half), *(np.sin(half) * np.asarray(axis))])


def _product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The quaternion of the turn `two` followed by the turn `one`."""
    w, v, u, t = one[0], one[1:], two[0], two[1:]
    return np.array([w * u - v @ t, *(w * t + u * v + np.cross(v, t))])


def _turned(point: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The point, float (3,), turned about the origin by a quaternion."""
    w, v = turn[0], turn[1:]
    found: np.ndarray = point + 2.0 * np.cross(v, np.cross(v, point) + w * point)
    return found
