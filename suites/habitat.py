"""Habitat (arXiv 1904.01201, 2106.14405): PointNav, ObjectNav, ImageNav, and the skills Pick, Place
and Nav.

`habitat` and `habitat-skills` need no data: habitat-lab's rules in generated flats, so published
figures do not compare. `habitat` prints none; `habitat-skills`, which asks by name as the GEA paper
does, carries the paper's as shown by another rule. The other suites are habitat-lab's benchmarks of
those names on data that the user downloads; their horizon, body, camera, step, turn and thresholds
are those of habitat-lab 0.3's YAML files. The number of episodes is that of the split.
"""

from __future__ import annotations

from typing import Any

from harness.core import Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

BODY = {
    "height": 1.5, "radius": 0.1, "eye": 1.25, "width_px": 256, "height_px": 256, "hfov": 90.0,
    "forward": 0.25, "turn": 10.0, "tilt": 30.0, "sliding": True, "far": 20.0,
}  # fmt: skip
"""habitat-lab's defaults except `far`: in the generated scene, only other flats are farther away
than 20 m."""
GIBSON = {**BODY, "far": 1000.0}
LOCOBOT = {
    **BODY,
    "far": 1000.0,
    "sliding": False,
    "height": 0.88,
    "radius": 0.18,
    "eye": 0.88,
    "width_px": 640,
    "height_px": 480,
    "hfov": 79.0,
    "turn": 30.0,
}
STOP = "stop within {} m of geodesic distance from the {}, {} steps"


def _task(
    id: str, kind: str, near: float, goal: str, steps: int, body: dict[str, Any], **params: Any
) -> Task:
    return Task(
        id=id,
        domain="navigation",
        adapter="adapters.habitat:HabitatAdapter",
        params={"kind": kind, "near": near, **body, **params},
        max_steps=steps,
        rule=STOP.format(f"{near:g}", goal, steps),
        score="spl",
        tags=(kind, "dataset" if "dataset" in params else "synthetic"),
    )


def _skill(name: str, row: str) -> Task:
    return Task(
        id=f"habitat-rearrange/{name}@1",
        domain="manipulation",
        adapter="adapters.habitat:HabitatRearrangeAdapter",
        params={"skill": name, "split": "val"},
        max_steps=300,
        rule=f"habitat-lab's {name}_success, 300 steps; too much force, a drop or a wrong object "
        "end the episode",
        score="success",
        tags=("gea", "dataset"),
        references=ROWS[row].references(name, differs="ours: habitat-lab's objects and episodes"),
    )


def _named(name: str, domain: str, row: str, steps: int, rule: str) -> Task:
    return Task(
        id=f"habitat/{name}@1",
        domain=domain,
        adapter="adapters.habitat:HabitatSkillsAdapter",
        params={"skill": name, "split": "eval", "width_px": 256, "height_px": 256, "hfov": 90.0},
        max_steps=steps,
        rule=rule,
        score="success",
        control_hz=30.0,
        tags=("gea", "synthetic"),
        references=ROWS[row].references(name, differs="ours: flats, objects and starts of our own"),
    )


FORCE = "more than 10,000 N ends the episode"

SUITES: tuple[Suite, ...] = (
    Suite(
        name="habitat",
        title="Habitat navigation in generated flats",
        tasks=(
            _task(
                "habitat/pointnav-flat@1", "pointnav", 0.2, "goal", 500, BODY,
                scene="flat", flats=10,
            ),
            _task(
                "habitat/objectnav-flat@1", "objectnav", 0.2,
                "places of a 0.2 m grid within 1 m of the object", 500, BODY,
                scene="flat", flats=10,
            ),
            _task(
                "habitat/imagenav-flat@1", "imagenav", 0.2, "place of the picture", 500, BODY,
                scene="flat", flats=10,
            ),
        ),
        episodes=100,
        source="rules: habitat-lab 0.3; the flats and episodes are ours",
    ),
    Suite(
        name="habitat-pointnav",
        title="Habitat PointNav, Gibson val",
        tasks=(
            _task(
                "habitat-pointnav/gibson-val@1", "pointnav", 0.2, "goal", 500, GIBSON,
                dataset="datasets/pointnav/gibson/v1/val/val.json.gz", scenes="scene_datasets",
            ),
        ),
        episodes=994,
        in_all=False,
        source="habitat-lab 0.3, benchmark/nav/pointnav/pointnav_gibson.yaml",
    ),
    Suite(
        name="habitat-objectnav",
        title="Habitat ObjectNav, HM3D val",
        tasks=(
            _task(
                "habitat-objectnav/hm3d-val@1", "objectnav", 0.1, "view points of the object", 500,
                LOCOBOT,
                dataset="datasets/objectnav/hm3d/v1/val/val.json.gz", scenes="scene_datasets",
            ),
        ),
        episodes=2000,
        in_all=False,
        source="habitat-lab 0.3, benchmark/nav/objectnav/objectnav_hm3d.yaml",
    ),
    Suite(
        name="habitat-imagenav",
        title="Habitat ImageNav, Gibson val",
        tasks=(
            _task(
                "habitat-imagenav/gibson-val@1", "imagenav", 0.2, "place of the picture", 1000,
                GIBSON,
                dataset="datasets/pointnav/gibson/v1/val/val.json.gz", scenes="scene_datasets",
            ),
        ),
        episodes=994,
        in_all=False,
        source="habitat-lab 0.3, benchmark/nav/imagenav/imagenav_gibson.yaml",
    ),
    Suite(
        name="habitat-skills",
        title="Habitat skills by name: pick, place, nav",
        tasks=(
            _named(
                "pick", "manipulation", "Habitat Pick", 300,
                "the named object is held, the gripper within 0.15 m of its resting place, 300 "
                f"steps; a wrong object, a drop or {FORCE}",
            ),
            _named(
                "place", "manipulation", "Habitat Place", 300,
                "the object lies on a receptacle of that name, the gripper within 0.15 m of its "
                f"resting place, 300 steps; letting go elsewhere or {FORCE}",
            ),
            _named(
                "nav", "navigation", "Habitat Nav", 400,
                "stop within 1.5 m of the middle of a receptacle of that name, looking at it "
                f"within 15 degrees, 400 steps; {FORCE}",
            ),
        ),
        episodes=500,
        in_all=False,
        source="rules: habitat-lab 0.3, benchmark/rearrange/skills, and arXiv 2412.08442; the "
        "flats, objects and episodes are ours",
    ),
    Suite(
        name="habitat-rearrange",
        title="Habitat skills: pick, place",
        tasks=(_skill("pick", "Habitat Pick"), _skill("place", "Habitat Place")),
        episodes=500,
        in_all=False,
        source="habitat-lab 0.3, benchmark/rearrange/skills",
    ),
)  # fmt: skip
