"""PickCube with objects of which few are heavy, slippery, odd or large: the suite `grasp-tail`."""

from __future__ import annotations

import functools
from typing import Any

from adapters.maniskill import perturbations, simulation
from adapters.maniskill.adapter import ManiSkillAdapter
from adapters.maniskill.long_tail import (
    PERTURBATIONS,
    SHAPES,
    USUAL,
    GraspObject,
    Part,
    draw,
)
from harness.core import Case, SimulatorPerturbation, Skill, Task

__all__ = ["GraspTailAdapter"]

RED, GREEN = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)
DRAWN = ("friction", "mass")
"""What every object has from the law, so that nothing multiplies it."""


class GraspTailAdapter(ManiSkillAdapter):
    """ManiSkill's PickCube with the object of the case, see long_tail.py, on the CPU.

    `task.params`: those of ManiSkillAdapter; `id` is `PickCube-v1`. The object is drawn from the
    case; it lies where the package puts the cube, turned as the cube is, and its goal is the
    cube's. So a case and its control differ in nothing but the object.

    SAPIEN takes the mean of the coefficients of two bodies that touch, and the package's fingers
    have 2.0: whatever the object has, 1.0 would remain. Here the fingers have the object's
    coefficient.

    Views, action, reward and metrics are ManiSkillAdapter's; `state` does not tell the object.
    Success: the object's origin is within 2.5 cm of the goal while the arm rests.
    Expert: the package's solution of PickCube, which grasps at the object's origin from above.
    """

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        others = (each for each in perturbations.PERTURBATIONS if each.name not in DRAWN)
        return (*PERTURBATIONS, *others)

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        """None: the solution's stages name a cube."""
        return ()

    @classmethod
    def make(cls, task: Task) -> tuple[Any, int | None]:
        return simulation.make(task, 1, "physx_cpu", "cpu", environment())

    @classmethod
    def reset_options(cls, case: Case) -> dict[str, Any]:
        return {**super().reset_options(case), "object": draw(case)}


@functools.lru_cache(maxsize=1)
def environment() -> Any:
    """The class of the environment, which takes its object from the options of its reset."""
    import sapien
    from mani_skill.envs.tasks.tabletop.pick_cube import PickCubeEnv
    from mani_skill.utils.building import actors
    from mani_skill.utils.scene_builder.table import TableSceneBuilder
    from mani_skill.utils.structs.pose import Pose

    class GraspTailEnv(PickCubeEnv):  # type: ignore[misc]
        def _load_scene(self, options: dict[str, Any]) -> None:
            """As the package's, with another object in the place of its cube."""
            self.table_scene = TableSceneBuilder(
                self, robot_init_qpos_noise=self.robot_init_qpos_noise
            )
            self.table_scene.build()
            self.object = options.get("object", USUAL)
            self.cube = build(self.scene, self.object)
            self.goal_site = actors.build_sphere(
                self.scene,
                self.goal_thresh,
                GREEN,
                "goal_site",
                "kinematic",
                add_collision=False,
                initial_pose=sapien.Pose(),
            )
            self._hidden_objects.append(self.goal_site)
            _rub(self.agent, self.object.friction)

        def _initialize_episode(self, env_idx: Any, options: dict[str, Any]) -> None:
            super()._initialize_episode(env_idx, options)
            pose = self.cube.pose
            place = pose.p.clone()
            place[:, 2] = self.object.half_height
            self.cube.set_pose(Pose.create_from_pq(place, pose.q))

    return GraspTailEnv


def build(scene: Any, thing: GraspObject) -> Any:
    """The actor of an object, named `cube`, in a scene of ManiSkill."""
    import sapien
    from sapien import physx

    builder = scene.create_actor_builder()
    material = physx.PhysxMaterial(thing.friction, thing.friction, 0.0)
    paint = sapien.render.RenderMaterial(base_color=RED)
    for part in SHAPES[thing.shape]:
        pose, sizes = _pose(part, thing.width), _sizes(part, thing.width)
        getattr(builder, f"add_{part.kind}_collision")(pose, **sizes, material=material)
        getattr(builder, f"add_{part.kind}_visual")(pose, **sizes, material=paint)
    builder.set_initial_pose(sapien.Pose(p=[0, 0, thing.half_height]))
    actor = builder.build(name="cube")
    body = actor._objs[0].find_component_by_type(physx.PhysxRigidDynamicComponent)
    inertia = body.inertia * (thing.mass / body.mass)
    body.mass = thing.mass
    body.inertia = inertia
    return actor


def _pose(part: Part, width: float) -> Any:
    import sapien

    place = [part.place[0] * width, part.place[1] * width, 0.0]
    # SAPIEN's cylinders lie along x; about y by -90 degrees they stand.
    return sapien.Pose(place, [0.5**0.5, 0.0, -(0.5**0.5), 0.0] if part.upright else [1, 0, 0, 0])


def _sizes(part: Part, width: float) -> dict[str, Any]:
    sizes = [size * width for size in part.size]
    if part.kind == "box":
        return {"half_size": sizes}
    return dict(zip(("radius", "half_length"), sizes))


def _rub(agent: Any, friction: float) -> None:
    """Give the fingers a coefficient of friction."""
    from sapien import physx

    material = physx.PhysxMaterial(friction, friction, 0.0)
    for link in (agent.finger1_link, agent.finger2_link):
        for shape in link._objs[0].collision_shapes:
            shape.physical_material = material
