"""`bench verify --invariance`: the same cases played in several ways, which must not matter; and where it does, whether the agent's batch is why.

An agent of floating-point numbers can answer a turn otherwise in another batch, in the last digits, because other kernels run for another
size. That is told from a real bug by asking it the same turn three times over: in its batch again, in a batch of the same size that holds
nothing but this turn, and in such a batch of another size, 1 to 4.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.core import Agent, Answer, Box, Result, Suite, Task, Turn, UserError
from harness.play.coordinator import Coordinator
from harness.play.inference import LocalAgent, Watch
from harness.play.local import play_locally
from harness.play.planning import make_plan
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.results import FIELDS
from harness.records.stored_run import load_run
from harness.records.traces import Trace, read_traces

__all__ = ["Drift", "Probes", "InvarianceReport", "check_invariance", "sampled", "verdict"]

ROUNDING = 0.02
"""Of an action's range: what another batch size can do at most, in half precision."""
SAME_SHAPE = 1e-4
"""Of an action's range: what other company can do at most where the batch keeps its size, by padding, say."""
FLIPS = 0.1
"""The share of turns whose choice may flip, because two choices were as good as equal."""
MOST_PROBES = 200
OTHER_SIZES = 4


@dataclass(frozen=True)
class Drift:
    """One case that went otherwise than in the first way."""

    way: str
    task: str
    seed: int
    perturbations: tuple[str, ...]
    fields: tuple[str, ...]
    """What differs in its result."""
    step: int | None
    """The first step whose action differs, from 0; None: the actions are the same as far as they go."""
    at_first: float
    """The largest difference between elements of the two actions there; infinite between two choices or texts."""
    largest: float
    """The same over all steps that both have."""


@dataclass
class Probes:
    """Turns that were asked again: in how many of them the answer was another one, and by how much of the action's range at most."""

    asked: int = 0
    largest: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("again", "company", "size"), 0.0)
    )
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("again", "company", "size"), 0)
    )

    def note(self, how: str, distance: float) -> None:
        """Count one comparison."""
        self.largest[how] = max(self.largest[how], distance)
        self.counts[how] += distance > 0


@dataclass(frozen=True)
class InvarianceReport:
    """What came of it."""

    ways: tuple[str, ...]
    cases: int
    drifts: tuple[Drift, ...]
    cause: str
    """Why, where the agent's batch could be asked; empty where nothing drifted."""
    not_run: tuple[str, ...] = ()

    def as_text(self) -> str:
        """The verdict, in a few lines."""
        lines = [f"{self.cases} cases, each played {len(self.ways)} times: {', '.join(self.ways)}"]
        if self.drifts:
            count = len({(d.task, d.seed, d.perturbations) for d in self.drifts})
            lines.append(f"{count} of {self.cases} cases drift")
        else:
            lines.append("every case went the same way each time")
        return "\n".join([*lines, *([self.cause] if self.cause else [])])

    def table(self) -> str:
        """A row a drift."""
        rows = [
            [
                d.way,
                d.task,
                d.seed,
                "none" if d.step is None else d.step,
                _size(d.at_first),
                _size(d.largest),
                ", ".join(d.fields),
            ]
            for d in self.drifts
        ]
        head = ["way", "task", "seed", "first other action", "by", "by at most", "what differs"]
        return str(tabulate(rows, head, tablefmt="simple", disable_numparse=True))


def _size(value: float) -> str:
    return "another choice" if math.isinf(value) else f"{value:.3g}"


