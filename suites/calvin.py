"""CALVIN (arXiv 2112.03227), environment D: 1000 chains of five instructions.

Each instruction has 360 steps; the first failure ends the chain. Suites:
    calvin        the community's rule: success is the whole chain, the score is the number of
                  instructions done, 0 to 5; the metrics reached_1 to reached_5 are the rates that
                  papers call 1/5 to 5/5
    calvin-first  the first instruction of each chain alone, of which the GEA paper's figures speak:
                  each of its 27 is k/n for the n chains that begin with that instruction, and
                  together they are 900 of 1,000

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


def _task(id: str, subtasks: int, rule: str, tags: tuple[str, ...] = (), **more: Any) -> Task:
    return Task(
        id=id,
        domain="manipulation",
        adapter="adapters.calvin:CalvinAdapter",
        params={"scene": "calvin_scene_D", "subtasks": subtasks, "egl": False},
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
)
