"""AndroidControl (arXiv 2406.03679): step accuracy; a case is one recorded step and its history.

Suites:
    androidcontrol      the community's rule, on the test split and its four parts, with the
                        episode's goal (high) or the step's instruction (low) as the instruction
    androidcontrol-gea  the rule of the GEA paper (arXiv 2412.08442), on the whole test split, high

Both rules are in adapters/androidcontrol/rules.py. A task plays 500 steps, a fixed sample;
`--episodes` plays more, up to the metric `split_steps`, beyond which steps repeat. Only the user's
files tell how many steps a split has.
"""

from __future__ import annotations

from harness.core import Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

PARTS = ("test", "idd", "app-unseen", "task-unseen", "category-unseen")
BOX = (
    "the recorded kind of action, a point in the box of the element that was meant, "
    "an equal text or direction; a step alone"
)
GRID = (
    "the recorded kind of action, a point within 5 of 50 blocks on each axis, "
    "one text in the other, neither empty; a step alone"
)
ROW = ROWS["AndroidControl"]
SAMPLE = "a fixed sample of the steps"
DIFFERS = {
    "grid": f"ours: an empty text is never right; {SAMPLE}",
    "box": f"ours, the community's: in the element's box, an equal text; {SAMPLE}",
}


def _task(family: str, split: str, level: str, rule: str) -> Task:
    compares = (split, level) == ("test", "high")
    return Task(
        id=f"{family}/{split}-{level}@1",
        domain="ui",
        adapter="adapters.androidcontrol:AndroidControlAdapter",
        params={"split": split, "level": level, "rule": rule},
        max_steps=1,
        rule=BOX if rule == "box" else GRID,
        score="success",
        tags=(level, *(["gea"] if rule == "grid" else [])),
        references=ROW.references(split, differs=DIFFERS[rule]) if compares else (),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="androidcontrol",
        title="AndroidControl, step accuracy by the element's box",
        tasks=tuple(
            _task("androidcontrol", split, level, "box")
            for split in PARTS
            for level in ("high", "low")
        ),
        episodes=500,
        source="arXiv 2406.03679",
    ),
    Suite(
        name="androidcontrol-gea",
        title="AndroidControl, step accuracy by GEA's blocks",
        tasks=(_task("androidcontrol-gea", "test", "high", "grid"),),
        episodes=500,
        in_all=False,
        source="arXiv 2412.08442",
    ),
)
