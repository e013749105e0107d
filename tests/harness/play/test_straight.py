"""One lane is played straight on: whatever happens, all that is told is what rounds would tell."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import toys

from harness.core import Agent, AgentUnavailable, Answer, BadAction, Case, TimeStep
from harness.play.inference import LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.rollout import RolloutLoop
from harness.records.registry import load

AT = 2
"""The step at which something happens."""


class InRounds(LocalAgent):
    """The same agent; a client of another class is asked in rounds."""


class Does(toys.GoodAgent):
    """A good agent that does something else at one step."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.ended: list[str] = []

    def act(self, turns: Any) -> list[Any]:
        answers: list[Any] = super().act(turns)
        if turns[0].step != AT:
            return answers
        good = answers[0]
        if self.what == "raises":
            raise ValueError("no idea")
        if self.what == "is away":
            raise AgentUnavailable("nobody answers")
        return {
            "nothing": answers,
            "two answers": answers * 2,
            "no list": good,
            "not a number": [good * np.nan],
            "too far": [good * 1e6],
            "other type": [np.asarray(good, np.float64)],
            "a chunk": [Answer([good, good], memory=3)],
            "a chunk with a bad end": [Answer([good, "left"])],
            "notes": [Answer([good], figures={"tokens_in": 2.0}, said="{}")],
        }[self.what]

    def end(self, episodes: Any) -> None:
        self.ended += episodes


class Happens(toys.ToyAdapter):
    """A toy in which something happens at one step."""

    steps = 0

    def reset(self, case: Case) -> TimeStep:
        self.steps = 0
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        self.steps += 1
        seen = super().step(action)
        if self.steps != AT:
            return seen
        what = self.what
        if what == "raises":
            raise ValueError("broken")
        if what == "refuses":
            raise BadAction("cannot be done")
        return dataclasses.replace(
            seen,
            **{
                "no reward": {"reward": float("nan")},
                "no view": {"observation": {}},
                "terminates": {"terminated": True},
                "truncates": {"truncated": True},
                "numpy": {"reward": np.float32(1), "terminated": np.bool_(True)},
            }[what],
        )

    def __init__(self, task: Any) -> None:
        super().__init__(dataclasses.replace(task, params={}))
        self.what = task.params["what"]


def told(
    agent: Agent, client: type[LocalAgent], adapter: str = "toys:ToyAdapter", **params: str
) -> list[Any]:
    """The outcomes of three cases, without what may differ."""
    task = toys.toy_task("here", adapter=adapter, **params)
    cases = [(number, Case(task, number)) for number in range(3)]
    outcomes: list[Outcome] = []
    watch = Watch()

    class Source:
        def take(self, held: Any) -> Any:
            return cases.pop(0) if cases else None

    loop = RolloutLoop(
        client(agent, watch, 60.0), agent.reads, agent.history,
        lanes=1, groups=1, watch=watch, report=outcomes.append,
    )  # fmt: skip
    while cases or loop.busy():
        loop.turn(Source())
    loop.close()
    assert watch.deadline == 0.0
    found: list[Any] = []
    for outcome in outcomes:
        assert outcome.result is not None
        timing = {
            name: value
            for name, value in outcome.result.timing.items()
            if not name.endswith("_s") and name != "footprint"
        }
        result = dataclasses.replace(outcome.result, timing=timing)
        found.append(dataclasses.replace(outcome, result=result))
    return found


@pytest.mark.parametrize("action", ["discrete", "box"])
@pytest.mark.parametrize(
    "what",
    [
        "nothing", "raises", "is away", "two answers", "no list", "not a number", "too far",
        "other type", "a chunk", "a chunk with a bad end", "notes",
    ],
)  # fmt: skip
def test_whatever_the_agent_does(what: str, action: str) -> None:
    straight, rounds = Does(what), Does(what)
    seen = told(straight, LocalAgent, action=action)
    assert len(seen) == 3
    assert seen == told(rounds, InRounds, action=action)
    assert straight.ended == rounds.ended
    assert len(straight.ended) == 3


@pytest.mark.parametrize(
    "what", ["raises", "refuses", "no reward", "no view", "terminates", "truncates", "numpy"]
)
def test_whatever_the_simulator_does(what: str) -> None:
    adapter = f"{__name__}:Happens"
    assert load(adapter) is Happens
    seen = told(toys.GoodAgent(), LocalAgent, adapter, what=what)
    assert len(seen) == 3
    assert seen == told(toys.GoodAgent(), InRounds, adapter, what=what)
