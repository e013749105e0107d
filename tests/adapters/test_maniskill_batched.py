"""ManiSkill's batched adapter, which is for GPUs, with one lane on the CPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adapters.maniskill import ManiSkillAdapter, ManiSkillBatchedAdapter, needs
from harness.core import Agent, BadAction, Case, Task, TimeStep, UserError, batch_of
from harness.play.inference import LocalAgent, Watch
from harness.play.rollout import RolloutLoop
from harness.testing import check_adapter
from suites.maniskill import SUITES, task_of

pytest.importorskip("mani_skill")
if (lack := ManiSkillAdapter.missing()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def one_lane(task: Task) -> Task:
    """The task for the batched adapter with one lane on the CPU."""
    params = {**task.params, "lanes": 1, "sim_backend": "physx_cpu", "render_backend": "cpu"}
    adapter = "adapters.maniskill:ManiSkillBatchedAdapter"
    return dataclasses.replace(task, params=params, adapter=adapter)


@pytest.mark.skipif(needs.gpu() is None, reason="there is a GPU")
def test_the_gpu_suite_needs_a_gpu() -> None:
    assert "GPU" in ManiSkillBatchedAdapter.missing(SUITES[3].tasks[0]).reason


def test_the_contract_with_one_lane() -> None:
    check_adapter(
        one_lane(TASKS["maniskill/PickCube"]),
        steps=4,
        lanes=1,
        views=["state", "proprio", "image", "depth"],
        another_process=False,
    )


def test_it_plays_the_episode_of_the_single_adapter_and_keeps_tensors() -> None:
    import torch

    task = task_of("PickCube", "pick", 50, control_mode="pd_joint_target_delta_pos")
    case = Case(task, 2)
    single, batched = ManiSkillAdapter(task), ManiSkillBatchedAdapter(one_lane(task), 1)
    single.reset(case)
    batched.reset({0: case})
    for action in np.random.default_rng(0).uniform(-1, 1, (6, 8)).astype(np.float32):
        one, other = single.step(action), batched.step({0: action})[0]
        assert (one.reward, one.success, one.metrics) == (
            other.reward,
            other.success,
            other.metrics,
        )
        assert single.state() == batched.state(0)
    for name in ("state", "proprio", "image", "depth"):
        mine, theirs = view(other, name), view(other, f"gpu/{name}")
        assert isinstance(theirs, torch.Tensor)
        assert np.array_equal(mine, theirs.numpy())
        assert np.array_equal(mine, view(one, name))
    before, saved = batched._state(0), batched._save()
    batched.step({0: batched.brief.action.sample(np.random.default_rng(1))})
    assert np.abs(batched._state(0) - before).max() > 1e-3
    batched._see(batched._put_back(saved, [0]))
    assert np.allclose(batched._state(0), before, atol=1e-5)
    assert batched.step({}) == {}
    with pytest.raises(BadAction):
        batched.step({0: np.full(8, np.nan, np.float32)})
    single.close()
    batched.close()


def test_more_lanes_on_a_cpu_and_tasks_that_build_scenes_are_refused() -> None:
    with pytest.raises(UserError, match="--lanes 1"):
        ManiSkillBatchedAdapter(one_lane(TASKS["maniskill-planner/PickCube"]), 2)
    with pytest.raises(UserError, match="another scene"):
        ManiSkillBatchedAdapter(one_lane(TASKS["maniskill/PegInsertionSide"]), 1)


class Reads(Agent):
    """Pulls towards a posture; `view` is an array on the host or a tensor on the device."""

    def __init__(self, view: str) -> None:
        self.view = view

    def act(self, turns: Sequence[Any]) -> Any:
        batch = batch_of(turns, self.view)
        return (0.1 - batch[:, :8]) * 0.5


def test_an_agent_may_read_the_tensor_and_answer_with_one() -> None:
    told: dict[str, Any] = {}
    task = dataclasses.replace(one_lane(task_of("PickCube", "pick", 50)), max_steps=5)
    for view in ("state", "gpu/state"):
        watch, cases = Watch(), [(0, Case(task, 3))]

        class Source:
            def take(self, held: Sequence[str], cases: list[Any] = cases) -> Any:
                return cases.pop() if cases else None

        found: list[Any] = []
        agent = LocalAgent(Reads(view), watch, 60.0)
        options: dict[str, Any] = {"lanes": 1, "groups": 1, "watch": watch, "report": found.append}
        loop = RolloutLoop(agent, (view,), 1, **options)
        loop.turn(Source())
        while loop.busy():
            loop.turn(Source())
        loop.close()
        result = found[0].result
        assert (result.status, result.steps, result.error) == ("finished", 5, None)
        told[view] = result.digest, result.start, result.metrics
    assert told["state"] == told["gpu/state"]
