"""Language Rearrangement (arXiv 2310.17722, apple/ml-llarp): ten test splits of 100 instructions.

An episode has at most 32 skills. Nine splits have wordings or requests that training does not have;
one (`new_scenes`) has new flats. The GEA paper (arXiv 2412.08442) evaluates the nine, in unseen
flats; they have the tag `gea`.
"""

from __future__ import annotations

from harness.core import Reference, Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

SPLITS = (
    "new_scenes",
    "rephrasing",
    "referring_expressions",
    "spatial_relationships",
    "context",
    "irrelevant_text",
    "multiple_rearrangements",
    "novel_objects",
    "multiple_objects",
    "conditional_instructions",
)
LLARP = Reference(
    "LLaRP",
    0.42,
    "success_rate",
    "arXiv 2310.17722, abstract",
    "one mean over the 1,000 instructions of all ten splits",
    tasks=10,
)
ROW = ROWS["LangR"]


def _task(split: str) -> Task:
    gea = split != "new_scenes"
    return Task(
        id=f"langr/{split}@1",
        domain="planning",
        adapter="adapters.langr:LangRAdapter",
        params={"split": split},
        max_steps=32,
        rule="the goal of the instruction holds within 32 skills",
        score="success",
        tags=("gea",) if gea else (),
        references=(*(ROW.references(split, same_rule=True) if gea else ()), LLARP),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="langr",
        title="Language Rearrangement, ten test splits",
        tasks=tuple(map(_task, SPLITS)),
        episodes=100,
        source="arXiv 2310.17722; apple/ml-llarp",
    ),
)
