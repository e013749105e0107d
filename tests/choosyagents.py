"""Agents that say of some tasks that they do not fit, or fail while they say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toys import GoodAgent

from harness.core import Box, Brief, Missing, UserError


class Choosy(GoodAgent):
    """Plays discrete actions only. `asked` is a file with a line for each time it is asked."""

    outputs = ("asked",)

    def __init__(self, asked: str, how: str = "missing") -> None:
        self.asked, self.how = asked, how

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        with Path(arguments["asked"]).open("a") as file:
            file.write(f"{type(brief.action).__name__} {sorted(brief.observation)}\n")
        if not isinstance(brief.action, Box):
            return None
        how = arguments.get("how", "missing")
        if how == "raise":
            raise SystemExit("no idea")
        if how == "refuse":
            raise UserError("there is no profile 'x'")
        if how == "word":
            return "no"  # type: ignore[return-value]
        return Missing("it cannot glide", "teach it to")


class ServedChoosy(Choosy):
    served = True
