"""Asks an agent whether it fits a task, before anything moves."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.core import Brief, Missing, UserError
from harness.core.errors import describe
from harness.play.environments import EnvSlot
from harness.play.inference import Watch
from harness.records.identity import AgentSpec

__all__ = ["CANNOT_PLAY", "FitCheck"]

CANNOT_PLAY = "the agent cannot play it: "
"""How the reason of such a row begins. It is the agent's word: nobody can check it without it."""


class FitCheck:
    """What `Agent.unfit` says of each environment; asked again only where its brief changes."""

    def __init__(self, spec: AgentSpec, watch: Watch, timeout: float) -> None:
        """`timeout`: how long the agent may take, in seconds."""
        self._ask: Callable[[Brief], Missing | None] = spec.unfit
        self._entry = spec.entry
        self._watch = watch
        self._timeout = timeout

    def __call__(self, slot: EnvSlot) -> Missing | None:
        """Why the agent cannot play in this environment, or None.

        None too as long as the adapter has not described itself, which some do in `reset`. An agent
        that fails here cannot play either: what it raised is the reason.
        """
        brief: Brief | None = getattr(slot.adapter, "brief", None)
        if brief is None:
            return None
        if slot.fit is None or slot.fit[0] is not brief:
            found = self._asked(brief)
            if found is not None:
                found = Missing(f"{CANNOT_PLAY}{found.reason}", found.remedy)
            slot.fit = brief, found
        return slot.fit[1]

    def _asked(self, brief: Brief) -> Missing | None:
        self._watch.phase = "agent"
        self._watch.deadline = time.perf_counter() + self._timeout
        try:
            found = self._ask(brief)
            if found is not None and not isinstance(found, Missing):
                raise TypeError(f"it returned {type(found).__name__}, not Missing or None")
        except KeyboardInterrupt:
            raise
        except UserError as wrong:
            return Missing(str(wrong), "correct the agent's arguments")
        except BaseException as fault:  # foreign code may raise anything, also what is no Exception
            return Missing(
                f"{self._entry}.unfit failed: {describe(fault)}", "correct the agent's unfit"
            )
        finally:
            self._watch.deadline = 0.0
        return found
