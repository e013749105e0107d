"""What may be new to an agent in an episode: the axes of generalisation, and who tells each."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["AXES", "TOLD"]

TOLD = ("object", "scene")
"""What an adapter tells of an episode (`Adapter.factors`)."""
AXES: Mapping[str, str] = {
    "start": "the whole state that the episode begins in",
    "instruction": "what it is asked to do, word for word",
    "object": "what the goal names",
    "scene": "where it takes place",
    "task": "the task by its id",
    "body": "the embodiment that acts",
}
"""Axis -> what is the same where an episode was seen along it."""
