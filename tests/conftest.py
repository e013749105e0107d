"""Helpers for tests that play runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import toys

from harness.core import Suite, Task
from harness.identity import AgentSpec
from harness.plan import Plan
from harness.progress import Tally
from harness.runner import RunOptions, RunSummary, make_plan, play
from harness.store import read_episodes

ROOT = Path(__file__).resolve().parent.parent


class Notes:
    """A Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, tally: Tally) -> None:
        self.tally = tally

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self, tally: Tally) -> None:
        self.tally = tally


class Run:
    """A run that was played: its directory, summary, messages and results without times, in the plan's order."""

    def __init__(self, path: Path, summary: RunSummary, notes: Notes) -> None:
        self.path, self.summary, self.notes = path, summary, notes

    @property
    def results(self) -> list[dict[str, Any]]:
        return results_of(self.path)


def results_of(path: Path) -> list[dict[str, Any]]:
    """The last line of every case, without times, sorted."""
    last = {line["case"]: line for line in read_episodes(path)}
    for line in last.values():
        del line["timing"]
    return sorted(last.values(), key=lambda line: (line["task"], line["seed"], line["perturbations"]))


def plan_of(agent: str, tasks: Sequence[Task], episodes: int, seed: int = 0, **args: Any) -> tuple[AgentSpec, Plan]:
    """The spec and the plan of toys."""
    spec = AgentSpec(agent, agent if ":" in agent else f"toys:{agent}", args)
    suite = Suite("toys", "toys", tuple(tasks), episodes)
    return spec, make_plan([(suite, task) for task in suite.tasks], spec, episodes=None, seed=seed)


@pytest.fixture
def play_toys(tmp_path: Path) -> Callable[..., Run]:
    """Play toys: play_toys("GoodAgent", tasks, episodes, out="name", args={...}, workers=2, ...)."""

    def go(
        agent: str = "GoodAgent",
        tasks: Sequence[Task] = toys.SUITE_TASKS,
        episodes: int = 4,
        *,
        out: str = "run",
        seed: int = 0,
        args: dict[str, Any] | None = None,
        **options: Any,
    ) -> Run:
        spec, plan = plan_of(agent, tasks, episodes, seed, **(args or {}))
        notes = Notes()
        summary = play(spec, ["toys"], plan, tmp_path / out, RunOptions(**options), notes)
        return Run(tmp_path / out, summary, notes)

    return go


@pytest.fixture(scope="session")
def ray_here() -> Iterator[None]:
    """One Ray for all tests that use it: starting it costs seconds."""
    import ray

    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="error", runtime_env={"env_vars": {"PYTHONPATH": paths}})
    yield
    ray.shutdown()
