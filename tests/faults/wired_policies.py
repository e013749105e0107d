"""Policies that work, and the ways in which tests/faults/wiring.py breaks them.

`toy` and `pose` are the toys of tests/wired.py and tests/wired_pose.py. `conv` is a small network
that reads BabyAI's `image_partial` and the instruction in GoToObj, `conv-two` the same with two
balls of which the instruction names one. Both are trained here on the expert's actions, which takes
minutes. `pick-place` and `drawer-open` are Meta-World's own policies, which read `state`, with
episodes of 150 steps. `gea` is GEA in BabyAI's GoToRedBallGrey, with episodes of 20 steps.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wired
import wired_pose

from harness.core import Agent, Answer, Case, Suite, Turn
from harness.play.planning import make_plan
from harness.probes.fork import Brancher
from harness.probes.wiring.pictures import zoomed
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex
from suites import babyai, metaworld

__all__ = ["WORKS", "Work"]

WORDS = ("red", "green", "blue", "purple", "yellow", "grey", "ball", "box", "key")


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
        actions = list(answer.actions) if isinstance(answer, Answer) else [answer]
        if not self.view and self.fault not in (*TIMES, "deaf"):
            actions = [self.change(action) for action in actions]
        return Answer(actions * (8 if self.fault == "chunk" else 1), memory=memory)


LATE = {"late": 1, "late 2": 2, "late 3": 3}
"""Fault -> by how many requests."""
TIMES = {
    **{fault: f"answers follow what was seen {age} requests before, not what is seen now"
       for fault, age in LATE.items()},
    "first_only": "after the first answer nothing that is seen matters: it sees one view only",
    "chunk": "asked at every step",
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
    "bgr": (lambda image: image[..., ::-1], ["{} with red and blue exchanged"]),
    "cropped": (
        lambda image: zoomed(image, 1.25),
        ["{} shrunk 1.25 times", "no answer depends on the outer tenth of {}: it may be cropped"],
    ),
    "padded": (lambda image: zoomed(image, 0.8), ["{} enlarged 1.25 times"]),
    "blank": (np.zeros_like, ["no answer depends on any view", "no answer depends on the view {}"]),
}  # fmt: skip
"""Fault -> what it does to a picture, and what is right to say of it."""
TABLES = ("turned", "upside down", "mirrored", "transposed", "blank")
"""Those of a table of cells."""
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


def toy(folder: Path) -> Work:
    cases = cases_of("*", [Suite("toys", "toys", (wired.wired_task(words=True),), 1)])
    broken = {fault: (wired.Broken(fault), right) for fault, right in wired.FAULTS.items()}
    return Work(wired.Broken(errs=0.3), cases, broken)


def pose(folder: Path) -> Work:
    cases = cases_of("*", [Suite("toys", "toys", (wired_pose.pose_task(),), 1)])
    broken = {fault: (wired_pose.Posed(fault), right) for fault, right in wired_pose.FAULTS.items()}
    return Work(wired_pose.Posed(errs=0.2), cases, broken)


def told(turn: Turn) -> np.ndarray:
    """Which of WORDS the instruction has."""
    return np.array([word in turn.instruction.split() for word in WORDS], np.float32)


class Recorder(Agent):
    """The oracle; it keeps what it saw and did."""

    def __init__(self, view: str) -> None:
        self.reads, self.view = ("expert", view), view  # type: ignore[misc]
        self.rows: list[tuple[Any, Any, Any]] = []

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        (turn,) = turns
        if turn.expert is None:
            return [turn.brief.action.noop()]
        self.rows.append((turn.observation[self.view], told(turn), turn.expert))
        return [turn.expert]


def demonstrated(view: str, cases: Sequence[Case]) -> list[Any]:
    """(pictures, words, actions) of the oracle, as tensors."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    recorder = Recorder(view)
    with Brancher(recorder, None, 120.0) as brancher:
        for case in cases:
            brancher.outcome(recorder, case)
    return [torch.as_tensor(np.stack(each)) for each in zip(*recorder.rows)]


