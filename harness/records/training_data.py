"""training_data.json: what an agent was trained on, axis by axis.

    {"schema": 1, "description": "500 demonstrations of the experts of babyai",
     "axes": {"task": ["babyai/GoToObj@1"], "start": ["1f0c5a9e2b7d4c61"], "instruction": [...]}}

An axis that is there lists everything that training saw along it, and one that is missing is not
known. `start` holds keys of starts, see `start_key`. `bench demos` writes such a file beside its
data; it is a claim of whoever trained the agent, which nothing here can check, except that equal
keys of starts prove that these were seen.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import UserError
from harness.core.factors import AXES
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse
from harness.records.typed import Check, fields_of, list_of, table_of, text, whole

__all__ = [
    "FILE", "TrainingData", "joined", "read_training_data", "start_key", "write_training_data",
]  # fmt: skip

FILE = "training_data.json"
SCHEMA = 1
MOST_BYTES = 256 << 20
MOST_VALUES = 5_000_000
"""Of an axis."""
MOST_DESCRIPTION = 1000
"""Characters, as in an entry of the board."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What was seen in training."""

    description: str
    """One line, as an entry of the board says it."""
    axes: Mapping[str, frozenset[str]]
    """Axis of harness.core.factors.AXES -> all that was seen along it; the others are not known."""


_CHECKS: Mapping[str, Check] = {
    "schema": whole(1, SCHEMA),
    "description": text,
    "axes": table_of(list_of(text, MOST_VALUES), len(AXES)),
}


def start_key(start: str, factors: Mapping[str, str]) -> str:
    """Equal where two starts are: `Result.start`, and a digest of the scene where one is told.

    What an adapter counts to its state may be a part of it only, such as what is in sight.
    """
    if "scene" not in factors:
        return start
    return f"{start}-{hashlib.blake2b(factors['scene'].encode(), digest_size=8).hexdigest()}"


def read_training_data(place: str | os.PathLike[str]) -> TrainingData:
    """From the file, or from that of a folder, such as one of `bench demos`. Raises UserError."""
    file = Path(place) / FILE if Path(place).is_dir() else Path(place)
    try:
        fields = fields_of(parse(read_regular(file, MOST_BYTES)), "", _CHECKS)
        unknown = sorted(fields["axes"].keys() - AXES.keys())
        if unknown:
            raise ValueError(f"there is no axis {unknown[0]!r}: {', '.join(AXES)}")
        description = " ".join(fields["description"].split())
        if len(description) > MOST_DESCRIPTION:
            raise ValueError(f"its description has more than {MOST_DESCRIPTION} characters")
    except FileNotFoundError:
        raise UserError(
            f"there is no {file}: name a folder of `bench demos`, or a file as docs/seen.md has it"
        ) from None
    except (OSError, ValueError) as wrong:
        raise UserError(f"{file} does not say what was trained on: {wrong}") from None
    return TrainingData(
        description=description,
        axes={axis: frozenset(values) for axis, values in fields["axes"].items()},
    )


def joined(parts: Sequence[TrainingData]) -> TrainingData:
    """What was seen in any of these; an axis is known where all of them tell it."""
    axes = set.intersection(*(set(each.axes) for each in parts)) if parts else set()
    description = "; ".join(dict.fromkeys(each.description for each in parts))
    return TrainingData(
        description=description[:MOST_DESCRIPTION],
        axes={
            axis: frozenset(value for each in parts for value in each.axes[axis]) for axis in axes
        },
    )


def write_training_data(folder: Path, description: str, axes: Mapping[str, Iterable[str]]) -> Path:
    """Write the file, whole or not at all; returns where it lies."""
    content = {
        "schema": SCHEMA,
        "description": description,
        "axes": {axis: sorted(set(axes[axis])) for axis in AXES if axis in axes},
    }
    temporary = folder / f"{FILE}.new"
    temporary.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, folder / FILE)
    return folder / FILE
