"""Meta-World: all fifty tasks, by the rule of the package's own evaluation.

That is `metaworld/evaluation.py` of Farama's metaworld 3.1: fifty episodes per task, one from each
configuration of MT1 with seed 42; an episode ends at its first success or after 500 steps; the
score is the success rate. The package has no instructions; there is one sentence per task here.

`metaworld-resampled` has the same tasks, from configurations that no list of the package's holds.

Tags: `mt50` (all), `mt10` (the package's MT10), `gea` (the 45 tasks of the GEA paper, arXiv
2412.08442, table 5, which are the training tasks of the package's ML45).
"""

from __future__ import annotations

from harness.core import Suite, Task
from harness.core.resampled import resampled_suite
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

INSTRUCTIONS = {
    "assembly-v3": "Pick up the ring by its handle and put it over the peg.",
    "basketball-v3": "Pick up the basketball and drop it through the hoop.",
    "bin-picking-v3": "Pick up the block in the red bin and put it into the blue bin.",
    "box-close-v3": "Pick up the lid and close the box with it.",
    "button-press-topdown-v3": "Press the button down from above.",
    "button-press-topdown-wall-v3": "Reach over the wall and press the button down from above.",
    "button-press-v3": "Press the button on the front of the box.",
    "button-press-wall-v3": "Reach over the wall and press the button on the front of the box.",
    "coffee-button-v3": "Press the button of the coffee machine.",
    "coffee-pull-v3": "Pull the mug away from the coffee machine to the goal.",
    "coffee-push-v3": "Push the mug under the coffee machine.",
    "dial-turn-v3": "Turn the dial.",
    "disassemble-v3": "Pick up the ring by its handle and lift it off the peg.",
    "door-close-v3": "Close the door of the safe.",
    "door-lock-v3": "Turn the lock down to lock the door.",
    "door-open-v3": "Open the door of the safe.",
    "door-unlock-v3": "Turn the lock to unlock the door.",
    "drawer-close-v3": "Push the drawer closed.",
    "drawer-open-v3": "Pull the drawer open.",
    "faucet-close-v3": "Turn the handle of the faucet to close it.",
    "faucet-open-v3": "Turn the handle of the faucet to open it.",
    "hammer-v3": "Pick up the hammer and drive the nail into the block.",
    "hand-insert-v3": "Put the small block into the hole in the table with the gripper.",
    "handle-press-side-v3": "Press down the handle that points to the side.",
    "handle-press-v3": "Press the handle down.",
    "handle-pull-side-v3": "Pull up the handle that points to the side.",
    "handle-pull-v3": "Pull the handle up.",
    "lever-pull-v3": "Pull the lever up.",
    "peg-insert-side-v3": "Pick up the green peg and insert it sideways into the hole of the box.",
    "peg-unplug-side-v3": "Pull the plug sideways out of its socket.",
    "pick-out-of-hole-v3": "Pick the puck out of the hole and bring it to the goal.",
    "pick-place-v3": "Pick up the puck and bring it to the goal.",
    "pick-place-wall-v3": "Pick up the puck and bring it over the wall to the goal.",
    "plate-slide-back-side-v3": "Slide the plate sideways out of the net to the goal.",
    "plate-slide-back-v3": "Slide the plate back out of the net to the goal.",
    "plate-slide-side-v3": "Slide the plate sideways into the net.",
    "plate-slide-v3": "Slide the plate forward into the net.",
    "push-back-v3": "Pull the puck back towards the arm to the goal.",
    "push-v3": "Push the puck to the goal.",
    "push-wall-v3": "Push the puck around the wall to the goal.",
    "reach-v3": "Move the gripper to the goal.",
    "reach-wall-v3": "Move the gripper over the wall to the goal.",
    "shelf-place-v3": "Pick up the blue block and place it on the shelf.",
    "soccer-v3": "Push the ball into the soccer goal.",
    "stick-pull-v3": "Pick up the stick, put it through the handle of the thermos and pull the "
    "thermos to the goal.",
    "stick-push-v3": "Pick up the stick and push the thermos to the goal with it.",
    "sweep-into-v3": "Sweep the puck into the hole in the table.",
    "sweep-v3": "Sweep the puck off the table.",
    "window-close-v3": "Slide the window closed.",
    "window-open-v3": "Slide the window open.",
}

ML45_TEST = frozenset(
    {"bin-picking-v3", "box-close-v3", "hand-insert-v3", "door-lock-v3", "door-unlock-v3"}
)
MT10 = frozenset(
    {
        "reach-v3", "push-v3", "pick-place-v3", "door-open-v3", "drawer-open-v3", "drawer-close-v3",
        "button-press-topdown-v3", "peg-insert-side-v3", "window-open-v3", "window-close-v3",
    }
)  # fmt: skip

ROW = ROWS["Meta-World"]


def _task(name: str, instruction: str) -> Task:
    # In software rendering, 5 to 10 times as fast as with the package's multisampling and shadows.
    image = {"camera": "corner4", "size": 224, "multisampling": 0, "shadows": False}
    trained = name not in ML45_TEST
    return Task(
        id=f"metaworld/{name}@1",
        domain="manipulation",
        adapter="adapters.metaworld:MetaWorldAdapter",
        params={"name": name, "instruction": instruction, **image},
        max_steps=500,
        success="ever",
        rule="success at any step, which ends the episode; 500 steps",
        score="success",
        control_hz=80.0,
        tags=("mt50", *(["mt10"] if name in MT10 else []), *(["gea"] if trained else [])),
        references=ROW.references(name.removesuffix("-v3")) if trained else (),
    )


METAWORLD = Suite(
    name="metaworld",
    title="Meta-World MT50",
    tasks=tuple(_task(name, instruction) for name, instruction in INSTRUCTIONS.items()),
    episodes=50,
    source="arXiv 1910.10897; Farama metaworld 3.1, metaworld/evaluation.py",
)
SUITES: tuple[Suite, ...] = (METAWORLD, resampled_suite(METAWORLD))
