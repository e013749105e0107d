"""run.json: who played what, how, and by which plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.safe_files import read_inside
from harness.records.safe_json import parse, shown
from harness.records.typed import (
    Check,
    boolean,
    json_table,
    list_of,
    optional,
    text,
    whole,
)

__all__ = ["MOST_RUN_BYTES", "SCHEMA", "read_run"]

SCHEMA = 2
"""What is written. Lines of schema 1 have no `start`, and no more of success than whether."""
READ = (1, 2)
MOST_RUN_BYTES = 32 << 20
"""Ten thousand tasks take seven MB."""

AGENT: Mapping[str, Check] = {
    "entry": text,
    "args": json_table,
    "fingerprint": text,
    "name": text,
    "reads": list_of(text, 1000),
    "history": whole(1, 1_000_000),
    "privileged": boolean,
    "served": boolean,
    "training_data": text,
}
DESCRIPTION: Mapping[str, Check] = {
    "bench": text,
    "commit": optional(text),
    "command": text,
    "suites": list_of(text, 10_000),
    "machine": json_table,
    "created": text,
    "finished": optional(text),
    "stopping": optional(text),
    "imported": json_table,
}
"""The fields of run.json whose types are checked, but for the plan. Others may be there too: a
later version may have added them."""


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """run.json of a run directory; fields that an old version did not write are empty.

    Raises UserError if there is none, or bench did not write it. The plan is not checked here.
    """
    file = Path(path) / "run.json"
    if Path(path).is_file():
        raise UserError(
            f"{path} is a file, not a run directory: name the folder that `bench run` wrote (--out)"
        )
    try:
        run = parse(read_inside(path, "run.json", MOST_RUN_BYTES))
    except FileNotFoundError:
        raise UserError(
            f"{path} is not a run directory: it has no run.json. `bench run ... --out {path}` "
            "makes one"
        ) from None
    except ValueError as fault:
        raise UserError(
            f"{file} cannot be read: {fault}. It was cut off or changed by hand: restore a copy, "
            "or play again in another place (--out)"
        ) from None
    if not isinstance(run, dict) or type(run.get("schema")) is not int or run["schema"] not in READ:
        found = shown(run.get("schema")) if isinstance(run, dict) else shown(run)
        raise UserError(
            f"{file} has the schema {found}; this version reads {' and '.join(map(str, READ))}. "
            "Read it with the version of bench that wrote it"
        )
    for name, parts in (
        ("agent", ("entry", "args", "fingerprint")),
        ("plan", ("hash", "items", "seed", "perturbations", "not_run")),
    ):
        part = run.get(name)
        lacking = [each for each in parts if not isinstance(part, dict) or each not in part]
        if lacking:
            raise UserError(
                f"{file} lacks {name}.{lacking[0]}: it was changed by hand, or bench did not "
                "write it"
            )
    try:
        _check(run)
    except ValueError as wrong:
        raise UserError(f"{file} was changed by hand: {wrong}") from None
    return run


def _check(run: dict[str, Any]) -> None:
    """Check the types of the description and the agent, and fill in what is absent."""
    for name, check in DESCRIPTION.items():
        if name in run:
            check(run[name], name)
    agent = run["agent"]
    for name, check in AGENT.items():
        if name in agent:
            check(agent[name], f"agent.{name}")
    for name, value in (("bench", "-"), ("suites", []), ("created", ""), ("finished", None)):
        run.setdefault(name, value)
    agent.setdefault("name", agent["entry"])
    agent.setdefault("reads", [])
