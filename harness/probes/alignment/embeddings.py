"""Embeddings that somebody else computed, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Agent, UserError
from harness.core.errors import describe
from harness.play.inference import Hung, Watch

__all__ = ["MOST_WIDTH", "checked", "embeddings_of"]

MOST_WIDTH = 65_536
LARGEST = 1e100
"""Of a number: its square must be one, too."""


def embeddings_of(agent: Agent, texts: Sequence[str], watch: Watch, timeout: float) -> np.ndarray:
    """What the agent tells (Agent.embed), float64 (N, D). Raises UserError with what is wrong.

    timeout: seconds in which it must answer.
    """
    who = f"{type(agent).__name__}.embed"
    watch.guard("agent", timeout, ())
    try:
        given: Any = agent.embed(list(texts))
    except (UserError, KeyboardInterrupt):
        raise
    except Hung:
        raise UserError(f"{who} gave nothing within {timeout:g} s; raise --agent-timeout") from None
    except BaseException as fault:
        raise UserError(f"{who} failed: {describe(fault)}") from None
    finally:
        watch.deadline = 0.0
    return checked(who, given, len(texts))


def checked(who: str, given: Any, count: int) -> np.ndarray:
    """float64 (count, D) of what was given. Raises UserError where it is no such array.

    who: what gave it, as the message names it.
    """
    wanted = f"{who} must return an array of floats of shape ({count}, D)"
    try:
        array = np.asarray(given)
    except Exception as fault:
        raise UserError(f"{wanted}: {describe(fault)}") from None
    if array.dtype.kind != "f":
        raise UserError(f"{wanted}, got {array.dtype} from a {type(given).__name__}")
    if array.ndim != 2 or len(array) != count or not 1 <= array.shape[1] <= MOST_WIDTH:
        raise UserError(f"{wanted} with D from 1 to {MOST_WIDTH}, got the shape {array.shape}")
    if not np.isfinite(array).all():
        raise UserError(f"{wanted}, all finite: there is NaN or infinity")
    found: np.ndarray = array.astype(np.float64)
    if np.abs(found).max() > LARGEST:
        raise UserError(f"{wanted}: its numbers are too large to be compared")
    return found
