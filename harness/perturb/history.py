"""How many past observations the agent is shown."""

from __future__ import annotations

from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams

__all__ = ["ShorterHistory"]


class ShorterHistory(Effect):
    """The agent is shown `fewer` past observations than it asks for; None: only the newest one."""

    def __init__(self, streams: RandomStreams, body: Body, fewer: int | None) -> None:
        super().__init__(streams, body)
        if body.history < 2:
            raise NotApplicable(
                "the agent is shown one observation at a time: there is no history to shorten"
            )
        self._fewer = fewer

    def keep(self, history: int) -> int:
        return 1 if self._fewer is None else max(1, history - self._fewer)
