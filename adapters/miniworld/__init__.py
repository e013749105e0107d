"""MiniWorld (the Farama `miniworld` package): 23 indoor worlds, seen by a walking agent in 3-D."""

from adapters.miniworld.adapter import MiniWorldAdapter

__all__ = ["MiniWorldAdapter"]
