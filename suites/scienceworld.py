"""ScienceWorld (arXiv 2203.07540): thirty primary-school science tasks, on the package's test
variations.

`scienceworld` allows 300 actions and does not limit the simulated time: the package's default of
100 moves (`envStepLimit`) ends some tasks before its own gold path does. `scienceworld-100` keeps
that limit and is not part of `all`. Ten episodes per task; eleven tasks have only four to nine test
variations, after which episodes repeat, since the simulator has no other randomness.

The score is 0 to 100 points, negative ones set to 0 (as in the package's examples/random_agent.py);
success is 100 points.
"""

from __future__ import annotations

from harness.core import Normaliser, Reference, Suite, Task

__all__ = ["SUITES"]

TASKS = (
    "boil", "melt", "freeze", "change-the-state-of-matter-of", "use-thermometer",
    "measure-melting-point-known-substance", "measure-melting-point-unknown-substance",
    "power-component", "power-component-renewable-vs-nonrenewable-energy", "test-conductivity",
    "test-conductivity-of-unknown-substances", "find-living-thing", "find-non-living-thing",
    "find-plant", "find-animal", "grow-plant", "grow-fruit", "chemistry-mix",
    "chemistry-mix-paint-secondary-color", "chemistry-mix-paint-tertiary-color",
    "lifespan-longest-lived", "lifespan-shortest-lived",
    "lifespan-longest-lived-then-shortest-lived", "identify-life-stages-1",
    "identify-life-stages-2", "inclined-plane-determine-angle",
    "inclined-plane-friction-named-surfaces", "inclined-plane-friction-unnamed-surfaces",
    "mendelian-genetics-known-plant", "mendelian-genetics-unknown-plant",
)  # fmt: skip
"""In the order of the paper's ten topics."""

REFERENCES = (
    Reference(
        "SwiftSage",
        84.7,
        "score_mean",
        "arXiv 2305.17390",
        "one mean over all thirty tasks, trained on gold paths; its own choice of test variations "
        "and its own limit of steps",
        tasks=30,
    ),
)


def _suite(name: str, title: str, limit: int | None, *, in_all: bool) -> Suite:
    moves = {} if limit is None else {"move_limit": limit}
    rule = (
        "100 points within 300 actions"
        if limit is None
        else f"100 points within {limit} moves of simulated time (and 300 actions)"
    )
    return Suite(
        name=name,
        title=title,
        tasks=tuple(
            Task(
                id=f"{name}/{task}@1",
                domain="planning",
                adapter="adapters.scienceworld:ScienceWorldAdapter",
                params={"name": task, "split": "test", **moves},
                max_steps=300,
                rule=rule,
                score="score",
                normaliser=Normaliser(0.0, 100.0, "no points", "all points", "arXiv 2203.07540"),
                references=REFERENCES,
            )
            for task in TASKS
        ),
        episodes=10,
        in_all=in_all,
        source="arXiv 2203.07540",
    )


SUITES: tuple[Suite, ...] = (
    _suite("scienceworld", "ScienceWorld, test variations", None, in_all=True),
    _suite("scienceworld-100", "ScienceWorld, test variations, 100 moves", 100, in_all=False),
)
