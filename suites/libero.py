"""LIBERO (arXiv 2306.03310): the package's five suites, on robosuite.

The rule is the one by which vision-language-action models are compared (OpenVLA, arXiv 2406.09246,
experiments/robot/libero of its code): 50 episodes per task, one from each initial state by index,
10 idle steps first, and a horizon that depends on the suite. LIBERO's own evaluation of lifelong
learning has 20 episodes, 5 idle steps and 600 steps, so its figures do not compare.

`libero-goal-resampled` and three more have the same tasks from starts that robosuite draws by the
placement regions of the BDDL file, as the benchmark's fixed initial states once were.
"""

from __future__ import annotations

from harness.core import Reference, Suite, Task
from harness.core.resampled import resampled_suite
from suites.libero_names import NAMES

__all__ = ["SUITES"]

HORIZONS = {
    "libero_spatial": 220,
    "libero_object": 280,
    "libero_goal": 300,
    "libero_10": 520,
    "libero_90": 400,
}
TITLES = {
    "libero_spatial": "LIBERO-Spatial: one thing, ten layouts",
    "libero_object": "LIBERO-Object: ten things",
    "libero_goal": "LIBERO-Goal: ten goals in one scene",
    "libero_10": "LIBERO-10 (Long): two goals one after the other",
    "libero_90": "LIBERO-90: many short tasks",
}
OPENVLA = {
    "libero_spatial": 0.847,
    "libero_object": 0.884,
    "libero_goal": 0.792,
    "libero_10": 0.537,
}
SETTLE, SIZE = 10, 256


def _task(suite: str, name: str) -> Task:
    steps = HORIZONS[suite]
    figure = OPENVLA.get(suite)
    reference = Reference(
        "OpenVLA, fine-tuned",
        figure or 0.0,
        "success_rate",
        "arXiv 2406.09246, table of the LIBERO experiments",
        "one mean over the ten tasks of the suite; pictures turned by 180 degrees and cropped; "
        "fixtures drawn once a task",
        tasks=10,
    )
    return Task(
        id=f"{suite.replace('_', '-')}/{name}@1",
        domain="manipulation",
        adapter="adapters.libero:LiberoAdapter",
        params={"suite": suite, "name": name, "settle": SETTLE, "size": SIZE},
        max_steps=steps,
        rule=f"the goal holds within {steps} steps, after {SETTLE} idle ones",
        score="success",
        control_hz=20.0,
        tags=("libero",),
        references=(reference,) if figure else (),
    )


PRESCRIBED: tuple[Suite, ...] = tuple(
    Suite(
        name=suite.replace("_", "-"),
        title=TITLES[suite],
        tasks=tuple(_task(suite, name) for name in names),
        episodes=50,
        in_all=suite != "libero_90",
        source="arXiv 2306.03310; the protocol: arXiv 2406.09246",
    )
    for suite, names in NAMES.items()
)
SUITES: tuple[Suite, ...] = (
    *PRESCRIBED,
    *(resampled_suite(suite) for suite in PRESCRIBED if suite.in_all),
)
