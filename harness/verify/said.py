"""The transcript that an agent kept of an episode, as `bench show` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.text import shorten
from harness.records import safe_json

__all__ = ["said_by_step"]

MOST_SHOWN = 2000
"""Characters of what was asked or answered at one step."""


def said_by_step(transcript: str) -> Mapping[int, list[str]]:
    """Step -> what the agent asked and was answered there, one entry for each exchange.

    A line is a JSON object with `step` and `exchanges`, each with `sent`, `reply` and, where the
    answer was no action, `problem`. Any other line belongs to step 0 as it is: what another agent
    writes into its transcript is its own affair.
    """
    found: dict[int, list[str]] = {}
    for line in transcript.splitlines():
        step, entries = _entries(line)
        found.setdefault(step, []).extend(entries)
    return found


def _entries(line: str) -> tuple[int, list[str]]:
    try:
        value = safe_json.parse(line)
    except ValueError:
        value = None
    step = value.get("step") if isinstance(value, dict) else None
    exchanges = value.get("exchanges") if isinstance(value, dict) else None
    if type(step) is not int or not isinstance(exchanges, list):
        return 0, [f"said: {shorten(line, MOST_SHOWN)}"]
    entries = []
    for each in exchanges:
        for name, word in (("sent", "asked"), ("reply", "answered"), ("problem", "no action")):
            told: Any = each.get(name) if isinstance(each, dict) else None
            if isinstance(told, str) and told:
                entries.append(f"{word}: {shorten(told, MOST_SHOWN)}")
    return step, entries
