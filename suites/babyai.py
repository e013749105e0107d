"""BabyAI (arXiv 1810.08272), as shipped in the Farama `minigrid` package: two suites.

`babyai` has the GEA paper's 17 levels (arXiv 2412.08442, appendix G.1, table 10), with GEA's
success rate on each. All are go-to, open and pick-up levels, so the domain is navigation, as in
that paper. 100 episodes per level (appendix E). The paper publishes no seeds; these are the seeds
of BabyAI's own evaluation (scripts/evaluate.py: from 1,000,000,000), whose rule is used too: return
> 0 within the level's own step limit. The 336x336 top-down picture that GEA reads is one of the
adapter's views, not part of the task.

`babyai-planning` is defined here: those of BabyAI's 19 curriculum levels (docs/iclr19_levels.md)
that GEA left out and that require planning: clear the way, fetch a key, put one thing next to
another, follow several sentences in order, up to BossLevel. (PutNext is not a level of minigrid.)
The domain is planning; the protocol is the same.
"""

from __future__ import annotations

from harness.core import Reference, Suite, Task
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

FIRST_SEED = 1_000_000_000
RULE = "the mission fulfilled (return > 0) within the level's own step limit"

ROW = ROWS["BabyAI"]

# Level, and where known the percentage reached by imitation of 1,000,000 demonstrations of that
# level (BabyAI 1.1).
PLANNING = (
    ("PutNextLocal", 100.0),
    ("UnblockPickup", None),
    ("Unlock", 100.0),
    ("Synth", 100.0),
    ("SynthLoc", None),
    ("GoToSeq", 96.7),
    ("SynthSeq", 93.9),
    ("GoToImpUnlock", 84.0),
    ("BossLevel", 90.4),
)


def _task(
    level: str, domain: str, tags: tuple[str, ...], references: tuple[Reference, ...]
) -> Task:
    return Task(
        id=f"babyai/{level}@1",
        domain=domain,
        adapter="adapters.minigrid:MiniGridAdapter",
        params={"id": f"BabyAI-{level}-v0"},
        rule=RULE,
        first_seed=FIRST_SEED,
        tags=tags,
        references=references,
    )


def _imitation(percent: float) -> Reference:
    return Reference(
        label="BabyAI 1.1, imitation",
        value=percent / 100,
        metric="success_rate",
        source="arXiv 2007.12770, table 4",
        rule="1,000,000 demonstrations of the level, the symbolic 7x7 view; other episodes",
        tasks=1,
        agent="one policy a task",
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="babyai",
        title="BabyAI, the GEA paper's 17 levels",
        tasks=tuple(
            _task(level, "navigation", ("gea",), ROW.references(level, same_rule=True))
            for level in ROW.by_task
        ),
        episodes=100,
        source="arXiv 2412.08442, appendices E and G.1; arXiv 1810.08272",
    ),
    Suite(
        name="babyai-planning",
        title="BabyAI, nine curriculum levels that take a plan",
        tasks=tuple(
            _task(level, "planning", (), () if percent is None else (_imitation(percent),))
            for level, percent in PLANNING
        ),
        episodes=100,
        source="arXiv 1810.08272, docs/iclr19_levels.md of mila-iqia/babyai",
    ),
)
