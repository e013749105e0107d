"""What the adapters of MuJoCo simulators share: drawing without MUJOCO_GL set at import, and warnings that go to the log.

A simulator's own renderer reads MUJOCO_GL when mujoco is imported, draws in its own size, and frees contexts in the wrong one.
"""

from __future__ import annotations

import atexit
import ctypes.util
import functools
import importlib
import logging
import os
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.core import Missing, UserError

__all__ = ["Canvas", "FreeCamera", "log_warnings", "no_images"]

log = logging.getLogger("bench")


def no_images() -> Missing | None:
    """Why nothing can be drawn on this machine, or None. Imports no simulator."""
    if any(ctypes.util.find_library(name) for name in ("EGL", "OSMesa")):
        return None
    return Missing(
        "no images: neither EGL nor OSMesa is installed", "apt-get install libegl1 libgl1-mesa-dri"
    )


def log_warnings() -> None:
    """Send MuJoCo's warnings to the log: by default they go to stdout and into a file MUJOCO_LOG.TXT."""
    import mujoco

    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(functools.partial(log.warning, "MuJoCo: %s"))


@dataclass(frozen=True)
class FreeCamera:
    """A camera that belongs to no model: it looks at `lookat` (m, world frame) from `distance` (m)."""

    lookat: tuple[float, float, float]
    distance: float
    azimuth: float
    """Degrees about the vertical: 0 looks along x, 90 along y."""
    elevation: float
    """Degrees above the horizon that it looks to: -90 is straight down, with the azimuth's direction up in the image."""

    def moved(self, by: np.ndarray) -> FreeCamera:
        """The same, moved by (3,) m, looking in the same direction."""
        x, y, z = (float(place + way) for place, way in zip(self.lookat, by))
        return replace(self, lookat=(x, y, z))


class Canvas:
    """An OpenGL context that draws one MuJoCo model in one size; drawing reads the simulation and changes nothing in it."""

    def __init__(self, model: Any, size: int, multisampling: int, shadows: bool) -> None:
        import mujoco

        model.vis.global_.offwidth = model.vis.global_.offheight = size
        model.vis.quality.offsamples = multisampling
        if not shadows:
            model.vis.quality.shadowsize = 0
        self._mujoco, self._model, self._size = mujoco, model, size
        self._gl = _gl_context(size)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._options = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        atexit.register(
            self.close
        )  # runs ahead of the display's own exit handler, after which freeing prints errors

    def draw(self, data: Any, camera: str | FreeCamera) -> np.ndarray:
        """(size, size, 3) uint8 RGB as `camera`, a name of the model's or a free one, sees it; row 0 is the top of its image."""
        mujoco, size = self._mujoco, self._size
        self._gl.make_current()
        self._aim(camera)
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._options,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        area = mujoco.MjrRect(0, 0, size, size)
        mujoco.mjr_render(area, self._scene, self._context)
        pixels = np.empty((size, size, 3), np.uint8)  # OpenGL's rows go from the bottom up
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return np.ascontiguousarray(pixels[::-1])

    def _aim(self, camera: str | FreeCamera) -> None:
        if isinstance(camera, str):
            self._camera.type = self._mujoco.mjtCamera.mjCAMERA_FIXED
            self._camera.fixedcamid = self._model.camera(camera).id
            return
        self._camera.type = self._mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.lookat[:] = camera.lookat
        self._camera.distance, self._camera.azimuth, self._camera.elevation = (
            camera.distance,
            camera.azimuth,
            camera.elevation,
        )

    def close(self) -> None:
        """Free all; while the context is current, or the names would be freed in another one's."""
        atexit.unregister(self.close)
        self._gl.make_current()
        self._context.free()
        self._gl.free()


def _gl_context(size: int) -> Any:
    """An offscreen context: MUJOCO_GL's where that is set, else EGL's, else OSMesa's. mujoco itself reads it only when imported."""
    name = (os.environ.get("MUJOCO_GL") or os.environ.get("PYOPENGL_PLATFORM") or "").lower()
    if not name and sys.platform == "linux":
        name = "egl" if ctypes.util.find_library("EGL") else "osmesa"
    try:
        module = importlib.import_module(
            f"mujoco.{name}" if name in ("egl", "osmesa") else "mujoco"
        )
        return module.GLContext(size, size)
    except Exception as fault:
        remedy = "install libegl1 and libgl1-mesa-dri, or libosmesa6 and set MUJOCO_GL=osmesa"
        raise UserError(
            f"MuJoCo cannot draw here ({name or 'OpenGL'}: {fault}); {remedy}"
        ) from fault
