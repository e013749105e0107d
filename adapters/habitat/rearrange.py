"""The rearrangement skills Pick and Place of habitat-lab, through its own API, on its own data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np

from adapters._gl_strings import current_renderer
from adapters._reached import Reached
from adapters.habitat import stages
from adapters.habitat.adapter import GUIDE
from adapters.habitat.skill_rules import Seen
from harness.core import Adapter, Box, Brief, Case, Field, Missing, Task, TimeStep, UserError
from harness.core.layout import UNKNOWN

__all__ = ["SKILLS", "HabitatRearrangeAdapter"]

SKILLS = {
    "pick": ("obj_start_sensor", "pick up the object"),
    "place": ("obj_goal_sensor", "place the object that you hold at its goal"),
}
"""Skill -> (habitat-lab's sensor of the target position, the instruction)."""
PROPRIO = ("joint", "is_holding", "relative_resting_position")
# habitat-lab's ArmRelPosAction offsets the targets of the motors; how far, its configuration says.
ACTION_LAYOUT = (
    Field("joint_position", 7, "target_delta", "", "rad", scale=None),
    Field("gripper", 1, "command", unit="1", sign="positive closes"),
    Field("base_forward", 1, "velocity", "body", scale=None),
    Field("base_turn", 1, "velocity", "body", scale=None),
)
PROPRIO_LAYOUT = (
    Field("joint_position", 7, "absolute", "", "rad"),
    Field("is_holding", 1, "flag", unit="1"),
    Field("eef_position_from_rest", 3, "absolute", UNKNOWN, "m"),
)
TARGET_LAYOUT = (Field("target_position", 3, "absolute", "eef", "m"),)
ROBOT, SUITE = Path("data/robots"), Path("data/datasets/replica_cad/rearrange/v2")


class HabitatRearrangeAdapter(Adapter):
    """A Fetch with a suction gripper picks an object in a ReplicaCAD home, or places it.

    `task.params`: `skill` (`pick` or `place`) and `split`. Configuration, data, rules and success
    are those of habitat-lab's `benchmark/rearrange/skills/SKILL.yaml`; the data lie where
    habitat-lab looks for them, in `data/` below the folder in which bench is started. Success of
    pick: the right object is held, and the gripper is back within 0.15 m of its resting position;
    of place: the object was released within 0.15 m of its goal, and the gripper is back. An episode
    ends early without success when too much force was applied and, where the skill's configuration
    says so, when a wrong object is picked or the object is dropped.

    Case.seed -> episode: number seed % n of the split's n; what the task draws comes from the
    case's stream.

    Views:
        image         uint8 (H, W, 3)  RGB from the head, row 0 at the top
        depth         float32 (H, W)   m along the optical axis of `image`
        proprio       float32 (N,)     seven joints (rad), 1 if something is held, the gripper's
                                       position relative to its resting position (m)
        state_target  float32 (3,)     m, in the gripper's frame, as in habitat-lab: where the
                                       object starts (pick) or goes (place)
    Action: Box (10,), habitat-lab's vector: seven joints, gripper (1 grasps, -1 releases), base
    forward and turn. Reward: habitat-lab's. Metrics: its numeric measures.

    Raises UserError on an unknown skill.
    """

    code_params: ClassVar[tuple[str, ...]] = ("split",)
    path_params: ClassVar[tuple[str, ...]] = ("split",)
    packages: ClassVar[tuple[str, ...]] = ("habitat-sim", "habitat-lab")
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state_target",)
    guide: ClassVar[str] = GUIDE
    patience_s: ClassVar[float] = 300.0

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is None and task is not None:
            for path in (SUITE / str(task.params.get("split")), ROBOT):
                if not path.exists():
                    remedy = (
                        "python -m habitat_sim.utils.datasets_download "
                        "--uids rearrange_task_assets --data-path data"
                    )
                    return Missing(f"there is no {path.absolute()}", remedy)
        return absent

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return stages.SKILLS.get(str(task.params.get("skill")), ())

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return stages.LAB_MODES.get(str(task.params.get("skill")), ())

    def __init__(self, task: Task) -> None:
        skill = task.params.get("skill")
        if skill not in SKILLS:
            raise UserError(
                f"task {task.id}: there is no skill {skill!r}; there are {', '.join(SKILLS)}"
            )
        import habitat
        import habitat_sim
        from habitat.gym import gym_wrapper

        self._skill, self._carried, self._reached = str(skill), False, Reached()
        self._gym, (self._sensor, self._instruction) = gym_wrapper, SKILLS[skill]
        device = 0 if habitat_sim.cuda_enabled else -1  # without CUDA, 0 aborts the process
        self._config = habitat.get_config(
            f"benchmark/rearrange/skills/{skill}.yaml",
            overrides=[
                "habitat/simulator/sensor_setups@habitat.simulator.agents.main_agent="
                "rgbd_head_agent",
                f"habitat.dataset.split={task.params['split']}",
                f"habitat.simulator.habitat_sim_v0.gpu_device_id={device}",
                "habitat.environment.iterator_options.shuffle=False",
                "habitat.environment.max_episode_steps=0",  # the horizon is the task's
            ],
        ).habitat
        self._env: Any = habitat.Env(self._config)
        self._vector = self._gym.create_action_space(self._env.action_space)
        self.brief, self._action = self._describe()

    def reset(self, case: Case) -> TimeStep:
        env = self._env
        env.seed(case.simulator_seed)
        env.current_episode = env.episodes[case.seed % len(env.episodes)]
        self._carried, self._reached = False, Reached()
        return self._timestep(env.reset(), 0.0)

    def step(self, action: Any) -> TimeStep:
        move = self._action.validate(action)
        rule = self._config.task
        seen = self._env.step(
            self._gym.continuous_vector_action_to_hab_dict(
                self._env.action_space, self._vector, move
            )
        )
        measured = self._env.get_metrics()
        # As habitat-lab's RLTaskEnv, which is not used here, computes it.
        reward = rule.slack_reward + float(measured[rule.reward_measure])
        return self._timestep(
            seen, reward + (rule.success_reward if measured[rule.success_measure] else 0.0)
        )

    def render(self) -> np.ndarray:
        return np.array(self._env.render("head_rgb"))[..., :3]

    def renderer_info(self) -> str:
        return f"OpenGL, {current_renderer()}"

    def stage(self) -> int:
        seen, wanted = self._seen(), stages.lab_target(self._env)
        self._carried = self._carried or seen.held == wanted
        return self._reached.note(*stages.with_the_skill(self._skill, seen, wanted))

    def failure_mode(self) -> tuple[str, ...]:
        wanted = stages.lab_target(self._env)
        return stages.lab_failed(self._skill, self._seen(), wanted, self._carried)

    def _seen(self) -> Seen:
        return stages.lab_seen(self._env, self._skill, self._env.get_metrics())

    def factors(self, case: Case) -> dict[str, str]:
        """The home; the instruction names no object."""
        return {"scene": f"scene {PurePath(self._env.current_episode.scene_id).name}"}

    def state(self) -> bytes:
        sim = self._env.sim
        robot = sim.articulated_agent
        places = [
            sim.get_rigid_object_manager().get_object_by_id(number).translation
            for number in sim.scene_obj_ids
        ]
        return np.array(
            [*robot.sim_obj.joint_positions, *robot.base_pos, robot.base_rot, *np.ravel(places)],
            np.float64,
        ).tobytes()

    def close(self) -> None:
        self._env.close()

    def _timestep(self, observation: Mapping[str, Any], reward: float) -> TimeStep:
        measured = self._env.get_metrics()
        camera = self._config.simulator.agents.main_agent.sim_sensors.head_depth_sensor
        # habitat-lab gives depth as a fraction of this range.
        near, far = float(camera.min_depth), float(camera.max_depth)
        views = {
            "image": np.array(observation["head_rgb"], np.uint8)[..., :3],
            "depth": np.array(observation["head_depth"][..., 0] * (far - near) + near, np.float32),
            "proprio": np.concatenate([np.ravel(observation[name]) for name in PROPRIO]).astype(
                np.float32
            ),
            "state_target": np.ravel(observation[self._sensor])[:3].astype(np.float32),
        }
        numbers = {
            name: float(value)
            for name, value in measured.items()
            if isinstance(value, (bool, int, float, np.number))
        }
        return TimeStep(
            views,
            self._instruction,
            float(reward),
            bool(self._env.episode_over),
            False,
            bool(measured[self._config.task.success_measure]),
            {name: value for name, value in numbers.items() if math.isfinite(value)},
        )

    def _describe(self) -> tuple[Brief, Box]:
        spaces = self._env.observation_space.spaces
        height, width = spaces["head_depth"].shape[:2]
        size = sum(int(np.prod(spaces[name].shape)) for name in PROPRIO)
        low, high = (
            tuple(float(bound) for bound in side) for side in (self._vector.low, self._vector.high)
        )
        action = Box(
            (len(low),),
            low=low,
            high=high,
            meaning="joints of the arm, gripper (1 grasps, -1 lets go), base ahead, base turn",
            layout=_if_it_fits(ACTION_LAYOUT, len(low)),
        )
        brief = Brief(
            observation={
                "image": Box((height, width, 3), "uint8", 0, 255, "px", "RGB from the head"),
                "depth": Box(
                    (height, width),
                    low=0.0,
                    unit="m",
                    meaning="distance along the optical axis of `image`",
                ),
                "proprio": Box(
                    (size,),
                    unit="rad, m",
                    meaning="joints (rad), 1 if it holds something, "
                    "gripper from its resting place (m)",
                    layout=_if_it_fits(PROPRIO_LAYOUT, size),
                ),
                "state_target": Box(
                    (3,),
                    unit="m",
                    meaning="where the object starts, or goes, in the gripper's frame",
                    layout=TARGET_LAYOUT,
                ),
            },
            action=action,
            embodiment="a Fetch: an arm of seven joints with a suction gripper on a mobile base, "
            "and a camera in its head",
            simulator="Habitat with rigid bodies, in ReplicaCAD homes",
        )
        return brief, action


def _if_it_fits(layout: tuple[Field, ...], size: int) -> tuple[Field, ...]:
    """The layout, or none: another version of habitat-lab may have other elements."""
    return layout if sum(field.size for field in layout) == size else ()
