"""How environments of Gymnasium are found, made and called: whatever they do, it is said in words.

The environments are foreign code. What they raise passes, except where the cause is known.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adapters._gym_old import (
    FAMILIES,
    INSTALL,
    UNSEEDED,
    WRAP,
    instead,
    registered_with_old_gym,
)
from harness.core import UserError
from harness.core.errors import describe

__all__ = ["NO_PICTURES", "WrongInterface", "behind", "make", "registered", "reset", "step"]

NO_PICTURES = (
    "the environment draws no frames: it has no render mode rgb_array, or its constructor takes no "
    "render_mode"
)
PACKAGES = {
    "adroithand": "gymnasium_robotics",
    "ale/": "ale_py",
    "antmaze": "gymnasium_robotics",
    "babyai-": "minigrid",
    "bsuite/": "shimmy",
    "dm_control/": "shimmy",
    "fetch": "gymnasium_robotics",
    "flappybird": "flappy_bird_gymnasium",
    "franka": "gymnasium_robotics",
    "gym_aloha/": "gym_aloha",
    "gym_pusht/": "gym_pusht",
    "gym_xarm/": "gym_xarm",
    "handmanipulate": "gymnasium_robotics",
    "handreach": "gymnasium_robotics",
    "highway-": "highway_env",
    "meta-world/": "metaworld",
    "minigrid-": "minigrid",
    "miniwob/": "miniwob",
    "miniworld-": "miniworld",
    "panda": "panda_gym",
    "pointmaze": "gymnasium_robotics",
    "vizdoom": "vizdoom.gymnasium_wrapper",
}
"""How names of environments begin, in lower case -> the module that registers them on import."""
THROUGH_SHIMMY = {"dm_control/": ("dm_control", "mujoco"), "bsuite/": ("bsuite",)}
"""How names begin that Shimmy registers -> the modules that play them."""


NOT_ITS_CLASS, OLD_CLASS = (
    "must inherit from the gymnasium.Env",
    "Gym is incompatible with Gymnasium",
)
"""What gymnasium.make says of an object that is no environment of its own."""


class WrongInterface(Exception):
    """The environment does not have Gymnasium's interface."""

    def __init__(self, reason: str, remedy: str = WRAP) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


def registered(env_id: str) -> Any:
    """Gymnasium's registration of the id. Imports the module that the id names.

    Raises UserError where there is none, and where the module does not import.
    """
    import gymnasium

    module, _, name = env_id.rpartition(":")
    if not name:
        raise UserError(
            f"gym:{env_id} names no environment: write gym:ID or gym:PACKAGE:ID, as in "
            "gym:CartPole-v1"
        )
    try:
        if module:
            importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except ImportError as lack:
        needs = f"; it needs the old package gym: {INSTALL}" if lack.name == "gym" else ""
        raise UserError(
            f"gym:{env_id}: the module {module} does not import: {lack}{needs}"
        ) from lack
    except BaseException as fault:
        raise UserError(
            f"gym:{env_id}: the module {module} does not import: {describe(fault)}"
        ) from fault
    if name in gymnasium.registry:
        return gymnasium.registry[name]
    if registered_with_old_gym(name):
        raise UserError(
            f"gym:{env_id}: {name} is registered with the old package gym, not with Gymnasium; "
            f"{instead(module, name)}"
        )
    raise UserError(
        f"gym:{env_id}: Gymnasium knows no environment {name}; "
        f"{_guess(module, name, gymnasium.registry)}"
    )


def _guess(module: str, name: str, registry: Iterable[str]) -> str:
    """What may have been meant, written as on the command line: with the package, if any."""
    package = module or _package_of(name)
    if package and not module:
        return f"the package {package} registers such names on import: gym:{package}:{name}"
    known = {key.lower(): key for key in registry}
    near = [known[key] for key in difflib.get_close_matches(name.lower(), known, 3)]
    if near:
        written = (f"gym:{module}:{key}" if module else f"gym:{key}" for key in near)
        return f"did you mean {' or '.join(written)}?"
    if module in FAMILIES:
        return instead(module, name)
    if module:
        return f"importing {module} registers no environment of such a name"
    return "if a package registers it on import, name the package too: gym:PACKAGE:ID"


