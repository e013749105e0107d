"""The task that the name of a Gymnasium environment stands for, `gym:ID` or `gym:ID?success=once`.

After the question mark stand settings, `KEY=VALUE` joined by `&`; commas in values are written %2C:
    kwargs.NAME   an argument of the environment, as JSON or as a text
    success       the task's rule: ever, once, end or none
    success_key   the key of the info that says success
    max_steps     the horizon; beyond the environment's own limit, that limit is raised
    domain        the domain that it counts to, games unless given
    low, high     the scores that are 0 and 1 on the normalised scale; both or none
    fresh         true: a new environment for every episode

A table of `id`, `kwargs` and these settings makes the same task.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from adapters._gym_interface import WrongInterface, registered, reset, step
from adapters.gym import GymAdapter, TwoKeys, success_of
from harness.core import Normaliser, Task, UserError
from harness.core.errors import describe, suggest
from harness.core.values import BadValue

__all__ = ["task_for", "task_named"]

LONGEST_EPISODE = 100_000
"""The horizon of environments that are registered without one, in steps."""

PROBED_STEPS = 200
"""How long `task_for` looks for a success, in steps."""

TEXTS, VALUES = ("success", "success_key", "domain"), ("max_steps", "low", "high", "fresh")
"""Settings that are texts, and those that are JSON values."""
WHEN = {
    "once": "at any step",
    "ever": "at any step, which ends the episode",
    "end": "at the last step",
}


def task_named(name: str | Mapping[str, Any]) -> Task:
    """The task of `ID` or `ID?SETTINGS`, or of a table with `id` and settings of the right types.

    Raises UserError as `task_for` does.
    """
    if not isinstance(name, str):
        given = dict(name)
        return _task_of(str(given.pop("id")), given.pop("kwargs", {}), given)
    env_id, _, query = name.partition("?")
    settings: dict[str, Any] = {}
    kwargs: dict[str, Any] = {}
    try:
        pairs = urllib.parse.parse_qsl(query, strict_parsing=bool(query), max_num_fields=100)
    except ValueError as wrong:
        raise UserError(f"gym:{name}: {wrong}; write gym:ID?KEY=VALUE&KEY=VALUE") from None
    for key, text in pairs:
        if key.startswith("kwargs."):
            kwargs[key.removeprefix("kwargs.")] = _value(text)
        elif key in TEXTS:
            settings[key] = text
        elif key in VALUES:
            settings[key] = _value(text)
        else:
            known = (*TEXTS, *VALUES)
            guess = suggest(key, known) or f"there are {', '.join(known)}"
            raise UserError(
                f"gym:{env_id}: there is no setting {key!r}; {guess}; an argument of the "
                f"environment is written kwargs.{key}=VALUE"
            )
    return _task_of(env_id, kwargs, settings)


def _task_of(env_id: str, kwargs: Mapping[str, Any], settings: dict[str, Any]) -> Task:
    if settings.get("success") == "none":
        settings["success"] = None
    return task_for(env_id, kwargs, **settings)


def _value(text: str) -> Any:
    """A JSON value; what is none is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def task_for(
    env_id: str,
    kwargs: Mapping[str, Any] | None = None,
    *,
    domain: str = "games",
    success: str | None = "ask",
    success_key: str | None = None,
    max_steps: int | None = None,
    low: float | None = None,
    high: float | None = None,
    fresh: bool = False,
) -> Task:
    """The task `gym/ID@1` of a Gymnasium environment, scored by its return.

    Episodes end by the environment's own rules; one registered without a time limit gets a horizon
    of 100,000 steps. The environment is made and stepped once, so that anything unsupported is
    reported here, as a UserError with the remedy. One that fails at that, whatever it raises, gives
    a task that cannot run: a run has a row that says why.

    With `success="ask"` the success rule is found out: `once` (the episode goes on after a success,
    so the return stays the environment's own) if the info of a reset or of one of the first 200
    steps of an episode, all of them no-ops, has `success` or `is_success` (or `success_key`), else
    None. Pass `success` for an environment whose info has it later still.

    `max_steps`: the horizon in steps; None: the environment's own. `low` and `high`: the scores
    that are 0 and 1 on the normalised scale. `fresh`: a new environment for every episode.
    """
    if (lack := GymAdapter.missing()) is not None:
        raise UserError(f"gym:{env_id}: {lack.reason}; {lack.remedy}")
    kwargs = dict(kwargs or {})
    spec = registered(env_id)
    name = "+".join(
        [
            env_id,
            *(
                f"{key}={json.dumps(value, separators=(',', ':'))}"
                for key, value in sorted(kwargs.items())
            ),
        ]
    )
    fields: dict[str, Any] = {
        "id": f"gym/{name}@1",
        "domain": domain,
        "adapter": "adapters.gym:GymAdapter",
        "params": {"id": env_id, "kwargs": kwargs}
        | ({} if success_key is None else {"success_key": success_key})
        | ({"fresh": True} if fresh else {}),
        "max_steps": max_steps or (None if spec.max_episode_steps else LONGEST_EPISODE),
    }
    if (low is None) != (high is None) or (low is not None and low == high):
        raise UserError(f"gym:{env_id}: a normalised scale needs low and high, two scores")
    try:
        if low is not None and high is not None:
            fields["normaliser"] = Normaliser(low, high, "low", "high")
        task = Task(**fields, success=None if success == "ask" else success)
    except (TypeError, ValueError) as wrong:
        raise UserError(f"gym:{env_id}: {wrong}") from None
    try:
        told = _tried(task, success_key)
    except TwoKeys as two:
        raise UserError(f"gym:{env_id}: {two}") from None
    except (KeyboardInterrupt, UserError):
        raise
    except BaseException as fault:
        return _unstartable(task, fault)
    if success == "ask":
        success = "once" if told else None
    rule = "the environment's return"
    if success is not None:
        rule += f", and its success {WHEN[success]}"
    return Task(**fields, success=success, rule=rule)


