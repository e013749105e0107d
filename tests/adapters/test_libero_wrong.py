"""What LIBERO takes for done in its own simulator, when things are put somewhere by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.host.interpreters import _from_file

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from adapters.libero.installation import find
from adapters.libero.starts import initial_states
from adapters.libero.world import World

found, told = find(), {}
BOWL, PLATE = "akita_black_bowl_1", "plate_1"

class Scene(World):
    def __init__(self, name):
        super().__init__(found, found.task("libero_goal", name), 64, None)
        self.start = initial_states(found.starts("libero_goal", name).read_bytes())[0]

    def begin(self):
        self.reset(self.start, 0)
        self.idle(10)

    def idle(self, steps):
        for _ in range(steps):
            self.step(np.array([0.0] * 6 + [-1.0]))

    def place(self, thing):
        return np.array(self.sim.data.body_xpos[self.inner.obj_body_id[thing]])

    def put(self, thing, place, turn=None):
        joint = self.inner.get_object(thing).joints[-1]
        pose = np.array(self.sim.data.get_joint_qpos(joint))
        pose[:3], pose[3:] = place, pose[3:] if turn is None else turn
        self.sim.data.set_joint_qpos(joint, pose)
        self.sim.data.set_joint_qvel(joint, np.zeros(6))
        self.refresh()

    def tell(self, what):
        now = self.solved()
        self.idle(30)
        told[what] = [now, self.solved()]

scene = Scene("put_the_bowl_on_the_plate")
scene.begin()
scene.tell("left where it was")
for what, shift in {
    "dropped from 10 cm": (0, 0, 0.10), "2 cm off the middle": (0.02, 0, 0.02),
    "4 cm off the middle": (0.04, 0, 0.02), "beside": (0.12, 0, 0.02), "below": (0, 0, -0.03),
}.items():
    scene.begin()
    scene.put(BOWL, scene.place(PLATE) + np.array(shift))
    scene.tell(what)
scene.begin()
scene.put(BOWL, scene.place(PLATE) + np.array([0, 0, 0.1]), (0, 1, 0, 0))
scene.tell("upside down")
scene.begin()
scene.put(PLATE, scene.place(BOWL) + np.array([0, 0, 0.08]))
scene.tell("the plate on the bowl")
scene.close()

for name, end, joints in (
    ("turn_on_the_stove", 1, ("flat_stove_1_button",)),
    ("open_the_middle_drawer_of_the_cabinet", 0,
     ("wooden_cabinet_1_middle_level", "wooden_cabinet_1_top_level")),
):
    scene = Scene(name)
    for joint in joints:
        low, high = scene.sim.model._model.joint(joint).range
        for share in (0.0, 0.25, 0.75, 1.0):
            scene.begin()
            way = share if end else 1.0 - share
            scene.sim.data.set_joint_qpos(joint, low + way * (high - low))
            scene.refresh()
            scene.tell(f"{joint} {share}")
    scene.close()
print("TOLD" + json.dumps(told))
"""


@pytest.mark.timeout(1200)
def test_what_counts_as_done() -> None:
    """At once, and 30 idle steps later."""
    python = _from_file(ROOT / "bench.toml").get("libero") or str(
        ROOT / ".bench/interpreters/libero/bin/python"
    )
    if not Path(python).exists():
        pytest.skip("LIBERO's interpreter is missing: bench doctor --fix libero")
    done = subprocess.run(
        [python, "-I", "-c", SCRIPT, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=1000,
        check=True,
    )
    told = json.loads(done.stdout.partition("TOLD")[2])
    assert told == {
        "left where it was": [False, False],
        "dropped from 10 cm": [False, True],
        "2 cm off the middle": [False, True],
        "4 cm off the middle": [False, False],
        "beside": [False, False],
        "below": [False, False],
        "upside down": [False, True],
        "the plate on the bowl": [False, False],
        "flat_stove_1_button 0.0": [False, False],
        "flat_stove_1_button 0.25": [True, True],
        "flat_stove_1_button 0.75": [True, True],
        "flat_stove_1_button 1.0": [True, True],
        "wooden_cabinet_1_middle_level 0.0": [False, False],
        "wooden_cabinet_1_middle_level 0.25": [False, False],
        "wooden_cabinet_1_middle_level 0.75": [False, False],
        "wooden_cabinet_1_middle_level 1.0": [True, True],
        "wooden_cabinet_1_top_level 0.0": [False, False],
        "wooden_cabinet_1_top_level 0.25": [False, False],
        "wooden_cabinet_1_top_level 0.75": [False, False],
        "wooden_cabinet_1_top_level 1.0": [False, False],
    }
