"""Twins of MiniGrid's Memory levels, in which the cue stays in sight.

In a Memory level an object in the first room says which way to go at the far end of a hallway,
where it can no longer be seen. In the twin of the same seed everything is the same, but the wall
ahead of the junction holds a second such object. So whoever stands at the junction needs no memory.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PREFIX", "register"]

PREFIX = "MiniGrid-MemoryVisible"
HIDDEN = "MiniGrid-Memory"


def register() -> None:
    """Register a twin of each Memory level with gymnasium, once in a process.

    That of `MiniGrid-MemoryS7-v0` is `MiniGrid-MemoryVisibleS7-v0`. The class is made here because
    importing this module must not import the simulator.
    """
    import gymnasium
    from minigrid.core.world_object import Ball, Key
    from minigrid.envs.memory import MemoryEnv

    class MemoryVisible(MemoryEnv):  # type: ignore[misc]  # minigrid has no types
        """A Memory level with the cue's double in the wall ahead of the junction."""

        def _gen_grid(self, width: int, height: int) -> None:
            super()._gen_grid(width, height)
            middle = height // 2
            cue = self.grid.get(1, middle - 1)
            column = self.success_pos[0]
            # Like the two objects at the junction it stops whoever walks against it.
            self.grid.set(column + 1, middle, {"key": Key, "ball": Ball}[cue.type](cue.color))

    for level, spec in list(gymnasium.registry.items()):
        twin = PREFIX + level.removeprefix(HIDDEN)
        if (
            spec.entry_point == "minigrid.envs:MemoryEnv"
            and level.startswith(HIDDEN)
            and twin not in gymnasium.registry
        ):
            kwargs: dict[str, Any] = dict(spec.kwargs)
            gymnasium.register(twin, entry_point=MemoryVisible, kwargs=kwargs)
