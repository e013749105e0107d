"""Trackio: a run of a project, in a local database, on a server or in a Space."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leaderboards.trackers.tracker import Parameter

__all__ = ["TrackioTracker"]


class TrackioTracker:
    """Logs as TRACKIO_DIR, TRACKIO_SERVER_URL, TRACKIO_SPACE_ID and TRACKIO_WRITE_TOKEN say."""

    def __init__(self, place: str) -> None:
        """`place`: the project; empty: that of TRACKIO_PROJECT, or else `bench`."""
        self._project = place or os.environ.get("TRACKIO_PROJECT") or "bench"
        self._name = ""
        self._run: Any = None

    def begin(self, run: Path, parameters: Mapping[str, Parameter], known: str | None) -> str:
        import trackio

        # Trackio goes on with a run by its name, so it must not be that of another directory.
        mine = re.sub(r"[^A-Za-z0-9._-]", "_", run.name)[:80]
        kept = known if known and re.fullmatch(r"[A-Za-z0-9._-]{1,100}", known) else None
        self._name = kept or f"{mine}-{uuid.uuid4().hex[:8]}"
        self._run = trackio.init(
            project=self._project,
            name=self._name,
            config=dict(parameters),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return self._name

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._run.log(dict(metrics), step=step)

    def finish(self, files: Path, summary: str, complete: bool) -> str:
        self._run.log_artifact(files, name=self._name, type="bench-run")
        self._run.finish()
        return f"project {self._project}, run {self._name}; `trackio show` shows it"
