"""MiniWorld (the Farama `miniworld` package): 23 three-dimensional indoor worlds seen through the eyes of a walking agent."""

from adapters.miniworld.adapter import MiniWorldAdapter

__all__ = ["MiniWorldAdapter"]