def behind(env_id: str, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that play an environment of Shimmy, which only wraps them; else none."""
    name = env_id.rpartition(":")[2]
    wrapped = kwargs.get("env_id")
    if name.startswith("GymV2") and isinstance(wrapped, str):
        return ("gym", *filter(None, [wrapped.rpartition(":")[0]]))
    return next((found for start, found in THROUGH_SHIMMY.items() if name.startswith(start)), ())


def _package_of(name: str) -> str:
    """The module that registers environments of such names, or empty where none is known."""
    for beginning, package in PACKAGES.items():
        if name.lower().startswith(beginning):
            return package
    namespace = name.partition("/")[0]
    if namespace != name and namespace.isidentifier() and importlib.util.find_spec(namespace):
        return namespace
    return ""


def make(env_id: str, kwargs: Mapping[str, Any]) -> Any:
    """The environment, with pictures if it draws any.

    Raises UserError where a dependency is not installed, or where the constructor does not take
    `kwargs`.
    """
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    entry = registered(env_id).entry_point
    try:
        creator = load_env_creator(entry) if isinstance(entry, str) else entry
        metadata = getattr(creator, "metadata", None)
        drawn = isinstance(metadata, Mapping) and "rgb_array" in metadata.get("render_modes", ())
        render: dict[str, Any] = {"render_mode": "rgb_array"} if drawn else {}
        if not _takes_render_mode(creator):
            render = {}
        try:
            return gymnasium.make(env_id, disable_env_checker=True, **{**render, **kwargs})
        except TypeError as wrong:
            # A constructor that hands its keywords on to one that does not take them all.
            if not render or "render_mode" in kwargs or "'render_mode'" not in str(wrong):
                raise
        return gymnasium.make(env_id, disable_env_checker=True, **kwargs)
    except (ImportError, gymnasium.error.DependencyNotInstalled) as lack:
        raise UserError(
            f"gym:{env_id} cannot be made because a dependency is not installed: {lack}"
        ) from lack
    except TypeError as wrong:
        if NOT_ITS_CLASS in str(wrong) or OLD_CLASS in str(wrong):
            raise WrongInterface("its class does not derive from gymnasium.Env") from wrong
        raise UserError(
            f"gym:{env_id} cannot be made with {dict(kwargs)}: {describe(wrong)}"
        ) from wrong


def _takes_render_mode(creator: Any) -> bool:
    try:
        parameters = inspect.signature(creator).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(each.name == "render_mode" or each.kind is each.VAR_KEYWORD for each in parameters)


def reset(env: Any, seed: int) -> tuple[Any, Any]:
    """(observation, info). Raises WrongInterface, and what the environment raises."""
    try:
        told = env.reset(seed=seed)
    except AttributeError as wrong:
        # Shimmy calls env.seed(seed), which not every environment of old gym has.
        if wrong.name != "seed" or not str(wrong).endswith("has no attribute 'seed'"):
            raise
        raise WrongInterface(*UNSEEDED) from wrong
    except TypeError as wrong:
        if "unexpected keyword argument 'seed'" not in str(wrong):
            raise
        raise WrongInterface("reset() takes no seed: it has the API of gym 0.21") from wrong
    if not isinstance(told, tuple) or len(told) != 2:
        raise WrongInterface(
            "reset() does not return (observation, info): it has the API of gym before 0.26"
        )
    return told


def step(env: Any, action: Any) -> tuple[Any, Any, Any, Any, Any]:
    """(observation, reward, terminated, truncated, info). Raises as `reset` does."""
    try:
        told = env.step(action)
    except ValueError as wrong:
        # Gymnasium's own wrappers take the answer apart.
        if "(expected 5, got 4)" not in str(wrong):
            raise
        told = ()
    if not isinstance(told, tuple) or len(told) != 5:
        raise WrongInterface(
            "step() does not return (observation, reward, terminated, truncated, info): it has the "
            "API of gym before 0.26"
        )
    reward = told[1]
    if not isinstance(reward, (int, float)) and np.size(reward) > 1:
        raise WrongInterface(
            f"step() returns {np.size(reward)} rewards instead of one",
            "choose or add them up in a wrapper, for example gymnasium.wrappers.TransformReward",
        )
    return told
