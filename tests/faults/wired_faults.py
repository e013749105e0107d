"""The ways in which tests/faults/wiring.py breaks a policy, and what is right to say of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Case, Suite, Turn
from harness.play.planning import make_plan
from harness.probes.wiring.pictures import zoomed
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex

__all__ = ["ACTIONS", "AXES", "PICTURES", "TABLES", "Work", "cases_of", "crossed", "miscounted"]


@dataclass(frozen=True)
class Work:
    """A policy, its cases, and its faults with what is right to say of each."""

    policy: Agent
    cases: Callable[[int, int], list[Case]]
    """Of (seed, how many)."""
    broken: Mapping[str, tuple[Agent, Sequence[str]]]


class Crossed(Agent):
    """Another agent behind one wrong wire."""

    def __init__(self, agent: Agent, fault: str, view: str, act: Callable[[Any], Any]) -> None:
        """`act`: of the view, or of the action if the view is empty."""
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self.agent, self.fault, self.view, self.change = agent, fault, view, act

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        seen = tuple(map(dict, turn.observations))
        memory = turn.memory
        if self.view:
            for each in seen:
                each[self.view] = np.ascontiguousarray(self.change(each[self.view]))
        if self.fault in LATE:
            queue = [*(turn.memory or [seen] * LATE[self.fault]), seen]
            seen, memory = queue[0], queue[1:]
        if self.fault == "first_only":
            seen = memory = turn.memory or seen
        instruction = "" if self.fault == "deaf" else turn.instruction
        shown = dataclasses.replace(turn, observations=seen, instruction=instruction)
        (answer,) = self.agent.act([shown])
        chunk = answer if isinstance(answer, Answer) else Answer([answer])
        act = self.change if not self.view else lambda action: action
        held = CHUNKS.get(self.fault, 1)
        actions = [act(action) for action in chunk.actions for _ in range(held)]
        return Answer(actions, memory=memory, rest=[act(action) for action in chunk.rest])


LATE = {"late": 1, "late 2": 2, "late 3": 3}
"""Fault -> by how many requests."""
CHUNKS = {"chunk": 8, "chunk of 4": 4}
"""Fault -> for how many steps each action is held."""
TIMES = {
    **{fault: f"answers follow what was seen {age} requests before, not what is seen now"
       for fault, age in LATE.items()},
    "first_only": "after the first answer nothing that is seen matters: it sees one view only",
    **dict.fromkeys(CHUNKS, "asked at every step"),
}  # fmt: skip
"""Fault -> what is right to say of it."""
DEAF = "no answer depends on the instruction, although it differs between cases"
PICTURES: Mapping[str, tuple[Callable[[Any], Any], Sequence[str]]] = {
    "turned": (lambda image: image[::-1, ::-1], ["{} turned by 180 degrees"]),
    "upside down": (lambda image: image[::-1], ["{} turned upside down"]),
    "mirrored": (lambda image: image[:, ::-1], ["{} mirrored"]),
    "transposed": (
        lambda image: np.swapaxes(image, 0, 1), ["{} with rows and columns exchanged"],
    ),
    "clockwise": (
        lambda image: np.rot90(image, -1), ["{} turned by 90 degrees counterclockwise"],
    ),
    "counterclockwise": (np.rot90, ["{} turned by 90 degrees clockwise"]),
    "bgr": (lambda image: image[..., ::-1], ["{} with red and blue exchanged"]),
    "cropped": (
        lambda image: zoomed(image, 1.25),
        ["{} shrunk 1.25 times", "no answer depends on the outer tenth of {}: it may be cropped"],
    ),
    "padded": (lambda image: zoomed(image, 0.8), ["{} enlarged 1.25 times"]),
    "blank": (np.zeros_like, ["no answer depends on any view", "no answer depends on the view {}"]),
}  # fmt: skip
"""Fault -> what it does to a picture, and what is right to say of it."""
TABLES: Mapping[str, tuple[Callable[[Any], Any], Sequence[str]]] = {
    **{fault: PICTURES[fault]
       for fault in ("turned", "upside down", "mirrored", "transposed", "clockwise",
                     "counterclockwise", "blank")},
    "reversed": (
        lambda table: table[..., ::-1], ["{} with what it says of a cell in reverse order"],
    ),
}  # fmt: skip
"""The same of a table of cells."""
ACTIONS: Mapping[str, tuple[Callable[[Any], Any], Sequence[str]]] = {
    "gripper sign": (lambda action: action * [1, 1, 1, -1], ["the sign of gripper turned"]),
    "gripper 0..1": (
        lambda action: np.array([*action[:3], (action[3] + 1) / 2]), ["gripper read as 0..1"],
    ),
    "a tenth": (lambda action: action * [0.1, 0.1, 0.1, 1], ["actions 10 times as large"]),
    "half": (lambda action: action * [0.5, 0.5, 0.5, 1], ["actions 2 times as large"]),
    "twice": (lambda action: action * [2, 2, 2, 1], ["actions 0.5 times as large"]),
    "ten times": (lambda action: action * [10, 10, 10, 1], ["actions 0.1 times as large"]),
}  # fmt: skip
AXES: Mapping[str, tuple[Callable[[Any], Any], Sequence[str]]] = {
    "x turned": (
        lambda action: action * [-1, 1, 1, 1], ["the sign of eef_position x turned"],
    ),
    "z turned": (
        lambda action: action * [1, 1, -1, 1], ["the sign of eef_position z turned"],
    ),
    "x and y": (
        lambda action: action[[1, 0, 2, 3]], ["x and y of eef_position exchanged"],
    ),
    "quarter turn": (
        lambda action: action[[1, 0, 2, 3]] * [-1, 1, 1, 1],
        ["eef_position turned by -90 degrees about z"],
    ),
    "half turn": (
        lambda action: action * [-1, -1, 1, 1], ["eef_position turned by 180 degrees about z"],
    ),
}  # fmt: skip
"""Fault -> what it does to a movement in another frame, and what is right to say of it."""


def crossed(
    policy: Agent,
    view: str,
    faults: Mapping[str, tuple[Callable[[Any], Any], Sequence[str]]],
    times: Sequence[str] = tuple(TIMES),
    deaf: bool = False,
) -> dict[str, tuple[Agent, Sequence[str]]]:
    """The policy broken in each of these ways. `view`: the picture; empty: the action."""
    broken: dict[str, tuple[Agent, Sequence[str]]] = {
        fault: (Crossed(policy, fault, view, act), [each.format(view) for each in right])
        for fault, (act, right) in faults.items()
    }
    for fault in times:
        broken[fault] = Crossed(policy, fault, "", lambda value: value), [TIMES[fault]]
    if deaf:
        broken["deaf"] = Crossed(policy, "deaf", "", lambda value: value), [DEAF]
    return broken


def miscounted(policy: Agent, choices: int) -> dict[str, tuple[Agent, Sequence[str]]]:
    """The policy, whose actions are counted from another first one."""
    faults: dict[str, tuple[Callable[[Any], Any], Sequence[str]]] = {
        "numbered higher": (
            lambda action: (int(action) + 1) % choices, ["the number of each action one lower"],
        ),
        "numbered lower": (
            lambda action: (int(action) - 1) % choices, ["the number of each action one higher"],
        ),
    }  # fmt: skip
    return crossed(policy, "", faults, ())


def cases_of(
    name: str, suites: Sequence[Suite], max_steps: int | None = None
) -> Callable[[int, int], list[Case]]:
    """Cases of one task; with `max_steps` their episodes are shorter than the benchmark's."""
    spec = AgentSpec("noop", "baselines.simple:Noop", {})
    ((suite, task),) = select_tasks(list(suites), name)[:1]
    chosen = [(suite, dataclasses.replace(task, max_steps=max_steps or task.max_steps))]

    def cases(seed: int, count: int) -> list[Case]:
        plan = make_plan(chosen, spec, episodes=count, seed=seed)
        return [plan.case(CaseIndex(0, 0, number)) for number in range(count)]

    return cases
