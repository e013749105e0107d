"""What evidence costs: traces and digests, and videos, on Meta-World with images.

Run: python tests/performance/evidence.py [--episodes 8] [--steps 100] [--rounds 5].

An agent that reads the 224 x 224 picture and acts at random plays the same cases in ways that
differ in one thing, in alternating rounds. All of its episodes fail, so `--video failures` keeps
them all. Sizes are those of the files of whole episodes.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tabulate import tabulate

from harness.core import Agent, Suite, Task, Turn
from harness.play.planning import make_plan
from harness.play.progress import Tally
from harness.play.runner import RunOptions, play
from harness.records.catalogue import find_suites
from harness.records.identity import AgentSpec
from harness.records.traces import read_traces
from suites import SUITES

TASKS = {task.name: task for suite in SUITES for task in find_suites(suite, SUITES)[0].tasks}


class Silent:
    """A Progress that says nothing."""

    def update(self, tally: Tally) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self, tally: Tally) -> None: ...


class Looks(Agent):
    """Reads the picture and acts at random."""

    reads = ("image",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [turn.brief.action.sample(turn.rng) for turn in turns]


@contextmanager
def without_traces() -> Iterator[None]:
    """No actions kept, no digest, no state asked for."""

    class Nothing:
        def update(self, data: bytes) -> None: ...

        def copy(self) -> Nothing:
            return self

        def hexdigest(self) -> str:
            return ""

    with (
        mock.patch("harness.play.episode.episode_name", lambda case: case),
        mock.patch(
            "harness.play.episode.hashlib", types.SimpleNamespace(blake2b=lambda **_: Nothing())
        ),
        mock.patch("adapters.metaworld.MetaWorldAdapter.state", return_value=b""),
        mock.patch("harness.records.run_directory.TraceWriter.append", return_value=None),
        mock.patch("harness.play.episode.encode_actions", return_value={}),
        mock.patch("harness.play.episode.action_bytes", return_value=b""),
        mock.patch("harness.play.episode._digest_of_images", return_value=""),
    ):
        yield


def played(
    spec: AgentSpec, task: Task, episodes: int, out: Path, **options: Any
) -> tuple[float, float]:
    """(seconds on the wall, of the processor) of a run in this process."""
    plan = make_plan(
        [(Suite("performance", "", (task,), episodes), task)], spec, episodes=None, seed=0
    )
    begun, used = time.perf_counter(), time.process_time()
    summary = play(spec, [], plan, out, RunOptions(**options), Silent())
    assert not summary.missing
    assert not summary.agent_errors
    return time.perf_counter() - begun, time.process_time() - used


def costs(options: argparse.Namespace, folder: Path) -> list[list[str]]:
    task = dataclasses.replace(
        TASKS["metaworld/drawer-open-v3"], id="performance/drawer@1", max_steps=options.steps
    )
    spec = AgentSpec("looks", f"{__name__}:Looks", {})
    ways: Mapping[str, Mapping[str, Any]] = {
        "no traces, no digest": {},
        "as it is": {},
        "--video failures": {"video": "failures"},
    }
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for round_ in range(options.rounds + 1):
        for number, (way, how) in enumerate(ways.items()):
            out = folder / f"{round_}-{number}"
            if number:
                taken = played(spec, task, options.episodes, out, **how)
            else:
                with without_traces():
                    taken = played(spec, task, options.episodes, out)
            if round_:  # the first one warms up
                seconds[way].append(taken)
    rows = []
    for way, base in (("as it is", "no traces, no digest"), ("--video failures", "as it is")):
        walls, processors = (
            statistics.median(a[k] / b[k] for a, b in zip(seconds[way], seconds[base])) - 1
            for k in (0, 1)
        )
        times = [statistics.median(each[0] for each in seconds[name]) for name in (base, way)]
        rows.append(
            [
                f"{way}, beside: {base}",
                *(f"{t:.2f}" for t in times),
                f"{100 * walls:.1f} %",
                f"{100 * processors:.1f} %",
            ]
        )
    return rows


def sizes(folder: Path) -> Iterator[list[str]]:
    for name, agent in (
        ("metaworld/drawer-open-v3", "Uniform"),
        ("metaworld/drawer-open-v3", "Oracle"),
        ("babyai/GoToRedBall", "Oracle"),
        ("babyai/GoToRedBall", "Uniform"),
        ("babyai/BossLevel", "Uniform"),
    ):
        out = folder / f"{agent}-{name.replace('/', '-')}"
        played(AgentSpec(agent, f"baselines.simple:{agent}", {}), TASKS[name], 4, out)
        traces = list(read_traces(out))
        size = sum(file.stat().st_size for file in (out / "traces").iterdir()) / len(traces)
        yield [
            f"{name}, {agent.lower()}",
            f"{statistics.mean(trace.length for trace in traces):.0f}",
            f"{size:.0f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(
            tabulate(
                costs(options, Path(folder)),
                ["run", "beside, s", "it, s", "more, wall", "more, processor"],
                tablefmt="github",
            )
        )
        print()
        print(
            tabulate(sizes(Path(folder)), ["episode", "steps", "bytes of trace"], tablefmt="github")
        )


if __name__ == "__main__":
    main()
