"""Crafter (arXiv 2109.06780): one world per episode, 22 achievements, at most 10,000 steps.

The paper's protocol: the default environment (64 x 64 cells, a picture of 64 x 64 px, 10,000 steps
unless the player dies). Its figure, the Crafter score, is made of the share of episodes that unlock
each achievement: exp(mean over the 22 of ln(1 + s)) - 1 with s in percent. It is no mean over
episodes, so it is not the task's score: reports show it as the metric `achievement_score`. The
task's score is the number of achievements.

The paper prescribes no seeds and no episodes of evaluation: agents are measured in all episodes of
1,000,000 steps of training. Here there are 100 episodes, as many as its human players recorded.
"""

from __future__ import annotations

from harness.core import Normaliser, Reference, Suite, Task

__all__ = ["SUITES"]

TRAINING = "in all episodes of 1,000,000 steps of training, not after them"
README = "the scoreboards in the README of danijar/crafter"


def _score(
    label: str, value: float, source: str, rule: str, *, same: bool = False, agent: str = ""
) -> Reference:
    return Reference(
        label,
        value,
        "achievement_score",
        source,
        rule,
        same_rule=same,
        tasks=1,
        agent=agent,
    )


REFERENCES = (
    _score("random", 1.6, README, "", same=True),
    _score("human experts", 50.5, README, "100 episodes of five players"),
    _score("Rainbow", 4.3, README, TRAINING),
    _score("PPO", 4.6, README, TRAINING),
    _score("DreamerV2", 10.0, README, TRAINING),
    _score("DreamerV3", 14.5, README, TRAINING),
    _score(
        "SPRING",
        27.3,
        README,
        "its own choice of worlds",
        agent="a language model that read the paper, told the scene in words",
    ),
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="crafter",
        title="Crafter, 22 achievements",
        tasks=(
            Task(
                id="crafter/achievements@1",
                domain="games",
                adapter="adapters.crafter:CrafterAdapter",
                max_steps=10_000,
                success=None,
                rule="achievements unlocked until the player dies, of 22, in 10,000 steps",
                score="achievements",
                normaliser=Normaliser(
                    0.0, 22.0, "no achievement", "all 22", "arXiv 2109.06780: its achievements"
                ),
                references=REFERENCES,
            ),
        ),
        episodes=100,
        source="arXiv 2109.06780",
    ),
)
