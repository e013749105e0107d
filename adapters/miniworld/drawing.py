"""Draws a MiniWorld environment on demand.

It fixes two traps of the package (2.1.0). The package draws at every step, which is nearly all of a
step's cost; here it draws when a view is read. And it keeps the walls in display list 1, which all
contexts of a process share, so that two environments both show the rooms of the one that was reset
last; here every environment has a separate list.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from adapters._gl_strings import renderer_strings
from adapters.miniworld import perturbations
from harness.core import Case

__all__ = ["Painter"]


class Painter:
    """Draws the images of one environment. Drawing changes only the state of OpenGL."""

    def __init__(self, env: Any) -> None:
        from miniworld import miniworld, opengl
        from pyglet import gl

        self._env, self._gl, self._module, self._opengl = env, gl, miniworld, opengl
        self._list = gl.glGenLists(1)
        self._recorded = False
        self._eye: perturbations.EyeOffset | None = None
        self._canvases = {(env.obs_fb.width, env.obs_fb.height): env.obs_fb}
        # The package calls render_obs at the end of every reset and step, and _render_static in a
        # reset, once the walls stand.
        env.render_obs = lambda: None
        env._render_static = self._forget
        env._render_world = self._draw_world

    def make_current(self) -> None:
        """Make the environment's OpenGL context the current one.

        Call it before a reset, which uploads textures into the current context.
        """
        self._env.shadow_window.switch_to()

    def perturb(self, case: Case) -> None:
        """Draw the world, which was just reset, as the case's perturbations say."""
        self._eye = perturbations.eye_offset(case)
        perturbations.apply(self._env, case, self._gl.glColor3f)

    def image(self, width: int, height: int) -> np.ndarray:
        """The view from the agent's eyes, uint8 (height, width, 3), RGB."""
        canvas = self._canvas(width, height)
        with self._moved_eye():
            image: np.ndarray = self._module.MiniWorldEnv.render_obs(self._env, canvas)
        return image

    def depth(self, width: int, height: int) -> np.ndarray:
        """Distances along the optical axis, float32 (height, width), m, 0.04 to 100."""
        canvas = self._canvas(width, height)
        with self._moved_eye():
            self._module.MiniWorldEnv.render_obs(self._env, canvas)
        depth: np.ndarray = canvas.get_depth_map(0.04, 100.0)[:, :, 0]
        return depth

    def top(self, width: int, height: int) -> np.ndarray:
        """The whole floor from above, uint8 (height, width, 3), RGB."""
        image: np.ndarray = self._env.render_top_view(self._canvas(width, height))
        return image

    def renderer_info(self) -> str:
        """What OpenGL says of the renderer."""
        self.make_current()
        get_string = self._gl.glGetString
        return renderer_strings(lambda name: ctypes.cast(get_string(name), ctypes.c_char_p).value)

    def close(self) -> None:
        """Free the display list, the frame buffers and the context.

        The package's own `close` leaves what is attached to the frame buffers.
        """
        gl = self._gl
        self.make_current()
        gl.glDeleteLists(self._list, 1)
        for canvas in (*self._canvases.values(), self._env.vis_fb):
            for buffer in (canvas.multi_fbo, canvas.final_fbo):
                self._free(buffer)
        self._env.shadow_window.close()

    @contextlib.contextmanager
    def _moved_eye(self) -> Iterator[None]:
        """Move the eye only while drawing: where a carried object hangs depends on it too."""
        if self._eye is None:
            yield
            return
        agent, by = self._env.agent, dataclasses.asdict(self._eye)
        before = {name: getattr(agent, name) for name in by}
        for name, value in by.items():
            setattr(agent, name, before[name] + value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(agent, name, value)

    def _free(self, buffer: Any) -> None:
        gl, value = self._gl, self._gl.GLint()
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, buffer)
        for slot, free in (
            (gl.GL_COLOR_ATTACHMENT0, gl.glDeleteTextures),
            (gl.GL_DEPTH_ATTACHMENT, gl.glDeleteRenderbuffers),
        ):
            what = gl.GL_FRAMEBUFFER_ATTACHMENT_OBJECT_NAME
            gl.glGetFramebufferAttachmentParameteriv(
                gl.GL_FRAMEBUFFER, slot, what, ctypes.byref(value)
            )
            free(1, ctypes.byref(gl.GLuint(value.value)))
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, 0)
        gl.glDeleteFramebuffers(1, ctypes.byref(buffer))

    def _canvas(self, width: int, height: int) -> Any:
        """The frame buffer of a size; makes this context current and records the walls."""
        self.make_current()
        if (width, height) not in self._canvases:
            # The package prints how many samples the driver has.
            with contextlib.redirect_stdout(None):
                self._canvases[width, height] = self._opengl.FrameBuffer(width, height, 8)
        if not self._recorded:
            self._record()
        return self._canvases[width, height]

    def _forget(self) -> None:
        self._recorded = False

    def _record(self) -> None:
        """Record the walls as the package does, but into this environment's list."""
        module, gl = self._module, self._gl
        module.glNewList = lambda _, mode: gl.glNewList(self._list, mode)
        module.glDeleteLists = lambda *_: None
        try:
            module.MiniWorldEnv._render_static(self._env)
        finally:
            module.glNewList, module.glDeleteLists = gl.glNewList, gl.glDeleteLists
        self._recorded = True

    def _draw_world(self, frame_buffer: Any, render_agent: bool) -> np.ndarray:
        """Stands in for MiniWorldEnv._render_world, which draws list 1."""
        self._gl.glCallList(self._list)
        for entity in self._env.entities:
            if not entity.is_static and entity is not self._env.agent:
                entity.render()
        if render_agent:
            self._env.agent.render()
        image: np.ndarray = frame_buffer.resolve()
        return image
