"""The simulator behind the adapter: one `habitat_sim.Simulator`, its navmesh, and a body that walks on it. y up, metres.

Traps (habitat-sim 0.3): without CUDA only `gpu_device_id=-1` works, 0 aborts the process; `Simulator.step` draws every camera; a simulator
takes seconds to make (it lights an environment map), wherever there is no GPU; the first one of a thread owns the GL context that the later
ones share, and destroying it, or any of them in another thread, ends the process. So they are never destroyed, but lent again.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ACTIONS", "Body", "World"]

ACTIONS = ("stop", "move_forward", "turn_left", "turn_right", "look_up", "look_down")
LOGS = {"HABITAT_SIM_LOG": "quiet", "MAGNUM_LOG": "quiet", "GLOG_minloglevel": "2"}

_lent = threading.local()
"""`idle`: of each thread, Body -> the simulators that nobody uses now, with what is loaded in them."""


@dataclasses.dataclass(frozen=True)
class Body:
    """The body and its camera: m, degrees, px."""

    height: float
    radius: float
    eye: float
    """The camera's height, m."""
    width_px: int
    height_px: int
    hfov: float
    forward: float
    """m a step."""
    turn: float
    """degrees a turn."""
    tilt: float
    """degrees that the camera tilts."""
    sliding: bool
    """Whether it slides along what it bumps into."""
    far: float
    """m: what lies farther is not drawn."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Body:
        """The task's params of the same names."""
        kinds = {"width_px": int, "height_px": int, "sliding": bool}
        return cls(
            **{
                field.name: kinds.get(field.name, float)(params[field.name])
                for field in dataclasses.fields(cls)
            }
        )


