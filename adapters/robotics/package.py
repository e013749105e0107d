"""Making environments of the package `gymnasium_robotics` without its side effects."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import types
from collections.abc import Iterator
from typing import Any

from adapters._mujoco_gl import log_warnings
from harness.core import UserError

__all__ = ["make"]

log = logging.getLogger("bench")


def make(name: str, max_steps: int | None, **arguments: Any) -> Any:
    """The environment `name` of gymnasium_robotics with this horizon, its own if None. Raises UserError when there is none of that name."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):  # a notice about other tasks
        import gymnasium_robotics
    if said.getvalue():
        log.info("gymnasium_robotics: %s", said.getvalue().strip())
    import gymnasium

    gymnasium.register_envs(gymnasium_robotics)
    log_warnings()
    with _mazes_in_a_folder():
        try:
            return gymnasium.make(name, max_episode_steps=max_steps, disable_env_checker=True, **arguments)
        except gymnasium.error.Error as unknown:
            raise UserError(f"gymnasium_robotics makes no {name!r} ({unknown}); see https://robotics.farama.org") from unknown


@contextlib.contextmanager
def _mazes_in_a_folder() -> Iterator[None]:
    """The model of a maze is written to a file named after the time, beside the temporary folders, and left there: give it a folder of its own."""
    from gymnasium_robotics.envs.maze import maze_v4

    with tempfile.TemporaryDirectory() as folder:
        inside = types.SimpleNamespace(TemporaryDirectory=lambda: tempfile.TemporaryDirectory(dir=folder))
        before, maze_v4.tempfile = maze_v4.tempfile, inside
        try:
            yield
        finally:
            maze_v4.tempfile = before
