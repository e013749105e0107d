"""One `habitat_sim.Simulator`, its navmesh, and a body that moves on it. Metres, y up.

Pitfalls of habitat-sim 0.3: without CUDA only `gpu_device_id=-1` works, 0 aborts the process;
`Simulator.step` renders every camera; without a GPU, creating a simulator takes seconds (it lights
an environment map); the first simulator of a thread owns the GL context that later ones share, and
destroying that one, or any of them in another thread, ends the process. Therefore simulators are
never destroyed but reused.
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
from numpy.typing import ArrayLike

from adapters.habitat.idle import idle

__all__ = ["ACTIONS", "Body", "World"]

ACTIONS = ("stop", "move_forward", "turn_left", "turn_right", "look_up", "look_down")
LOGS = {"HABITAT_SIM_LOG": "quiet", "MAGNUM_LOG": "quiet", "GLOG_minloglevel": "2"}

Scene = tuple[str, str]
"""(scene, scene dataset)."""


@dataclasses.dataclass(frozen=True)
class Body:
    """The body, a cylinder, and its camera."""

    height: float
    """m."""
    radius: float
    """m."""
    eye: float
    """Height of the camera, m."""
    width_px: int
    height_px: int
    hfov: float
    """Horizontal field of view, degrees."""
    forward: float
    """Length of a step, m."""
    turn: float
    """Angle of a turn, degrees."""
    tilt: float
    """Angle by which the camera tilts per action, degrees."""
    sliding: bool
    """Whether it slides along obstacles."""
    far: float
    """Distance of the far plane of the camera, m."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Body:
        """The body that a task's params of the same names describe."""
        kinds = {"width_px": int, "height_px": int, "sliding": bool}
        return cls(
            **{
                field.name: kinds.get(field.name, float)(params[field.name])
                for field in dataclasses.fields(cls)
            }
        )


