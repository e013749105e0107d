"""run.json: who played what, how, and by which plan."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness.core import UserError

__all__ = ["SCHEMA", "read_run"]

SCHEMA = 1


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """run.json of a run directory. Raises UserError if there is none or bench did not write it."""
    file = Path(path) / "run.json"
    try:
        run = json.loads(file.read_text())
    except FileNotFoundError:
        raise UserError(
            f"{path} is not a run directory: it has no run.json. `bench run ... --out {path}` "
            "makes one"
        ) from None
    except (OSError, ValueError) as fault:
        raise UserError(f"{file} cannot be read: {fault}") from None
    if not isinstance(run, dict) or run.get("schema") != SCHEMA:
        found = run.get("schema") if isinstance(run, dict) else type(run).__name__
        raise UserError(
            f"{file} has the schema {found!r}; this version reads {SCHEMA}. Read it with the "
            "version of bench that wrote it"
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
    return run
