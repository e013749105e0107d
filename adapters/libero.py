"""LIBERO (arXiv 2306.03310): table-top tasks of a Panda arm on robosuite, fixed initial states.

Pitfalls of the package: without ~/.libero/config.yaml its import asks a question on the standard
input; an initial state holds joints alone, so the poses of fixtures are drawn from numpy's global
generator at every reset; its pictures have row 0 at the bottom.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import mujoco_renderer
from harness.core import Adapter, Box, Brief, Case, Field, Missing, Task, TimeStep, UserError
from harness.core.layout import UNKNOWN

__all__ = ["LiberoAdapter"]

CONFIG = "LIBERO_CONFIG_PATH"
IDLE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0)
PROPRIO = (
    ("robot0_joint_pos", 7),
    ("robot0_eef_pos", 3),
    ("robot0_eef_quat", 4),
    ("robot0_gripper_qpos", 2),
)
PROPRIO_LAYOUT = (
    Field("joint_position", 7, "absolute", "", "rad"),
    Field("eef_position", 3, "absolute", "world", "m"),
    Field("eef_rotation", 4, "absolute", "world", "1", "quaternion_xyzw"),
    Field("gripper", 2, "absolute", "", "m"),  # one finger moves up, the other down from zero
)
# robosuite 1.4.1's OSC_POSE: controllers/osc.py, and control_utils.py for the rotation.
ACTION_LAYOUT = (
    Field("eef_position", 3, "delta", "world", "m", scale=0.05),
    Field("eef_rotation", 3, "delta", "world", "rad", "axis_angle", scale=0.5),
    Field("gripper", 1, "command", unit="1", sign="positive closes"),
)
ROBOSUITE_STEPS = 1000
"""LIBERO's `horizon`: libero/libero/envs/env_wrapper.py."""
MEANT = "seven joints (rad), the hand's position (m) and quaternion x, y, z, w, the two fingers (m)"


class LiberoAdapter(Adapter):
    """One task of LIBERO.

    `params`: `suite` (`libero_spatial`, `libero_object`, `libero_goal`, `libero_10` or
    `libero_90`), `name`, the package's own, `settle`, the number of idle steps before the first
    turn, and `size`, the width and height of pictures in px.

    Case.seed -> initial state: number seed % n of the task's n (50); the fixtures are drawn with
    that number as seed.

    Views, rendered when read:
        image        uint8 (size, size, 3)  RGB, row 0 at the top, from the front
        image_wrist  uint8 (size, size, 3)  the same from the hand
        proprio      float32 (16,)          seven joints (rad), the hand's position (m) and
                                            quaternion (x, y, z, w), the two fingers (m)
        state        float32 (N,)           MuJoCo's flattened state: time (s), positions,
                                            velocities
    Action: Box (7,), -1 to 1: robosuite's OSC_POSE, by which the hand moves along x, y, z (1 is
    0.05 m) and turns about them (1 is 0.5 rad), and the gripper closes towards 1. 20 Hz. World
    frame: x away from the arm, y to its left, z up.

    Success, reward 1: the goal of the task's BDDL file holds. The instruction is the file's. No
    expert.

    Raises UserError on an unknown param value.
    """

    path_params: ClassVar[tuple[str, ...]] = ("suite", "name")
    packages: ClassVar[tuple[str, ...]] = ("robosuite", "mujoco")
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    guide: ClassVar[str] = (
        "git clone https://github.com/Lifelong-Robot-Learning/LIBERO; "
        "pip install robosuite==1.4.1 bddl easydict gym cloudpickle future torch; "
        "pip install --no-deps -e LIBERO --config-settings editable_mode=compat"
    )

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is not None:
            return absent
        home = _home()
        if home is None:
            return Missing("the package libero is not installed", cls.guide)
        for name in ("assets", "bddl_files", "init_files"):
            if not (home / name).is_dir():
                return Missing(f"libero lacks its {name} in {home}", cls.guide)
        return None

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        """Always: the initial states are fixed."""
        return True

    def __init__(self, task: Task) -> None:
        home = _home()
        suite, name = task.params.get("suite"), task.params.get("name")
        files = (
            [home / folder / str(suite) / f"{name}.{end}" for folder, end in FILES]
            if home is not None
            else []
        )
        if home is None or not all(file.is_file() for file in files):
            raise UserError(
                f"task {task.id}: libero has no task {name!r} in {suite!r}; "
                "see libero.libero.benchmark"
            )
        self._size, self._settle = int(task.params["size"]), int(task.params["settle"])
        self._starts = initial_states(files[1].read_bytes())
        # Beyond its own limit robosuite refuses to step.
        steps = self._settle + (task.max_steps or 0)
        longer = {"horizon": steps} if steps > ROBOSUITE_STEPS else {}
        with _configured(home), _quietly():
            from libero.libero.envs import OffScreenRenderEnv

            self._env: Any = OffScreenRenderEnv(
                bddl_file_name=str(files[0]),
                use_camera_obs=False,
                camera_heights=self._size,
                camera_widths=self._size,
                **longer,
            )
        self._words = str(self._env.language_instruction)
        self._views = {
            "image": lambda: self._draw("agentview"),
            "image_wrist": lambda: self._draw("robot0_eye_in_hand"),
            "proprio": lambda: self._proprio,
            "state": lambda: self._state.astype(np.float32),
        }
        self.brief, self._action = _brief(self._size, self._starts.shape[1])

    def reset(self, case: Case) -> TimeStep:
        index = case.seed % len(self._starts)
        with _quietly(), _numpy_seeded(index):
            self._env.reset()
            seen = self._env.set_init_state(self._starts[index])
            for _ in range(self._settle):
                seen = self._env.step(list(IDLE))[0]
        self._look(seen)
        return self._timestep(bool(self._env.check_success()))

    def step(self, action: Any) -> TimeStep:
        move = self._action.validate(action)
        self._look(self._env.step(move.astype(np.float64))[0])
        return self._timestep(bool(self._env.check_success()))

    def render(self) -> np.ndarray:
        return self._draw("agentview")

    def renderer_info(self) -> str:
        return mujoco_renderer(self._env.sim._render_context_offscreen.gl_ctx)

    def state(self) -> bytes:
        return self._state.tobytes()

    def close(self) -> None:
        self._env.close()

    def _look(self, seen: Any) -> None:
        parts = [np.asarray(seen[name], np.float32).reshape(size) for name, size in PROPRIO]
        self._proprio = np.concatenate(parts)
        self._state = np.asarray(self._env.get_sim_state(), np.float64)

    def _draw(self, camera: str) -> np.ndarray:
        picture = self._env.sim.render(camera_name=camera, width=self._size, height=self._size)
        return np.ascontiguousarray(picture[::-1], np.uint8)

    def _timestep(self, solved: bool) -> TimeStep:
        return TimeStep(self._views, self._words, float(solved), solved, False, solved)


