"""SIMPLER's Bridge tasks, as ManiSkill 3 carries them: a WidowX arm before photographs of kitchens.

Sources: arXiv 2405.05941; `mani_skill/envs/tasks/digital_twins/bridge_dataset_eval` of ManiSkill
3.0.1; `simpler_env/real2sim_eval_maniskill3.py` of SIMPLER's code.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from adapters.maniskill import perturbations, simulation
from adapters.maniskill.adapter import ManiSkillAdapter
from harness.core import Case, Missing, SimulatorPerturbation, Skill, Task, TimeStep

__all__ = ["SimplerAdapter"]

FILES = {
    "bridge_v2_real2sim": "tasks/bridge_v2_real2sim_dataset",
    "widowx250s": "robots/widowx",
}
"""What the package calls its downloads -> where they lie in its folder of data."""
DRAWN = ("rgb", "depth", "segmentation")
FITTING = ("friction", "mass", "light", "texture")
"""Perturbations that make sense before a photograph: it does not move with the camera, and the
objects' places are part of the protocol."""


class SimplerAdapter(ManiSkillAdapter):
    """One of the four Bridge tasks of SIMPLER, on the CPU.

    `task.params`: those of ManiSkillAdapter; `instruction` is the package's.

    Episode k of the protocol is the k-th combination of the objects' places and turns, so
    `case.seed` is what the package calls `episode_id`. There are 24, of the eggplant 64; then they
    repeat. The scene is built again for every episode, as SIMPLER's own evaluation does.

    Views: those of ManiSkillAdapter, 480x640; in `image` everything but the arm and the objects is
    a photograph (green screen). `state` ends with the poses of what is carried and of where it
    belongs.
    Action: Box (7,): displacement (m) and turn (rad) of the hand's target, and the gripper.
    Reward: none. Success: the package's test of the state; SIMPLER counts it at the last step.
    Metrics: `success_at_end`; `grasped_once` (0 or 1), which SIMPLER calls partial success; and the
    measures of safety.py. There is no expert.
    """

    redraws: ClassVar[bool] = False

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, the software Vulkan driver, or the files that the wheel lacks."""
        return super().missing(task) or _files()

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        """True: the protocol has 24 starts and no others to train on."""
        return True

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return tuple(each for each in perturbations.PERTURBATIONS if each.name in FITTING)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """False: the package has no solution of them."""
        return False

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        """None, for the same reason."""
        return ()

    @classmethod
    def make(cls, task: Task) -> tuple[Any, int | None]:
        return simulation.make(task, 1, "physx_cpu", "cpu", environment(task.params["id"]))

    @classmethod
    def reset_options(cls, case: Case) -> dict[str, Any]:
        import torch

        return {**super().reset_options(case), "episode_id": torch.tensor([case.seed])}

    def step(self, action: Any) -> TimeStep:
        timestep = super().step(action)
        grasped = float(self._env.episode_stats["is_src_obj_grasped"][0])
        return TimeStep(
            timestep.observation,
            timestep.instruction,
            timestep.reward,
            timestep.terminated,
            timestep.truncated,
            timestep.success,
            {**timestep.metrics, "grasped_once": grasped},
        )


def folder() -> Path:
    """The package's folder of downloaded data, by its own rule."""
    return Path(os.environ.get("MS_ASSET_DIR", Path.home() / ".maniskill")) / "data"


def _files() -> Missing | None:
    lacking = list(_lacking())
    if not lacking:
        return None
    fetch = " && ".join(f"python -m mani_skill.utils.download_asset {name} -y" for name in lacking)
    return Missing(f"ManiSkill's downloads {' and '.join(lacking)} are not in {folder()}", fetch)


def _lacking() -> Iterator[str]:
    for name, place in FILES.items():
        if not (folder() / place).is_dir():
            yield name


@functools.cache
def environment(name: str) -> Any:
    """The class of a task, observed as the adapter observes all tasks.

    The package's class draws at every step, its only observation being pictures.
    """
    from mani_skill.envs.utils.observations import parse_obs_mode_to_struct
    from mani_skill.utils.registration import REGISTERED_ENVS

    shown = parse_obs_mode_to_struct("+".join(DRAWN))
    kind: Any = REGISTERED_ENVS[name].cls

    class SimplerEnv(kind):  # type: ignore[misc]
        SUPPORTED_OBS_MODES = ("state",)
        _obs_mode: Any
        obs_mode_struct: Any

        def __init__(self, **given: Any) -> None:
            # The package keeps both in its class, so that tasks would share a photograph.
            self._rgb_overlay_images: dict[str, Any] = {}
            self._objects_to_remove_from_greenscreen: list[Any] = []
            super().__init__(**given)

        def _get_obs_extra(self, info: dict[str, Any]) -> dict[str, Any]:
            return {
                "source_pose": self.objs[self.source_obj_name].pose.raw_pose,
                "target_pose": self.objs[self.target_obj_name].pose.raw_pose,
            }

        def _get_obs_sensor_data(self, apply_texture_transforms: bool = True) -> Any:
            # A photograph is laid over pictures of this mode alone.
            usual = self._obs_mode, self.obs_mode_struct
            self._obs_mode, self.obs_mode_struct = "+".join(DRAWN), shown
            try:
                return super()._get_obs_sensor_data(apply_texture_transforms)
            finally:
                self._obs_mode, self.obs_mode_struct = usual

    return SimplerEnv