def _tried(task: Task, success_key: str | None) -> bool:
    """Whether the environment tells a success. Raises as `_tells_success` does."""
    adapter = GymAdapter(task)
    try:
        return _tells_success(adapter, success_key)
    finally:
        with contextlib.suppress(Exception, SystemExit):
            adapter.close()


def _unstartable(task: Task, fault: BaseException) -> Task:
    reason = f"it fails when it is made, reset and stepped once: {describe(fault)}"
    remedy = "correct the environment there, then repeat the command"
    if isinstance(fault, WrongInterface):
        reason, remedy = fault.reason, fault.remedy
    elif isinstance(fault, EOFError):
        remedy = "it asks on stdin: download or accept beforehand what it asks for"
    params = {**task.params, "reason": reason, "remedy": remedy}
    adapter = "adapters.gym:UnstartableEnvironment"
    return dataclasses.replace(task, adapter=adapter, params=params)


def _tells_success(adapter: GymAdapter, key: str | None) -> bool:
    """Whether an info says success: after a reset, or within an episode's first steps of no-ops.

    Some environments say it in the last step only. Raises TwoKeys, and what the environment's reset
    and first step raise; a later fault is for a run to report.
    """
    env, action = adapter._env, adapter._convert(adapter.brief.action.noop())
    told = _told(reset(env, 0)[1], key)
    _, _, terminated, truncated, info = step(env, action)
    told = _told(info, key) or told
    try:
        for _ in range(PROBED_STEPS - 1):
            if told or terminated or truncated:
                break
            _, _, terminated, truncated, info = env.step(action)
            told = _told(info, key)
    except (KeyboardInterrupt, TwoKeys):
        raise
    except BaseException:
        return told
    return told


def _told(info: Any, key: str | None) -> bool:
    try:
        return success_of(info, key) is not None
    except TwoKeys:
        raise
    except BadValue:  # it says something; that it is no bool is for a run to report
        return True
