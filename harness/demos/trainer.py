"""What `bench train NAME` calls: a trainer of one of our agents, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import Suite, Task

__all__ = ["Trainer", "TrainingRequest"]


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """One call of `bench train`."""

    stage: str
    out: Path
    """The folder of the weights. The same request continues there."""
    data: tuple[Path, ...] = ()
    """Folders of demonstrations."""
    validation: tuple[Path, ...] = ()
    """Folders of demonstrations that are not learned from."""
    config: str | None = None
    """A recipe of the trainer, or a JSON file; None: that of the folder, or the default."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the configuration that are different."""
    steps: int | None = None
    """Updates, or decisions to play; None: as the configuration says."""
    init: Path | None = None
    """The folder of weights to start from."""
    tasks: Sequence[tuple[Suite, Task]] = ()
    """What a stage plays that plays."""
    seed: int = 0
    threads: int = 0
    """Threads of torch; 0: its own default."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How one agent is trained."""

    train: Callable[[TrainingRequest, Callable[[str], None]], Path]
    """Train, telling progress to the function, and return the folder of the weights. Raises
    UserError where the request lacks what its stage needs."""
    stages: tuple[str, ...]
    """In the order in which they are run."""
    starts: bool = False
    """Whether `imitates` can start from weights, which bring what `prepares` makes."""
    prepares: tuple[str, ...] = ()
    """Those that learn no policy, and that runs to be compared share: a tokenizer."""
    records: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Those that leave what others, named here, learn from in their folder, instead of weights."""
    imitates: str
    """The stage that learns from demonstrations."""
    agent: str
    """The name of the agent that plays the weights."""
    argument: str = "weights"
    """The argument of its constructor that takes their folder."""
    alike: Mapping[str, Any] | None = None
    """Changes of the configuration with which each folder of `data` is drawn equally often; none
    are needed where that is so anyway. None: it cannot."""