def fitted(loss_of: Callable[[Any], Any], parameters: Any, steps: int, updates: int) -> None:
    """Minimise a loss of rows of the demonstrations, with Adam."""
    import torch

    optimiser = torch.optim.Adam(parameters, 1e-3)
    for _ in range(updates):
        loss = loss_of(torch.randint(steps, (64,)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"{steps} steps of the oracle, loss {loss.item():.3f}", file=sys.stderr)


def conv_net() -> Any:
    """What `Conv` plays with: tiles of 8 pixels, and words."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.see = nn.Sequential(
                nn.Conv2d(3, 32, 8, 8), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU(), nn.Flatten()
            )
            self.act = nn.Sequential(
                nn.Linear(32 * 49 + len(WORDS), 128), nn.ReLU(), nn.Linear(128, 7)
            )

        def forward(self, image: Any, words: Any) -> Any:
            seen = self.see(image.permute(0, 3, 1, 2).float() / 255)
            return self.act(torch.cat([seen, words], 1))

    return Net()


class Conv(Agent):
    """The network's most likely action."""

    reads = ("image_partial",)

    def __init__(self, net: Any) -> None:
        self.net = net

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        import torch

        image = np.stack([turn.observation["image_partial"] for turn in turns])
        words = np.stack([told(turn) for turn in turns])
        with torch.no_grad():
            chosen = self.net(torch.as_tensor(image), torch.as_tensor(words)).argmax(1)
        return [int(each) for each in chosen]


def conv(folder: Path, level: str, episodes: int, updates: int) -> Work:
    import torch
    from torch.nn.functional import cross_entropy

    cases, net = cases_of(level, babyai.SUITES), conv_net()
    kept = folder / f"{level.replace('/', '-')}.pt"
    if kept.exists():
        net.load_state_dict(torch.load(kept))
    else:
        images, words, actions = demonstrated("image_partial", cases(900, episodes))
        fitted(
            lambda rows: cross_entropy(net(images[rows], words[rows]), actions[rows]),
            net.parameters(), len(images), updates,
        )  # fmt: skip
        torch.save(net.state_dict(), kept)
    policy = Conv(net)
    return Work(policy, cases, crossed(policy, "image_partial", PICTURES, deaf=True))


class Scripted(Agent):
    """Meta-World's own policy of one task."""

    reads = ("state",)

    def __init__(self, name: str) -> None:
        from metaworld.policies import ENV_POLICY_MAP

        self.policy = ENV_POLICY_MAP[name]()

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            np.clip(self.policy.get_action(turn.observation["state"].astype(np.float64)), -1, 1)
            for turn in turns
        ]


def scripted(task: str) -> Work:
    policy = Scripted(task)
    cases = cases_of(f"metaworld/{task}", metaworld.SUITES, 150)
    return Work(policy, cases, crossed(policy, "", ACTIONS))


def gea(folder: Path, level: str) -> Work:
    from baselines.gea.agent import GEA

    policy = GEA()
    tables = {fault: PICTURES[fault] for fault in TABLES}
    broken = crossed(policy, "grid", tables, ("late", "first_only", "chunk"))
    return Work(policy, cases_of(level, babyai.SUITES, 20), broken)


WORKS: Mapping[str, Callable[[Path], Work]] = {
    "toy": toy,
    "pose": pose,
    "conv": lambda folder: conv(folder, "babyai/GoToObj", 400, 1500),
    "conv-two": lambda folder: conv(folder, "babyai/GoToRedBlueBall", 1000, 3000),
    "pick-place": lambda folder: scripted("pick-place-v3"),
    "drawer-open": lambda folder: scripted("drawer-open-v3"),
    "gea": lambda folder: gea(folder, "babyai/GoToRedBallGrey"),
}