FILES = (("bddl_files", "bddl"), ("init_files", "pruned_init"))


def initial_states(file: bytes) -> np.ndarray:
    """The array of a .pruned_init file, float64 (states, N).

    The file is a pickle in a zip archive, as torch.save writes it. Only arrays are unpickled,
    because an unrestricted pickle can run any code. Raises UserError on anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            found = _ArrayOnly(io.BytesIO(archive.read(name))).load()
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
    ) as fault:
        raise UserError(f"the initial states of a LIBERO task cannot be read: {fault}") from None
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or found.dtype.kind != "f"
        or not len(found)
    ):
        raise UserError("the initial states of a LIBERO task are no table of numbers")
    return found.astype(np.float64)


class _ArrayOnly(pickle.Unpickler):
    """Builds numpy arrays, and refuses every other global."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        ):
            return np.array([0]).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it is encoded as {encoding}")
    return text.encode("latin1")


def _home() -> Path | None:
    """The folder libero/libero of the installed package, found without importing it."""
    found = importlib.util.find_spec("libero")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        if (Path(place) / "libero").is_dir():
            return Path(place) / "libero"
    return None


@contextlib.contextmanager
def _configured(home: Path) -> Iterator[None]:
    """Let the package find its files without asking, if the user has no configuration of it, and
    robosuite render without a screen; restores the environment variables afterwards."""
    before = {name: os.environ.get(name) for name in (CONFIG, "MUJOCO_GL")}
    with tempfile.TemporaryDirectory() as folder:
        if not (Path(before[CONFIG] or "~/.libero").expanduser() / "config.yaml").is_file():
            names = {
                "bddl_files": "bddl_files",
                "init_states": "init_files",
                "datasets": "../datasets",
                "assets": "assets",
            }
            paths = {
                "benchmark_root": str(home),
                **{key: str(home / name) for key, name in names.items()},
            }
            (Path(folder) / "config.yaml").write_text(json.dumps(paths))  # JSON is YAML
            os.environ[CONFIG] = folder
        os.environ.setdefault("MUJOCO_GL", "egl")
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@contextlib.contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, from which robosuite draws; restore its state afterwards."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _brief(size: int, state: int) -> tuple[Brief, Box]:
    action = Box(
        (7,),
        "float32",
        -1,
        1,
        "1",
        "the hand moves by x, y, z (1 is 0.05 m) and turns about x, y, z (1 is 0.5 rad), "
        "world frame; the gripper closes towards 1, opens towards -1",
        IDLE,
        ACTION_LAYOUT,
    )
    brief = Brief(
        observation={
            "image": Box((size, size, 3), "uint8", 0, 255, "px", "RGB, from the front"),
            "image_wrist": Box((size, size, 3), "uint8", 0, 255, "px", "RGB, from the hand"),
            "proprio": Box((16,), "float32", unit="m, rad", meaning=MEANT, layout=PROPRIO_LAYOUT),
            "state": Box(
                (state,),
                "float32",
                meaning="time (s), positions, velocities: MuJoCo's flattened state",
                layout=(
                    Field("time", 1, "absolute", unit="s"),
                    Field("simulator_state", state - 1, UNKNOWN, scale=None),
                ),
            ),
        },
        action=action,
        embodiment="a Franka Panda arm with a gripper, at a table or a floor with household things",
        simulator="LIBERO on robosuite and MuJoCo",
        control_hz=20.0,
    )
    return brief, action
