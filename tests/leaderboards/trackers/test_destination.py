"""What `--log` takes, and what it refuses before anything is played."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said

from harness.core import UserError
from leaderboards.trackers.destination import TRACKERS, Destination, destinations

Bench = Callable[..., Said]


def test_a_tracker_and_its_place() -> None:
    assert destinations([]) == ()
    assert destinations(["tensorboard:/tmp/a:b"]) == (Destination("tensorboard", "/tmp/a:b"),)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["tensorbord"], "there is no tracker 'tensorbord'; did you mean tensorboard"),
        (["neptune"], "there are mlflow, wandb, trackio, tensorboard"),
        (["tensorboard", "tensorboard:x"], "--log names tensorboard twice"),
        (["mlflow:https://me:secret@host"], "has a password in it"),
        (["trackio:http://host?write_token=secret"], "has a password in it"),
    ],
)
def test_wrong_use_is_refused(texts: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        destinations(texts)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_missing_package_is_told_before_anything_plays(bench_here: Bench, kind: str) -> None:
    if importlib.util.find_spec(kind) is not None:
        pytest.skip(f"{kind} is installed here")
    said = bench_here(
        "run", "--agent", "toys:GoodAgent", "--suite", "toysuite:SHORT", "--workers", 0,
        "--out", "run", "--log", kind,
    )  # fmt: skip
    assert said.code == 2
    assert said.err == (
        f"bench: --log {kind}: the package {kind} is not installed: "
        f"pip install 'generalist-bench[{kind}]'\n"
    )
    assert not Path("run").exists()
