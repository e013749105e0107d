"""`lerobot`: a policy of LeRobot that reads states, trained here in minutes.

It is a small ACT (arXiv 2304.13705) of LeRobot's own classes, which plays Meta-World's pick-place
in episodes of 150 steps: it predicts sixteen actions and is asked again after four. It learns from
300 demonstrations of the expert, a tenth of whose executed actions are random. It runs in the
interpreter that `bench doctor --fix lerobot` makes.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from wired_faults import ACTIONS, AXES, Work, cases_of, crossed

from harness.cli.names import agent_named, know_families
from harness.core import Agent, Answer, Turn
from harness.host.interpreters import interpreter_of_agent
from harness.probes.wiring.rescaled import WHAT
from suites import metaworld

__all__ = ["lerobot", "lerobot_wall"]

TASK, WALL = "metaworld/pick-place-v3", "metaworld/pick-place-wall-v3"
STEPS = 150
FEATURES = {"observation.environment_state": "state", "observation.state": "proprio"}
"""Of the policy -> the view."""
UNUSED = "no answer depends on the view {}"
FIT = Path(__file__).with_name("wired_lerobot_fit.py")


class Whole(Agent):
    """Another agent, all of whose predicted actions are executed before it is asked again."""

    def __init__(self, agent: Agent) -> None:
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self.agent = agent

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            dataclasses.replace(each, actions=[*each.actions, *each.rest], rest=())
            if isinstance(each, Answer)
            else each
            for each in self.agent.act(turns)
        ]


def lerobot(folder: Path) -> Work:
    """The policy in this folder, which is trained where it is wanting, and its faults."""
    policy, path = _policy(folder)
    blank = np.zeros_like
    broken = {
        **crossed(policy, "", {**ACTIONS, **AXES, **_normalised(path)}),
        **crossed(policy, "state", {"blank": (blank, [UNUSED.format("state")])}, ()),
        "blank proprio": crossed(
            policy, "proprio", {"blank": (blank, [UNUSED.format("proprio")])}, ()
        )["blank"],
        "whole chunk": (
            Whole(policy), ["asked again after half a chunk", "asked at every step"],
        ),
    }  # fmt: skip
    return Work(policy, cases_of(TASK, metaworld.SUITES, STEPS), broken)


def lerobot_wall(folder: Path) -> Work:
    """The same policy where a wall stands in its way, which it never saw and runs into: it fails
    often, and no wire is the reason."""
    return Work(_policy(folder)[0], cases_of(WALL, metaworld.SUITES, STEPS), {})


def _policy(folder: Path) -> tuple[Agent, Path]:
    know_families()  # bench.toml names them beside the interpreter of LeRobot
    path = folder / "lerobot"
    if not path.exists():
        _train(folder, path)
    return agent_named(f"lerobot:{path}", {"views": FEATURES}).build(), path


def _normalised(path: Path) -> Mapping[str, Any]:
    """Un-normalised once too seldom and once too often, by the policy's own numbers."""
    from safetensors.numpy import load_file

    (file,) = path.glob("policy_postprocessor*.safetensors")
    stats = load_file(file)
    mean, std = stats["action.mean"], stats["action.std"]
    return {
        "normalised": (lambda action: (action - mean) / std, [WHAT]),
        "unnormalised": (lambda action: action * std + mean, [WHAT]),
    }


def _train(folder: Path, path: Path) -> None:
    """Record demonstrations, and fit the policy to them where LeRobot is."""
    bench = str(Path(sys.executable).with_name("bench"))
    names = ",".join(f"{view}={feature}" for feature, view in FEATURES.items())
    dataset = folder / "lerobot-dataset"
    subprocess.run(
        [
            bench, "demos", "--suite", "metaworld", "--tasks", TASK, "--episodes", "300",
            "--noise", "0.1", "--views", ",".join(FEATURES.values()), "--workers", "0",
            "--out", str(folder / "lerobot-demos"), "--lerobot", str(dataset),
            "--lerobot-names", names,
        ],
        check=True,
    )  # fmt: skip
    python = interpreter_of_agent("lerobot") or sys.executable
    subprocess.run(
        [python, str(FIT), str(dataset / "metaworld"), str(path)],
        check=True, env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
