"""What `--log` names: a tracker and, after a colon, where it keeps its runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.core import UserError
from harness.core.errors import suggest

__all__ = ["TRACKERS", "Destination", "destinations"]

TRACKERS = {
    "mlflow": "leaderboards.trackers.mlflow_tracker:MlflowTracker",
    "wandb": "leaderboards.trackers.wandb_tracker:WandbTracker",
    "trackio": "leaderboards.trackers.trackio_tracker:TrackioTracker",
    "tensorboard": "leaderboards.trackers.tensorboard_tracker:TensorboardTracker",
}
"""The name is that of the package, and of the extra that brings it."""


@dataclass(frozen=True)
class Destination:
    """A tracker, and where it keeps its runs."""

    kind: str
    """One of TRACKERS."""
    place: str = ""
    """The URI of a server, a project or a folder, by the tracker; empty: as its own environment
    variables say."""


def destinations(texts: Sequence[str]) -> tuple[Destination, ...]:
    """What these texts name: `mlflow`, `mlflow:http://host:5000`, `wandb:PROJECT`.

    Raises UserError for an unknown tracker, one whose package is missing, one that is named twice,
    and a place with a password in it, which the run would keep with its command line.
    """
    found: dict[str, Destination] = {}
    for text in texts:
        kind, _, place = text.partition(":")
        if kind not in TRACKERS:
            guess = suggest(kind, TRACKERS) or f"there are {', '.join(TRACKERS)}"
            raise UserError(f"--log {text!r}: there is no tracker {kind!r}; {guess}")
        if kind in found:
            raise UserError(f"--log names {kind} twice")
        if _has_password(place):
            raise UserError(
                f"--log {kind}: the place has a password in it, which everybody could read in the "
                "command line: give it to the tracker by its own environment variables"
            )
        if importlib.util.find_spec(kind) is None:
            raise UserError(
                f"--log {kind}: the package {kind} is not installed: "
                f"pip install 'generalist-bench[{kind}]'"
            )
        found[kind] = Destination(kind, place)
    return tuple(found.values())


def _has_password(place: str) -> bool:
    try:
        parts = urlsplit(place)
    except ValueError:
        return False
    return "@" in parts.netloc or "?" in place
