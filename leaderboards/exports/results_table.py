"""A Parquet file with a row for each case of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core import Result, UserError
from harness.core.grammar import counted
from harness.records.plan import CaseIndex, label
from harness.records.stored_run import StoredRun

__all__ = ["export_parquet"]

ROWS = 10_000
"""Rows of a group: what is in memory at once."""
TIMES = {"simulator_s": float, "agent_s": float, "asked": int, "attempt": int}
TIME_TEXTS = ("worker", "ended_at")


def export_parquet(run: StoredRun, out: Path) -> list[str]:
    """Write every case that has a result: all fields of episodes.jsonl, and what the plan says.

    The file's metadata has `bench`: run.json without its tasks, as JSON. Returns remarks. Raises
    UserError where pyarrow is missing or the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            "--to parquet: the package pyarrow is not installed: "
            "pip install 'generalist-bench[parquet]'"
        ) from None
    schema = _schema(pa, run)
    new = out.with_name(f".{out.name}.new")
    count = 0
    try:
        with parquet.ParquetWriter(new, schema, compression="zstd") as writer:
            for rows in _groups(run):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(rows)
        os.replace(new, out)
    except OSError as fault:
        raise UserError(f"cannot write to {out}: {fault.strerror or fault}") from None
    finally:
        if new.exists():
            new.unlink()
    return [counted(count, "case")]


def _schema(pa: Any, run: StoredRun) -> Any:
    text, real, whole, flag = pa.string(), pa.float64(), pa.int64(), pa.bool_()
    fields = {
        **dict.fromkeys(("run", "agent", "suite", "domain", "task"), text),
        "seed": whole,
        "episode": whole,
        "case": text,
        "perturbations": pa.list_(text),
        "condition": text,
        "status": text,
        **dict.fromkeys(("success", "success_ever", "success_end"), flag),
        "first_success": whole,
        **dict.fromkeys(("score", "normalised"), real),
        "steps": whole,
        "ended": text,
        "metrics": pa.map_(text, real),
        **dict.fromkeys(("error", "start", "digest", "protocol"), text),
        **{name: real if kind is float else whole for name, kind in TIMES.items()},
        **dict.fromkeys(TIME_TEXTS, text),
        "timing": text,
    }
    told = {name: value for name, value in run.description.items() if name != "plan"}
    told["plan"] = {"hash": run.description["plan"]["hash"], "seed": run.plan.seed}
    return pa.schema(list(fields.items()), metadata={"bench": json.dumps(told)})


def _groups(run: StoredRun) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for index, result in run.cases():
        rows.append(_row(run, index, result))
        if len(rows) == ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _row(run: StoredRun, index: CaseIndex, result: Result) -> dict[str, Any]:
    item = run.plan.items[index.item]
    timing = result.timing
    return {
        **result.__dict__,
        "run": run.path.resolve().name,
        "agent": str(run.description["agent"]["name"]),
        "suite": item.suite,
        "domain": item.task.domain,
        "episode": index.episode,
        "perturbations": list(result.perturbations),
        "condition": label(run.plan.conditions[index.condition]),
        "metrics": [(name, float(value)) for name, value in result.metrics.items()],
        **{name: _number(timing.get(name), kind) for name, kind in TIMES.items()},
        **{name: str(timing[name]) if name in timing else None for name in TIME_TEXTS},
        "timing": json.dumps(timing),
    }


def _number(value: Any, kind: type) -> Any:
    """A time as the column holds it; None for what a stranger's line has in its place."""
    if type(value) not in (int, float) or not abs(value) < 1 << 53:
        return None
    return kind(value)
