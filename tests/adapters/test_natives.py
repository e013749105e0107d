"""What simulators perturb themselves: it takes effect, it is the same again, and the next episode knows nothing of it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any

import numpy as np
import pytest

import suites
from harness.core import Case, Perturbation, Task, UserError
from harness.perturb import REGISTRY
from harness.records.catalogue import find_suites
from harness.records.registry import load


@functools.lru_cache(maxsize=1)
def tasks() -> dict[str, Task]:
    return {
        task.name: task
        for name in suites.SUITES
        for task in find_suites(name, suites.SUITES)[0].tasks
    }


def case(task: Task, name: str = "", severity: int = 3) -> Case:
    if not name:
        return Case(task, task.first_seed)
    perturbation = next(
        perturbation
        for perturbation in load(task.adapter).simulator_perturbations(task)
        if perturbation.name == name
    )
    return Case(
        task,
        task.first_seed,
        (Perturbation(name, severity, perturbation.levels[severity - 1]),),
    )


def trail(adapter: Any, played: Case, view: str, steps: int = 6) -> list[str]:
    """Digests of the state and of a view, step by step, under actions drawn from a fixed stream."""
    rng, seen = np.random.default_rng(0), adapter.reset(played)
    found = []
    for _ in range(steps):
        value = seen.observation[view]
        value = value() if callable(value) else value
        found.append(
            hashlib.md5(
                adapter.state()
                + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
            ).hexdigest()
        )
        seen = adapter.step(adapter.brief.action.sample(rng))
        if seen.terminated or seen.truncated:
            break
    return found


FAMILIES = [
    ("babyai/GoToRedBall", "size", "grid"),
    ("babyai/GoToRedBall", "distractors", "image_partial"),
    ("atari/pong", "mode", "state"),
    ("atari/pong", "difficulty", "state"),
    ("fetch/push", "friction", "state"),
    ("fetch/push", "mass", "state"),
    ("fetch/push", "camera", "image"),
    ("fetch/push", "camera", "image_external"),
    ("pointmaze/umaze", "camera", "image"),
    ("metaworld/drawer-open-v3", "start", "state"),
    ("metaworld/drawer-open-v3", "light", "image"),
    ("metaworld/drawer-open-v3", "texture", "image"),
    ("metaworld/drawer-open-v3", "camera", "image"),
    ("miniwob/click-button", "font", "image"),
    ("miniworld/FourRooms", "light", "image"),
    ("miniworld/FourRooms", "camera", "depth"),
    ("miniworld/FourRooms", "texture", "image"),
    ("vizdoom/defend_the_line", "difficulty", "state"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "perturbation", "view"),
    FAMILIES,
    ids=[f"{name}-{perturbation}" for name, perturbation, _ in FAMILIES],
)
def test_it_takes_effect_and_is_forgotten(name: str, perturbation: str, view: str) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (
        missing := kind.missing(task)
        or (kind.limited() if view.startswith(("image", "depth")) else None)
    ) is not None:
        pytest.skip(missing.reason)
    severity, steps = (
        (1, 40)
        if perturbation in ("mode", "difficulty")
        else (5, 3)
        if view.startswith(("image", "depth"))
        else (5, 60)
    )
    adapter = kind(task)
    clean = trail(adapter, case(task), view, steps)
    changed = trail(adapter, case(task, perturbation, severity), view, steps)
    assert changed != clean
    assert trail(adapter, case(task), view, steps) == clean
    assert trail(adapter, case(task, perturbation, severity), view, steps) == changed
    assert (
        trail(
            adapter,
            Case(task, task.first_seed, (Perturbation(perturbation, 0),)),
            view,
            steps,
        )
        == clean
    )
    adapter.close()


@pytest.mark.parametrize(
    ("name", "perturbation"),
    [("minigrid/FourRooms", "distractors"), ("atari/pong", "mode"), ("pointmaze/umaze", "mass")],
)
def test_what_has_none_says_so(name: str, perturbation: str) -> None:
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    with pytest.raises(UserError, match=r"no |other"):
        adapter.reset(case(task, perturbation, 5))
    adapter.reset(case(task))
    adapter.close()


def test_names_and_severities() -> None:
    import adapters

    for entry in adapters.ADAPTERS.values():
        for perturbation in load(entry).simulator_perturbations():
            assert perturbation.name not in REGISTRY, (
                "that name means a perturbation of the harness, which would be taken for it"
            )
            assert 1 <= len(perturbation.levels) <= 5
            assert len({tuple(level) for level in perturbation.levels}) == 1
            json.dumps(perturbation.levels, allow_nan=False)


def shown(adapter: Any, played: Case, view: str) -> np.ndarray:
    """A view of the first observation."""
    value = adapter.reset(played).observation[view]()
    return np.asarray(value, np.float64)


@pytest.mark.parametrize(
    ("name", "perturbation"),
    [("fetch/push", "camera"), ("pointmaze/umaze", "camera")]
    + [("miniworld/FourRooms", perturbation) for perturbation in ("light", "camera", "texture")],
)
def test_what_only_the_picture_shows_leaves_the_world_as_it_was(
    name: str, perturbation: str
) -> None:
    """The same walk, step by step; and a picture that is the farther off the higher the severity is."""
    task = tasks()[name]
    kind = load(task.adapter)
    if (missing := kind.missing(task) or kind.limited()) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    assert trail(adapter, case(task, perturbation, 5), "state", 40) == trail(
        adapter, case(task), "state", 40
    )
    clean = shown(adapter, case(task), "image")
    off = [
        np.abs(shown(adapter, case(task, perturbation, severity), "image") - clean).mean()
        for severity in (1, 3, 5)
    ]
    assert 0 < off[0] < off[1] < off[2]
    adapter.close()


def test_severities_of_a_camera_are_one_direction() -> None:
    from adapters._mujoco_gl import FreeCamera

    task = tasks()["fetch/push"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter, ways = kind(task), []
    for severity in (1, 3, 5):
        adapter.reset(case(task, "camera", severity))
        assert isinstance(adapter._camera, FreeCamera)
        ways.append(np.subtract(adapter._camera.lookat, adapter._front.lookat))
    adapter.close()
    assert np.allclose([np.linalg.norm(way) for way in ways], [0.01, 0.05, 0.15])
    assert np.allclose(ways[0] / 0.01, ways[2] / 0.15)


def test_an_eye_that_is_moved_hangs_nothing_elsewhere() -> None:
    """MiniWorld hangs what is carried by the height of the eye: it must not move with the picture."""
    task = tasks()["miniworld/PutNext"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)

    def carried(played: Case) -> list[bytes]:
        found, seen, executed = [], adapter.reset(played), None
        while adapter._env.agent.carrying is None and len(found) < 150:
            seen.observation["image"]()
            executed = adapter.expert(executed)
            seen = adapter.step(executed)
            found.append(adapter.state())
        assert adapter._env.agent.carrying is not None
        return found

    assert carried(case(task, "camera", 5)) == carried(case(task))
    adapter.close()


def test_doom_knows_its_difficulties() -> None:
    """Where it changes nothing it is not offered; back at its own, the kept engine plays as before, and a fresh one as the kept one."""
    offered = {
        name: load(task.adapter).simulator_perturbations(task)
        for name, task in tasks().items()
        if name.startswith("vizdoom/")
    }
    assert {
        name for name, simulator_perturbations in offered.items() if not simulator_perturbations
    } == {
        "vizdoom/my_way_home",
        "vizdoom/basic",
        "vizdoom/predict_position",
    }
    task = tasks()["vizdoom/defend_the_line"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    fresh, kept = kind(task), kind(task)
    clean, easy, hard = (
        trail(kept, each, "state", 60)
        for each in (case(task), case(task, "difficulty", 1), case(task, "difficulty", 2))
    )
    assert len({str(clean), str(easy), str(hard)}) == 3
    assert trail(fresh, case(task, "difficulty", 2), "state", 60) == hard
    assert trail(fresh, case(task), "state", 60) == clean
    fresh.close()
    kept.close()


PHYSICS = ("friction", "mass")


@pytest.mark.slow
@pytest.mark.parametrize("perturbation", ["friction", "mass", "light", "camera", "texture"])
def test_maniskill(perturbation: str) -> None:
    task = tasks()["maniskill-planner/PushCube"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    if perturbation not in PHYSICS:
        clean, changed, again = (
            trail(adapter, each, "image", 1)
            for each in (case(task), case(task, perturbation), case(task))
        )
        assert changed != clean
        assert again == clean
        assert trail(adapter, case(task, perturbation), "state") == trail(
            adapter, case(task), "state"
        )
        adapter.close()
        return

    def numbers() -> tuple[float, float]:
        from sapien import physx

        body = (
            adapter._env.scene.actors["cube"]
            ._objs[0]
            .find_component_by_type(physx.PhysxRigidDynamicComponent)
        )
        return body.mass, body.collision_shapes[0].physical_material.static_friction

    adapter.reset(case(task))
    before = numbers()
    adapter.reset(case(task, perturbation))
    factor = {"friction": (1.0, 0.4), "mass": (3.0, 1.0)}[perturbation]
    assert numbers() == pytest.approx((before[0] * factor[0], before[1] * factor[1]))
    adapter.reset(case(task))
    assert numbers() == before
    adapter.close()


def starts_of(adapter: Any, played: Case) -> dict[str, np.ndarray]:
    """Actor -> where it starts: x, y, z (m) and a quaternion."""
    adapter.reset(played)
    return {
        name: actor.pose.raw_pose[0].numpy().copy()
        for name, actor in adapter._env.scene.actors.items()
    }


@pytest.mark.slow
def test_another_start_in_maniskill() -> None:
    task = tasks()["maniskill/StackPyramid"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    clean = starts_of(adapter, case(task))
    seen = adapter.reset(case(task)).observation["state"]()
    ways, cubes = {}, {"cubeA", "cubeB", "cubeC"}
    for severity, metres, degrees in ((1, 0.005, 3.0), (5, 0.05, 30.0)):
        moved = starts_of(adapter, case(task, "initial_state", severity))
        assert {name for name in clean if not np.array_equal(moved[name], clean[name])} == cubes
        ways[severity] = [(moved[name] - clean[name])[:3] / metres for name in sorted(cubes)]
        assert np.allclose(np.linalg.norm(ways[severity], axis=1), 1.0, atol=1e-4)
        turns = [
            2 * np.degrees(np.arccos(min(1.0, abs(float(moved[name][3:] @ clean[name][3:])))))
            for name in cubes
        ]
        assert np.allclose(turns, degrees, atol=0.2)
        shifted = adapter.reset(case(task, "initial_state", severity)).observation["state"]()
        assert not np.array_equal(shifted, seen)
        assert np.array_equal(shifted[:9], seen[:9])  # the robot's joints
        assert np.array_equal(adapter._observed.numpy(), adapter._env.get_obs().numpy())
        before = {name: adapter._env.scene.actors[name].pose.p[0].numpy().copy() for name in cubes}
        for _ in range(5):
            adapter.step(adapter.brief.action.noop())
        assert all(
            np.abs(adapter._env.scene.actors[name].pose.p[0].numpy() - before[name]).max() < 1e-3
            for name in cubes
        )  # none falls
    assert np.allclose(ways[1], ways[5], atol=1e-3)
    assert all(np.allclose(way, ways[5][0], atol=1e-3) for way in ways[5])
    assert trail(adapter, case(task, "initial_state", 5), "state") == trail(
        adapter, case(task, "initial_state", 5), "state"
    )
    assert trail(adapter, Case(task, 0, (Perturbation("initial_state", 0),)), "state") == trail(
        adapter, case(task), "state"
    )
    adapter.close()


@pytest.mark.slow
def test_what_is_held_and_a_goal_have_no_other_start() -> None:
    assembly, hand = (
        tasks()["maniskill/FMBAssembly1Easy"],
        tasks()["maniskill/RotateSingleObjectInHandLevel0"],
    )
    kind = load(assembly.adapter)
    if (missing := kind.missing(assembly)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(assembly)
    clean, moved = (
        starts_of(adapter, case(assembly)),
        starts_of(adapter, case(assembly, "initial_state", 5)),
    )
    assert {name for name in clean if not np.array_equal(moved[name], clean[name])} == {
        "green_bridge"
    }  # the others stand in the board
    adapter.close()
    adapter = kind(hand)
    with pytest.raises(UserError, match="no other start"):
        adapter.reset(case(hand, "initial_state", 1))
    adapter.close()


@pytest.mark.slow
@pytest.mark.parametrize("perturbation", ["initial_state", "texture"])
def test_the_planner_plans_from_where_things_are(perturbation: str) -> None:
    task = tasks()["maniskill-planner/PickCube"]
    kind = load(task.adapter)
    if (missing := kind.missing(task)) is not None:
        pytest.skip(missing.reason)
    adapter = kind(task)
    seen, executed = adapter.reset(case(task, perturbation, 5)), None
    while not seen.success and (executed := adapter.expert(executed)) is not None:
        seen = adapter.step(executed)
    assert seen.success
    adapter.close()


def test_many_lanes_of_maniskill_say_that_they_have_none() -> None:
    """Neither by name nor in a set: a row says so, and a case that has one is refused, never played as if it were clean."""
    from harness.core import Agent, Missing
    from harness.perturb.parse import parse_conditions, resolve

    task = tasks()["maniskill-gpu/PushCube"]
    batched, single = load(task.adapter), load("adapters.maniskill:ManiSkillAdapter")
    names = [perturbation.name for perturbation in single.simulator_perturbations()]
    for name in names:
        (arm,) = parse_conditions(f"{name}:3", names)
        answer = resolve(arm, task, batched, Agent)
        assert isinstance(answer, Missing)
        assert "no such thing here" in answer.reason


@pytest.mark.slow
def test_many_lanes_of_maniskill_refuse_them() -> None:
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
