"""MLflow: a run of an experiment on a tracking server or in a database."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leaderboards.trackers.tracker import Parameter

__all__ = ["MlflowTracker"]

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Unless the user says otherwise: MLflow's own seven retries keep a run waiting for minutes."""
MOST_METRICS, MOST_PARAMETERS = 1000, 100
"""Of one request, by MLflow's REST API (`runs/log-batch`)."""


class MlflowTracker:
    """Logs to the server of MLFLOW_TRACKING_URI, or of the URI after the colon.

    The experiment is that of MLFLOW_EXPERIMENT_NAME, or else `bench`.
    """

    def __init__(self, place: str) -> None:
        """`place`: the tracking URI; empty: MLflow's own setting."""
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._client: Any = MlflowClient(tracking_uri=place or None)
        self._experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "bench"
        self._id = ""

    def begin(self, run: Path, parameters: Mapping[str, Parameter], known: str | None) -> str:
        from mlflow.entities import Param

        self._id = self._known(known) or self._new(run.name)
        wanted = [Param(allowed(name), str(value)) for name, value in parameters.items()]
        for first in range(0, len(wanted), MOST_PARAMETERS):
            self._client.log_batch(self._id, params=wanted[first : first + MOST_PARAMETERS])
        return self._id

    def _known(self, known: str | None) -> str | None:
        """The run of an earlier call, open again, if this server has it."""
        from mlflow.exceptions import MlflowException

        if known is None or not re.fullmatch("[0-9a-f]{32}", known):
            return None
        try:
            found = self._client.get_run(known)
        except MlflowException as absent:
            if absent.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        if found.info.lifecycle_stage != "active":
            return None
        self._client.update_run(known, status="RUNNING")
        return known

    def _new(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(self._experiment)
        number = (
            self._client.create_experiment(self._experiment)
            if experiment is None
            else experiment.experiment_id
        )
        return str(self._client.create_run(number, run_name=name).info.run_id)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [Metric(allowed(name), value, now, step) for name, value in metrics.items()]
        for first in range(0, len(values), MOST_METRICS):
            self._client.log_batch(self._id, metrics=values[first : first + MOST_METRICS])

    def finish(self, files: Path, summary: str, complete: bool) -> str:
        self._client.set_tag(self._id, "mlflow.note.content", summary)
        self._client.log_artifacts(self._id, str(files))
        self._client.set_terminated(self._id, "FINISHED" if complete else "KILLED")
        return f"experiment {self._experiment}, run {self._id}"


def allowed(name: str) -> str:
    """A name with the characters that MLflow allows: `task/minigrid/Empty.1` for `...@1`."""
    return re.sub(r"[^/\w.\- ]", ".", name, flags=re.ASCII)[:250]
