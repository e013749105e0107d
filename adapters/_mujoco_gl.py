"""What the adapters of MuJoCo simulators share: offscreen drawing, and warnings sent to the log.

A simulator's own renderer reads MUJOCO_GL when mujoco is imported, draws in a fixed size and frees
its contexts while another one is current. Here the context is chosen when the first image is drawn.
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

from adapters._gl_strings import renderer_strings
from harness.core import Missing, UserError

__all__ = [
    "Canvases", "FreeCamera", "gl_library", "log_warnings", "missing_gl", "mujoco_renderer",
    "seen_at",
]  # fmt: skip

log = logging.getLogger("bench")


def missing_gl() -> Missing | None:
    """Why nothing can be drawn on this machine, or None. Imports no simulator."""
    if any(ctypes.util.find_library(name) for name in ("EGL", "OSMesa")):
        return None
    return Missing(
        "no images: neither EGL nor OSMesa is installed", "apt-get install libegl1 libgl1-mesa-dri"
    )


def log_warnings() -> None:
    """Send MuJoCo's warnings to the log instead of stdout and a file MUJOCO_LOG.TXT."""
    import mujoco

    there = mujoco.get_mju_user_warning()
    # dm_control, which ALOHA needs, has a C function that sends them to a log of its own.
    if there is None or type(there).__module__ == "ctypes":
        mujoco.set_mju_user_warning(functools.partial(log.warning, "MuJoCo: %s"))


@dataclass(frozen=True)
class FreeCamera:
    """A camera that is not part of the model."""

    lookat: tuple[float, float, float]
    """The point that it looks at: x, y, z, m, world frame."""
    distance: float
    """From `lookat`, m."""
    azimuth: float
    """Degrees about the vertical: 0 looks along x, 90 along y."""
    elevation: float
    """Degrees above the horizon: -90 looks straight down, with the azimuth pointing up in the
    image."""

    def moved(self, by: np.ndarray) -> FreeCamera:
        """The camera translated by `by`, float (3,), m; its direction stays."""
        x, y, z = (float(place + way) for place, way in zip(self.lookat, by))
        return replace(self, lookat=(x, y, z))


class Canvases:
    """Draws one MuJoCo model offscreen, in any number of sizes.

    An OpenGL context is made for a size when its first image is drawn. Drawing reads the simulation
    and changes nothing in it.
    """

    def __init__(self, model: Any, multisampling: int, shadows: bool) -> None:
        """`multisampling` is the number of samples per pixel; 0 turns it off."""
        self._model, self._multisampling, self._shadows = model, multisampling, shadows
        self._of_size: dict[tuple[int, int], _Canvas] = {}

    def __len__(self) -> int:
        """The number of OpenGL contexts made so far."""
        return len(self._of_size)

    def draw(self, data: Any, camera: str | FreeCamera, size: int | tuple[int, int]) -> np.ndarray:
        """An image, uint8 (height, width, 3), RGB; row 0 is the top.

        `camera` is the name of a camera of the model, or a free camera; `size` the height and the
        width in px, or one number for both. Raises UserError where no OpenGL context can be made.
        """
        shape = size if isinstance(size, tuple) else (size, size)
        canvas = self._of_size.get(shape)
        if canvas is None:
            canvas = self._of_size[shape] = _Canvas(
                self._model, shape, self._multisampling, self._shadows
            )
        return canvas.draw(data, camera)

    def renderer_info(self) -> str:
        """What drew the images; empty before the first one."""
        return next((canvas.renderer_info() for canvas in self._of_size.values()), "")

    def close(self) -> None:
        """Free the OpenGL contexts."""
        for canvas in self._of_size.values():
            canvas.close()


class _Canvas:
    """An OpenGL context that draws one model in one size."""

    def __init__(
        self, model: Any, size: tuple[int, int], multisampling: int, shadows: bool
    ) -> None:
        import mujoco

        height, width = size
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.offsamples = multisampling
        if not shadows:
            model.vis.quality.shadowsize = 0
        self._mujoco, self._model, self._size = mujoco, model, size
        self._gl = _gl_context(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._options = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        # Exit handlers run in reverse order, so this one runs before the display's own; freeing
        # after that prints errors.
        atexit.register(self.close)

    def draw(self, data: Any, camera: str | FreeCamera) -> np.ndarray:
        mujoco, (height, width) = self._mujoco, self._size
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
        area = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(area, self._scene, self._context)
        pixels = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return np.ascontiguousarray(pixels[::-1])  # OpenGL's rows go from the bottom up

    def _aim(self, camera: str | FreeCamera) -> None:
        if isinstance(camera, str):
            self._camera.type = self._mujoco.mjtCamera.mjCAMERA_FIXED
            self._camera.fixedcamid = self._model.camera(camera).id
            return
        self._camera.type = self._mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.lookat[:] = camera.lookat
        self._camera.distance = camera.distance
        self._camera.azimuth, self._camera.elevation = camera.azimuth, camera.elevation

    def renderer_info(self) -> str:
        """The library that made the context, and what OpenGL says of it."""
        return mujoco_renderer(self._gl)

    def close(self) -> None:
        atexit.unregister(self.close)
        # OpenGL frees objects of the context that is current, whoever made them.
        self._gl.make_current()
        self._context.free()
        self._gl.free()


def seen_at(model: Any, data: Any, camera: str, place: np.ndarray) -> np.ndarray:
    """float64 (2,): where an image of a camera of the model shows a point, in parts of its sides.

    x from the left, y from the top, of a square image; outside of it they are below 0 or above 1.
    `place`: float (3,), m, world frame, in front of the camera. MuJoCo's cameras look along -z,
    with y up, and `cam_fovy` is the vertical field of view in degrees.
    """
    number = model.camera(camera).id
    across, up, back = (place - data.cam_xpos[number]) @ data.cam_xmat[number].reshape(3, 3)
    scale = 0.5 / np.tan(np.radians(model.cam_fovy[number]) / 2) / -back
    return np.array([0.5 + scale * across, 0.5 - scale * up])


def mujoco_renderer(context: Any) -> str:
    """The name of the library behind an OpenGL context of MuJoCo, and what OpenGL says of it.

    The context is the current one afterwards.
    """
    context.make_current()
    # MuJoCo requires PyOpenGL, which knows in which library the functions of this context are.
    strings = renderer_strings(importlib.import_module("OpenGL.GL").glGetString)
    library = type(context).__module__.rpartition(".")[2].removesuffix("_context")
    return ", ".join(filter(None, (library, strings)))


def gl_library() -> str:
    """What draws offscreen: the value of MUJOCO_GL, or the library that stands in its place.

    Empty where MuJoCo chooses itself.
    """
    name = (os.environ.get("MUJOCO_GL") or os.environ.get("PYOPENGL_PLATFORM") or "").lower()
    if not name and sys.platform == "linux":
        name = "egl" if ctypes.util.find_library("EGL") else "osmesa"
    return name


def _gl_context(width: int, height: int) -> Any:
    """An offscreen context: of MUJOCO_GL where that is set, else of EGL, else of OSMesa.

    mujoco itself reads the variable on import only. Raises UserError where there is none.
    """
    name = gl_library()
    try:
        module = importlib.import_module(
            f"mujoco.{name}" if name in ("egl", "osmesa") else "mujoco"
        )
        return module.GLContext(width, height)
    except Exception as fault:
        remedy = "install libegl1 and libgl1-mesa-dri, or libosmesa6 and set MUJOCO_GL=osmesa"
        raise UserError(
            f"MuJoCo cannot draw here ({name or 'OpenGL'}: {fault}); {remedy}"
        ) from fault
