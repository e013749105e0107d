"""Environments of the old package gym, which Gymnasium replaced, and what to do about them.

An environment of gym before 0.26 has `seed(seed)`, a `reset()` that returns an observation alone,
and a `step(action)` that returns four values; one of gym 0.26 has Gymnasium's interface, but
classes, spaces and a registry of its own. Nothing here imports gym.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["FAMILIES", "INSTALL", "UNSEEDED", "WRAP", "instead", "registered_with_old_gym"]

WRAP = "wrap it, for example with shimmy's GymV21CompatibilityV0"
"""The remedy for an environment with another interface, whatever it is registered with."""
INSTALL = "pip install shimmy 'gym==0.26.2' 'numpy<2'"
"""What playing an environment of old gym needs."""
UNSEEDED = (
    "it has neither reset(seed=...) nor seed(): no episode of it can be played again",
    "wrap it in an environment of Gymnasium whose reset() passes the seed on",
)
"""The reason and the remedy for an environment that Shimmy cannot seed."""
FAMILIES = {"crafter": "crafter", "procgen": "procgen"}
"""A module that registers with old gym -> our suite that plays the same simulator."""


def registered_with_old_gym(name: str) -> bool:
    """Whether the old package knows this id. False where nothing has imported it."""
    registry: Any = getattr(getattr(sys.modules.get("gym"), "envs", None), "registry", ())
    return name in getattr(registry, "env_specs", registry)  # env_specs: before 0.26


def instead(module: str, name: str) -> str:
    """What to write in the place of an id of the old package; one line."""
    package = module.partition(".")[0]
    if package in FAMILIES:
        return f"bench plays it as a family of its own: --suite {FAMILIES[package]}"
    env_id = f"{module}:{name}" if module else name
    return (
        f"play it through Shimmy: gym:shimmy:GymV21Environment-v0?kwargs.env_id={env_id} "
        f"({INSTALL})"
    )
