"""Weights & Biases: a run of a project, on the server or offline."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leaderboards.trackers.tracker import Parameter

__all__ = ["WandbTracker"]


class WandbTracker:
    """Logs as WANDB_MODE, WANDB_BASE_URL, WANDB_API_KEY and WANDB_DIR say."""

    def __init__(self, place: str) -> None:
        """`place`: the project; empty: that of WANDB_PROJECT, or else `bench`."""
        self._project = place or os.environ.get("WANDB_PROJECT") or "bench"
        self._run: Any = None
        self._name = ""

    def begin(self, run: Path, parameters: Mapping[str, Parameter], known: str | None) -> str:
        import wandb

        known = known if known and re.fullmatch("[A-Za-z0-9_-]{1,64}", known) else None
        self._name = run.name
        self._run = wandb.init(
            project=self._project,
            name=run.name[:128],
            id=known or uuid.uuid4().hex[:16],
            resume="allow",
            config=dict(parameters),
            settings=wandb.Settings(console="off", silent=True, disable_code=True),
        )
        self._run.define_metric("episodes")
        self._run.define_metric("*", step_metric="episodes")
        return str(self._run.id)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        # Without a step of wandb's own: it would drop what is logged again after a resume.
        self._run.log({**metrics, "episodes": step})

    def finish(self, files: Path, summary: str, complete: bool) -> str:
        import wandb

        name = re.sub(r"[^A-Za-z0-9._-]", "_", self._name)[:120]
        artefact = wandb.Artifact(name, type="bench-run", description=summary)
        artefact.add_dir(str(files))
        self._run.log_artifact(artefact)
        where = self._run.url or f"{Path(self._run.dir).parent} (offline: `wandb sync` sends it)"
        self._run.finish(exit_code=0 if complete else 1)
        return str(where)
