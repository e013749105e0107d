"""`bench probe modalities` finds what an agent needs, of agents of which that is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Said
from findings import printed_again

from harness.core import Agent, Answer, Suite, Turn
from harness.probes.withheld import Withheld, WithheldSpec, modalities_of
from harness.records.identity import AgentSpec

TWO = Suite("two", "two toys", (toys.toy_task(), toys.toy_task("far", size=20)), 6)
SCORED = Suite("scored", "a toy with a score", (toys.toy_task("survive", success=None),), 2)


class Follows(Agent):
    """Goes to the goal if it is told to. It looks at `state`, and reads `image` for nothing."""

    reads = ("state", "image")
    history = 2

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        x, y, goal_x, goal_y = turn.observation["state"]
        if not turn.instruction or (x, y) == (goal_x, goal_y):
            return 0
        return (1 + int(goal_x > x)) if goal_x != x else 3 + int(goal_y > y)


class ReadsAll(Agent):
    """Reads whatever it touches."""

    reads = ("*",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [0 for _ in turns]


FOLLOWS = AgentSpec("follows", "test_modalities:Follows", {})
COMMAND = ("probe", "modalities", "--agent", "test_modalities:Follows", "--workers", 0)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module by the name that the command line is given."""
    import sys

    monkeypatch.setitem(sys.modules, "test_modalities", sys.modules[__name__])


def test_what_is_needed_costs_all_and_what_is_not_costs_nothing(
    bench_here: Callable[..., Said],
) -> None:
    words = (*COMMAND, "--suite", "test_modalities:TWO", "--out", "probed")
    said = bench_here(*words, "--format", "json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["schema"] == 1
    assert told["missing"] == 0
    rows = {each["modality"]: each for each in told["modalities"]}
    assert list(rows) == ["state", "image", "instruction"]
    assert {name: each["lost"]["value"] for name, each in rows.items()} == {
        "state": 1.0,
        "image": 0.0,
        "instruction": 1.0,
    }
    for name, row in rows.items():
        assert row["n"] == 12
        assert row["whole"]["value"] == 1.0
        assert row["without"]["value"] == 1.0 - row["lost"]["value"]
        assert row["lost"]["low"] <= row["lost"]["value"] <= row["lost"]["high"]
        assert (row["lost"]["low"] > 0) == (name != "image")
    assert {(each["task"], each["modality"]) for each in told["tasks"]} == {
        (task, name) for task in ("toys/goal", "toys/far") for name in rows
    }
    again = bench_here(*words, "--withhold", "instruction")
    lines = [" ".join(line.split()) for line in again.out.splitlines()]
    assert lines[3].startswith("instruction 12 100 (")
    assert "points lost by task" in again.out
    printed_again(bench_here, "probed", again.out)


def test_all_steps_that_are_shown_lack_it() -> None:
    class Sees(Agent):
        reads = ("state", "image")

        def act(self, turns: Sequence[Turn]) -> list[Any]:
            return [
                Answer([0], memory=[(o["state"].any(), o["image"].any()) for o in t.observations])
                for t in turns
            ]

    brief = toys.ToyAdapter(toys.toy_task()).brief
    seen = {"state": np.ones(4, np.float32), "image": np.ones((16, 16, 3), np.uint8)}
    turn = Turn(brief, "go", (seen, seen), (0,), 1, "e")
    (answer,) = Withheld(Sees(), "image").act([turn])
    assert isinstance(answer, Answer)
    assert answer.memory == [(True, False), (True, False)]
    assert seen["image"].all(), "what the simulator gave stays as it is"


def test_each_is_another_agent() -> None:
    names = modalities_of(FOLLOWS)
    prints = {WithheldSpec.of(FOLLOWS, name).fingerprint() for name in names}
    assert len(prints | {FOLLOWS.fingerprint()}) == len(names) + 1
    assert WithheldSpec.of(FOLLOWS, "image").to_json()["identity"] == {"withheld": "image"}


def test_a_task_without_the_view_is_left_out() -> None:
    brief = toys.ToyAdapter(toys.toy_task()).brief
    assert WithheldSpec.of(FOLLOWS, "state").unfit(brief) is None
    missing = WithheldSpec.of(FOLLOWS, "depth").unfit(brief)
    assert missing is not None
    assert "no view depth" in missing.reason


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--suite", "test_modalities:SCORED"), "the probe compares rates"),
        (("--withhold", "stat"), "reads nothing called 'stat'"),
        (("--withhold", ","), "names nothing"),
        (("--agent", "test_modalities:ReadsAll"), "reads whatever it touches"),
    ],
)
def test_what_cannot_be_probed_is_one_line(
    bench_here: Callable[..., Said], words: tuple[str, ...], why: str
) -> None:
    said = bench_here(*COMMAND, "--suite", "test_modalities:TWO", *words)
    assert said.code == 2, said
    assert why in said.err.splitlines()[-1]
    assert "Traceback" not in said.err
