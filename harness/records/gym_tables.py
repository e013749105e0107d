"""`[[gym]]` tables of a suite in TOML: `gym:ID?KEY=VALUE` as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import Task, UserError
from harness.records.plan_fields import MOST_EPISODES
from harness.records.registry import load
from harness.records.typed import Check, boolean, fields_of, json_table, number, text, whole

__all__ = ["GYM_EXTRA", "gym_tasks"]

GYM_EXTRA = "pip install 'generalist-bench[gym]'"
"""The remedy where Gymnasium is not installed."""
TABLE: Mapping[str, Check] = {
    "id": text,
    "kwargs": json_table,
    "success": text,
    "success_key": text,
    "max_steps": whole(1, 1 << 53),
    "domain": text,
    "low": number,
    "high": number,
    "fresh": boolean,
    "episodes": whole(1, MOST_EPISODES),
}
"""A field -> what it must be. All but `id` may be left out."""


def gym_tasks(tables: Sequence[Any], gym: str) -> list[tuple[Task, int | None]]:
    """The task of each table, with its own number of episodes or None.

    `gym` is the entry of the function that makes a task of an id and settings; it imports and tries
    the environment, so the types of all tables are checked before.

    Raises UserError that names the table, counted from 1.
    """
    if tables and not gym:
        raise UserError("[[gym]] can be read by `--suite FILE.toml` only")
    settings = [_checked(table, f"[[gym]] {place}") for place, table in enumerate(tables, 1)]
    found: dict[str, tuple[Task, int | None]] = {}
    for place, setting in enumerate(settings, 1):
        episodes = setting.pop("episodes", None)
        try:
            task: Task = load(gym)(setting)
        except ImportError as fault:
            raise UserError(f"[[gym]] {place}: {fault}; {GYM_EXTRA}") from None
        except UserError as wrong:
            raise UserError(f"[[gym]] {place}: {wrong}") from None
        if task.id in found:
            raise UserError(
                f"[[gym]] {place}: {task.id} is in this file already; a suite plays an "
                "environment with the same kwargs once"
            )
        found[task.id] = task, episodes
    return list(found.values())


def _checked(table: Any, place: str) -> dict[str, Any]:
    """The fields of a table. Raises UserError."""
    try:
        return fields_of(table, place, TABLE, frozenset(TABLE) - {"id"})
    except ValueError as wrong:
        raise UserError(str(wrong)) from None