def sampled(
    chosen: Sequence[tuple[Suite, Task]], cases: int | None
) -> tuple[list[tuple[Suite, Task]], int | None]:
    """So many cases, of all tasks alike: (tasks, episodes a task); None: all of the suite's own."""
    if cases is None:
        return list(chosen), None
    if cases < len(chosen):
        return [chosen[k * len(chosen) // cases] for k in range(cases)], 1
    return list(chosen), -(-cases // len(chosen))


def check_invariance(
    spec: AgentSpec,
    chosen: Sequence[tuple[Suite, Task]],
    *,
    sample: int | None,
    workers: int,
    seed: int,
    progress: Progress,
) -> InvarianceReport:
    """Play the sample in every way. `workers`: Ray workers in the last way, 0: none. Raises UserError on wrong use, or when nothing can run."""
    tasks, episodes = sampled(chosen, sample)
    plan = make_plan(tasks, spec, episodes=episodes, seed=seed)
    if not plan.total:
        raise UserError(
            f"none of these tasks can run here: {'; '.join(f'{row.task}: {row.reason}' for row in plan.not_run[:3])}"
        )
    ways: dict[str, RunOptions] = {
        "1 lane": RunOptions(),
        "1 lane again": RunOptions(),
        "8 lanes": RunOptions(lanes=8),
        "3 lanes, shuffled": RunOptions(lanes=3, shuffle=5),
        "cut and resumed": RunOptions(lanes=2),
    }
    if workers and importlib.util.find_spec("ray") is not None:
        ways[f"{workers} workers"] = RunOptions(workers=workers, lanes=4, shuffle=7)
    drifts: list[Drift] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        first = Path(folder) / "0"
        for number, (way, options) in enumerate(ways.items()):
            path = Path(folder) / str(number)
            if way == "cut and resumed":
                _cut(first, path)
            progress.say(f"playing {plan.total} cases: {way}")
            play(spec, [], plan, path, options, progress)
            if number:
                drifts += _compare(way, first, path)
    cause = _explain(spec, plan, ways[drifts[0].way].lanes or 8, drifts, progress) if drifts else ""
    rows = tuple(f"{row.task}: {row.reason}" for row in plan.not_run)
    return InvarianceReport(tuple(ways), plan.total, tuple(drifts), cause, rows)


def _cut(whole: Path, path: Path) -> None:
    """A copy without every other line, and with a torn one: what a kill leaves behind."""
    shutil.copytree(whole, path)
    file = path / "episodes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    torn = lines[1][: len(lines[1]) // 2] if len(lines) > 1 else b""
    file.write_bytes(b"".join(lines[::2]) + torn)


def _compare(way: str, first: Path, other: Path) -> list[Drift]:
    one, two = (_results(path) for path in (first, other))
    found = []
    actions: list[Mapping[str, Any]] = []
    for case, result in one.items():
        again = two.get(case)
        names = tuple(
            name
            for name in FIELDS
            if name != "timing" and getattr(result, name) != getattr(again, name, None)
        )
        if names:
            actions = actions or [
                {trace.case: trace for trace in read_traces(path)} for path in (first, other)
            ]
            pair = [list(traces[case].decoded()) if case in traces else [] for traces in actions]
            distances = [distance(a, b) for a, b in zip(*pair)]
            step = next((k for k, size in enumerate(distances) if size > 0), None)
            at_first = 0.0 if step is None else distances[step]
            found.append(
                Drift(
                    way,
                    result.task,
                    result.seed,
                    result.perturbations,
                    names,
                    step,
                    at_first,
                    max(distances, default=0.0),
                )
            )
    return found


def _results(path: Path) -> dict[str, Result]:
    return {result.case: result for result in load_run(path).results()}


def distance(one: Any, other: Any, spec: Any = None) -> float:
    """The largest difference between the elements of two actions, of the spec's range where it has one; infinite between choices or texts."""
    if (
        isinstance(one, np.ndarray)
        and isinstance(other, np.ndarray)
        and one.shape == other.shape
        and one.dtype.kind == "f"
    ):
        apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
        if isinstance(spec, Box):
            low, high = spec.bounds()
            span = np.where(np.isfinite(high - low) & (high > low), high - low, 1.0)
            apart = apart / span
        return float(apart.max(initial=0.0))
    return 0.0 if np.array_equal(one, other) else math.inf


class _Probing(LocalAgent):
    """Asks a turn of every batch again, in the three ways."""

    def __init__(self, agent: Agent, watch: Watch, timeout: float) -> None:
        super().__init__(agent, watch, timeout)
        self.probes = Probes()

    def submit(self, turns: Sequence[Turn]) -> list[Any]:
        """As ever; the other answers are only compared."""
        answers = super().submit(turns)
        if len(turns) > 1 and self.probes.asked < MOST_PROBES:
            chosen = self.probes.asked % len(turns)
            self.probes.asked += 1
            turn = turns[chosen]
            other_size = 1 + self.probes.asked % OTHER_SIZES
            batches = {
                "again": (turns, chosen),
                "company": ([turn] * len(turns), chosen),
                "size": ([turn] * other_size, 0),
            }
            for how, (batch, place) in batches.items():
                # Fresh turns: a generator that was drawn from would give other luck.
                other = super().submit([dataclasses.replace(each) for each in batch])[place]
                self.probes.note(how, _apart(turn, answers[chosen], other))
        return answers


def _apart(turn: Turn, one: Any, other: Any) -> float:
    pair = [
        list(answer.actions) if isinstance(answer, Answer) else [answer] for answer in (one, other)
    ]
    if len(pair[0]) != len(pair[1]):
        return math.inf
    return max(
        (distance(np.asarray(a), np.asarray(b), turn.brief.action) for a, b in zip(*pair)),
        default=0.0,
    )


class _Nowhere:
    """Keeps no outcome."""

    def __init__(self) -> None:
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}

    def done(self, index: CaseIndex) -> bool:
        """Nothing is."""
        return False

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Forget it."""


def _explain(
    spec: AgentSpec, plan: Plan, lanes: int, drifts: Sequence[Drift], progress: Progress
) -> str:
    probing: list[_Probing] = []

    def make_client(agent: Agent, watch: Watch, timeout: float) -> LocalAgent:
        probing.append(_Probing(agent, watch, timeout))
        return probing[0]

    progress.say("asking the agent the same turns in other batches")
    play_locally(
        Coordinator(plan, _Nowhere(), progress),
        spec,
        lanes=lanes,
        agent_timeout=RunOptions.agent_timeout,
        make_client=make_client,
    )
    return verdict(
        probing[0].probes,
        max((drift.at_first for drift in drifts if drift.step is not None), default=math.inf),
    )


def verdict(probes: Probes, at_first: float = math.inf) -> str:
    """What the probes say, in words. `at_first`: by how much actions differ at most where they first do."""
    largest, flips = (
        probes.largest,
        {how: count / max(1, probes.asked) for how, count in probes.counts.items()},
    )
    if not probes.asked:
        return "the agent was never asked for two episodes at once: the simulator, or what the agent keeps between episodes, is why"
    asked = f"of {probes.asked} turns asked again"
    if largest["again"] > 0:
        return (
            f"a bug of the agent: {probes.counts['again']} {asked}, unchanged, got another answer. It draws from other randomness than "
            "turn.rng, or keeps what it should not"
        )
    if largest["company"] > SAME_SHAPE and (
        math.isfinite(largest["company"]) or flips["company"] > FLIPS
    ):
        return (
            f"a bug of the agent: {probes.counts['company']} {asked} beside other turns, in a batch of the same size, got another answer "
            f"({_share(largest['company'])}). Batch statistics, a shared buffer or another episode's state leak into it"
        )
    if largest["size"] > ROUNDING and (math.isfinite(largest["size"]) or flips["size"] > FLIPS):
        return (
            f"a bug of the agent: {probes.counts['size']} {asked} in a batch of another size got another answer "
            f"({_share(largest['size'])}), which is more than rounding explains"
        )
    if largest["size"] > 0 or largest["company"] > 0:
        return (
            f"numerical drift of batching: {probes.counts['size']} {asked} in a batch of another size got another answer "
            f"({_share(largest['size'])}), and {probes.counts['company']} beside other turns ({_share(largest['company'])}). Other kernels run "
            "for other sizes, and round otherwise; keep the size of the batch, or compute in double precision"
        )
    if at_first <= SAME_SHAPE:
        return (
            f"numerical drift that {asked} did not show: where actions first differ, they do by {at_first:.1g} at most. Rounding in the agent or "
            "the simulator hangs on the batch"
        )
    return f"not the agent's batch: all {probes.asked} turns asked again got the same answers. The simulator, or what is kept between episodes, is why"


def _share(value: float) -> str:
    return "another choice" if math.isinf(value) else f"by {value:.1g} of the range"
