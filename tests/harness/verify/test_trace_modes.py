"""Failure modes that follow from actions, result and metrics alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.core import Box, Discrete, Result, Text, UIAction
from harness.core.failure_modes import FAILURE_MODES, in_order
from harness.core.ui import UI
from harness.verify.trace_modes import modes_looked_for, modes_of_trace

MOVES = Discrete(5, ("stay", "left", "right", "up", "down"))
ARM = Box((3,), low=-1.0, high=1.0)
RNG = np.random.default_rng(0)
NO_CYCLE = [int(RNG.integers(1, 5)) for _ in range(40)]


def modes(actions: Any, spec: Any = MOVES, near: bool = False, **fields: Any) -> set[str]:
    """The modes of an episode of these actions, looked for with all hooks there are."""
    metrics = fields.pop("metrics", {})
    row: dict[str, Any] = {
        "case": "c", "task": "t/t@1", "seed": 0, "perturbations": (), "status": "finished",
        "success": False, "score": 0.0, "normalised": None, "steps": len(actions),
        "ended": "horizon", "metrics": metrics, "error": None, "digest": "d", "protocol": "p",
        "timing": {}, **fields,
    }  # fmt: skip
    looked = modes_looked_for(("stopped_early", "invalid_action"), 3, metrics)
    return modes_of_trace(Result(**row), actions, spec, looked, near=near)


@pytest.mark.parametrize(
    ("actions", "spec", "expected"),
    [
        (NO_CYCLE, MOVES, set()),
        ([0] * 40, MOVES, {"never_moved"}),
        ([*NO_CYCLE[:20], *[0] * 20], MOVES, {"stopped_early"}),
        ([*NO_CYCLE[:20], *[1, 2] * 10], MOVES, {"loop"}),
        ([*NO_CYCLE[:20], *[1] * 20], MOVES, {"loop"}),
        # Five actions are no quarter of twenty and do not repeat often enough.
        ([*NO_CYCLE[:20], *[1, 2, 3, 4, 1, 2] * 3, 1, 2], MOVES, set()),
        # A last half of nine actions is too short to say.
        ([1] * 18, MOVES, set()),
        ([np.zeros(3)] * 30, ARM, {"never_moved"}),
        ([np.array([0.5, k % 2, 0.01 * (k % 3)]) for k in range(60)], ARM, {"loop"}),
        ([RNG.uniform(-1, 1, 3) for _ in range(60)], ARM, set()),
        (["look", "wait"] * 20, Text(), {"loop"}),
        ([""] * 3, Text(), {"never_moved"}),
        ([UIAction("click", x=1.0, y=2.0)] * 30, UI(10, 10, ("click", "wait")), {"loop"}),
        ([UIAction("wait")] * 30, UI(10, 10, ("click", "wait")), {"never_moved"}),
    ],
)
def test_actions_alone(actions: Any, spec: Any, expected: set[str]) -> None:
    assert modes(actions, spec) == expected | {"out_of_time"}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"collisions": 9.0}, set()),
        ({"collisions": 10.0}, {"collided"}),
        ({"drops": 0.0}, set()),
        ({"drops": 1.0}, {"dropped"}),
        ({"invalid_actions": 19.0}, set()),
        ({"invalid_actions": 20.0}, {"invalid_action"}),
        ({"unknown_refs": 20.0}, {"invalid_action"}),
        ({"path_length": 0.009}, {"never_moved"}),
        ({"path_length": 0.02}, set()),
    ],
)
def test_metrics(metrics: dict[str, float], expected: set[str]) -> None:
    assert modes(NO_CYCLE, metrics=metrics) == expected | {"out_of_time"}


def test_how_it_ended() -> None:
    assert modes(NO_CYCLE, near=True) == {"near_goal"}
    assert modes(NO_CYCLE, ended="terminated") == set()
    found = modes(NO_CYCLE[:3], status="agent_error", ended="agent_error", success=False)
    assert found == {"agent_error"}
    assert modes([], status="agent_error", ended="agent_error") == {"agent_error"}


def test_what_is_not_looked_for_is_never_found() -> None:
    assert modes_looked_for((), 0, {}) == {"agent_error", "never_moved", "loop", "out_of_time"}
    looked = modes_looked_for(("dropped",), 2, {"collisions": 0.0})
    assert {"dropped", "collided", "near_goal"} <= looked
    assert "invalid_action" not in looked


def test_modes_stand_in_the_order_of_the_list() -> None:
    assert in_order(["out_of_time", "dropped", "out_of_time"]) == ("dropped", "out_of_time")
    assert in_order(FAILURE_MODES) == tuple(FAILURE_MODES)
    with pytest.raises(ValueError, match="there is no failure mode 'tired'"):
        in_order(["tired"])
