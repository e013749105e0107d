"""One robosuite environment of a LIBERO task, kept from episode to episode.

Two things of the package must be seen to, or an episode depends on those before it. Each time that
it loads a model, it adds the samplers of drawers and doors to a list that it never empties, and
draws more numbers before it places the fixtures. And a gripper that is kept goes on from where the
last episode left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters._mujoco_gl import mujoco_renderer
from adapters.libero.installation import Installation, configured, numpy_seeded, quietly
from adapters.libero.spaces import PROPRIO

__all__ = ["World"]

DRAWN = (
    "geom_xpos", "geom_xmat", "site_xpos", "site_xmat", "cam_xpos", "cam_xmat", "light_xpos",
    "light_xdir",
)  # fmt: skip
"""The arrays of mjData from which MuJoCo draws a scene of rigid bodies."""


class World:
    """A simulated scene with the arm, its success test and its cameras.

    A soft reset keeps the compiled model and the OpenGL context. It gives the states that loading
    the model anew would give (tests/adapters/test_libero_sim.py), in a hundredth of the time.
    """

    def __init__(
        self, installation: Installation, task: Path, size: int, styles: Mapping[str, str] | None
    ) -> None:
        """`task` is a BDDL file, `size` the width and height of pictures in px.

        `styles`: names of the package's textures of `floor_style` and `wall_style`; None: those of
        the scene.
        """
        self.styles = styles
        self._size = size
        scene = {} if styles is None else {"scene_properties": dict(styles)}
        with configured(installation), quietly(), numpy_seeded(0):
            from libero.libero.envs.env_wrapper import ControlEnv

            self._env: Any = ControlEnv(
                bddl_file_name=str(task),
                use_camera_obs=False,
                has_offscreen_renderer=False,
                hard_reset=False,
                ignore_done=True,  # else it refuses to step beyond 1,000 steps
                **scene,
            )
            self._poses: dict[str, np.ndarray] = {}
            self._note_poses()
        self._observed: Mapping[str, Any] = {}

    def _note_poses(self) -> None:
        """Have the poses of everything that is drawn noted whenever robosuite observes.

        It observes 2 ms before the end of an action. What is drawn later, when somebody looks, must
        be of that moment: the picture that robosuite itself would have drawn then.
        """
        from robosuite.utils.observables import Observable, sensor

        def note(cache: Any) -> float:
            data = self._env.sim.data
            self._poses = {name: np.array(getattr(data, name)) for name in DRAWN}
            return 0.0

        poses = sensor(modality="poses")(note)
        self.inner.add_observable(
            Observable("poses", poses, sampling_rate=self.inner.control_freq, active=False)
        )

    @property
    def instruction(self) -> str:
        """The text of the BDDL file."""
        return str(self._env.language_instruction)

    @property
    def robot(self) -> Any:
        """robosuite's robot."""
        return self._env.robots[0]

    @property
    def inner(self) -> Any:
        """LIBERO's own environment: the objects of the scene by name."""
        return self._env.env

    @property
    def sim(self) -> Any:
        """robosuite's simulation, which is the same for the life of this object."""
        return self._env.sim

    def reset(self, start: np.ndarray, seed: int) -> None:
        """Begin from an initial state, float64 (N,); `seed` places the fixtures."""
        self.place(seed)
        self._observed = self._env.set_init_state(start)

    def place(self, seed: int) -> None:
        """Have robosuite place fixtures and things by the regions of the BDDL file, with a seed."""
        with quietly(), numpy_seeded(seed):
            self._env.reset()
        for robot in self._env.robots:
            robot.gripper.current_action = np.zeros(robot.gripper.dof)

    def things(self) -> np.ndarray:
        """Where the things that can be moved are, float64 (things, 3), m, in the world frame."""
        bodies = [self.inner.obj_body_id[name] for name in sorted(self.inner.objects_dict)]
        return np.array(self._env.sim.data.body_xpos[bodies], np.float64)

    def step(self, action: np.ndarray) -> None:
        """Execute an action, float64 (7,)."""
        self._observed = self._env.step(action)[0]

    def refresh(self) -> None:
        """Observe again, after the state was changed from outside."""
        self._observed = self._env.regenerate_obs_from_state(self._env.get_sim_state())

    def solved(self) -> bool:
        """Whether the goal of the BDDL file holds."""
        return bool(self._env.check_success())

    def knows(self, atom: Sequence[str]) -> bool:
        """Whether the scene has all that a fact of a BDDL file speaks of."""
        return set(atom[1:]) <= set(self.inner.object_states_dict)

    def holds(self, atom: Sequence[str]) -> bool:
        """Whether a fact holds, by the package's own predicates: ("on", "bowl_1", "plate_1")."""
        return bool(self.inner._eval_predicate(list(atom)))

    def proprio(self) -> np.ndarray:
        """float32 (16,), as robosuite's observables have it."""
        parts = [np.asarray(self._observed[name], np.float32).reshape(n) for name, n in PROPRIO]
        return np.concatenate(parts)

    def state(self) -> np.ndarray:
        """MuJoCo's flattened state, float64 (N,)."""
        return np.asarray(self._env.get_sim_state(), np.float64)

    def draw(self, camera: str) -> np.ndarray:
        """A picture, uint8 (size, size, 3), RGB, row 0 at the top.

        The OpenGL context, as robosuite makes it, is made when the first picture is drawn.
        """
        sim = self._env.sim
        if sim._render_context_offscreen is None:
            from robosuite.utils.binding_utils import MjRenderContextOffscreen

            # It calls forward(), from which the solver would start the next step elsewhere: the
            # first picture would change the last digits of what follows.
            sim.forward = lambda: None
            try:
                context = MjRenderContextOffscreen(sim, device_id=-1)
            finally:
                del sim.forward
            context.vopt.geomgroup[0] = 0  # the geometry of collisions
            context.vopt.geomgroup[1] = 1
        data = sim.data
        now = {name: np.array(getattr(data, name)) for name in DRAWN}
        # robosuite draws with whichever context is current: that of another lane.
        sim._render_context_offscreen.gl_ctx.make_current()
        try:
            for name, poses in self._poses.items():
                getattr(data, name)[:] = poses
            picture = sim.render(camera_name=camera, width=self._size, height=self._size)
        finally:
            for name, poses in now.items():
                getattr(data, name)[:] = poses
        return np.ascontiguousarray(picture[::-1], np.uint8)

    def renderer_info(self) -> str:
        """What draws the pictures; empty before the first one."""
        context = self._env.sim._render_context_offscreen
        return "" if context is None else mujoco_renderer(context.gl_ctx)

    def close(self) -> None:
        """Free the simulation and its OpenGL context."""
        self._env.close()
