"""Plays SIMPLER's tasks on files of our own in the package's format: `python FILE FOLDER`.

The package reads where its files are when it is imported, so this is a process of its own. The arm
is a stand-in with the joints and links of a WidowX, the objects are boxes, the photographs have one
colour each. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SIZES = {
    "bridge_spoon_generated_modified": (0.1, 0.02, 0.02),
    "table_cloth_generated_shorter": (0.12, 0.12, 0.005),
    "bridge_carrot_generated_modified": (0.1, 0.025, 0.025),
    "bridge_plate_objaverse_larger": (0.14, 0.14, 0.01),
    "baked_green_cube_3cm": (0.03, 0.03, 0.03),
    "baked_yellow_cube_3cm": (0.03, 0.03, 0.03),
    "eggplant": (0.08, 0.03, 0.03),
    "dummy_sink_target_plane": (0.2, 0.2, 0.002),
    "sink": (0.3, 0.3, 0.02),
}
"""Model -> extents, m."""
TABLE, SINK = (10, 200, 30), (200, 20, 120)
"""The colours of the two photographs."""

JOINTS = (
    ("waist", "revolute", "base_link", "shoulder_link", (0, 0, 0.07), (0, 0, 1), 3.14),
    ("shoulder", "revolute", "shoulder_link", "upper_arm_link", (0, 0, 0.04), (0, 1, 0), 1.9),
    ("elbow", "revolute", "upper_arm_link", "forearm_link", (0.06, 0, 0.25), (0, 1, 0), 1.7),
    ("forearm_roll", "revolute", "forearm_link", "lower_link", (0.17, 0, 0), (1, 0, 0), 3.14),
    ("wrist_angle", "revolute", "lower_link", "wrist_link", (0.13, 0, 0), (0, 1, 0), 2.1),
    ("wrist_rotate", "revolute", "wrist_link", "gripper_link", (0.07, 0, 0), (1, 0, 0), 3.14),
    ("ee_gripper", "fixed", "gripper_link", "ee_gripper_link", (0.09, 0, 0), (1, 0, 0), 0.0),
    ("left_finger", "prismatic", "gripper_link", "left_finger_link", (0.07, 0, 0), (0, 1, 0), 0.0),
    (
        "right_finger", "prismatic", "gripper_link", "right_finger_link", (0.07, 0, 0),
        (0, -1, 0), 0.0,
    ),
)  # fmt: skip
"""Name, kind, parent, child, place, axis, limit (rad)."""


def write_files(folder: Path) -> None:
    """The two downloads, under FOLDER/data."""
    import trimesh
    from PIL import Image

    bridge = folder / "data/tasks/bridge_v2_real2sim_dataset"
    database = {}
    for name, extents in SIZES.items():
        place = bridge / "custom/models" / name
        place.mkdir(parents=True)
        box = trimesh.creation.box(extents)
        for file in ("collision.obj", "textured.obj"):
            box.export(place / file)
        half = [side / 2 for side in extents]
        bounds = {"min": [-side for side in half], "max": half}
        database[name] = {"bbox": bounds, "scales": [1.0], "density": 500}
    for file in ("info_bridge_custom_v0.json", "info_bridge_custom_baked_tex_v0.json"):
        (bridge / "custom" / file).write_text(json.dumps(database))
    stages, photographs = bridge / "stages", bridge / "real_inpainting"
    stages.mkdir()
    photographs.mkdir()
    # The package turns a stage by 90 degrees about x and moves it by (2.06, 2.83, 0) m; here it is
    # a slab whose top is at z = 0.86 m.
    table = trimesh.creation.box((6.0, 0.02, 6.0))
    table.apply_translation((0.0, 0.85, 0.0))
    for number in (1, 2):
        table.export(stages / f"bridge_table_1_v{number}.glb")
    for name, colour in (("bridge_real_eval_1", TABLE), ("bridge_sink", SINK)):
        Image.new("RGB", (640, 480), colour).save(photographs / f"{name}.png")
    arm = folder / "data/robots/widowx"
    arm.mkdir(parents=True)
    (arm / "wx250s.urdf").write_text(_urdf())


def _urdf() -> str:
    links = ["base_link", *(child for _, _, _, child, _, _, _ in JOINTS)]
    parts = [_link(name) for name in links]
    for name, kind, parent, child, place, axis, limit in JOINTS:
        low, high = (0.015, 0.037) if kind == "prismatic" else (-limit, limit)
        parts.append(
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{" ".join(map(str, place))}" rpy="0 0 0"/>'
            f'<axis xyz="{" ".join(map(str, axis))}"/>'
            f'<limit lower="{low}" upper="{high}" effort="100" velocity="3"/></joint>'
        )
    return f'<robot name="wx250s">{"".join(parts)}</robot>'


def _link(name: str) -> str:
    size = "0.02 0.005 0.02" if "finger" in name else "0.03 0.03 0.03"
    box = f'<geometry><box size="{size}"/></geometry>'
    inertia = '<inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/>'
    return (
        f'<link name="{name}"><inertial><mass value="0.1"/>{inertia}</inertial>'
        f"<visual>{box}</visual><collision>{box}</collision></link>"
    )


def played(task: Any) -> dict[str, Any]:
    """What an adapter of the task did."""
    from adapters.maniskill import SimplerAdapter
    from harness.core import Case

    adapter = SimplerAdapter(task)
    spec = adapter.brief.action
    starts = []
    for seed in (0, 1, 24):
        timestep = adapter.reset(Case(task, seed))
        starts.append(timestep.observation["state"]()[-14:].round(3).tolist())
    image = timestep.observation["image"]()
    env = adapter._env
    source, target = env.objs[env.source_obj_name], env.objs[env.target_obj_name]
    for _ in range(2):
        before = adapter.step(spec.noop())
    # Put what is to be carried on what it belongs on, and let it come to rest.
    import sapien

    high = SIZES[env.source_obj_name][2] / 2 + SIZES[env.target_obj_name][2] / 2
    where = target.pose.p[0].numpy() + np.array([0.0, 0.0, high + 0.001], np.float32)
    source.set_pose(sapien.Pose(p=where, q=source.pose.q[0].numpy()))
    for _ in range(2):
        after = adapter.step(spec.noop())
    found = {
        "instruction": timestep.instruction,
        "package's": env.get_language_instruction()[0],
        "action": [list(spec.shape), np.ravel(spec.low).tolist(), np.ravel(spec.high).tolist()],
        "fields": [field.name for field in spec.layout],
        "hz": adapter.brief.control_hz,
        "starts": starts,
        "image": list(image.shape),
        "type": str(image.dtype),
        "corner": image[0, 0].tolist(),
        "photograph": float((image == image[0, 0]).all(2).mean()),
        "before": [
            before.success,
            before.metrics["success_at_end"],
            before.metrics["grasped_once"],
        ],
        "after": [after.success, after.metrics["success_at_end"]],
        "metrics": sorted(after.metrics),
    }
    adapter.close()
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    os.environ["MS_ASSET_DIR"] = str(folder)
    sys.path.insert(0, str(ROOT))
    from adapters.maniskill import SimplerAdapter
    from suites.simpler import SUITES

    tasks = SUITES[0].tasks
    lacking = SimplerAdapter.missing(tasks[0])
    write_files(folder)
    print(
        json.dumps(
            {
                "lacking": None if lacking is None else [lacking.reason, lacking.remedy],
                "then": SimplerAdapter.missing(tasks[0]) is None,
                **{task.name: played(task) for task in tasks},
            }
        )
    )


if __name__ == "__main__":
    main()
