"""GEA (arXiv 2412.08442): the method, trained here on demonstrations and by trying, with a backbone of your own or `nano`. See docs/gea.md."""

from __future__ import annotations

from typing import Any

__all__ = ["GEA"]


def __getattr__(name: str) -> Any:
    """The agent, imported when it is asked for: it needs torch, and naming the package does not."""
    if name != "GEA":
        raise AttributeError(name)
    from baselines.gea.agent import GEA

    return GEA
