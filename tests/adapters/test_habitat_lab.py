"""habitat-lab's own Pick and Place on stand-ins for its Env, whose data is not free to ship."""

from __future__ import annotations

import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from adapters.habitat import HabitatRearrangeAdapter
from harness.core import Case, UserError
from suites.habitat import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}


class Lab:
    """A stand-in for habitat-lab 0.3's Env with skills/pick.yaml, whose data is not free to ship.

    Depth is a share of its range; there are three joints; told to grasp, it succeeds.
    """

    def __init__(self, config: object) -> None:
        space = SimpleNamespace
        shapes = {
            "head_rgb": (4, 6, 3),
            "head_depth": (4, 6, 1),
            "joint": (3,),
            "is_holding": (1,),
            "relative_resting_position": (3,),
        }
        self.observation_space = space(
            spaces={name: space(shape=shape) for name, shape in shapes.items()}
        )
        self.action_space = "the spaces"
        self.episodes = ["episode 0", "episode 1"]
        self.seeds: list[int] = []
        self.held, self.episode_over = False, False

    def seed(self, seed: int) -> None:
        self.seeds.append(seed)

    def reset(self) -> dict:
        self.held = self.episode_over = False
        return self.seen()

    def step(self, action: dict) -> dict:
        self.held = bool(action["vector"][-1] > 0)
        self.episode_over = bool(action["vector"][0] == -1)
        return self.seen()

    def seen(self) -> dict:
        return {
            "head_rgb": np.full((4, 6, 3), 7, np.uint8),
            "head_depth": np.full((4, 6, 1), 0.5, np.float32),
            "joint": np.arange(3, dtype=np.float32),
            "is_holding": np.array([self.held], np.float32),
            "relative_resting_position": np.zeros(3, np.float32),
            "obj_start_sensor": np.array([1.0, 2.0, 3.0], np.float32),
        }

    def get_metrics(self) -> dict:
        return {
            "pick_success": self.held,
            "pick_reward": 0.25,
            "robot_force": {"accum": 3.0},
            "num_steps": 4,
            "broken": math.nan,
        }

    def close(self) -> None:
        self.episodes = []


def pretend(monkeypatch: pytest.MonkeyPatch, environment: type, skill: str = "pick") -> list:
    """Let habitat-lab be a stand-in; returns what its configuration will be asked for."""
    space = SimpleNamespace
    rule = space(
        slack_reward=-0.005,
        success_reward=10.0,
        reward_measure=f"{skill}_reward",
        success_measure=f"{skill}_success",
    )
    cameras = space(head_depth_sensor=space(min_depth=0.0, max_depth=10.0))
    config = space(task=rule, simulator=space(agents=space(main_agent=space(sim_sensors=cameras))))
    asked: list = []

    def get_config(name: str, overrides: list) -> object:
        asked.extend([name, *overrides])
        return space(habitat=config)

    wrapper = ModuleType("habitat.gym.gym_wrapper")
    wrapper.create_action_space = lambda spaces: space(
        low=np.array([-1.0, -2.0]), high=np.array([1.0, 2.0])
    )
    wrapper.continuous_vector_action_to_hab_dict = lambda spaces, box, vector: {"vector": vector}
    lab, gym, simulator = (
        ModuleType("habitat"),
        ModuleType("habitat.gym"),
        ModuleType("habitat_sim"),
    )
    lab.get_config, lab.Env, gym.gym_wrapper, simulator.cuda_enabled = (
        get_config,
        environment,
        wrapper,
        False,
    )
    for module in (lab, gym, wrapper, simulator):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


def test_pick_translates_to_and_from_habitat_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, Lab)
    task = TASKS["habitat-rearrange/pick"]
    adapter = HabitatRearrangeAdapter(task)
    assert asked[0] == "benchmark/rearrange/skills/pick.yaml"
    assert "habitat.simulator.habitat_sim_v0.gpu_device_id=-1" in asked
    first = adapter.reset(Case(task, 3))
    lab_env = adapter._env
    assert (lab_env.current_episode, lab_env.seeds) == ("episode 1", [Case(task, 3).simulator_seed])
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(first.observation[name]) is None, name
    assert (first.observation["depth"] == 5.0).all(), "in metres"
    assert first.observation["state_target"].tolist() == [1.0, 2.0, 3.0]
    assert (first.success, first.terminated) == (False, False)
    grasped = adapter.step(np.array([0.0, 2.0], np.float32))
    assert (grasped.success, grasped.terminated, grasped.reward) == (
        True,
        False,
        pytest.approx(0.25 - 0.005 + 10.0),
    )
    assert grasped.metrics == {"pick_success": 1.0, "pick_reward": 0.25, "num_steps": 4.0}
    failed = adapter.step(np.array([-1.0, -2.0], np.float32))
    assert (failed.success, failed.terminated) == (False, True)
    adapter.close()


