"""Recording where another agent acts part of the time, and the expert says what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from toysuite import QUICK

from harness.core import Discrete, Task, Turn, UserError
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.demos.recorder import STRETCH
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions
from harness.records.identity import AgentSpec

LONG = toys.toy_task("long", max_steps=200, size=12)
ENDLESS = toys.toy_task("endless", max_steps=30, size=12, success=None)
SHOWN = RecordingOptions(("state",))
ORACLE = AgentSpec("oracle", "baselines.simple:Oracle", {})
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


def _recorded(
    out: Path,
    roll_in: AgentSpec | None = None,
    agent: AgentSpec | None = None,
    teacher: AgentSpec | None = None,
    options: RecordingOptions = SHOWN,
    task: Task = LONG,
) -> Demos:
    record(
        [(QUICK, task)], out, options, RunOptions(workers=0),
        PlainProgress(), episodes=8, agent=agent, roll_in=roll_in, teacher=teacher,
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


class Teaching(Looking):
    """Goes to the goal; it is told what was executed, and sees two steps."""

    reads = ("state",)
    history = 2

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            assert len(turn.observations) == len(turn.actions) + 1 == min(2, turn.step + 1)
        return [toys.towards(Discrete(5), *np.split(t.observation["state"], 2)) for t in turns]


@pytest.mark.parametrize("roll_in", [None, AgentSpec("looking", f"{__name__}:Looking", {})])
def test_a_teacher_takes_the_experts_place(roll_in: AgentSpec | None, tmp_path: Path) -> None:
    teacher = AgentSpec("teaching", f"{__name__}:Teaching", {})
    options = RecordingOptions(("image",), noise=0.3, keep="all")
    demos = _recorded(tmp_path / "d", roll_in, None, teacher, options, ENDLESS)
    assert len(demos) == 8
    seen = {"image"} | ({"state"} if roll_in else set())
    assert set(demos.read(0).brief.observation) == seen  # not what the teacher alone reads
    frames = [frame for demo in demos for frame in demo.frames]
    differ = sum(frame.executed != frame.action for frame in frames) / len(frames)
    assert 0 < differ < 0.5
    if roll_in:
        for frame in frames:
            expert = toys.towards(Discrete(5), *np.split(frame.observation["state"], 2))
            assert frame.action == expert
    card = (tmp_path / "d" / "README.md").read_text()
    assert "All episodes of the teacher `teaching`" in card
    assert "action (the teacher's, to be imitated)" in card
    with pytest.raises(UserError, match="another --teacher"):
        _recorded(tmp_path / "d", roll_in, None, UNIFORM, options, ENDLESS)


@pytest.mark.parametrize("option", ["teacher", "roll_in"])
def test_an_agent_that_changed_does_not_go_on_with_a_recording(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / f"changing_{option}.py"
    source.write_text(f"from {__name__} import Teaching\n\n\nclass Mine(Teaching):\n    pass\n")
    agents: dict[str, Any] = {option: AgentSpec("mine", f"{source.stem}:Mine", {})}
    out = tmp_path / "d"
    assert len(_recorded(out, **agents)) == 8
    assert len(_recorded(out, **agents)) == 8, "the same agent continues"
    source.write_text(source.read_text() + "# changed\n")
    words = f"another --{option.replace('_', '-')} .its source or its files have changed.: choose"
    with pytest.raises(UserError, match=words):
        _recorded(out, **agents)
    (out / "recording.json").unlink()  # the run directory knows, too
    with pytest.raises(UserError, match="another run"):
        _recorded(out, **agents)


class Expertless(toys.ToyAdapter):
    """A game that nobody wrote an expert for."""

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return False

    def expert(self, executed: Any) -> Any:
        raise AssertionError("there is none to ask")


def test_a_task_without_an_expert_is_recorded_with_a_teacher(tmp_path: Path) -> None:
    task = toys.toy_task("game", adapter=f"{__name__}:Expertless", max_steps=30, size=12)
    teacher = AgentSpec("teaching", f"{__name__}:Teaching", {})
    assert len(_recorded(tmp_path / "d", None, None, teacher, SHOWN, task)) == 8
    nothing = record(
        [(QUICK, task)], tmp_path / "e", SHOWN, RunOptions(workers=0), PlainProgress(), episodes=1
    )
    assert nothing.demos == 0
    assert "this task has no expert" in nothing.as_text()
    assert "--teacher" in nothing.as_text()


@pytest.mark.parametrize(
    ("roll_in", "agent", "teacher", "words"),
    [
        (ORACLE, None, None, "asks no expert"),
        (None, None, ORACLE, "asks no expert"),
        (UNIFORM, UNIFORM, None, "belongs to the experts"),
        (None, UNIFORM, UNIFORM, "does not go with --agent"),
    ],
)
def test_what_cannot_act_in_their_place_is_said(
    roll_in: AgentSpec | None,
    agent: AgentSpec | None,
    teacher: AgentSpec | None,
    words: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=words):
        _recorded(tmp_path / "d", roll_in, agent, teacher)
