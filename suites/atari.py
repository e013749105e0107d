"""Atari: 57 games, scored between random play and a human tester, under the two protocols in use.

`atari` is the protocol of the score table, without sticky actions: the emulator is deterministic,
and episodes differ only in the 1 to 30 no-ops at the start, so a deterministic agent has at most 30
distinct episodes per game. Nearest to it is the GEA paper (arXiv 2412.08442), which plays 10
episodes of each of 44 games (tag `gea`), mentions no no-op starts, and prints no score below 0.

`atari-sticky` is the protocol of the ALE/*-v5 environments after Machado et al. 2018 (arXiv
1709.06009): every frame repeats the last executed action with probability 0.25, and there are no
no-op starts. That paper also asks for all 18 actions and 5 frames per step; the v5 environments
(ale-py 0.12.1) and these tasks use the game's own actions and 4 frames. The score table was
measured without sticky actions.

A mean over games is dominated by few of them (in double_dunk the human is only 2.2 points above
random play): read the median and the interquartile mean first.
"""

from __future__ import annotations

from typing import Any

from harness.core import Normaliser, Suite, Task
from suites.atari_scores import RANDOM_AND_HUMAN, SOURCE
from suites.gea_paper import ROWS

__all__ = ["SUITES"]

FRAME_SKIP = 4
MAX_FRAMES = 108_000
"""30 minutes at 60 frames per second, the no-ops not counted (as in dqn_zoo)."""

ROW = ROWS["Atari"]


def _task(family: str, game: str, starts: dict[str, Any], rule: str, differs: str) -> Task:
    random, human = RANDOM_AND_HUMAN[game]
    return Task(
        id=f"{family}/{game}@2",
        domain="games",
        adapter="adapters.atari:AtariAdapter",
        params={"game": game, "frame_skip": FRAME_SKIP, **starts},
        max_steps=MAX_FRAMES // FRAME_SKIP,
        success=None,
        rule=rule,
        normaliser=Normaliser(random, human, source=SOURCE),
        control_hz=60 / FRAME_SKIP,
        tags=("gea",) if game in ROW.by_task else (),
        references=ROW.references(game, differs=differs) if game in ROW.by_task else (),
    )


SUITES: tuple[Suite, ...] = (
    Suite(
        name="atari",
        title="Atari, 57 games",
        tasks=tuple(
            _task(
                "atari",
                game,
                {"noop_max": 30},
                "points in at most 108k frames, 1-30 no-ops first, no sticky actions",
                "ours: no-op starts, a score below random counts as below 0",
            )
            for game in RANDOM_AND_HUMAN
        ),
        episodes=10,
        source="Mnih et al. 2015, doi 10.1038/nature14236; scores: " + SOURCE,
    ),
    Suite(
        name="atari-sticky",
        title="Atari, 57 games, sticky actions",
        tasks=tuple(
            _task(
                "atari-sticky",
                game,
                {"sticky": 0.25},
                "points in at most 108k frames, sticky actions 0.25 (ALE v5)",
                "ours, the community's: sticky actions 0.25",
            )
            for game in RANDOM_AND_HUMAN
        ),
        episodes=10,
        in_all=False,
        source="Machado et al. 2018, arXiv 1709.06009; ale-py's ALE/*-v5",
    ),
)
