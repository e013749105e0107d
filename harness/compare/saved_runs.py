"""Finds a run: in a folder, a zip archive (as CI systems keep artefacts), or at a URL of either.

A run can be saved under a name, and is then found by it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.compare.local_copies import is_location, is_url, local_copy
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.core.errors import suggest
from harness.play.text_table import text_table
from harness.records.plan_fields import MOST_CASES
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse, shown
from harness.records.typed import fields_of, text, whole

__all__ = ["REGISTRY", "open_run", "save_base", "saved_runs_table"]

REGISTRY = Path("runs") / "baselines.json"
"""The saved names, relative to the folder where bench is called."""
MOST_REGISTRY = 4 << 20
"""Bytes of the file with the saved names."""
REMOTE = frozenset(
    (
        "abfs", "abfss", "adl", "az", "ftp", "ftps", "gcs", "gs", "hdfs", "hf", "http", "https",
        "oci", "oss", "r2", "s3", "s3a", "sftp", "ssh", "webhdfs",
    )
)  # fmt: skip
"""Schemes of URLs that a saved name may stand for. Others may be typed."""


@contextlib.contextmanager
def open_run(name: str, registry: Path = REGISTRY) -> Iterator[ScoredRun]:
    """The run that `name` names: a path, a URL or a saved name, where a run directory comes first.

    What was fetched is deleted afterwards. Raises UserError with the remedy.
    """
    saved = _read_registry(registry)
    location = name
    if name in saved and not (Path(name) / "run.json").exists():
        location = saved[name]["run"]
        scheme = location.partition("://")[0]
        if is_url(location) and ("::" in location or scheme not in REMOTE):
            raise UserError(
                f"the saved name {name!r} stands for {location!r}: if you trust it, name that "
                "itself as the base"
            )
    elif not is_location(name):
        guess = suggest(name, saved) or "`bench baseline list` shows the saved names"
        raise UserError(
            f"there is no base {name!r}: neither a run directory, nor an archive, nor a URL, nor "
            f"a saved name; {guess}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-base-") as folder:
        path = local_copy(location, Path(folder))
        side = read_scored_run(path, name)
        yield dataclasses.replace(side, fetched=path.is_relative_to(folder))


def save_base(name: str, location: str, registry: Path = REGISTRY) -> ScoredRun:
    """Save a name for the run at `location`; an earlier run of that name is replaced.

    Raises UserError for a name that could be a path, or a run in which a case lacks a score.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(
            f"the name {name!r} has characters that a path may have: "
            "use letters, digits, dots, dashes and underscores"
        )
    if not is_location(location):
        raise UserError(
            f"there is no run at {location}: name a run directory, an archive of one, or a URL"
        )
    with open_run(location, registry) as side:
        lacking = side.missing()
        if lacking:
            raise UserError(
                f"{location} is no base yet: {lacking} of its cases have no score; "
                "finish it with the command in its run.json"
            )
        saved = _read_registry(registry)
        saved[name] = {
            "run": location if "://" in location else str(Path(location)),
            "agent": side.run["agent"].get("name", side.run["agent"]["entry"]),
            "plan": side.run["plan"]["hash"],
            "tasks": len(side.plan.items),
            "cases": len(side.values),
            "saved": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }
        registry.parent.mkdir(parents=True, exist_ok=True)
        fresh = registry.with_name(f".{registry.name}.{uuid.uuid4().hex}")
        with fresh.open("x") as file:
            file.write(json.dumps(saved, indent=1) + "\n")
        os.replace(fresh, registry)
        return side


def saved_runs_table(registry: Path = REGISTRY) -> str:
    """The saved names and their runs, as text for a terminal."""
    saved = _read_registry(registry)
    columns = ("run", "agent", "tasks", "cases", "plan", "saved")
    rows = [
        [name, *(entry.get(column, "") for column in columns)]
        for name, entry in sorted(saved.items())
    ]
    return (
        text_table(["base", *columns], rows)
        if rows
        else "no base is saved; `bench baseline save NAME RUN` saves one"
    )


ENTRY = {"run": text, "agent": text, "plan": text, "saved": text}
COUNTS = {"tasks": whole(0, MOST_CASES), "cases": whole(0, MOST_CASES)}


def _read_registry(registry: Path) -> dict[str, Any]:
    try:
        saved = parse(read_regular(registry, MOST_REGISTRY))
        if not isinstance(saved, dict):
            raise ValueError(f"it holds {shown(saved)}")
        for name, entry in saved.items():
            fields_of(entry, shown(name), {**ENTRY, **COUNTS}, frozenset(ENTRY | COUNTS) - {"run"})
    except FileNotFoundError:
        return {}
    except UserError as refused:
        raise UserError(f"{refused}. Remove it, and save the bases again") from None
    except ValueError as fault:
        raise UserError(
            f"{registry} does not hold saved bases: {fault}. Remove it, and save the bases again"
        ) from None
    return saved
