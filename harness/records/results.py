"""The one reader of episodes.jsonl."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core import UserError

__all__ = ["read_episodes"]


def read_episodes(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The lines of episodes.jsonl, oldest first; a torn last line is left out. A case that ended in `error` may come again, later."""
    file = Path(path) / "episodes.jsonl"
    if not file.exists():
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError:
                raise UserError(
                    f"{file}, line {number} is not JSON: the file was changed by hand or by a broken disk. Remove that line"
                ) from None
