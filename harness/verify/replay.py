"""`bench verify`: is a run what it says? Its files are held against one another, then its recorded actions are played again without the agent."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.core import Agent, Answer, Case, Result, Task, Turn, UserError
from harness.perturb.registry import REGISTRY
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.episode import episode_name
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play_cases
from harness.records.identity import AgentSpec
from harness.records.plan import Plan
from harness.records.registry import load
from harness.records.run_file import read_run
from harness.records.traces import Trace, locate_traces, read_trace
from harness.verify.integrity import Difference, Place, TraceRecord, examine, lines_at

__all__ = ["ReplayAgent", "VerificationReport", "plan_of", "table", "verify"]

OVER = "the recorded actions end before the episode does"
COMPARED = ("status", "success", "score", "normalised", "steps", "ended", "digest")


class WithoutPerturbations(Plan):
    """A plan whose cases lack the perturbations between adapter and agent: what was recorded is what was executed. The simulator's own stay."""

    @classmethod
    def of(cls, plan: Plan) -> WithoutPerturbations:
        """The same items and arms, by the same numbers."""
        return cls(**{field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)})

    def case(self, item: int, number: int) -> Case:
        """Case `number` of an item, as the simulator has it."""
        case = super().case(item, number)
        return Case(
            case.task,
            case.seed,
            tuple(part for part in case.perturbations if part.name not in REGISTRY),
        )


class ReplayAgent(Agent):
    """Answers every episode with the actions that a run recorded of it, all at once; looks at nothing.

    `condition` is the number of the plan's arm whose actions are played, in undisturbed cases: those of several arms can be the same. `reads`
    names views to read after the reset, of which the trace holds a digest.
    """

    def __init__(self, run: str, condition: int = 0, reads: Sequence[str] = ()) -> None:
        self.reads = tuple(reads)  # type: ignore[misc]
        plan = plan_of(read_run(run))
        bare = WithoutPerturbations.of(plan)
        self._places: dict[str, tuple[Path, int]] = {}
        for trace, part, place in locate_traces(run):
            found = plan.locate(trace.task, trace.seed, ())
            if found is not None:
                item, number = found[0], found[1] + condition * plan.items[found[0]].episodes
                if plan.case(item, number).id == trace.case:
                    self._places[episode_name(bare.case(item, number).id)] = part, place

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        """Everything at the first turn; raises at a second one."""
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        actions = [] if turn.step else read_trace(*self._places[turn.episode]).decoded()
        if not actions:
            raise UserError(OVER)
        return Answer(actions)


def plan_of(run: Mapping[str, Any]) -> Plan:
    """The plan of a run.json. Raises UserError when it is none."""
    try:
        plan = Plan.from_json(run["plan"])
        numbers = [plan.seed, *(item.episodes for item in plan.items)]
        if (
            not all(type(number) is int and 0 <= number <= 1_000_000 for number in numbers)
            or 0 in numbers[1:]
        ):
            raise ValueError("a seed or a number of episodes is out of range")
    except (AttributeError, KeyError, TypeError, ValueError, UserError) as fault:
        raise UserError(
            f"run.json holds no plan of ours: {fault!r}. It was changed by hand"
        ) from None
    return plan


def reads_of(run: Mapping[str, Any]) -> tuple[str, ...]:
    """What the agent of a run.json reads."""
    reads = run["agent"].get("reads", ())
    return tuple(name for name in reads if isinstance(name, str)) if isinstance(reads, list) else ()


