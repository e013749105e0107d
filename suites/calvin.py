"""CALVIN (arXiv 2112.03227), environment D: 1000 chains of five instructions.

Each instruction has 360 steps; the first failure ends the chain. Suites:
    calvin        the community's rule: success is the whole chain, the score is the number of
                  instructions done, 0 to 5; the metrics reached_1 to reached_5 are the rates that
                  papers call 1/5 to 5/5
    calvin-first  the first instruction of each chain alone, of which the GEA paper's figures speak:
                  each of its 27 is k/n for the n chains that begin with that instruction, and
                  together they are 900 of 1,000
    calvin-instructions
                  the same thousand episodes as 27 tasks, one for each instruction that a chain
                  begins with, each with the paper's figure; a mean over them weighs all
                  instructions alike, so that it is not the paper's 90.0

The suite does not prescribe the environments on which an agent is trained (A, B and C, or D too).
Pictures are rendered on the CPU: see the adapter.
"""

from __future__ import annotations

from typing import Any

from harness.core import Normaliser, Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

SOURCE = "mees/calvin, calvin_agent/evaluation/evaluate_policy.py"
ROW = ROWS["CALVIN ABC to D"]


BEGINNINGS = {
    "turn_off_led": 54, "move_slider_left": 64, "rotate_red_block_right": 29, "open_drawer": 115,
    "rotate_red_block_left": 22, "push_pink_block_right": 29, "push_blue_block_right": 23,
    "push_red_block_left": 35, "push_pink_block_left": 31, "push_red_block_right": 29,
    "push_blue_block_left": 35, "push_into_drawer": 15, "rotate_pink_block_left": 23,
    "turn_on_lightbulb": 41, "rotate_pink_block_right": 31, "rotate_blue_block_right": 28,
    "turn_off_lightbulb": 34, "lift_blue_block_table": 24, "close_drawer": 41,
    "rotate_blue_block_left": 24, "move_slider_right": 87, "turn_on_led": 56,
    "lift_blue_block_slider": 30, "lift_pink_block_table": 25, "lift_red_block_slider": 26,
    "lift_red_block_table": 24, "lift_pink_block_slider": 25,
}  # fmt: skip
"""Instruction -> how many of the thousand chains begin with it, in the order of the paper's table.

No chain begins with one of CALVIN's other seven.
"""


def _task(
    id: str, subtasks: int, rule: str, tags: tuple[str, ...] = (), first: str = "", **more: Any
) -> Task:
    only = {"first": first} if first else {}
    return Task(
        id=id,
        domain="manipulation",
        adapter="adapters.calvin:CalvinAdapter",
        params={"scene": "calvin_scene_D", "subtasks": subtasks, "egl": False, **only},
        max_steps=360 * subtasks,
        rule=rule,
        control_hz=30.0,
        tags=tags,
        **more,
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="calvin",
        title="CALVIN, chains of five in environment D",
        tasks=(
            _task(
                "calvin/chain-of-5@1",
                5,
                "all five instructions done, 360 steps each; the score is how many were; "
                "the first failure ends the chain",
                score="chain_length",
                normaliser=Normaliser(0.0, 5.0, "none", "all five", SOURCE),
                references=ROW.references(
                    "chain-of-5", differs="ours, the community's: all five, one after the other"
                ),
            ),
        ),
        episodes=1000,
        source=f"arXiv 2112.03227; {SOURCE}",
    ),
    Suite(
        name="calvin-first",
        title="CALVIN, the first instruction of each chain",
        tasks=(
            _task(
                "calvin-first/first-of-5@1",
                1,
                "the first instruction of the chain done within 360 steps",
                ("gea",),
                score="success",
                references=ROW.references("first-of-5", same_rule=True),
            ),
        ),
        episodes=1000,
        in_all=False,
        source=f"arXiv 2412.08442; {SOURCE}",
    ),
    Suite(
        name="calvin-instructions",
        title="CALVIN, the first instruction of each chain, by instruction",
        tasks=tuple(
            _task(
                f"calvin-instructions/{instruction}@1",
                1,
                "the instruction done within 360 steps, as the first of a chain",
                ("gea",),
                instruction,
                score="success",
                references=ROW.references_of_part(instruction),
            )
            for instruction in BEGINNINGS
        ),
        episodes=15,
        counts={f"calvin-instructions/{name}@1": count for name, count in BEGINNINGS.items()},
        in_all=False,
        source=f"arXiv 2412.08442; {SOURCE}",
    ),
)