class World:
    """A simulator with one scene at a time. Use and close it in the thread that created it."""

    def __init__(self, body: Body) -> None:
        for name, value in LOGS.items():
            os.environ.setdefault(name, value)  # the library reads them when it is loaded
        import habitat_sim

        self._lib: Any = habitat_sim
        self._body = body
        self._sim: Any = None
        self._scene: Scene | None = None
        self._thread = threading.get_ident()
        self._follower: Any = None
        self._path: Any = None

    def load(self, scene: str, scene_dataset: str = "default") -> None:
        """Load a scene and compute this body's navmesh on it.

        Raises RuntimeError if there is nothing to walk on.
        """
        if self._sim is None and idle(self._body):
            self._sim, self._scene = idle(self._body).pop()
        if (scene, scene_dataset) == self._scene:
            return
        config = self._configuration(scene, scene_dataset)
        self._scene = None
        if self._sim is None:
            self._sim = self._lib.Simulator(config)
            # A reference that is never released keeps it alive until the process ends: see above.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._sim))
        else:
            self._sim.reconfigure(config)
        settings = self._lib.NavMeshSettings()
        settings.set_defaults()
        settings.agent_radius, settings.agent_height = self._body.radius, self._body.height
        finder = self._sim.pathfinder
        ready = finder.is_loaded and finder.nav_mesh_settings == settings
        if not ready and not self._sim.recompute_navmesh(finder, settings):
            raise RuntimeError(f"habitat-sim found nothing to walk on in {scene}")
        self._scene = (scene, scene_dataset)

    def place(self, position: ArrayLike, rotation: Sequence[float]) -> None:
        """Put the body at `position` (3,) in m with `rotation` (w, x, y, z) and a level camera."""
        state = self._lib.AgentState()
        state.position = np.asarray(position, np.float32)
        # habitat-sim takes an array as (x, y, z, w).
        state.rotation = np.asarray([*rotation[1:], rotation[0]], np.float64)
        self._sim.get_agent(0).set_state(state)

    def aim(self, ends: np.ndarray, near: float) -> None:
        """Set the goal: `distance` is to the nearest of `ends` (n, 3) in m, and `towards` stops
        within `near` m."""
        self._path = self._lib.MultiGoalShortestPath()
        self._path.requested_ends = np.asarray(ends, np.float32)
        self._ends = ends
        self._follower = self._lib.GreedyGeodesicFollower(
            self._sim.pathfinder, self._sim.get_agent(0), goal_radius=near, stop_key="stop",
            forward_key="move_forward", left_key="turn_left", right_key="turn_right",
        )  # fmt: skip

    def distance(self) -> float:
        """The geodesic distance from the body to the nearest end, m; infinite without a path."""
        self._path.requested_start = np.asarray(self.pose()[0], np.float32)
        self._sim.pathfinder.find_path(self._path)
        return float(self._path.geodesic_distance)

    def nearest_end(self) -> np.ndarray:
        """The end that the last `distance` was measured to, float32 (3,) in m."""
        return np.asarray(self._ends[self._path.closest_end_point_index], np.float32)

    def towards(self, goal: np.ndarray) -> str | None:
        """The follower's next action towards `goal` (3,); "stop" at the goal, None if stuck."""
        try:
            return str(self._follower.next_action_along(goal))
        except self._lib.errors.GreedyFollowerError:
            return None

    def act(self, action: str) -> bool:
        """Execute one of ACTIONS other than stop, without rendering; returns whether it
        collided."""
        return bool(self._sim.get_agent(0).act(action))

    def pose(self) -> tuple[np.ndarray, tuple[float, float, float, float]]:
        """(position, float64 (3,) in m, rotation (w, x, y, z))."""
        node = self._sim.get_agent(0).scene_node
        at, turned = node.absolute_translation, node.rotation
        axis = turned.vector
        return np.array([at.x, at.y, at.z], np.float64), (turned.scalar, axis.x, axis.y, axis.z)

    def draw(self, camera: str) -> np.ndarray:
        """Render `image`, (H, W, 3) uint8 RGB, or `depth`, (H, W) float32 in m, 0 where nothing was
        hit."""
        sensor = self._sim._sensors[camera]
        sensor.draw_observation()
        seen = np.array(sensor.get_observation())
        return (
            np.ascontiguousarray(seen[..., :3])
            if camera == "image"
            else np.ascontiguousarray(seen, np.float32)
        )

    def snap(self, point: ArrayLike) -> np.ndarray | None:
        """The point of the navmesh nearest to `point` (3,), float64 (3,) in m, or None."""
        snapped = np.array(
            self._sim.pathfinder.snap_point(np.asarray(point, np.float32)), np.float64
        )
        return snapped if np.isfinite(snapped).all() else None

    def room(self, point: ArrayLike) -> float:
        """The distance in m from `point` (3,) to the navmesh's edge, searched within a metre."""
        return float(
            self._sim.pathfinder.distance_to_closest_obstacle(np.asarray(point, np.float32), 1.0)
        )

    def way(self, start: ArrayLike, ends: ArrayLike) -> float:
        """The geodesic distance in m from `start` (3,) to the nearest of `ends` (n, 3); infinite
        without a path."""
        path = self._lib.MultiGoalShortestPath()
        path.requested_ends = np.asarray(ends, np.float32)
        path.requested_start = np.asarray(start, np.float32)
        self._sim.pathfinder.find_path(path)
        return float(path.geodesic_distance) if math.isfinite(path.geodesic_distance) else math.inf

    def close(self) -> None:
        """Return the simulator to the pool, for the next world with this body.

        It is dropped if its last scene failed to load, or in another thread than its own.
        """
        same_thread = threading.get_ident() == self._thread
        if self._sim is not None and self._scene is not None and same_thread:
            idle(self._body).append((self._sim, self._scene))
        self._sim = self._scene = self._follower = self._path = None

    def _configuration(self, scene: str, scene_dataset: str) -> Any:
        lib, body = self._lib, self._body
        backend = lib.SimulatorConfiguration()
        backend.scene_id, backend.scene_dataset_config_file = scene, scene_dataset
        backend.gpu_device_id = 0 if lib.cuda_enabled else -1
        backend.allow_sliding = body.sliding
        backend.enable_physics = backend.load_semantic_mesh = False
        cameras = []
        for name, kind in (("image", lib.SensorType.COLOR), ("depth", lib.SensorType.DEPTH)):
            camera = lib.CameraSensorSpec()
            camera.uuid, camera.sensor_type = name, kind
            camera.sensor_subtype = lib.SensorSubType.PINHOLE
            camera.resolution = [body.height_px, body.width_px]
            camera.hfov, camera.far = body.hfov, body.far
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
