"""Whether what a stranger's file names may be imported or opened.

A run directory, an archive, a saved base or a URL names adapters and parameters, and some
parameters are names of modules or files. Whoever wrote the file chose them. So nothing of it is
imported, looked for or opened unless the task is one of our own suites', or a Gymnasium environment
that Gymnasium itself registers, or the user says `--trust`.

Ask `Trust.refuse` before `load`, `load_adapter`, `environment_key`, `find_spec` or anything else
that takes a name from a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from harness.core import Perturbation, Task, UserError
from harness.records.plan import Plan
from harness.records.registry import load

__all__ = ["EVERYONE", "Trust", "harmless"]

REMEDY = "--trust allows it, for a run whose maker you trust with your account"
_WORD = re.compile(r"[A-Za-z0-9 _+-]{0,64}")
"""Texts that can name no module, no file and no command."""
_LARGEST = 1e6


class Trust:
    """Whom to trust."""

    def __init__(
        self,
        known: Callable[[str], Task | None],
        families: Collection[str] = (),
        registered: Callable[[Task], str] | None = None,
        *,
        everyone: bool = False,
    ) -> None:
        """Who is trusted, and what is known.

        `known`: the task of our suites that has this id, or None. `families`: the entries of our
        adapters, which may always be imported. `registered`: why a task is no environment that
        Gymnasium itself registers, empty if it is one, whatever the values of its `kwargs` are.
        `everyone`: whether the user passed `--trust`.
        """
        self._known = known
        self._families = families
        self._registered = registered
        self.everyone = everyone

    def refuse(self, task: Task) -> str | None:
        """Why nothing that this task names may be imported or opened; None: it may be.

        One line, with the remedy. It imports nothing but our own adapters.
        """
        if self.everyone:
            return None
        ours = self._known(task.id)
        if ours is not None and ours.content == task.content:
            return None
        why = "it is no task of bench's suites" if ours is None else "it is not the task of this id"
        if task.adapter not in self._families:
            return f"{why}, and would import {_short(task.adapter)}; {REMEDY}"
        if self._registered is not None:
            said = self._registered(task)
            if not said and not harmless(task.params.get("kwargs")):
                said = "its kwargs are no plain words and numbers"
            if not said:
                return None
            why = said if ours is None else f"{why}; {said}"
        named = _code_and_paths(task)
        return f"{why}{f', and its params name {named}' if named else ''}; {REMEDY}"

    def refuse_perturbation(self, perturbation: Perturbation) -> str | None:
        """Why a perturbation may not be carried out; None: it may be.

        Simulators take its parameters as they are, so they must be plain words and numbers.
        """
        if self.everyone or harmless(perturbation.params):
            return None
        return f"the parameters of {_short(perturbation.name)} are no plain words and numbers"

    def check(self, tasks: Iterable[Task], plan: Plan) -> None:
        """Raises UserError if these tasks, or the perturbations of the plan, are not trusted."""
        refused = [(task, why) for task in tasks if (why := self.refuse(task)) is not None]
        if refused:
            task, why = refused[0]
            more = f" (and {len(refused) - 1} more tasks)" if len(refused) > 1 else ""
            raise UserError(f"{_short(task.id)} is not played{more}: {why}")
        for condition in plan.perturbations:
            for each in condition:
                if (why := self.refuse_perturbation(each)) is not None:
                    raise UserError(f"this run is not played: {why}; {REMEDY}")


EVERYONE = Trust(lambda _: None, everyone=True)
"""For runs that this process made itself."""


def harmless(value: Any, depth: int = 3) -> bool:
    """Whether a JSON value holds plain words and numbers only: no name of a module or a file."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return math.isfinite(value) and abs(value) <= _LARGEST
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    if depth == 0:
        return False
    if isinstance(value, Mapping):
        return all(harmless(name) and harmless(each, depth - 1) for name, each in value.items())
    return isinstance(value, (list, tuple)) and all(harmless(each, depth - 1) for each in value)


def _code_and_paths(task: Task) -> str:
    """What the adapter, one of ours, declares of these params: `code (id) and files (data)`."""
    kind = load(task.adapter)
    parts = []
    for what, names in (("code", kind.code_params), ("files", kind.path_params)):
        given = [name for name in names if name in task.params]
        if given:
            parts.append(f"{what} ({', '.join(given)})")
    return " and ".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."
