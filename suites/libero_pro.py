"""LIBERO-PRO (arXiv 2510.03827): four suites of LIBERO, each changed in four ways.

The rule is that of the figures in its repository (Zxy-MLlab/LIBERO-PRO, README at 2b910b5): the
horizons of OpenVLA's evaluation, here with its 50 episodes and 10 idle steps. Its fifth change, of
the environment, has no files: the authors withheld them because things move by themselves (issue 9
of the repository).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Reference, Suite, Task
from suites.libero import HORIZONS, SETTLE, SIZE
from suites.libero_names import NAMES

__all__ = ["SUITES"]

CHANGES: Mapping[str, tuple[str, str]] = {
    "object": ("object", "the things look otherwise, or are larger"),
    "position": ("swap", "things have changed places"),
    "semantic": ("lan", "the instruction in other words"),
    "task": ("task", "another goal in the same scene"),
}
"""Our word -> the end of the package's suite, and what it is."""
TITLES = {
    "libero_goal": "LIBERO-PRO Goal",
    "libero_spatial": "LIBERO-PRO Spatial",
    "libero_10": "LIBERO-PRO 10",
    "libero_object": "LIBERO-PRO Object",
}
SOURCE = "github.com/Zxy-MLlab/LIBERO-PRO, README at 2b910b5, model leaderboard"
SCENES = "one mean over the ten tasks of the suite; number of episodes not stated"
WORDS = (
    f"{SCENES}; whether its agent was told the changed instruction is not stated (issues 14 and 27 "
    "of the repository); here it is told"
)
FIGURES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "OpenVLA": {
        "libero_goal": (0.96, 0.00, 0.98, 0.00),
        "libero_spatial": (0.97, 0.00, 0.97, 0.00),
        "libero_10": (0.81, 0.00, 0.96, 0.00),
        "libero_object": (0.98, 0.00, 0.98, 0.00),
    },
    "pi0": {
        "libero_goal": (0.94, 0.00, 0.93, 0.00),
        "libero_spatial": (0.95, 0.00, 0.97, 0.00),
        "libero_10": (0.79, 0.00, 0.82, 0.00),
        "libero_object": (0.94, 0.00, 0.90, 0.00),
    },
    "pi0.5": {
        "libero_goal": (0.97, 0.38, 0.97, 0.00),
        "libero_spatial": (0.97, 0.20, 0.97, 0.01),
        "libero_10": (0.92, 0.08, 0.93, 0.01),
        "libero_object": (0.98, 0.17, 0.96, 0.01),
    },
    "MolmoAct": {
        "libero_goal": (0.68, 0.00, 0.85, 0.00),
        "libero_spatial": (0.90, 0.00, 0.88, 0.00),
        "libero_10": (0.54, 0.00, 0.74, 0.06),
        "libero_object": (0.92, 0.06, 0.96, 0.00),
    },
    "NORA": {
        "libero_goal": (0.58, 0.00, 0.88, 0.00),
        "libero_spatial": (0.92, 0.00, 0.91, 0.00),
        "libero_10": (0.46, 0.00, 0.74, 0.00),
        "libero_object": (0.86, 0.00, 0.92, 0.00),
    },
    "X-VLA": {
        "libero_goal": (0.68, 0.01, 0.98, 0.09),
        "libero_spatial": (0.97, 0.00, 0.96, 0.00),
        "libero_10": (0.62, 0.00, 0.95, 0.10),
        "libero_object": (0.89, 0.02, 0.98, 0.08),
    },
}
"""Agent -> suite -> the share of successes for object, position, semantic, task."""


def _suite(base: str, change: str) -> Suite:
    end, what = CHANGES[change]
    name = f"{base.replace('libero_', 'libero-pro-')}-{change}"
    told = change in ("semantic", "task")
    references = tuple(
        Reference(
            agent,
            figures[base][list(CHANGES).index(change)],
            "success_rate",
            SOURCE,
            WORDS if told else SCENES,
            tasks=10,
        )
        for agent, figures in FIGURES.items()
    )
    params = {"suite": f"{base}_{end}", "settle": SETTLE, "size": SIZE}
    tasks = tuple(
        Task(
            id=f"{name}/{task}@1",
            domain="manipulation",
            adapter="adapters.libero:LiberoAdapter",
            params={**params, "name": task, **({"words": "file"} if told else {})},
            max_steps=HORIZONS[base],
            rule=f"the goal holds within {HORIZONS[base]} steps, after {SETTLE} idle ones",
            score="success",
            control_hz=20.0,
            tags=("libero", "libero-pro"),
            references=references,
        )
        for task in NAMES[base]
    )
    return Suite(
        name=name,
        title=f"{TITLES[base]}: {what}",
        tasks=tasks,
        episodes=50,
        in_all=False,
        source="arXiv 2510.03827; github.com/Zxy-MLlab/LIBERO-PRO; horizons: arXiv 2406.09246",
    )


SUITES: tuple[Suite, ...] = tuple(_suite(base, change) for base in TITLES for change in CHANGES)