class World:
    """One scene at a time; the next one is loaded into the same simulator."""

    def __init__(self, body: Body) -> None:
        for name, value in LOGS.items():
            os.environ.setdefault(name, value)  # read when the library is loaded
        import habitat_sim

        self._lib, self._body, self._sim, self._scene = habitat_sim, body, None, None
        self._thread = threading.get_ident()
        self._follower: Any = None
        self._path: Any = None

    def load(self, scene: str, scene_dataset: str = "default") -> None:
        """Load a scene and compute the navmesh of this body on it. Raises RuntimeError where there is nothing to walk on."""
        if self._sim is None and _idle(self._body):
            self._sim, self._scene = _idle(self._body).pop()
        if (scene, scene_dataset) == self._scene:
            return
        config = self._configuration(scene, scene_dataset)
        self._scene = None
        if self._sim is None:
            self._sim = self._lib.Simulator(config)
            ctypes.pythonapi.Py_IncRef(
                ctypes.py_object(self._sim)
            )  # outlives this module too: see above
        else:
            self._sim.reconfigure(config)
        settings = self._lib.NavMeshSettings()
        settings.set_defaults()
        settings.agent_radius, settings.agent_height = self._body.radius, self._body.height
        finder = self._sim.pathfinder
        if not (
            finder.is_loaded and finder.nav_mesh_settings == settings
        ) and not self._sim.recompute_navmesh(finder, settings):
            raise RuntimeError(f"habitat-sim found nothing to walk on in {scene}")
        self._scene = (scene, scene_dataset)

    def place(self, position: Sequence[float], rotation: Sequence[float]) -> None:
        """Put the body at `position` (3,) m, turned by `rotation` (w, x, y, z), the camera level."""
        state = self._lib.AgentState()
        state.position = np.asarray(position, np.float32)
        state.rotation = np.asarray(
            [*rotation[1:], rotation[0]], np.float64
        )  # an array is taken as x, y, z, w
        self._sim.get_agent(0).set_state(state)

    def aim(self, ends: np.ndarray, near: float) -> None:
        """Begin to measure distances to the nearest of `ends` (n, 3), and ways that lead within `near` m of it."""
        self._path = self._lib.MultiGoalShortestPath()
        self._path.requested_ends = np.asarray(ends, np.float32)
        self._ends = ends
        self._follower = self._lib.GreedyGeodesicFollower(
            self._sim.pathfinder, self._sim.get_agent(0), goal_radius=near, stop_key="stop",
            forward_key="move_forward", left_key="turn_left", right_key="turn_right",
        )  # fmt: skip

    def distance(self) -> float:
        """The geodesic distance to the nearest end, m; infinite where there is no way."""
        self._path.requested_start = np.asarray(self.pose()[0], np.float32)
        self._sim.pathfinder.find_path(self._path)
        return float(self._path.geodesic_distance)

    def nearest_end(self) -> np.ndarray:
        """The end that `distance` measured to, (3,) m."""
        return np.asarray(self._ends[self._path.closest_end_point_index], np.float32)

    def towards(self, goal: np.ndarray) -> str | None:
        """The follower's next action to `goal`, "stop" there, None when it is stuck."""
        try:
            return str(self._follower.next_action_along(goal))
        except self._lib.errors.GreedyFollowerError:
            return None

    def act(self, action: str) -> bool:
        """Do one of ACTIONS but stop, without drawing; whether something was in the way."""
        return bool(self._sim.get_agent(0).act(action))

    def pose(self) -> tuple:
        """(position (3,) float64 m, rotation (w, x, y, z))."""
        node = self._sim.get_agent(0).scene_node
        at, turned = node.absolute_translation, node.rotation
        axis = turned.vector
        return np.array([at.x, at.y, at.z], np.float64), (turned.scalar, axis.x, axis.y, axis.z)

    def draw(self, camera: str) -> np.ndarray:
        """`image`: (H, W, 3) uint8 RGB; `depth`: (H, W) float32 m, 0 where nothing was hit."""
        sensor = self._sim._sensors[camera]
        sensor.draw_observation()
        seen = np.array(sensor.get_observation())
        return (
            np.ascontiguousarray(seen[..., :3])
            if camera == "image"
            else np.ascontiguousarray(seen, np.float32)
        )

    def snap(self, point: Sequence[float]) -> np.ndarray | None:
        """The nearest place on the navmesh (3,) m, or None."""
        snapped = np.array(
            self._sim.pathfinder.snap_point(np.asarray(point, np.float32)), np.float64
        )
        return snapped if np.isfinite(snapped).all() else None

    def room(self, point: Sequence[float]) -> float:
        """How far the edge of the navmesh is from `point` (3,), m, if less than a metre."""
        return float(
            self._sim.pathfinder.distance_to_closest_obstacle(np.asarray(point, np.float32), 1.0)
        )

    def way(self, start: Sequence[float], ends: np.ndarray) -> float:
        """The geodesic distance from `start` to the nearest of `ends` (n, 3), m; infinite where there is no way."""
        path = self._lib.MultiGoalShortestPath()
        path.requested_ends, path.requested_start = (
            np.asarray(ends, np.float32),
            np.asarray(start, np.float32),
        )
        self._sim.pathfinder.find_path(path)
        return float(path.geodesic_distance) if math.isfinite(path.geodesic_distance) else math.inf

    def close(self) -> None:
        """Give the simulator back, for the next world of the same body; not if its last scene failed to load."""
        if (
            self._sim is not None
            and self._scene is not None
            and threading.get_ident() == self._thread
        ):
            _idle(self._body).append((self._sim, self._scene))
        self._sim = self._scene = self._follower = self._path = None

    def _configuration(self, scene: str, scene_dataset: str) -> Any:
        lib, body = self._lib, self._body
        backend = lib.SimulatorConfiguration()
        backend.scene_id, backend.scene_dataset_config_file = scene, scene_dataset
        backend.gpu_device_id = 0 if lib.cuda_enabled else -1
        backend.allow_sliding, backend.enable_physics, backend.load_semantic_mesh = (
            body.sliding,
            False,
            False,
        )
        cameras = []
        for name, kind in (("image", lib.SensorType.COLOR), ("depth", lib.SensorType.DEPTH)):
            camera = lib.CameraSensorSpec()
            camera.uuid, camera.sensor_type, camera.sensor_subtype = (
                name,
                kind,
                lib.SensorSubType.PINHOLE,
            )
            camera.resolution, camera.hfov, camera.far = (
                [body.height_px, body.width_px],
                body.hfov,
                body.far,
            )
            camera.position = np.array([0.0, body.eye, 0.0], np.float32)
            cameras.append(camera)
        amounts = {
            "move_forward": body.forward,
            "turn_left": body.turn,
            "turn_right": body.turn,
            "look_up": body.tilt,
            "look_down": body.tilt,
        }
        actions = {
            name: lib.ActionSpec(name, lib.ActuationSpec(amount=amount))
            for name, amount in amounts.items()
        }
        agent = lib.AgentConfiguration(
            height=body.height,
            radius=body.radius,
            sensor_specifications=cameras,
            action_space=actions,
        )
        return lib.Configuration(backend, [agent])


def _idle(body: Body) -> list:
    """This thread's idle simulators of one body, each with its scene."""
    table = _lent.__dict__.setdefault("idle", {})
    return table.setdefault(body, [])
