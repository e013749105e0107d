"""BabyAI's missions in many words (ours): go to, pick up and escape from an object.

The three kinds of missions are those of arXiv 2601.22948, which trains a language-conditioned agent
by behavioural cloning on them; its levels and sentences are not published. The levels and the
grammar of 648 sentences are ours (adapters/_worded_levels.py, adapters/_worded_sentences.py). A
task that ends in `heldout` plays the 132 sentences that demonstrations never have, one that ends in
`trained` the other 516. Demonstrations of either have those others: `split` is `train` there.

100 episodes per task, seeds from 0; success is an episode that ends with a reward above 0 within
the level's own step limit: 64 steps, and 20 to escape.
"""

from __future__ import annotations

from harness.core import Suite, Task

__all__ = ["SUITES"]

SUITES: tuple[Suite, ...] = (
    Suite(
        name="babyai-worded",
        title="BabyAI in many words: go to, pick up, escape from",
        tasks=tuple(
            Task(
                id=f"babyai-worded/{kind}-{name}@1",
                domain="navigation",
                adapter="adapters.minigrid:MiniGridAdapter",
                params={"id": f"BabyAI-Worded{kind}-v0", "split": split},
                rule="the mission fulfilled (return > 0) within the level's own step limit",
            )
            for kind in ("GoTo", "PickUp", "EscapeFrom")
            for name, split in (("trained", "train"), ("heldout", "held-out"))
        ),
        episodes=100,
        in_all=False,
        source="the kinds of missions: arXiv 2601.22948; levels and sentences are ours",
    ),
)
