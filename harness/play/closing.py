"""Closes adapters and agents. What goes wrong there costs no result: it is told in one line."""

from __future__ import annotations

import logging

from harness.core import Adapter, Agent, BatchedAdapter
from harness.core.errors import describe
from harness.play.inference import Hung, Watch, watched

__all__ = ["CLOSING_S", "close"]

log = logging.getLogger("bench")
CLOSING_S = 10.0
"""How long an adapter or an agent may take to close, in seconds."""


def close(foreign: Adapter | BatchedAdapter | Agent, watch: Watch) -> None:
    """Close an adapter or an agent. Raises KeyboardInterrupt only."""
    name = type(foreign).__name__
    try:
        with watched(watch, CLOSING_S):
            foreign.close()
    except KeyboardInterrupt:
        raise
    except Hung:
        log.warning("%s.close did not return within %g s; the results stand", name, CLOSING_S)
    except BaseException as fault:
        log.warning("%s.close failed: %s; the results stand", name, describe(fault))
