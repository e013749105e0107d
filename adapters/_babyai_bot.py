"""BabyAI's bot, kept from planning in circles, and what it raises where it finds no way.

It can plan in circles for ever (UnlockToUnlock, seldom GoToImpUnlock and Unlock), break its own
assertions and find no place to drop what it carries, and it refuses to go on once a box was opened.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PLAN_LIMIT", "BoundedStack", "faults", "made"]

PLAN_LIMIT = 200
"""Subgoals that the bot may push while it plans one action.

When it does not plan in circles it pushes at most 9 (measured on all levels).
"""


class _PlanTooLong(Exception):
    """The bot pushed more than PLAN_LIMIT subgoals for one action."""


class BoundedStack(list[Any]):
    """The bot's stack of subgoals, which stops a bot that plans in circles.

    A bot that plans in circles keeps pushing. Counting pushes ends it at the same point on every
    machine.
    """

    pushed = 0

    def append(self, item: Any) -> None:
        self.pushed += 1
        if self.pushed > PLAN_LIMIT:
            raise _PlanTooLong
        super().append(item)


def made(env: Any) -> Any:
    """A bot for a level of BabyAI, unwrapped, with a bounded stack."""
    from minigrid.utils.baby_ai_bot import BabyAIBot

    bot = BabyAIBot(env)
    bot.stack = BoundedStack(bot.stack)
    return bot


def faults() -> tuple[type[Exception], ...]:
    """What the bot raises where it gives up."""
    from minigrid.utils.baby_ai_bot import DisappearedBoxError

    # TypeError: no cell is free to drop at, and the bot plans with None as the place.
    return AssertionError, DisappearedBoxError, _PlanTooLong, TypeError
