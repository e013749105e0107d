"""Classical planning as a text game: two suites of eight PDDL domains, defined here.

`pddl` is played step by step, `pddl-plan` asks for a whole plan at once; a seed is the same problem
in both. Each domain has four sizes, and seed s has number s % 4, so the metric `size` splits a row
by difficulty. The rule of `pddl-plan` is PlanBench's plan generation (a plan counts if a validator
accepts it); PlanBench's score of optimal planning corresponds to the metric `optimality` = 1. 100
episodes per task.

The horizon of a step-by-step task is three times the longest shortest plan of its first 100 seeds,
rounded up to a multiple of ten.
"""

from __future__ import annotations

from typing import Any

from harness.core import Reference, Suite, Task

__all__ = ["SUITES"]

DOMAINS: tuple[tuple[str, tuple[int, ...], int], ...] = (  # sizes, horizon
    ("blocksworld", (3, 4, 5, 6), 50),
    ("gripper", (2, 3, 4, 5), 50),
    ("ferry", (2, 3, 4, 5), 60),
    ("elevator", (2, 3, 4, 5), 60),
    ("logistics", (1, 2, 3, 4), 70),
    ("hanoi", (3, 4, 5, 6), 180),
    ("visitall", (3, 4, 5, 6), 70),
    ("rovers", (1, 2, 3, 4), 60),
)
PLANBENCH = (("Deepseek R1", 0.991), ("LLaMA-3.1 405B", 0.626), ("GPT-4o", 0.355))


def _planbench(model: str, value: float) -> Reference:
    return Reference(
        label=f"{model}, PlanBench",
        value=value,
        metric="success_rate",
        source="README of karthikv792/LLMs-Planning (commit b008bc4), Blocksworld, "
        "natural language; arXiv 2206.10498",
        rule="Blocksworld alone: 600 other problems, of 3 (100), 4 (445) and 5 blocks (55); "
        "PlanBench's own words and zero-shot prompt",
        tasks=1,
    )


def _task(suite: str, domain: str, sizes: tuple[int, ...], **rule: Any) -> Task:
    mode = "plan" if suite == "pddl-plan" else "steps"
    return Task(
        id=f"{suite}/{domain}@1",
        domain="planning",
        adapter="adapters.pddl:PddlAdapter",
        params={"domain": domain, "sizes": list(sizes), "mode": mode},
        score="success",
        references=tuple(_planbench(*row) for row in PLANBENCH)
        if (suite, domain) == ("pddl-plan", "blocksworld")
        else (),
        **rule,
    )


STEPS, PLAN = (
    "every goal reached within the horizon",
    "every action of the plan applies and the goal holds at its end",
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="pddl",
        title="eight planning domains, step by step",
        tasks=tuple(
            _task("pddl", domain, sizes, max_steps=horizon, rule=STEPS)
            for domain, sizes, horizon in DOMAINS
        ),
        episodes=100,
        source="the domains of the international planning competitions, problems of our own",
    ),
    Suite(
        name="pddl-plan",
        title="eight planning domains, a whole plan at once",
        tasks=tuple(
            _task("pddl-plan", domain, sizes, max_steps=1, rule=PLAN)
            for domain, sizes, _ in DOMAINS
        ),
        episodes=100,
        source="the rule of PlanBench, arXiv 2206.10498; problems of our own",
    ),
)
