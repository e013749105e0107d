"""recording.json: who played what a folder of recordings holds, what was kept, and as what.

    {"agent": {"name": "mine", "entry": "package.module:Class", "args": {}, "fingerprint": "..."},
     "teacher": null, "roll_in": null, "keep": "all", "views": ["state"], "images": "png",
     "pixels": null, "noise": 0.0}

`teacher` and `roll_in` have the form of `agent`. Folders that were recorded before it was written
have none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core import UserError
from harness.records.safe_files import read_inside
from harness.records.safe_json import parse

__all__ = ["FILE", "check_manifest", "write_manifest"]

FILE = "recording.json"
MOST_BYTES = 1 << 20


def check_manifest(out: Path, wanted: Mapping[str, Any]) -> None:
    """Raises UserError if the folder has a manifest that says something else than `wanted`.

    Its episodes could not stand in one table with those that are recorded now. Whether the agent is
    the same, the run directory decides.
    """
    try:
        found = parse(read_inside(out, FILE, MOST_BYTES))
    except FileNotFoundError:
        return
    except ValueError as wrong:
        raise UserError(f"{out / FILE} is damaged: {wrong}. Choose another --out") from None
    known = found if isinstance(found, dict) else {}
    for name, value in json.loads(json.dumps(wanted)).items():
        if name != "agent" and known.get(name) != value:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{out} holds a recording with another {option}"
                + (
                    " (its source or its files have changed)"
                    if _changed(value, known.get(name))
                    else ""
                )
                + ": choose another --out, or remove it"
            )


def _changed(wanted: Any, found: Any) -> bool:
    """Whether two agents differ by their fingerprints alone."""
    both = isinstance(wanted, dict) and isinstance(found, dict)
    return both and wanted == found | {"fingerprint": wanted["fingerprint"]}


def write_manifest(out: Path, content: Mapping[str, Any]) -> None:
    """Write recording.json, whole or not at all."""
    temporary = out / f"{FILE}.new"
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, out / FILE)
