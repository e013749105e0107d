"""Simulators with rigid bodies: how they are set up, and those that wait to be used again.

A simulator is never destroyed, for the reasons that `world.py` gives; it waits in a pool of its
thread for the next world with the same camera.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from adapters.habitat.glb import write_atomically

__all__ = ["RATE", "Camera", "configuration", "navmesh_settings"]

RATE = 120.0
"""Substeps a second: habitat-lab's `ctrl_freq`."""
RADIUS, HEIGHT = 0.3, 1.5
"""Of the body for the navmesh, m: habitat-lab's Fetch."""
CELL = 0.05
"""m: the height of the navmesh's cells, and what the body climbs."""
FAR = 20.0
"""m: the far plane of the cameras."""
PHYSICS = {
    "physics_simulator": "bullet",
    "timestep": 1 / RATE,
    "gravity": [0, -9.8, 0],
    "friction_coefficient": 0.4,
    "restitution_coefficient": 0.1,
}
"""habitat's defaults, at habitat-lab's rate."""


@dataclasses.dataclass(frozen=True)
class Camera:
    """The head camera."""

    width_px: int
    height_px: int
    hfov: float
    """Horizontal field of view, degrees."""


def configuration(lib: Any, camera: Camera, scene: str, folder: Path) -> Any:
    """The configuration of a simulator with this scene; its physics' file goes into `folder`."""
    physics = folder / "bench.physics_config.json"
    write_atomically(physics, json.dumps(PHYSICS).encode())
    backend = lib.SimulatorConfiguration()
    backend.scene_id = scene
    backend.physics_config_file = str(physics)
    backend.gpu_device_id = 0 if lib.cuda_enabled else -1
    backend.enable_physics, backend.allow_sliding = True, True
    backend.load_semantic_mesh = False
    cameras = []
    for name, kind in (("image", lib.SensorType.COLOR), ("depth", lib.SensorType.DEPTH)):
        sensor = lib.CameraSensorSpec()
        sensor.uuid, sensor.sensor_type = name, kind
        sensor.sensor_subtype = lib.SensorSubType.PINHOLE
        sensor.resolution = [camera.height_px, camera.width_px]
        sensor.hfov, sensor.far = camera.hfov, FAR
        sensor.position = np.zeros(3, np.float32)
        cameras.append(sensor)
    agent = lib.AgentConfiguration(
        height=HEIGHT, radius=RADIUS, sensor_specifications=cameras, action_space={}
    )
    return lib.Configuration(backend, [agent])


def navmesh_settings(lib: Any) -> Any:
    """Where the base of a Fetch can stand: on the floor."""
    settings = lib.NavMeshSettings()
    settings.set_defaults()
    settings.agent_radius, settings.agent_height = RADIUS, HEIGHT
    settings.cell_height, settings.agent_max_climb = CELL, CELL
    return settings
