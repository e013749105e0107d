"""Recording where another agent acts part of the time, and the expert says what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from toysuite import QUICK

from harness.core import Discrete, Turn, UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.demos.recorder import STRETCH
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec

LONG = toys.toy_task("long", max_steps=200, size=12)
UNIFORM = AgentSpec("uniform", "baselines.simple:Uniform", {})


class Looking(toys.GoodAgent):
    """Sees what it reads, several steps of it, and nothing of the expert."""

    reads = ("state", "image")
    history = 3

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            assert turn.expert is None
            assert len(turn.observations) == min(3, turn.step + 1)
            assert turn.observation["image"].ndim == 3
        return super().act(turns)


def _recorded(out: Path, roll_in: AgentSpec | None, agent: AgentSpec | None = None) -> Demos:
    record(
        [(QUICK, LONG)], out, RecordingOptions(("state",)), RunOptions(workers=0),
        PlainProgress(), episodes=8, agent=agent, roll_in=roll_in,
    )  # fmt: skip
    return Demos(out)


def test_the_expert_says_what_to_do_where_another_agent_comes_to(tmp_path: Path) -> None:
    demos = _recorded(tmp_path / "d", UNIFORM)
    followed = []
    for demo in demos:
        for step, frame in enumerate(demo.frames):
            expert = toys.towards(Discrete(5), *np.split(frame.observation["state"], 2))
            assert frame.action == expert
            if step % STRETCH == 0:
                followed.append(0)
            followed[-1] += frame.executed != frame.action
    # A stretch is the expert's from its first step to its last, or the other agent's.
    assert any(count == 0 for count in followed)
    assert any(count > 2 for count in followed)
    card = (tmp_path / "d" / "README.md").read_text()
    assert "On half of the stretches of 25 steps `uniform` acted." in card
    assert "executed (what was executed, which may be another one)" in card


def test_what_the_other_agent_reads_is_recorded_too(tmp_path: Path) -> None:
    demos = _recorded(tmp_path / "d", AgentSpec("looking", f"{__name__}:Looking", {}))
    assert len(demos) == 8
    assert set(demos.read(0).brief.observation) == {"state", "image"}
    frames = [frame for demo in demos for frame in demo.frames]
    assert all(frame.executed == frame.action for frame in frames)


@pytest.mark.parametrize(
    ("roll_in", "agent", "words"),
    [
        (AgentSpec("oracle", "baselines.simple:Oracle", {}), None, "asks no expert"),
        (UNIFORM, UNIFORM, "belongs to the experts"),
    ],
)
def test_what_cannot_act_in_their_place_is_said(
    roll_in: AgentSpec, agent: AgentSpec | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        _recorded(tmp_path / "d", roll_in, agent)