class HandLab(Lab):
    """habitat-lab's Env with what its stages are read from, and a script of what comes to pass.

    Object 1 is meant, and has the id 42. A step: (the id in the gripper, metres from the gripper to
    the object, whether that is at its goal, success).
    """

    start = (None, 0.9, False, False)
    script: tuple[tuple[int | None, float, bool, bool], ...] = ()
    skill = "pick"

    def __init__(self, config: object) -> None:
        super().__init__(config)
        self.episodes = [SimpleNamespace(scene_id="data/scenes/v3_sc1_staging_00.scene.json")]
        self.sim = SimpleNamespace(scene_obj_ids=[41, 42], grasp_mgr=SimpleNamespace(snap_idx=None))
        self.task = SimpleNamespace(targ_idx=0, abs_targ_idx=1)

    def reset(self) -> dict:
        self.rest, self.now = list(self.script), self.start
        self.sim.grasp_mgr.snap_idx = self.now[0]
        return self.seen()

    def step(self, action: dict) -> dict:
        self.now = self.rest.pop(0)
        self.sim.grasp_mgr.snap_idx = self.now[0]
        return self.seen()

    def seen(self) -> dict:
        return {**super().seen(), "obj_goal_sensor": np.ones(3, np.float32)}

    def get_metrics(self) -> dict:
        _, apart, at_goal, success = self.now
        measured = {"ee_to_object_distance": {"0": apart}, "obj_at_goal": {"0": at_goal}}
        known = {"pick": "ee_to_object_distance", "place": "obj_at_goal"}[self.skill]
        return {
            f"{self.skill}_success": success, f"{self.skill}_reward": 0.0,
            known: measured[known],
        }  # fmt: skip


FAR, NEAR_IT, HELD, OTHER = (
    (None, 0.5, False, False), (None, 0.1, False, False), (42, 0.0, False, False),
    (41, 0.3, False, False),
)  # fmt: skip
OVER, LET_GO, ELSEWHERE = (42, 0.0, True, False), (None, 0.1, True, False), NEAR_IT


@pytest.mark.parametrize(
    ("skill", "script", "reached", "modes"),
    [
        ("pick", (FAR, NEAR_IT, HELD, (42, 0.0, False, True)), [0, 0, 1, 2, 2], ()),
        ("pick", (NEAR_IT, OTHER), [0, 1, 1], ("wrong_object",)),
        ("pick", (NEAR_IT, HELD, FAR), [0, 1, 2, 2], ("dropped",)),
        ("pick", (FAR, FAR), [0, 0, 0], ()),
        ("place", (HELD, OVER, LET_GO, (None, 0.1, True, True)), [0, 0, 1, 2, 2], ()),
        ("place", (HELD, ELSEWHERE), [0, 0, 0], ("dropped",)),
        ("place", (OVER, OVER), [0, 1, 1], ()),
        ("place", (OVER, LET_GO, LET_GO), [0, 1, 2, 2], ()),
    ],
)
def test_stages_of_habitat_labs_own_pick_and_place(
    skill: str,
    script: tuple,
    reached: list[int],
    modes: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = HELD if skill == "place" else FAR
    lab = type("ScriptedLab", (HandLab,), {"script": script, "skill": skill, "start": start})
    pretend(monkeypatch, lab, skill)
    task = TASKS[f"habitat-rearrange/{skill}"]
    adapter = HabitatRearrangeAdapter(task)
    for _ in range(2):
        adapter.reset(Case(task, 0))
        found = [adapter.stage()]
        for _ in script:
            adapter.step(np.array([0.0, 2.0], np.float32))
            found.append(adapter.stage())
        assert found == reached
        assert adapter.failure_mode() == modes
    assert len(HabitatRearrangeAdapter.stages(task)) == 3, "the last one is the success itself"
    assert set(modes) <= set(HabitatRearrangeAdapter.failure_modes(task))
    assert adapter.factors(Case(task, 0)) == {"scene": "scene v3_sc1_staging_00.scene.json"}


def test_another_configuration_of_habitat_lab_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, HandLab)
    task = TASKS["habitat-rearrange/pick"]
    adapter = HabitatRearrangeAdapter(task)
    adapter.reset(Case(task, 0))
    monkeypatch.setattr(adapter._env, "get_metrics", dict)
    with pytest.raises(UserError, match="measures no ee_to_object_distance"):
        adapter.stage()
