"""How often does `bench probe wiring` name a planted fault first, and how often is it wrong?

    python tests/faults/wiring.py [--policies toy,conv,conv-two,pick-place] [--healthy 20]

Each policy works as it is, and is broken in each way that applies to it. `toy` reads two pictures
of a toy. `conv` is a small convolutional network that reads BabyAI's `image_partial` and the
instruction; it is trained here on the oracle's actions, which takes minutes. `conv-two` has
two balls of which the instruction names one. `pick-place` and `drawer-open` are Meta-World's own
policies, which read `state`, with episodes of 150 steps. Prints a row for each policy, and each
fault that was not named first. The healthy runs are of the same policies on other cases, unbroken.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import wired

from harness.core import Agent, Answer, Case, Turn
from harness.play.planning import make_plan
from harness.probes.fork import Brancher
from harness.probes.wiring.episodes import Stage
from harness.probes.wiring.pictures import zoomed
from harness.probes.wiring.verdict import Verdict, diagnose
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex
from harness.stats.intervals import wilson
from suites import babyai, metaworld

CASES = 20
WORDS = ("red", "green", "blue", "purple", "yellow", "grey", "ball", "box", "key")


class Crossed(Agent):
    """Another agent behind one wrong wire."""

    def __init__(self, agent: Agent, fault: str, view: str, act: Callable[[Any], Any]) -> None:
        """`act`: of the view, or of the action if the view is empty."""
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self.agent, self.fault, self.view, self.change = agent, fault, view, act

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        seen = dict(turn.observation)
        memory = turn.memory
        if self.view:
            seen[self.view] = np.ascontiguousarray(self.change(seen[self.view]))
        if self.fault == "late":
            seen, memory = dict(turn.memory or seen), seen
        if self.fault == "first_only":
            seen = memory = dict(turn.memory or seen)
        instruction = "" if self.fault == "deaf" else turn.instruction
        shown = dataclasses.replace(turn, observations=(seen,), instruction=instruction)
        (action,) = self.agent.act([shown])
        if not self.view and self.fault not in ("late", "first_only", "deaf", "chunk"):
            action = self.change(action)
        return Answer([action] * (8 if self.fault == "chunk" else 1), memory=memory)


def same(value: Any) -> Any:
    return value


PICTURES: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "turned": (lambda image: image[::-1, ::-1], "{} turned by 180 degrees"),
    "upside down": (lambda image: image[::-1], "{} turned upside down"),
    "mirrored": (lambda image: image[:, ::-1], "{} mirrored"),
    "bgr": (lambda image: image[..., ::-1], "{} with red and blue exchanged"),
    "transposed": (lambda image: np.swapaxes(image, 0, 1), "{} with rows and columns exchanged"),
    "cropped": (lambda image: zoomed(image, 1.25), "{} shrunk 1.25 times"),
    "padded": (lambda image: zoomed(image, 0.8), "{} enlarged 1.25 times"),
    "blank": (np.zeros_like, "no answer depends on any view"),
}
"""Fault -> what it does to a picture, and what is right to say of it."""
TIMES = {
    "late": "answers follow what was seen 1 requests before, not what is seen now",
    "first_only": "after the first answer nothing that is seen matters: it sees one view only",
    "chunk": "asked at every step",
}
DEAF = "no answer depends on the instruction, although it differs between cases"
ACTIONS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "gripper sign": (lambda action: action * [1, 1, 1, -1], "the sign of gripper turned"),
    "gripper 0..1": (
        lambda action: np.array([*action[:3], (action[3] + 1) / 2]), "gripper read as 0..1",
    ),
    "a tenth": (lambda action: action * [0.1, 0.1, 0.1, 1], "actions 10 times as large"),
    "half": (lambda action: action * [0.5, 0.5, 0.5, 1], "actions 2 times as large"),
    "ten times": (lambda action: action * [10, 10, 10, 1], "actions 0.1 times as large"),
}  # fmt: skip


def conv_policy(level: str, episodes: int, updates: int) -> Agent:
    """Trained on the oracle's actions in so many episodes of a level."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    recorder = Recorder()
    with Brancher(recorder, None, 60.0) as brancher:
        for case in cases_of(level, babyai.SUITES, episodes, seed=900):
            brancher.outcome(recorder, case)
    images, words, actions = (np.stack(each) for each in zip(*recorder.rows))

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

    net = Net()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    data = [torch.as_tensor(each) for each in (images, words, actions)]
    for _ in range(updates):
        chosen = torch.randint(len(data[0]), (64,))
        loss = nn.functional.cross_entropy(net(data[0][chosen], data[1][chosen]), data[2][chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    print(f"conv: {len(data[0])} steps of the oracle, loss {loss.item():.3f}", file=sys.stderr)
    return Conv(net)


def told(turn: Turn) -> np.ndarray:
    """Which of WORDS the instruction has."""
    return np.array([word in turn.instruction.split() for word in WORDS], np.float32)


class Recorder(Agent):
    """The oracle; it keeps what it saw and did."""

    reads = ("expert", "image_partial")

    def __init__(self) -> None:
        self.rows: list[tuple[Any, Any, Any]] = []

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        (turn,) = turns
        self.rows.append((turn.observation["image_partial"], told(turn), turn.expert))
        return [turn.expert]


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


def cases_of(
    name: str, suites: Any, count: int, seed: int, max_steps: int | None = None
) -> list[Case]:
    """Cases of one task; with `max_steps` their episodes are shorter than the benchmark's."""
    spec = AgentSpec("noop", "baselines.simple:Noop", {})
    ((suite, task),) = select_tasks(list(suites), name)[:1]
    chosen = [(suite, dataclasses.replace(task, max_steps=max_steps or task.max_steps))]
    plan = make_plan(chosen, spec, episodes=count, seed=seed)
    return [plan.case(CaseIndex(0, 0, number)) for number in range(count)]


def judged(agent: Agent, cases: Sequence[Case]) -> Verdict:
    with Brancher(agent, None, 60.0) as brancher:
        return diagnose(Stage(brancher, agent, lambda result: result.score, True, 150), cases)


Work = tuple[str, Callable[[int], list[Case]], Agent, dict[str, tuple[Agent, Sequence[str]]]]


def toy() -> Work:
    from harness.core import Suite

    task = wired.wired_task(words=True)

    def cases(seed: int) -> list[Case]:
        return cases_of("*", [Suite("toys", "toys", (task,), 1)], CASES, seed)

    broken = {fault: (wired.Broken(fault), right) for fault, right in wired.FAULTS.items()}
    return "toy, two pictures", cases, wired.Broken(errs=0.3), broken


def conv(level: str, episodes: int, updates: int) -> Work:
    policy, view = conv_policy(level, episodes, updates), "image_partial"
    broken: dict[str, tuple[Agent, Sequence[str]]] = {
        fault: (Crossed(policy, fault, view, act), [right.format(view)])
        for fault, (act, right) in PICTURES.items()
    }
    for fault, right in {**TIMES, "deaf": DEAF}.items():
        broken[fault] = (Crossed(policy, fault, "", same), [right])
    name = level.rpartition("/")[2]
    return (
        f"conv, {name}",
        lambda seed: cases_of(level, babyai.SUITES, CASES, seed),
        policy,
        broken,
    )


def scripted(task: str) -> Work:
    policy = Scripted(task)
    broken: dict[str, tuple[Agent, Sequence[str]]] = {
        fault: (Crossed(policy, fault, "", act), [right]) for fault, (act, right) in ACTIONS.items()
    }
    for fault, right in TIMES.items():
        broken[fault] = (Crossed(policy, fault, "", same), [right])
    name = f"metaworld/{task}"
    return (
        f"scripted, {task}",
        lambda seed: cases_of(name, metaworld.SUITES, CASES, seed, 150),
        policy,
        broken,
    )


WORKS: Mapping[str, Callable[[], Work]] = {
    "toy": toy,
    "conv": lambda: conv("babyai/GoToObj", 400, 1500),
    "conv-two": lambda: conv("babyai/GoToRedBlueBall", 1000, 3000),
    "pick-place": lambda: scripted("pick-place-v3"),
    "drawer-open": lambda: scripted("drawer-open-v3"),
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--policies", default="toy,conv,conv-two,pick-place")
    parser.add_argument("--seeds", type=int, default=1, help="sets of cases for each fault")
    parser.add_argument("--healthy", type=int, default=20, help="healthy runs of each policy")
    options = parser.parse_args()
    rows, missed, harmless = [], [], []
    alarms = runs = 0
    for name in options.policies.split(","):
        title, cases, healthy, broken = WORKS[name]()
        right, cases_used, episodes, begun = 0, [], [], time.perf_counter()
        tried = 0
        for fault, (agent, names) in broken.items():
            for seed in range(options.seeds):
                found = judged(agent, cases(seed))
                if found.race.healthy:
                    harmless.append(f"{title}, {fault}: it succeeds all the same")
                    continue
                tried += 1
                first = found.faults[0] if found.faults else "none of these"
                right += first in names
                cases_used.append(len(found.race.unchanged))
                episodes.append(found.episodes)
                if first not in names:
                    missed.append(f"{title}, {fault}: {first}; {' / '.join(found.faults[1:])}")
                print(f"{title}, {fault}: {first}, {found.episodes} episodes",
                      file=sys.stderr)  # fmt: skip
        wrong, good = 0, 0
        for number in range(options.healthy):
            found = judged(healthy, cases(20 + number))
            wrong += bool(found.faults)
            good += found.race.healthy
            if found.faults:
                missed.append(f"{title}, healthy: {found.faults}")
        alarms, runs = alarms + wrong, runs + options.healthy
        rows.append([
            title, f"{right} of {tried}",
            statistics.median(cases_used) if cases_used else "",
            statistics.median(episodes) if episodes else "", max(episodes, default=""),
            f"{wrong} of {options.healthy}", good, round(time.perf_counter() - begun),
        ])  # fmt: skip
    heads = ["policy", "named first", "median cases", "median episodes", "most episodes",
             "false alarms", "healthy at once", "s"]  # fmt: skip
    print(tabulate(rows, heads, tablefmt="github"))
    if runs:
        bound = wilson(alarms, runs)
        print(f"false alarms: {alarms} of {runs}, 95 %: {bound.low:.3f} to {bound.high:.3f}")
    print("\n".join(["", *missed, "", *harmless]))


if __name__ == "__main__":
    main()
