"""ALFWorld (arXiv 2010.03768): household tasks as text games.

Suites:
    alfworld-synthetic  the six task types on games generated from the package's floor plans, goals
                        and PDDL
    alfworld            the official evaluation games in unseen rooms, each once
    alfworld-seen       the same in seen rooms

The user downloads the official games. In synthetic games, objects lie anywhere they fit,
so published figures do not compare, and none is printed. The rule is the community's: whether the
goal is reached within 50 actions.
"""

from __future__ import annotations

from typing import Any

from harness.core import Reference, Suite, Task

__all__ = ["SUITES"]

TASK_TYPES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
RULE = "the goal holds within 50 actions"
REACT = "arXiv 2210.03629, table 3"
UNSEEN = (
    Reference(
        "ReAct, PaLM-540B",
        0.71,
        "success_rate",
        REACT,
        "the best of six prompts; two examples of the task type in the prompt",
        tasks=1,
    ),
    Reference(
        "BUTLER",
        0.37,
        "success_rate",
        REACT,
        "the best of eight agents trained by imitation, with beam search",
        tasks=1,
    ),
)


def _task(
    id: str,
    params: dict[str, Any],
    rule: str,
    tags: tuple[str, ...],
    references: tuple[Reference, ...] = (),
) -> Task:
    return Task(
        id=id,
        domain="planning",
        adapter="adapters.alfworld:AlfWorldAdapter",
        params=params,
        max_steps=50,
        rule=rule,
        score="success",
        tags=tags,
        references=references,
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="alfworld-synthetic",
        title="ALFWorld's six task types, synthetic games",
        tasks=tuple(
            _task(
                f"alfworld-synthetic/{kind}@1",
                {"task_type": kind},
                f"{RULE}; a synthetic game",
                ("synthetic",),
            )
            for kind in TASK_TYPES
        ),
        episodes=50,
        source="rules, words and goals: alfworld 0.4, arXiv 2010.03768; the games are ours",
    ),
    Suite(
        name="alfworld",
        title="ALFWorld, the 134 games in unseen rooms",
        tasks=(
            _task(
                "alfworld/valid_unseen@1", {"split": "valid_unseen"}, RULE, ("official",), UNSEEN
            ),
        ),
        episodes=134,
        in_all=False,
        source="arXiv 2010.03768",
    ),
    Suite(
        name="alfworld-seen",
        title="ALFWorld, the 140 games in seen rooms",
        tasks=(_task("alfworld-seen/valid_seen@1", {"split": "valid_seen"}, RULE, ("official",)),),
        episodes=140,
        in_all=False,
        source="arXiv 2010.03768",
    ),
)
