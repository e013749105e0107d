"""calvin_env's table, made fit for several in one process.

Its robot calls pybullet in three places without naming the simulation (for the cylinder under the
arm, for the number of joints, and where the inverse kinematics reads them). pybullet then uses the
first simulation of the process, or fails once that is closed. Here the name `p` of those modules is
replaced by pybullet with the simulation filled in.
"""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["open_table"]


class _Addressed:
    """pybullet, with the simulation filled in for the calls that omit it."""

    def __init__(self, pybullet: Any, client: int) -> None:
        self._pybullet, self._client = pybullet, client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pybullet, name)
        if name in ("createVisualShape", "createMultiBody", "computeDofCount", "getJointStates"):
            return functools.partial(found, physicsClientId=self._client)
        return found


def open_table(config: Any, egl: bool) -> Any:
    """A PlayTableSimEnv of calvin_env's configuration, rendering by EGL or on the CPU.

    Its additional method `address()` must be called before each step.
    """
    import pybullet
    from calvin_env.envs.play_table_env import PlayTableSimEnv
    from calvin_env.robot import mixed_ik, robot

    class Table(PlayTableSimEnv):  # type: ignore[misc]
        def address(self) -> None:
            robot.p = mixed_ik.p = _Addressed(pybullet, self.cid)

        def load(self) -> None:
            self.address()
            super().load()

    env = config.env
    return Table(
        robot_cfg=config.robot,
        seed=env.seed,
        use_vr=False,
        bullet_time_step=env.bullet_time_step,
        cameras=config.cameras,
        show_gui=False,
        scene_cfg=config.scene,
        use_scene_info=True,
        use_egl=egl,
        control_freq=env.control_freq,
    )
