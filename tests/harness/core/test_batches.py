"""A view of many turns as one array or tensor, without a copy where it is one already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from harness.core import (
    Agent,
    BatchedAdapter,
    Box,
    Brief,
    Case,
    Task,
    TimeStep,
    Turn,
    batch_of,
)
from harness.core.values import BadValue, as_device_view
from harness.play.inference import LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.rollout import RolloutLoop

LANES = 4


def turns_of(rows: Sequence[Any]) -> list[Turn]:
    brief = Brief({}, Box((2,)), "", "")
    return [Turn(brief, "", ({"v": row},), (), 0, str(n)) for n, row in enumerate(rows)]


@pytest.mark.parametrize("whole", [np.arange(60.0).reshape(5, 3, 4), torch.rand(5, 3, 4)])
def test_rows_of_one_memory_are_not_copied(whole: Any) -> None:
    def begins(value: Any) -> int:
        return value.data_ptr() if torch.is_tensor(value) else value.__array_interface__["data"][0]

    cases: dict[str, tuple[Any, bool]] = {
        "all": ([*whole], True),
        "every second": ([*whole[::2]], True),
        "part of each": ([row[1:, ::2] for row in whole], True),
        "another order": ([whole[2], whole[0], whole[1]], False),
        "one": ([whole[3]], False),
        "the same twice": ([whole[1], whole[1]], False),
        "memory of their own": ([row + 0 for row in whole], False),
    }
    for name, (rows, shared) in cases.items():
        batch = batch_of(turns_of(rows), "v")
        assert type(batch) is type(whole), name
        assert np.array_equal(batch, np.stack([np.asarray(row) for row in rows])), name
        assert (begins(batch) == begins(rows[0])) is shared, name
    with pytest.raises((ValueError, RuntimeError)):
        batch_of(turns_of([whole[0], whole[1][:2]]), "v")


def test_what_is_wrong_with_a_tensor_is_named() -> None:
    spec = Box((2,))
    assert as_device_view(spec, torch.ones(2), "it").tolist() == [1, 1]
    for value, why in (
        (np.ones(2, np.float32), "must be a torch tensor, got ndarray"),
        (torch.ones(3), r"must have the shape \(2,\), got \(3,\)"),
        (torch.ones(2).double(), "must have the dtype float32, got float64"),
    ):
        with pytest.raises(BadValue, match=why):
            as_device_view(spec, value, "it")


class Drift(BatchedAdapter):
    """All lanes in one tensor, which each action moves."""

    def __init__(self, task: Task, lanes: int) -> None:
        view = Box((2,))
        views = {"state": view, "gpu/state": view}
        self.brief = Brief(views, Box((2,), low=-1, high=1), "none", "none")
        self.all = torch.zeros(lanes, 2)

    def _seen(self, lanes: Any) -> dict[int, TimeStep]:
        self.all = self.all.clone()
        return {
            lane: TimeStep({"state": self.all[lane].numpy(), "gpu/state": self.all[lane]})
            for lane in lanes
        }

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        for lane, case in cases.items():
            self.all[lane] = torch.from_numpy(case.rng("start").random(2, np.float32))
        return self._seen(cases)

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        for lane, action in actions.items():
            self.all[lane] += torch.from_numpy(action)
        return self._seen(actions)

    def state(self, lane: int) -> bytes:
        return self.all[lane].numpy().tobytes()


class OnHost(Agent):
    reads = ("state",)

    def act(self, turns: Sequence[Turn]) -> Any:
        return [np.sin(3 * turn.observation["state"]) * 1.1 for turn in turns]


class OnDevice(Agent):
    """The same with tensors: one for the batch comes in, and one that has a gradient goes out."""

    reads = ("gpu/state",)
    shared = 0

    def act(self, turns: Sequence[Turn]) -> Any:
        batch = batch_of(turns, "gpu/state")
        whole = turns[0].observation["gpu/state"]
        OnDevice.shared += len(turns) == LANES and batch.data_ptr() == whole.data_ptr()
        rows = [np.sin(3 * row) * 1.1 for row in batch.numpy()]
        return torch.from_numpy(np.stack(rows)).requires_grad_()


def play(agent: Agent, module: str) -> dict[str, Any]:
    task = Task("toys/drift@1", "games", f"{module}:Drift", max_steps=5, success=None)
    cases = [(seed, Case(task, seed)) for seed in range(10)]
    found: dict[str, Any] = {}

    def report(outcome: Outcome) -> None:
        assert outcome.result is not None
        result = outcome.result
        found[result.case] = result.status, result.digest, result.start, result.metrics

    class Source:
        def take(self, held: Sequence[str]) -> Any:
            return cases.pop() if cases else None

    watch = Watch()
    loop = RolloutLoop(
        LocalAgent(agent, watch, 60.0),
        agent.reads,
        1,
        lanes=LANES,
        groups=1,
        watch=watch,
        report=report,
    )
    loop.turn(Source())
    while loop.busy():
        loop.turn(Source())
    loop.close()
    return found


def test_an_agent_that_reads_tensors_plays_the_same_episodes_bit_for_bit() -> None:
    host, device = play(OnHost(), __name__), play(OnDevice(), __name__)
    assert len(host) == 10
    assert {status for status, *_ in host.values()} == {"finished"}
    assert host == device
    assert OnDevice.shared >= 4, "the batch of all lanes is the simulator's own memory"
