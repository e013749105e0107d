"""A tiny, barely trained GEA model on toy tasks."""

from __future__ import annotations

from pathlib import Path

import toys
from toysuite import QUICK

from baselines.gea.config import Config, RVQConfig
from baselines.gea.train import Job, train
from harness.demos.record import RecordingOptions, record
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions

SMALL = RVQConfig(codes=16, code_dim=8, hidden=32, steps=150, batch=64, lr=3e-3)
NANO = Config(
    views=("state", "image?"), rvq=SMALL, words=300, width=48, layers=2, heads=2, mlp=96,
    pixels=16, numbers=8, history=2, lr=3e-3, batch=32, steps=8, lanes=3, rollout=8,
    minibatches=2, epochs=1, prompt_tokens=24,
)  # fmt: skip
TASKS = toys.TASKS[:2]


def make_data(out: Path) -> Path:
    """Record demonstrations of TASKS into a new folder."""
    record(
        [(QUICK, task) for task in TASKS],
        out,
        RecordingOptions(("state", "image")),
        RunOptions(workers=0),
        PlainProgress(),
        episodes=40,
    )
    return out


def make_nano(data: Path, out: Path) -> Path:
    """Train the stages `tokenizer` and `sft`, and return the folder of the weights."""
    for stage in ("tokenizer", "sft"):
        train(stage, Job((data,), out, NANO), lambda _: None)
    return out
