"""The interpreter that has the trackers and inspect_ai: `make test-heavy` makes it."""

from __future__ import annotations

from pathlib import Path

PYTHON = (
    Path(__file__).resolve().parents[1] / ".bench" / "interpreters" / "trackers" / "bin" / "python"
)
