"""Makes a level of MiniGrid or BabyAI, the package's or ours, also of another size."""

from __future__ import annotations

import inspect
from typing import Any

from adapters import _balrog_levels, _memory_levels, _worded_levels
from harness.core import Case, UserError

__all__ = ["Levels", "made", "number_of"]

ARGUMENTS = {"size": ("room_size", "size"), "distractors": ("num_dists",)}
"""Perturbation -> the arguments of a level's class that it may change; not every level has one."""


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


class Levels:
    """A level, and its like of another size or with more distractors: each is made once and kept.

    Raises what `made` does.
    """

    def __init__(self, level: str, **arguments: Any) -> None:
        self.first = made(level, **arguments)
        """The environment of the level as it is."""
        self._level, self._arguments = level, arguments
        self._others: dict[str, Any] = {}

    def of(self, case: Case) -> Any:
        """The environment of the case's level.

        Raises UserError where the level's class has no argument for what a perturbation changes.
        """
        numbers = self._numbers(case) if case.perturbations else {}
        if not numbers:
            return self.first
        key = repr(numbers)
        if key not in self._others:
            try:
                self._others[key] = made(self._level, **self._arguments, **numbers)
            except TypeError as refused:
                raise UserError(
                    f"{self._level} has no {' and no '.join(numbers)} to change: its class fixes it"
                ) from refused
        return self._others[key]

    def _numbers(self, case: Case) -> dict[str, int]:
        """The arguments of the level's class that the case's perturbations change."""
        numbers: dict[str, int] = {}
        first, level = self.first, self._level
        classes: tuple[Any, ...] = type(first).__mro__
        known = {name for kind in classes for name in inspect.signature(kind.__init__).parameters}
        for name, added in (("size", "cells"), ("distractors", "count")):
            params = case.simulator_perturbation(name)
            if params is None:
                continue
            for argument in ARGUMENTS[name]:
                number = number_of(first, level, argument) if argument in known else None
                if number is not None:
                    numbers[argument] = number + params[added]
                    break
            else:
                raise UserError(f"{level} has no {name} to change")
        return numbers

    def close(self) -> None:
        for level in (self.first, *self._others.values()):
            level.close()
