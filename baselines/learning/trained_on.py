"""Where an agent of ours says what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["where_trained_on"]

FILE = "training_data.json"


def where_trained_on(arguments: Mapping[str, Any], shipped: Path) -> str:
    """The folder with a training_data.json: that of the weights, or `shipped` for our own.

    arguments: of the agent. Empty where there is none, and for weights as they were before any
    training.
    """
    if arguments.get("untrained"):
        return ""
    weights = arguments.get("weights")
    folder = shipped if weights is None else Path(str(weights))
    return str(folder) if (folder / FILE).is_file() else ""
