"""What says that two episodes started alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Run

from harness.core import Box, Spec, Text, TimeStep
from harness.play.start_digest import start_digest

Play = Callable[..., Run]

SPECS: dict[str, Spec] = {
    "state": Box((2,)),
    "text": Text(),
    "image": Box((2, 2, 3), "uint8", 0, 255),
    "depth_left": Box((2, 2)),
}
VIEWS: dict[str, Any] = {
    "state": np.zeros(2, np.float32),
    "text": "a room",
    "image": np.zeros((2, 2, 3), np.uint8),
    "depth_left": lambda: np.zeros((2, 2), np.float32),
}


def digest(instruction: str = "go", state: bytes = b"s", **views: Any) -> str:
    step = TimeStep({**VIEWS, **views}, instruction, 0.0, False, False, None)
    return start_digest(SPECS, step, state)


def test_what_needs_no_renderer_counts() -> None:
    changed = [
        digest(),
        digest("stay"),
        digest(state=b"t"),
        digest(state=np.ones(2, np.float32)),
        digest(text="another room"),
        digest("o", b"sg"),
    ]
    assert len(set(changed)) == len(changed)
    assert digest(state_=None) == digest()


def test_what_a_renderer_draws_does_not_count() -> None:
    assert digest(image=np.ones((2, 2, 3), np.uint8)) == digest()

    def no_renderer() -> Any:
        raise RuntimeError("no GL")

    assert digest(depth_left=no_renderer) == digest()


def test_a_view_that_cannot_be_read_fails_nobody_who_does_not_read_it() -> None:
    def broken() -> Any:
        raise RuntimeError("broken")

    assert digest(text=broken) == digest(text=broken) != digest()
    assert digest(state=np.full(2, np.nan, np.float32)) != digest()


def test_it_is_the_same_whatever_the_agent_reads(play_toys: Play) -> None:
    runs = [
        play_toys("oddvalues:Watcher", [toys.toy_task()], 3, args={"reads": reads}, out=name)
        for name, reads in {"one": ["state"], "all": ["*"], "none": []}.items()
    ]
    starts = [[line["start"] for line in run.results] for run in runs]
    assert starts[0] == starts[1] == starts[2]
    assert len(set(starts[0])) == 3
    assert all(len(each) == 16 for each in starts[0])


@pytest.mark.parametrize("rule", ["ever", "once", "end"])
def test_when_the_first_success_was(play_toys: Play, rule: str, tmp_path: Path) -> None:
    task = toys.toy_task(f"rule-{rule}", success=rule)
    for line in play_toys("GoodAgent", [task], 5).results:
        assert line["success_ever"] is True
        assert 0 < line["first_success"] <= line["steps"]
        assert line["success"] == (line["success_end"] if rule == "end" else True)
        if rule == "ever":
            assert line["first_success"] == line["steps"]
            assert line["success_end"] is True


def test_without_a_success_rule_nothing_is_said_of_success(play_toys: Play) -> None:
    task = toys.toy_task("free", success=None, score="return")
    for line in play_toys("GoodAgent", [task], 2).results:
        assert [line[name] for name in ("success_ever", "success_end", "first_success")] == [
            None
        ] * 3
