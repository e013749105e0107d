"""Policies that work, and the ways in which tests/faults/wiring.py breaks them.

`toy` and `pose` are the toys of tests/wired.py and tests/wired_pose.py. `conv` is a small network
that reads BabyAI's `image_partial` and the instruction in GoToObj, with episodes of 25 steps,
`conv-two` the same with two balls of which the instruction names one. Both are trained here on the
expert's actions, which takes minutes, and so are `sb3` (tests/faults/wired_trained.py) and
`lerobot` (tests/faults/wired_lerobot.py). `pick-place` and `drawer-open` are Meta-World's own
policies, which read `state`, with episodes of 150 steps. `gea-state` is GEA in BabyAI's PickupDist,
with episodes of 12 steps, `transformer-bc` the model of that name in PickUp-heldout of
`babyai-worded`, with episodes of 20.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wired
import wired_pose
from wired_demonstrations import demonstrated, fitted
from wired_faults import ACTIONS, AXES, PICTURES, TABLES, Work, cases_of, crossed, miscounted
from wired_lerobot import lerobot, lerobot_wall
from wired_trained import sb3

from harness.core import Agent, Suite, Turn
from suites import babyai, metaworld, worded

__all__ = ["WORKS"]

WORDS = ("red", "green", "blue", "purple", "yellow", "grey", "ball", "box", "key")


def toy(folder: Path) -> Work:
    cases = cases_of("*", [Suite("toys", "toys", (wired.wired_task(words=True),), 1)])
    broken = {fault: (wired.Broken(fault), right) for fault, right in wired.FAULTS.items()}
    return Work(wired.Broken(errs=0.3), cases, broken)


def pose(folder: Path) -> Work:
    cases = cases_of("*", [Suite("toys", "toys", (wired_pose.pose_task(),), 1)])
    broken = {fault: (wired_pose.Posed(fault), right) for fault, right in wired_pose.FAULTS.items()}
    return Work(wired_pose.Posed(errs=0.2), cases, broken)


def told(instruction: str) -> np.ndarray:
    """Which of WORDS an instruction has."""
    return np.array([word in instruction.split() for word in WORDS], np.float32)


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
        words = np.stack([told(turn.instruction) for turn in turns])
        with torch.no_grad():
            chosen = self.net(torch.as_tensor(image), torch.as_tensor(words)).argmax(1)
        return [int(each) for each in chosen]


def conv(folder: Path, level: str, episodes: int, updates: int) -> Work:
    import torch
    from torch.nn.functional import cross_entropy

    cases, net = cases_of(level, babyai.SUITES, 25), conv_net()
    kept = folder / f"{level.replace('/', '-')}.pt"
    if kept.exists():
        net.load_state_dict(torch.load(kept))
    else:
        shown = demonstrated(["image_partial"], cases(900, episodes))
        images, actions = shown.view("image_partial"), shown.answers()
        words = torch.as_tensor(np.stack([told(text) for text in shown.instructions]))
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
        with warnings.catch_warnings():  # it warns whenever its action leaves the bounds
            warnings.simplefilter("ignore")
            return [
                np.clip(self.policy.get_action(turn.observation["state"].astype(np.float64)), -1, 1)
                for turn in turns
            ]


def scripted(task: str) -> Work:
    policy = Scripted(task)
    cases = cases_of(f"metaworld/{task}", metaworld.SUITES, 150)
    return Work(policy, cases, crossed(policy, "", {**ACTIONS, **AXES}))


def of_cells(policy: Agent, task: str, suites: Sequence[Suite], max_steps: int) -> Work:
    """A policy that reads MiniGrid's table of cells and an instruction."""
    broken = crossed(policy, "grid", TABLES, deaf=True) | miscounted(policy, 7)
    return Work(policy, cases_of(task, suites, max_steps), broken)


def gea_state(folder: Path) -> Work:
    from baselines.gea.agent import GEAState

    return of_cells(GEAState(), "babyai/PickupDist", babyai.SUITES, 12)


def gea(folder: Path) -> Work:
    """It finds itself in a map and turns what it cuts out of it, so that a quarter or half turn of
    the map does no harm, and its three mirrorings look alike.
    """
    from baselines.gea.agent import GEA

    policy = GEA()
    mirrored = [name for fault in MIRRORINGS for name in PICTURES[fault][1]]
    faults = {
        fault: (act, mirrored if fault in MIRRORINGS else right)
        for fault, (act, right) in PICTURES.items()
    }
    broken = crossed(policy, "image", faults, deaf=True) | miscounted(policy, 7)
    return Work(policy, cases_of("babyai/GoToObj", babyai.SUITES, 16), broken)


def transformer_bc(folder: Path) -> Work:
    from baselines.transformer_bc.agent import TransformerBC

    return of_cells(TransformerBC(), "babyai-worded/PickUp-heldout", worded.SUITES, 20)


MIRRORINGS = ("upside down", "mirrored", "transposed")
WORKS: Mapping[str, Callable[[Path], Work]] = {
    "toy": toy,
    "pose": pose,
    "conv": lambda folder: conv(folder, "babyai/GoToObj", 400, 1500),
    "conv-two": lambda folder: conv(folder, "babyai/GoToRedBlueBall", 1000, 3000),
    "pick-place": lambda folder: scripted("pick-place-v3"),
    "drawer-open": lambda folder: scripted("drawer-open-v3"),
    "gea": gea,
    "gea-state": gea_state,
    "transformer-bc": transformer_bc,
    "sb3": sb3,
    "lerobot": lerobot,
    "lerobot-wall": lerobot_wall,
}
