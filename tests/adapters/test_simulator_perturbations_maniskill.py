"""ManiSkill's perturbations: physics, initial states, lights, cameras and textures."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from simulatorcases import make_case, step_digests, tasks

from baselines.simple import Uniform
from harness.core import Agent, Case, Missing, Perturbation, UserError
from harness.perturb import parse_conditions, resolve
from harness.records.registry import load

PHYSICS = ("friction", "mass")


@pytest.mark.slow
@pytest.mark.parametrize("perturbation", ["friction", "mass", "light", "camera", "texture"])
def test_a_perturbation_takes_effect_and_the_next_episode_is_clean(perturbation: str) -> None:
    task = tasks()["maniskill-planner/PushCube"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    if perturbation not in PHYSICS:
        clean, changed, again = (
            step_digests(adapter, each, "image", 1)
            for each in (make_case(task), make_case(task, perturbation), make_case(task))
        )
        assert changed != clean
        assert again == clean
        assert step_digests(adapter, make_case(task, perturbation), "state") == step_digests(
            adapter, make_case(task), "state"
        )
        adapter.close()
        return

    def mass_and_friction() -> tuple[float, float]:
        from sapien import physx

        body = (
            adapter._env.scene.actors["cube"]
            ._objs[0]
            .find_component_by_type(physx.PhysxRigidDynamicComponent)
        )
        return body.mass, body.collision_shapes[0].physical_material.static_friction

    adapter.reset(make_case(task))
    before = mass_and_friction()
    adapter.reset(make_case(task, perturbation))
    factor = {"friction": (1.0, 0.4), "mass": (3.0, 1.0)}[perturbation]
    assert mass_and_friction() == pytest.approx((before[0] * factor[0], before[1] * factor[1]))
    (condition,) = parse_conditions(f"{perturbation}=1.3", PHYSICS)
    parts = resolve(condition, task, kind, Uniform)
    assert not isinstance(parts, Missing)
    adapter.reset(Case(task, task.first_seed, parts))
    changed = [now / was for now, was in zip(mass_and_friction(), before)]
    assert max(changed) == pytest.approx(1.3)
    adapter.reset(make_case(task))
    assert mass_and_friction() == before
    adapter.close()


def starts_of(adapter: Any, played: Case) -> dict[str, np.ndarray]:
    """Actor -> where it starts: x, y, z (m) and a quaternion."""
    adapter.reset(played)
    return {
        name: actor.pose.raw_pose[0].numpy().copy()
        for name, actor in adapter._env.scene.actors.items()
    }


@pytest.mark.slow
def test_initial_state_moves_the_free_objects_and_nothing_else() -> None:
    task = tasks()["maniskill/StackPyramid"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    clean = starts_of(adapter, make_case(task))
    seen = adapter.reset(make_case(task)).observation["state"]()
    shifts, cubes = {}, {"cubeA", "cubeB", "cubeC"}
    for severity, metres, degrees in ((1, 0.005, 3.0), (5, 0.05, 30.0)):
        moved = starts_of(adapter, make_case(task, "initial_state", severity))
        assert {name for name in clean if not np.array_equal(moved[name], clean[name])} == cubes
        shifts[severity] = [(moved[name] - clean[name])[:3] / metres for name in sorted(cubes)]
        assert np.allclose(np.linalg.norm(shifts[severity], axis=1), 1.0, atol=1e-4)
        turns = [
            2 * np.degrees(np.arccos(min(1.0, abs(float(moved[name][3:] @ clean[name][3:])))))
            for name in cubes
        ]
        assert np.allclose(turns, degrees, atol=0.2)
        shifted = adapter.reset(make_case(task, "initial_state", severity)).observation["state"]()
        assert not np.array_equal(shifted, seen)
        assert np.array_equal(shifted[:9], seen[:9])  # the robot's joints
        assert np.array_equal(adapter._observed.numpy(), adapter._env.get_obs().numpy())
        before = {name: adapter._env.scene.actors[name].pose.p[0].numpy().copy() for name in cubes}
        for _ in range(5):
            adapter.step(adapter.brief.action.noop())
        assert all(
            np.abs(adapter._env.scene.actors[name].pose.p[0].numpy() - before[name]).max() < 1e-3
            for name in cubes
        )  # none of them falls
    assert np.allclose(shifts[1], shifts[5], atol=1e-3)
    assert all(np.allclose(shift, shifts[5][0], atol=1e-3) for shift in shifts[5])
    assert step_digests(adapter, make_case(task, "initial_state", 5), "state") == step_digests(
        adapter, make_case(task, "initial_state", 5), "state"
    )
    assert step_digests(
        adapter, Case(task, 0, (Perturbation("initial_state", 0),)), "state"
    ) == step_digests(adapter, make_case(task), "state")
    adapter.close()


@pytest.mark.slow
def test_initial_state_moves_no_goal_and_nothing_that_is_held() -> None:
    assembly, hand = (
        tasks()["maniskill/FMBAssembly1Easy"],
        tasks()["maniskill/RotateSingleObjectInHandLevel0"],
    )
    kind = load(assembly.adapter)
    if (missing := kind.missing(assembly)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(assembly)
    clean, moved = (
        starts_of(adapter, make_case(assembly)),
        starts_of(adapter, make_case(assembly, "initial_state", 5)),
    )
    assert {name for name in clean if not np.array_equal(moved[name], clean[name])} == {
        "green_bridge"
    }  # the other pieces are in the board
    adapter.close()
    adapter = kind(hand)
    with pytest.raises(UserError, match="no other start"):
        adapter.reset(make_case(hand, "initial_state", 1))
    adapter.close()


@pytest.mark.slow
@pytest.mark.parametrize("perturbation", ["initial_state", "texture"])
def test_the_expert_plans_from_the_perturbed_state(perturbation: str) -> None:
    task = tasks()["maniskill-planner/PickCube"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    seen, executed = adapter.reset(make_case(task, perturbation, 5)), None
    while not seen.success and (executed := adapter.expert(executed)) is not None:
        seen = adapter.step(executed)
    assert seen.success
    adapter.close()


def test_the_batched_adapter_offers_no_perturbations() -> None:
    task = tasks()["maniskill-gpu/PushCube"]
    batched, single = load(task.adapter), load("adapters.maniskill:ManiSkillAdapter")
    names = [perturbation.name for perturbation in single.simulator_perturbations()]
    for name in names:
        (condition,) = parse_conditions(f"{name}:3", names)
        answer = resolve(condition, task, batched, Agent)
        assert isinstance(answer, Missing)
        assert "no such thing here" in answer.reason


@pytest.mark.slow
def test_the_batched_adapter_refuses_a_perturbed_case() -> None:
    """It never plays such a case as if it were clean."""
    task = tasks()["maniskill-gpu/PushCube"]
    task = dataclasses.replace(
        task,
        params={**task.params, "lanes": 1, "sim_backend": "physx_cpu", "render_backend": "cpu"},
    )
    batched = load(task.adapter)
    if (missing := batched.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = batched(task, 1)
    with pytest.raises(UserError, match="the perturbation texture is not available"):
        adapter.reset({0: Case(task, 0, (Perturbation("texture", 3, {"amount": 0.5}),))})
    assert adapter.reset({0: Case(task, 0, (Perturbation("texture", 0),))})
    adapter.close()
