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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.compare.local_copies import is_location, is_url, local_copy
from harness.compare.noise_floor import noise_floor
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.core.errors import suggest
from harness.play.text_table import text_table
from harness.records.plan_fields import MOST_CASES, MOST_REPEATS
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse, shown
from harness.records.typed import Check, fields_of, number, text, whole
from harness.stats import Interval

__all__ = ["REGISTRY", "open_run", "save_base", "saved_noise", "saved_runs_table"]

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


def save_base(
    name: str, location: str, registry: Path = REGISTRY, again: Sequence[str] = ()
) -> ScoredRun:
    """Save a name for the run at `location`; an earlier run of that name is replaced.

    again: further plays of its cases by the same agent, whose noise is saved, too. Raises UserError
    for a name that could be a path, a run in which a case lacks a score, and where noise_floor
    does.
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
        noise = None
        if again:
            with contextlib.ExitStack() as opened:
                others = [opened.enter_context(open_run(each, registry)) for each in again]
                noise = noise_floor(side, others)
        saved = _read_registry(registry)
        saved[name] = {
            "run": location if "://" in location else str(Path(location)),
            "agent": side.run["agent"].get("name", side.run["agent"]["entry"]),
            "plan": side.run["plan"]["hash"],
            "tasks": len(side.plan.items),
            "cases": len(side.values),
            "saved": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            **({} if noise is None else _noise_to_json(noise, len(again))),
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
        [name, *(entry.get(column, "") for column in columns), _noise_shown(_noise_of(entry))]
        for name, entry in sorted(saved.items())
    ]
    return (
        text_table(["base", *columns, "noise"], rows)
        if rows
        else "no base is saved; `bench baseline save NAME RUN` saves one"
    )


def saved_noise(name: str, registry: Path = REGISTRY) -> Interval | None:
    """In which share of cases the agent of a saved run differs from itself; None: not known.

    A run directory of that name comes first, as in open_run.
    """
    if (Path(name) / "run.json").exists():
        return None
    return _noise_of(_read_registry(registry).get(name, {}))


def _noise_to_json(noise: Interval, again: int) -> dict[str, Any]:
    return dict(zip(NOISE, (noise.value, noise.low, noise.high))) | {"again": again}


def _noise_of(entry: Mapping[str, Any]) -> Interval | None:
    if not all(field in entry for field in NOISE):
        return None
    value, low, high = (float(entry[field]) for field in NOISE)
    return Interval(value, low, high)


def _noise_shown(noise: Interval | None) -> str:
    return "" if noise is None else f"{100 * noise.value:.1f} %"


ENTRY = {"run": text, "agent": text, "plan": text, "saved": text}
COUNTS = {
    "tasks": whole(0, MOST_CASES),
    "cases": whole(0, MOST_CASES),
    "again": whole(0, MOST_REPEATS),
}
NOISE: Mapping[str, Check] = {"noise": number, "noise_low": number, "noise_high": number}
"""The share of cases in which the agent differs from itself, and its 95 % bounds."""


def _read_registry(registry: Path) -> dict[str, Any]:
    try:
        saved = parse(read_regular(registry, MOST_REGISTRY))
        if not isinstance(saved, dict):
            raise ValueError(f"it holds {shown(saved)}")
        for name, entry in saved.items():
            fields = {**ENTRY, **COUNTS, **NOISE}
            fields_of(entry, shown(name), fields, frozenset(fields) - {"run"})
            noise = _noise_of(entry)
            if noise is not None and not 0 <= noise.low <= noise.value <= noise.high <= 1:
                raise ValueError(f"{shown(name)} has a noise that is no share with its bounds")
    except FileNotFoundError:
        return {}
    except UserError as refused:
        raise UserError(f"{refused}. Remove it, and save the bases again") from None
    except ValueError as fault:
        raise UserError(
            f"{registry} does not hold saved bases: {fault}. Remove it, and save the bases again"
        ) from None
    return saved
