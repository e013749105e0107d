"""An agent with a profile, that does nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import Agent, Brief, Missing, Turn
from harness.policies.profiles import load_profile


class Profiled(Agent):
    def __init__(self, profile: str, profile_check: str = "on") -> None:
        self.profile = load_profile(profile)

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        check = arguments.get("profile_check", "on")
        return load_profile(arguments["profile"]).missing(brief, check)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [turn.brief.action.noop() for turn in turns]
