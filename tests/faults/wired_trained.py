"""`sb3`: a policy of Stable-Baselines3 that reads pictures, trained here in minutes.

It is a zip with SB3's CnnPolicy, which plays BabyAI's GoToRedBall on `image_partial`, in episodes
of 20 steps. It learns what the expert does: first where the expert acts, with a fifth of random
actions, then twice where it acts itself (DAgger, arXiv 1011.0686).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from wired_demonstrations import demonstrated, fitted
from wired_faults import PICTURES, Work, cases_of, crossed, miscounted

from harness.core import Case
from suites import babyai

__all__ = ["sb3"]

VIEW = "image_partial"
EPISODES, MORE = 500, 250
"""Of the expert, and in each further round of the policy."""
UPDATES, RATE = 900, 7e-4
"""In each of three rounds."""


def sb3(folder: Path) -> Work:
    """The zip in this folder, which is trained where it is wanting, and its faults."""
    from harness.policies.sb3 import SB3

    cases, path = cases_of("babyai/GoToRedBall", babyai.SUITES, 20), folder / "sb3.zip"
    if not path.exists():
        _train(path, cases)
    policy = SB3(str(path), views=VIEW)
    return Work(policy, cases, crossed(policy, VIEW, PICTURES) | miscounted(policy, 7))


def _train(path: Path, cases: Callable[[int, int], list[Case]]) -> None:
    """Write a zip of SB3's PPO whose CnnPolicy learned what the expert does."""
    from harness.policies.sb3 import SB3

    seen = demonstrated([VIEW], cases(900, EPISODES), noise=0.2)
    model = _untrained(np.shape(seen.views[VIEW][0]), seen.briefs[0].action.n)
    part = path.with_suffix(".part.zip")
    for again in range(3):
        if again:
            model.save(part)
            more = demonstrated([VIEW], cases(900 + again, MORE), SB3(str(part), views=VIEW))
            seen.views[VIEW] += more.views[VIEW]
            seen.actions += more.actions
        images, actions = seen.view(VIEW).permute(0, 3, 1, 2), seen.answers()

        def loss(rows: Any) -> Any:
            dealt = model.policy.get_distribution(images[rows])  # noqa: B023
            return -dealt.log_prob(actions[rows]).mean()  # noqa: B023

        fitted(loss, model.policy.parameters(), len(actions), UPDATES, RATE)
    model.save(path)


def _untrained(shape: tuple[int, ...], choices: int) -> Any:
    import gymnasium
    from stable_baselines3 import PPO

    class Spaces(gymnasium.Env[Any, Any]):
        """What a policy is made for; nobody plays here."""

        observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        action_space = gymnasium.spaces.Discrete(choices)

    return PPO("CnnPolicy", Spaces(), device="cpu", seed=0, n_steps=16, batch_size=16)
