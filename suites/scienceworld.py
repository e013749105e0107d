"""ScienceWorld (arXiv 2203.07540): thirty tasks of primary-school science, on the test variations of the package.

`scienceworld` gives 300 actions and no limit of simulated time, because 100 moves, the package's default (`envStepLimit`), end eight of the
thirty tasks before its own gold path does. `scienceworld-100` keeps that limit: the rule of the published figures. The paper's agents play
ten test variations a task; four tasks have fewer than eight, and there episodes repeat from then on: the simulator knows no other chance.

The score is 0 to 100 points, negative ones set to 0 (the package's examples/random_agent.py); success is 100 points.
"""

from __future__ import annotations

from harness.core import Normaliser, Reference, Suite, Task

__all__ = ["SUITES"]

TASKS = (
    "boil", "melt", "freeze", "change-the-state-of-matter-of", "use-thermometer", "measure-melting-point-known-substance",
    "measure-melting-point-unknown-substance", "power-component", "power-component-renewable-vs-nonrenewable-energy", "test-conductivity",
    "test-conductivity-of-unknown-substances", "find-living-thing", "find-non-living-thing", "find-plant", "find-animal", "grow-plant",
    "grow-fruit", "chemistry-mix", "chemistry-mix-paint-secondary-color", "chemistry-mix-paint-tertiary-color", "lifespan-longest-lived",
    "lifespan-shortest-lived", "lifespan-longest-lived-then-shortest-lived", "identify-life-stages-1", "identify-life-stages-2",
    "inclined-plane-determine-angle", "inclined-plane-friction-named-surfaces", "inclined-plane-friction-unnamed-surfaces",
    "mendelian-genetics-known-plant", "mendelian-genetics-unknown-plant",
)  # fmt: skip
EOF_MARK = ""
