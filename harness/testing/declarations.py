"""What an adapter's class and its brief declare, checked."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from typing import Any

from harness.core import Adapter, BatchedAdapter, Brief, Task
from harness.core.specs import UI, Box, Discrete, Elements, MultiDiscrete, Text, Texts
from harness.testing.checks import ContractError, call, demand

__all__ = ["check_brief", "check_class", "check_imports"]

VIEWS = (Box, Discrete, MultiDiscrete, Text, Texts, Elements)
ACTIONS = (Box, Discrete, MultiDiscrete, Text, UI)
VIEW_NAME = r"[A-Za-z0-9_./-]+"


def check_class(form: Any, task: Task, others: Sequence[Task] = ()) -> None:
    """What the class answers without an instance. `others` must have the env_key of `task`."""
    if (missing := call("missing", form.missing, task)) is not None:
        raise ContractError(
            f"cannot be checked on this machine: {missing.reason}; {missing.remedy}"
        )
    key = call("env_key", form.env_key, task)
    demand(isinstance(key, str) and key != "", f"env_key must return a nonempty str, got {key!r}")
    has = call("has_expert", form.has_expert, task)
    demand(isinstance(has, bool), f"has_expert must return a bool, got {has!r}")
    for other in others:
        demand(
            form.env_key(other) == key,
            f"others: {other.id} has another env_key than {task.id}, so no kept adapter plays both",
        )


def check_brief(brief: Any, task: Task) -> None:
    """The types of a brief's fields, and that it tells an agent nothing that it must not know."""
    demand(isinstance(brief, Brief), f"brief must be a Brief, got {type(brief).__name__}")
    demand(len(brief.observation) > 0, "brief.observation offers no view")
    for name, spec in brief.observation.items():
        valid = isinstance(name, str) and re.fullmatch(VIEW_NAME, name) is not None
        demand(valid, f"the name of the view {name!r} must match {VIEW_NAME}")
        demand(
            isinstance(spec, VIEWS),
            f"the view {name} needs one of {_names(VIEWS)}, got {spec!r}",
        )
    demand(
        isinstance(brief.action, ACTIONS),
        f"brief.action must be one of {_names(ACTIONS)}, got {brief.action!r}",
    )
    demand(
        brief.embodiment.strip() != "",
        "brief.embodiment is empty: describe the body, its actuators and its sensors",
    )
    demand(brief.simulator.strip() != "", "brief.simulator is empty: describe the platform")
    for secret in (task.id, task.name):
        demand(
            secret.lower() not in repr(brief).lower(),
            f"the brief names the task ({secret}): an agent must not know it",
        )
    demand(
        brief.control_hz == task.control_hz,
        f"brief.control_hz is {brief.control_hz}, the task's is {task.control_hz}",
    )


def check_imports(form: type[Adapter | BatchedAdapter], imported: set[str]) -> None:
    """Raise ContractError if a package of the simulator is among the `imported` top-level names."""
    for name, distributions in importlib.metadata.packages_distributions().items():
        demand(
            name not in imported or set(distributions).isdisjoint(form.packages),
            f"importing {form.__module__}, or missing, env_key or has_expert, imports {name}: "
            "import it in the constructor",
        )


def _names(kinds: Sequence[type]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
