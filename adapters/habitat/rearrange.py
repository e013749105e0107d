"""The rearrangement skills Pick and Place of habitat-lab, through its own API, on its own data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.habitat.adapter import GUIDE
from harness.core import Adapter, Box, Brief, Case, Missing, Task, TimeStep, UserError

__all__ = ["SKILLS", "HabitatRearrangeAdapter"]

SKILLS = {
    "pick": ("obj_start_sensor", "pick up the object"),
    "place": ("obj_goal_sensor", "place the object that you hold at its goal"),
}
"""skill -> (habitat-lab's sensor of where to, the instruction)."""
PROPRIO = ("joint", "is_holding", "relative_resting_position")
ROBOT, SUITE = Path("data/robots"), Path("data/datasets/replica_cad/rearrange/v2")


class HabitatRearrangeAdapter(Adapter):
    """A Fetch with a suction gripper picks an object in a ReplicaCAD home, or places it. `task.params`: `skill` (`pick` or `place`), `split`.

    Configuration, data, rules and success are habitat-lab's `benchmark/rearrange/skills/SKILL.yaml`; its data lies where habitat-lab wants
    it: in `data/` below the folder in which bench is started. pick: the right object is held, and the gripper is back within 0.15 m of its
    resting place; place: the object is let go within 0.15 m of its goal, and the gripper is back. Both end early, without success, when too
    much force was applied, and as the skill's reward says when a wrong object is picked or the object is dropped.

    Case.seed -> episode: the seed-th of the split, counting anew after the last; what the task itself draws comes from the case's stream.

    Views: image uint8 (H, W, 3) and depth float32 (H, W) m of the head; proprio float32: seven joints (rad), 1 if it holds something, where
    the gripper is from its resting place (m); state_target float32 (3,): where the object starts (pick) or goes (place), m, in the gripper's
    frame, as habitat-lab has it. Actions: Box (10,), habitat-lab's vector: seven joints, gripper (1 grasps, -1 lets go), base forward and turn.
    Reward: habitat-lab's. Metrics: those of its measures that are numbers.

    Raises UserError where the skill does not exist.
    """

    packages: ClassVar[tuple[str, ...]] = ("habitat-sim", "habitat-lab")
    guide: ClassVar[str] = GUIDE
    patience_s: ClassVar[float] = 300.0

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The simulator, habitat-lab, or its data."""
        absent = super().missing(task)
        if absent is None and task is not None:
            for path in (SUITE / str(task.params.get("split")), ROBOT):
                if not path.exists():
                    remedy = "python -m habitat_sim.utils.datasets_download --uids rearrange_task_assets --data-path data"
                    return Missing(f"there is no {path.absolute()}", remedy)
        return absent

    def __init__(self, task: Task) -> None:
        skill = task.params.get("skill")
        if skill not in SKILLS:
            raise UserError(
                f"task {task.id}: there is no skill {skill!r}; there are {', '.join(SKILLS)}"
            )
        import habitat
        import habitat_sim
        from habitat.gym import gym_wrapper

        self._gym, (self._sensor, self._instruction) = gym_wrapper, SKILLS[skill]
        self._config = habitat.get_config(
            f"benchmark/rearrange/skills/{skill}.yaml",
            overrides=[
                "habitat/simulator/sensor_setups@habitat.simulator.agents.main_agent=rgbd_head_agent",
                f"habitat.dataset.split={task.params['split']}",
                f"habitat.simulator.habitat_sim_v0.gpu_device_id={0 if habitat_sim.cuda_enabled else -1}",
                "habitat.environment.iterator_options.shuffle=False",
                "habitat.environment.max_episode_steps=0",  # the horizon is the task's
            ],
        ).habitat
        self._env: Any = habitat.Env(self._config)
        self._vector = self._gym.create_action_space(self._env.action_space)
        self.brief = self._describe()

    def reset(self, case: Case) -> TimeStep:
        """Start the seed-th episode."""
        env = self._env
        env.seed(case.simulator_seed)
        env.current_episode = env.episodes[case.seed % len(env.episodes)]
        return self._seen(env.reset(), 0.0)

    def step(self, action: Any) -> TimeStep:
        """Move the arm, the gripper and the base."""
        action = self.brief.action.validate(action)
        rule = self._config.task
        seen = self._env.step(
            self._gym.continuous_vector_action_to_hab_dict(
                self._env.action_space, self._vector, action
            )
        )
        measured = self._env.get_metrics()
        reward = rule.slack_reward + float(measured[rule.reward_measure])
        return self._seen(
            seen, reward + (rule.success_reward if measured[rule.success_measure] else 0.0)
        )

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB from the head."""
        return np.array(self._env.render("head_rgb"))[..., :3]

    def state(self) -> bytes:
        """The robot's joints and place, and where the objects are."""
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
        """Free the simulator."""
        self._env.close()

    def _seen(self, observation: Mapping[str, Any], reward: float) -> TimeStep:
        measured = self._env.get_metrics()
        camera = self._config.simulator.agents.main_agent.sim_sensors.head_depth_sensor
        near, far = (
            float(camera.min_depth),
            float(camera.max_depth),
        )  # habitat-lab gives depth as a share of this range
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

    def _describe(self) -> Brief:
        spaces = self._env.observation_space.spaces
        height, width = spaces["head_depth"].shape[:2]
        size = sum(int(np.prod(spaces[name].shape)) for name in PROPRIO)
        low, high = (
            tuple(float(bound) for bound in side) for side in (self._vector.low, self._vector.high)
        )
        return Brief(
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
                    meaning="joints (rad), 1 if it holds something, gripper from its resting place (m)",
                ),
                "state_target": Box(
                    (3,),
                    unit="m",
                    meaning="where the object starts, or goes, in the gripper's frame",
                ),
            },
            action=Box(
                (len(low),),
                low=low,
                high=high,
                meaning="joints of the arm, gripper (1 grasps, -1 lets go), base ahead, base turn",
            ),
            embodiment="a Fetch: an arm of seven joints with a suction gripper on a mobile base, and a camera in its head",
            simulator="Habitat with rigid bodies, in ReplicaCAD homes",
        )
