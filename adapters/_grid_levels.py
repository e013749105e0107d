"""Makes a level of MiniGrid or BabyAI, the package's or ours, and reads its numbers."""

from __future__ import annotations

import inspect
from typing import Any

from adapters import _balrog_levels, _memory_levels, _worded_levels

__all__ = ["made", "number_of"]


def made(level: str, **arguments: Any) -> Any:
    """An environment of a level, with some arguments of its class. It draws nothing by itself.

    Raises gymnasium's Error where there is no such level, TypeError where its class does not take
    an argument.
    """
    import gymnasium

    if level.startswith(_balrog_levels.PREFIX):
        _balrog_levels.register()
    elif level.startswith(_memory_levels.PREFIX):
        _memory_levels.register()
    elif level.startswith(_worded_levels.PREFIX):
        _worded_levels.register()
    env: Any = gymnasium.make(f"minigrid:{level}", disable_env_checker=True, **arguments).unwrapped
    # The views draw on demand, so the observation that reset and step would build is never read.
    env.gen_obs = dict
    return env


def number_of(env: Any, level: str, parameter: str) -> int | None:
    """The value of an argument of a level's class; None where it is no number.

    It is looked up in the level's registration, then in the environment, then in the signatures.
    """
    import gymnasium

    registered = gymnasium.spec(level).kwargs
    if parameter in registered:
        return int(registered[parameter])
    if isinstance(getattr(env, parameter, None), int):
        return int(getattr(env, parameter))
    classes: tuple[Any, ...] = type(env).__mro__
    for kind in classes:
        found = inspect.signature(kind.__init__).parameters.get(parameter)
        if found is not None and isinstance(found.default, int):
            return found.default
    return None
