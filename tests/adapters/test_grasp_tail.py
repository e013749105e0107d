"""The suite grasp-tail: its laws, and that SAPIEN does what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from adapters.maniskill import GraspTailAdapter, grasp_tail, needs
from adapters.maniskill.long_tail import (
    ATTRIBUTES,
    BANDS,
    HEAD,
    PERTURBATIONS,
    SHAPES,
    USUAL,
    GraspObject,
    draw,
    object_at,
)
from harness.core import Case, Perturbation, TimeStep
from harness.testing import check_adapter
from suites.grasp_tail import SUITES

pytest.importorskip("mani_skill")
if (lack := GraspTailAdapter.missing()) is not None:
    pytest.skip(lack.reason, allow_module_level=True)

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}
PLANNER = TASKS["grasp-tail/pick-planner"]


@pytest.fixture(scope="module")
def grasp() -> Iterator[GraspTailAdapter]:
    adapter = GraspTailAdapter(PLANNER)
    yield adapter
    adapter.close()


def perturbed(name: str, severity: int, seed: int = 0) -> Case:
    kinds = {each.name: each for each in PERTURBATIONS}
    params = kinds[name].levels[severity - 1]
    return Case(PLANNER, seed, (Perturbation(name, severity, params),))


def body_of(adapter: GraspTailAdapter):
    from sapien import physx

    return adapter._env.cube._objs[0].find_component_by_type(physx.PhysxRigidDynamicComponent)


def at(quantile: float) -> GraspObject:
    return object_at(dict.fromkeys(ATTRIBUTES, quantile))


def test_the_laws_are_those_of_the_page() -> None:
    """The values that docs/families/grasp-tail.md shows at the edges of the bands."""
    rows = {
        0.0: (0.05, 0.8, "cube", 0.03),
        0.5: (0.0794, 0.504, "cube", 0.0331),
        0.8: (0.1462, 0.2736, "sphere", 0.0378),
        0.9: (0.2321, 0.1724, "rod", 0.0417),
        0.95: (0.3684, 0.1086, "bracket", 0.046),
        0.98: (0.6786, 0.0589, "disc", 0.0525),
        0.995: (1.71, 0.0234, "disc", 0.064),
        0.999: (5.0, 0.008, "disc", 0.0805),
    }
    for quantile, (mass, friction, shape, width) in rows.items():
        found = at(quantile)
        assert (found.mass, found.friction, found.width) == pytest.approx(
            (mass, friction, width), rel=2e-3
        )
        assert found.shape == shape, quantile
    assert BANDS[0]["low"] == HEAD
    assert [band["low"] for band in BANDS[1:]] == [band["high"] for band in BANDS[:-1]]
    assert at(0.0) == USUAL


def test_cases_draw_from_the_head_and_tails_from_their_bands() -> None:
    cases = [Case(PLANNER, seed) for seed in range(400)]
    head = [draw(case) for case in cases]
    assert all(each.mass <= at(HEAD).mass for each in head)
    assert all(each.friction >= at(HEAD).friction for each in head)
    # The median of the head is the quantile 0.4 of the law.
    assert np.median([each.mass for each in head]) == pytest.approx(at(0.4).mass, rel=0.05)
    cubes = np.mean([each.shape == "cube" for each in head])
    assert cubes == pytest.approx(0.519 / HEAD, abs=0.08)
    for severity, band in enumerate(BANDS, 1):
        tail = [draw(perturbed("tail_mass", severity, seed)) for seed in range(50)]
        assert all(at(band["low"]).mass <= each.mass <= at(band["high"]).mass for each in tail)


def test_a_tail_changes_its_attribute_alone_and_grows_with_the_severity() -> None:
    fields = {"mass": "mass", "friction": "friction", "shape": "shape", "scale": "width"}
    for seed in range(5):
        control = draw(Case(PLANNER, seed))
        everything = draw(perturbed("tail", 3, seed))
        for attribute, field in fields.items():
            one = draw(perturbed(f"tail_{attribute}", 3, seed))
            tail = getattr(one, field)
            assert one == dataclasses.replace(control, **{field: tail})
            assert getattr(everything, field) == tail, "each has its own stream"
        masses = [draw(perturbed("tail_mass", severity, seed)).mass for severity in range(1, 6)]
        assert masses == sorted(masses)
        assert masses[0] > control.mass


def test_sapien_has_the_mass_friction_shape_and_size(grasp: GraspTailAdapter) -> None:
    from sapien import physx

    for number, shape in enumerate(SHAPES):
        thing = GraspObject(0.1 + number, 0.05 * (number + 1), shape, 0.03 + 0.002 * number)
        grasp._env.reset(seed=3, options={"reconfigure": True, "object": thing})
        body = body_of(grasp)
        assert body.mass == pytest.approx(thing.mass, rel=1e-5)
        fingers = (grasp._env.agent.finger1_link, grasp._env.agent.finger2_link)
        touching = [body, *(finger._objs[0] for finger in fingers)]
        for each in (shape for one in touching for shape in one.collision_shapes):
            material = each.physical_material
            assert material.static_friction == pytest.approx(thing.friction)
            assert material.dynamic_friction == pytest.approx(thing.friction)
        kinds = {
            "box": physx.PhysxCollisionShapeBox,
            "sphere": physx.PhysxCollisionShapeSphere,
            "capsule": physx.PhysxCollisionShapeCapsule,
            "cylinder": physx.PhysxCollisionShapeCylinder,
        }
        assert [type(each) for each in body.collision_shapes] == [
            kinds[part.kind] for part in SHAPES[shape]
        ]
        low, high = body.compute_global_aabb_tight()
        assert high[2] - low[2] == pytest.approx(2 * thing.half_height, abs=2e-4), shape
        assert low[2] == pytest.approx(0.0, abs=2e-4), "it lies on the table"


def test_objects_stay_where_they_lie(grasp: GraspTailAdapter) -> None:
    torch = pytest.importorskip("torch")
    rest = grasp.brief.action.noop()
    for shape in SHAPES:
        thing = dataclasses.replace(USUAL, shape=shape)
        grasp._env.reset(seed=1, options={"reconfigure": True, "object": thing})
        before = grasp._env.cube.pose.p.numpy().copy()
        for _ in range(5):
            grasp._env.step(torch.from_numpy(rest))
        assert np.allclose(grasp._env.cube.pose.p.numpy(), before, atol=2e-3), shape


def test_a_pair_differs_in_the_object_alone(grasp: GraspTailAdapter) -> None:
    def start(case: Case) -> tuple[np.ndarray, ...]:
        timestep = grasp.reset(case)
        env = grasp._env
        pose, goal = env.cube.pose, env.goal_site.pose.p.numpy()
        return timestep.observation["proprio"](), pose.p.numpy()[:, :2], pose.q.numpy(), goal

    control = [np.copy(part) for part in start(Case(PLANNER, 7))]
    for name in ("tail_mass", "tail_scale", "tail"):
        for part, other in zip(control, start(perturbed(name, 4, 7))):
            assert np.array_equal(part, other), name


def lifted(adapter: GraspTailAdapter, thing: GraspObject, monkeypatch) -> tuple[TimeStep, float]:
    """The expert's episode with this object, and how high the object came, m."""
    monkeypatch.setattr(grasp_tail, "draw", lambda case: thing)
    timestep, highest = adapter.reset(Case(PLANNER, 2)), 0.0
    for _ in range(75):
        timestep = adapter.step(adapter.expert(None))
        highest = max(highest, float(adapter._env.cube.pose.p[0, 2]) - thing.half_height)
        if timestep.success:
            break
    return timestep, highest


def test_what_has_no_friction_slips_out_of_the_fingers(
    grasp: GraspTailAdapter, monkeypatch
) -> None:
    timestep, highest = lifted(grasp, USUAL, monkeypatch)
    assert timestep.success
    assert highest > 0.02
    timestep, highest = lifted(grasp, dataclasses.replace(USUAL, friction=0.0), monkeypatch)
    assert not timestep.success
    assert highest < 0.01


@pytest.mark.slow
def test_the_contract() -> None:
    check_adapter(
        PLANNER,
        seeds=[0, 1],
        steps=2,
        views=["state", "proprio"],
        perturbations=perturbed("tail", 4).perturbations,
        another_process=False,
    )


def test_what_is_declared() -> None:
    assert GraspTailAdapter.has_expert(PLANNER)
    assert not GraspTailAdapter.has_expert(TASKS["grasp-tail/pick"])
    assert GraspTailAdapter.skills(PLANNER) == ()
    names = [each.name for each in GraspTailAdapter.simulator_perturbations(PLANNER)]
    assert names == [
        *(f"tail_{attribute}" for attribute in ATTRIBUTES), "tail", "light", "camera", "texture",
        "initial_state",
    ]  # fmt: skip
    assert needs.software_vulkan() is None
