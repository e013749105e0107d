"""How far a game of NetHack has come: BALROG's progression (arXiv 2411.13543, section 3.2).

It is the share of human players who went on to win, among those who reached a level of the dungeon
or of experience; level 1 counts as 0. The numbers are data of BALROG (github.com/balrog-ai/BALROG,
balrog/environments/nle/achievements.json), Copyright (c) 2024 BALROG Team, MIT licence.
"""

from __future__ import annotations

__all__ = ["progression"]

BY_DUNGEON_LEVEL = (
    0.0, 0.0153922691, 0.0175395358, 0.0212213784, 0.0264824495, 0.0354286861,
    0.0484609836, 0.0695812142, 0.097709352, 0.1255859702, 0.1612677823, 0.2061285484,
    0.2566039888, 0.2924724543, 0.3088124011, 0.3249071349, 0.340078837, 0.3526455578,
    0.3654881095, 0.3789566792, 0.3929374768, 0.4083225558, 0.4258360749, 0.4451814087,
    0.4663763157, 0.5067605634, 0.5543572045, 0.601564851, 0.6465049416, 0.6913110342,
    0.7101094299, 0.7176456495, 0.7232124894, 0.72844059, 0.7327761924, 0.7368528917,
    0.7421458944, 0.7471321696, 0.7537313433, 0.7610398408, 0.7674081031, 0.7725338491,
    0.7771626298, 0.781256795, 0.7858986135, 0.7890256739, 0.7929718876, 0.7967408446,
    0.8018467496, 0.8067964442,
)  # fmt: skip
"""Of dungeon levels 1 to 50."""
BY_EXPERIENCE_LEVEL = (
    0.0, 0.0184784046, 0.0208116358, 0.0241601366, 0.029108986, 0.0368875906,
    0.0507583712, 0.0745359527, 0.1170499647, 0.1790995377, 0.2548044909, 0.3326494239,
    0.4144259052, 0.494039494, 0.5778823704, 0.6261221999, 0.6562817646, 0.681021855,
    0.7015328516, 0.7174494082, 0.7286977844, 0.7371004909, 0.744344663, 0.7513449679,
    0.7585537128, 0.7642151856, 0.7703376823, 0.7759810263, 0.7783345264, 0.7804561949,
)  # fmt: skip
"""Of experience levels 1 to 30."""


def progression(depth: int, experience: int) -> float:
    """From 0 to 1, of a game whose deepest level was `depth` and highest experience `experience`.

    BALROG's file also has numbers for the last planes and the quest's home, which its evaluation
    never looks up, because the game gives them the number of a depth. Nor are they here.
    """
    return max(_of(BY_DUNGEON_LEVEL, depth), _of(BY_EXPERIENCE_LEVEL, experience))


def _of(shares: tuple[float, ...], level: int) -> float:
    """The largest share of the levels up to this one; 0 before the game has begun."""
    return max(shares[: max(level, 0)], default=0.0)