@dataclass
class VerificationReport:
    """What came of a verification."""

    planned: int
    lines: int
    replayed: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What does not count against the run."""

    @property
    def passed(self) -> bool:
        """Whether something was played again, and everything that was looked at is as recorded."""
        return not self.differences and self.replayed > 0

    def words(self) -> str:
        """The verdict in a line."""
        looked = f"{self.lines} lines of {self.planned} cases checked, {self.replayed} episodes played again"
        count = len(self.differences)
        if not (self.replayed or count):
            return f"{looked}: not verified, there is nothing to play"
        found = (
            "all as recorded" if self.passed else f"{count} difference{'s' if count > 1 else ''}"
        )
        return f"{looked}: {found}"


def table(differences: Iterable[Difference]) -> str:
    """A row a difference."""
    rows = [
        [
            d.task,
            "" if d.seed is None else d.seed,
            d.case[:10],
            d.what,
            _short(d.recorded),
            _short(d.expected),
        ]
        for d in differences
    ]
    return str(
        tabulate(
            rows,
            ["task", "seed", "case", "what", "recorded", "should be, or is"],
            tablefmt="simple",
            disable_numparse=True,
        )
    )


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


class _Checked:
    """Takes the replays in a run directory's place, and compares each with its line."""

    def __init__(
        self,
        plan: Plan,
        lines: Mapping[Place, Mapping[str, Any]],
        traces: Mapping[str, TraceRecord],
        found: VerificationReport,
    ) -> None:
        """`lines` are those of one arm, so that an undisturbed case is of one of them."""
        self._lines = lines
        self._of_case = {
            plan.case(*place).id: (plan.items[place[0]].task, line) for place, line in lines.items()
        }
        self._traces = traces
        self._found = found
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
        self.images = self.drawn_otherwise = 0

    def done(self, item: int, number: int) -> bool:
        """Whether the case is not in the sample."""
        return (item, number) not in self._lines

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Compare one replay."""
        task, line = self._of_case[result.case]
        kind = load(task.adapter)
        self._found.replayed += 1
        again = dataclasses.asdict(result)
        recorded = self._traces[line["case"]]
        pairs = {
            name: (line[name], again[name])
            for name in COMPARED
            if not (name == "digest" and kind.nondeterminism)
        }
        if result.status == "error":
            pairs = {"the simulator": ("an episode", result.error)}
        elif result.status == "agent_error" and line["status"] != "agent_error":
            pairs = {"the actions": (f"{recorded.length} for {line['steps']} steps", result.error)}
        else:
            told = {
                name: value for name, value in line["metrics"].items() if name != "clipped_actions"
            }
            names = again["metrics"].keys() | (
                told.keys() if not line["perturbations"] else set()
            )  # a perturbation may tell more
            pairs |= {
                f"metrics.{name}": (told.get(name), again["metrics"].get(name))
                for name in sorted(names)
            }
            pairs["the trace's digest"] = (
                (recorded.digest, line["digest"])
                if kind.nondeterminism
                else (recorded.digest, again["digest"])
            )
        for what, (before, after) in pairs.items():
            if not _same(before, after, kind.tolerance if kind.nondeterminism else 0.0):
                self._found.differences.append(
                    Difference(what, before, after, task.id, result.seed, line["case"])
                )
        if trace is not None and not line["perturbations"]:
            if trace.instruction != recorded.instruction:
                self._found.differences.append(
                    Difference(
                        "the instruction",
                        recorded.instruction,
                        trace.instruction,
                        task.id,
                        result.seed,
                        line["case"],
                    )
                )
            if recorded.pixels and trace.pixels:
                self.images += 1
                self.drawn_otherwise += trace.pixels != recorded.pixels


def _same(one: Any, other: Any, tolerance: float) -> bool:
    numbers = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other)
    )
    if numbers and tolerance:
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other) and (numbers or type(one) is type(other))


def verify(
    run: str | os.PathLike[str],
    *,
    sample: int | None,
    options: RunOptions,
    progress: Progress,
    known: Callable[[str], Task | None] = lambda _: None,
) -> VerificationReport:
    """Hold a run's files against one another, then play `sample` of its cases again (None: all), as `options` say: it must not matter.

    `known` gives the task of an id as it is here, None where there is none. The sample is drawn with the content of episodes.jsonl as its
    seed: the same files give the same one, and who changes a line changes it. Raises UserError when the directory is no run.
    """
    path, described = Path(run), read_run(run)
    plan = plan_of(described)
    files = examine(path, described, plan, known)
    found = VerificationReport(
        plan.total, files.count, differences=files.differences, notes=files.notes
    )
    chosen = _sample(files.playable, files.digest, sample)
    lines = lines_at(path, plan, chosen)
    reads = [f"{name.rstrip('?')}?" for name in reads_of(described) if name != "expert"]
    here = {item for item, _ in chosen}
    items = [
        dataclasses.replace(item, env_key=environment_key(item.task)) if k in here else item
        for k, item in enumerate(plan.items)
    ]
    bare = WithoutPerturbations.of(dataclasses.replace(plan, items=tuple(items)))
    images = drawn_otherwise = 0
    for condition in range(len(plan.conditions)):
        mine = {
            place: line
            for place, line in lines.items()
            if place[1] // plan.items[place[0]].episodes == condition
        }
        if not mine:
            continue
        checked = _Checked(bare, mine, files.traces, found)
        coordinator = Coordinator(bare, checked, progress, options.shuffle)
        coordinator.tally.total = len(mine)
        spec = AgentSpec(
            "replay",
            "harness.verify.replay:ReplayAgent",
            {"run": os.fspath(path.resolve()), "arm": condition, "reads": reads},
        )
        try:
            play_cases(coordinator, spec, options, progress)
        finally:
            progress.close(coordinator.tally)
        for row in coordinator.not_run.values():
            found.differences.append(
                Difference("cannot be played here", row.reason, row.remedy, row.task)
            )
        images += checked.images
        drawn_otherwise += checked.drawn_otherwise
    if drawn_otherwise:
        found.notes.append(
            f"the first images of {drawn_otherwise} of {images} episodes are drawn otherwise here: another machine or driver"
        )
    nondeterminism = {load(plan.items[item].task.adapter).nondeterminism for item in here} - {""}
    found.notes += [
        f"within a tolerance, without digests: {reason}" for reason in sorted(nondeterminism)
    ]
    return found


def _sample(playable: Sequence[Place], digest: bytes, sample: int | None) -> list[Place]:
    """So many places, each task alike."""
    if sample is None or sample >= len(playable):
        return list(playable)
    rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    by_item: dict[int, list[Place]] = {}
    for place in sorted(playable):
        by_item.setdefault(place[0], []).append(place)
    decks = [[places[k] for k in rng.permutation(len(places))] for places in by_item.values()]
    order = [decks[k] for k in rng.permutation(len(decks))]
    picked: list[Place] = []
    while len(picked) < sample:
        picked += [deck.pop() for deck in order if deck]
    return picked[:sample]
