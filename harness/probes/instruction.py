"""Does an agent follow the words? Starts that it plays twice: asked for the own goal, and another.

Both goals are judged in both plays, by which of them is met first. Up to that moment an agent that
ignores its instruction plays both alike, and so does the episode, which ends when what is asked for
is met: neither goal has an advantage from being asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.compare.pairs import ScoredRun
from harness.core import OWN, Task, UserError
from harness.core.grammar import counted
from harness.probes.figures import estimate_json, percent, points
from harness.probes.modalities import ModalityProbe
from harness.probes.result import Finding, Plot, Point, Section, Series, point_of
from harness.records.goal_file import EpisodeGoals
from harness.records.plan import Plan
from harness.stats import Interval, design_effects, mean_of_rates, paired_bounds, paired_difference
from harness.verify.goals import JudgedEpisode, has_goals

__all__ = [
    "FIRST", "InstructionProbe", "Play", "WordsRow", "check_plan", "followed_mean", "judge",
    "margins", "plays_of", "reached_by_expert",
]  # fmt: skip

FIRST = ("now", "before", "both", "neither")
"""Which goal was met first: what is asked for now, what was asked for before, both in one step."""
ALL = "all"
LEAST_STARTS = 5
"""Of a kind of difference that has a row."""
LEAST_SPREAD = 0.1
"""As harness.compare.shared_seeds."""
LISTENS = 0.5
"""Of what it does, the share that follows the words of an agent that is said to follow them: an
agent that listens in a share of its plays, and is deaf in the others, has that share."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """One start, played with the own goal asked for and with another one."""

    task: Task
    family: str
    """See harness.records.plan.PlanItem.family."""
    seed: int
    differs: tuple[str, ...]
    """In which words the other goal differs."""
    control: str
    """One of FIRST, of the play in which the own goal was asked for: `before` is the other one."""
    changed: str
    """The same of the play in which the other goal was asked for: `before` is the own one."""

    @property
    def done(self) -> float:
        """The share of its two plays in which one of the goals was met first."""
        return sum(each in ("now", "before") for each in (self.control, self.changed)) / 2

    @property
    def followed(self) -> float:
        """The share in which it was what was asked for, less that in which it was the other."""
        signs = {"now": 1, "before": -1}
        return sum(signs.get(each, 0) for each in (self.control, self.changed)) / 2


@dataclass(frozen=True, kw_only=True)
class WordsRow:
    """What came of one kind of difference, or of one task."""

    name: str
    n: int
    """Starts."""
    first: Mapping[str, Interval]
    """The share of plays with the other goal asked for, by FIRST."""
    control: Mapping[str, Interval]
    """The same of plays with the own goal asked for."""
    done: float
    """The share of all plays in which one of the two goals was met first."""
    follows: Interval
    """The share in which that was what was asked for, less the share in which it was the other."""
    verdict: str
    """`follows`, `ignores`, or `undecided`."""


@dataclass(frozen=True, kw_only=True)
class InstructionProbe(Finding):
    """What came of the probe."""

    rows: tuple[WordsRow, ...]
    """All starts, and those of each kind of difference where there are several."""
    tasks: tuple[WordsRow, ...]
    left_out: Mapping[str, int]
    """Why starts are left out -> how many."""
    goal_views: tuple[str, ...]
    """What the agent reads that holds the goal."""
    arms: ModalityProbe | None
    """What other words and pictures cost, of the own goals."""
    unchecked: tuple[str, ...]
    """The tasks of which no expert says that their other goals can be reached."""
    notes: tuple[str, ...] = ()

    def verdicts(self) -> list[str]:
        """The sentences that are to be read first."""
        whole, *kinds = self.rows
        told = []
        if self.goal_views:
            told.append(
                f"reads a privileged goal ({', '.join(self.goal_views)}): it needs no words"
            )
        if not self.goal_views or whole.verdict == "ignores":
            told.append(_sentence(whole, "the words"))
        told += [
            _sentence(row, f"the {row.name}")
            for row in kinds
            if row.verdict not in (whole.verdict, "undecided")
        ]
        told += [
            _sentence(row, f"the words in {row.name}")
            for row in self.tasks
            if row.verdict == "ignores" != whole.verdict
        ]
        return told + ([] if self.arms is None else self.arms.unused_views())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "verdicts": self.verdicts(),
            "rows": [_row_json(each) for each in self.rows],
            "tasks": [_row_json(each) for each in self.tasks],
            "left_out": dict(self.left_out),
            "goal_views": list(self.goal_views),
            "unchecked": list(self.unchecked),
            "arms": None if self.arms is None else self.arms.to_json(),
            "notes": list(self.notes),
        }

    def sections(self) -> list[Section]:
        """The verdicts, the tables, and what is left out."""
        found = [
            Section(before=tuple(self.verdicts())),
            Section.table(
                "asked for another goal in the same scene, what it does first, in %",
                ["differs in", *_HEAD],
                [_cells(each) for each in self.rows],
            ),
        ]
        if len(self.tasks) > 1:
            found.append(
                Section.table("by task", ["task", *_HEAD], [_cells(each) for each in self.tasks])
            )
        if self.arms is not None:
            told = self.arms.sections()[0]
            title = "asked for the own goal, told or shown something else"
            after = tuple(line for line in told.after if line not in self.arms.unused_views())
            head = ("instead", *told.head[1:])
            found.append(replace(told, title=title, head=head, after=after))
        lines = [f"left out: {counted(n, 'start')}, {why}" for why, n in self.left_out.items()]
        if self.unchecked:
            lines.append(
                f"no expert plays {', '.join(self.unchecked)}, so no play shows that its other "
                "goals can be reached"
            )
        lines += self.notes
        return [*found, *([Section(before=tuple(lines))] if lines else [])]

    def plots(self) -> list[Plot]:
        """What is done first, by kind of difference."""
        names = ("now", "before", "neither")
        return [
            Plot(
                title="asked for another goal in the same scene",
                kind="rows",
                value="% of plays in which it is done first",
                labels=tuple(each.name for each in self.rows),
                series=tuple(Series(name=_LEGEND[name], points=self._points(name))
                             for name in names),
                least=0,
                most=100,
            )
        ]  # fmt: skip

    def _points(self, name: str) -> tuple[Point, ...]:
        return tuple(point_of(place, row.first[name]) for place, row in enumerate(self.rows))


_HEAD = ("n", "now", "before", "neither", "follows")
_LEGEND = {
    "now": "what is asked for now",
    "before": "what was asked for before",
    "neither": "neither",
}


def _cells(row: WordsRow) -> list[object]:
    shares = [percent(row.first[each]) for each in ("now", "before", "neither")]
    return [row.name, row.n, *shares, points(row.follows, 0)]


def _row_json(row: WordsRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "n": row.n,
        "first": {name: estimate_json(each) for name, each in row.first.items()},
        "control": {name: estimate_json(each) for name, each in row.control.items()},
        "done": row.done,
        "follows": estimate_json(row.follows),
        "verdict": row.verdict,
    }


def _sentence(row: WordsRow, words: str) -> str:
    now, before = (f"{100 * row.first[each].value:.0f} %" for each in ("now", "before"))
    if row.verdict == "follows":
        return f"follows {words}: asked for another goal, it does that in {now}"
    if row.verdict == "ignores":
        return (
            f"ignores {words}: does what was asked before in {before}, what is asked now in {now}"
        )
    if not row.done:
        return f"does neither goal in any of its {2 * row.n} plays: {words} cannot be judged"
    return (
        f"cannot tell whether it follows {words}: does what is asked in {now}, what was asked "
        f"before in {before} of {counted(row.n, 'start')}"
    )


def check_plan(plan: Plan) -> None:
    """Raises UserError where a task has no success, or none of them has another goal."""
    for item in plan.items:
        if item.task.success is None:
            raise UserError(
                f"{item.task.id} has a score and no success, and a goal is met or not: leave it "
                "out with --tasks"
            )
    if not any(has_goals(item.task) for item in plan.items):
        raise UserError(
            "in none of these tasks another goal can be asked for: `bench list perturbations` "
            "says which families have `goal`"
        )


def reached_by_expert(episodes: Iterable[JudgedEpisode]) -> set[tuple[str, int]]:
    """(task id, seed) of the starts of which the expert reached the other goal."""
    return {
        (each.result.task, each.result.seed)
        for each in episodes
        if each.found is not None and each.found.asked != OWN and each.result.success
    }


def plays_of(
    run: ScoredRun,
    episodes: Sequence[JudgedEpisode],
    reached: Collection[tuple[str, int]],
    expert: Collection[str],
) -> tuple[list[Play], dict[str, int]]:
    """(the starts that count, why others do not -> how many).

    `reached`: the starts of which the expert reached the other goal; `expert`: the tasks that it
    played.
    """
    pairs: dict[tuple[int, int], dict[bool, JudgedEpisode]] = {}
    for each in episodes:
        pairs.setdefault((each.index.item, each.result.seed), {})[bool(each.index.condition)] = each
    plays, left = list[Play](), dict[str, int]()
    for (number, seed), sides in sorted(pairs.items()):
        item = run.plan.items[number]
        if len(sides) < 2:
            continue  # the other one has no score
        told = _told(sides)
        if isinstance(told, tuple):
            control, changed = told
            other = control.goal(control.drawn)
            if item.task.id in expert and (item.task.id, seed) not in reached:
                told = "the expert does not reach the other goal"
            else:
                plays.append(
                    Play(
                        task=item.task,
                        family=item.family,
                        seed=seed,
                        differs=other.differs,
                        control=_first(control, OWN, other.id),
                        changed=_first(changed, other.id, OWN),
                    )
                )
        if isinstance(told, str):
            left[told] = left.get(told, 0) + 1
    return plays, left


def _told(sides: Mapping[bool, JudgedEpisode]) -> tuple[EpisodeGoals, EpisodeGoals] | str:
    """The goals of both plays of a start, or why it does not count."""
    control, changed = sides[False].found, sides[True].found
    if control is None or changed is None:
        return next(each.unknown for each in sides.values() if each.found is None)
    if not control.drawn:
        return "the scene has no other goal"
    if changed.asked != control.drawn:
        return "its two plays do not begin in one scene"
    named = (OWN, control.drawn)
    if any(each.goal(name).first == 0 for each in (control, changed) for name in named):
        return "a goal is met at the start"
    return control, changed


def _first(found: EpisodeGoals, asked: str, other: str) -> str:
    """One of FIRST."""
    mine, theirs = found.goal(asked).first, found.goal(other).first
    if mine is None and theirs is None:
        return "neither"
    if mine == theirs:
        return "both"
    return "before" if mine is None or (theirs is not None and theirs < mine) else "now"


def judge(plays: Sequence[Play]) -> tuple[tuple[WordsRow, ...], tuple[WordsRow, ...]]:
    """(a row for all starts and for each kind of difference, a row for each task).

    Raises UserError where no start counts. The verdicts of the first are corrected for how many
    rows there are.
    """
    if not plays:
        raise UserError(
            "no start is left of which both plays can be judged: choose other tasks with --tasks, "
            "or more episodes"
        )
    kinds = sorted({each.differs for each in plays})
    groups = {ALL: list(plays)}
    for kind in kinds if len(kinds) > 1 else ():
        alike = [each for each in plays if each.differs == kind]
        if len(alike) >= LEAST_STARTS:
            groups[" and ".join(kind)] = alike
    by_task: dict[str, list[Play]] = {}
    for each in plays:
        by_task.setdefault(each.task.name, []).append(each)
    rows = tuple(_row(name, each, len(groups)) for name, each in groups.items())
    return rows, tuple(_row(name, each, len(by_task)) for name, each in by_task.items())


def _row(name: str, plays: Sequence[Play], rows: int) -> WordsRow:
    tasks: dict[str, list[Play]] = {}
    for each in plays:
        tasks.setdefault(each.task.id, []).append(each)
    seeds = [np.array([each.seed for each in mine]) for mine in tasks.values()]
    families = [mine[0].family for mine in tasks.values()]

    def shares(side: str) -> dict[str, Interval]:
        found = {}
        for first in FIRST:
            values = [
                np.array([float(getattr(each, side) == first) for each in mine])
                for mine in tasks.values()
            ]
            designs = design_effects(values, seeds, families)
            counts = [int(each.sum()) for each in values]
            found[first] = mean_of_rates(counts, list(map(len, values)), design=designs)
        return found

    followed = [np.array([each.followed for each in mine]) for mine in tasks.values()]
    done = [np.array([each.done for each in mine]) for mine in tasks.values()]

    margin = [margins(*each) for each in zip(followed, done, strict=True)]
    designs = design_effects(margin, seeds, families, LEAST_SPREAD)
    above = paired_difference(margin, 1 - 0.05 / rows, designs)
    return WordsRow(
        name=name,
        n=len(plays),
        first=shares("changed"),
        control=shares("control"),
        done=float(np.mean([each.mean() for each in done])),
        follows=followed_mean(followed, design_effects(followed, seeds, families, LEAST_SPREAD)),
        verdict="follows" if above.low > 0 else "ignores" if above.high < 0 else "undecided",
    )


def followed_mean(followed: Sequence[np.ndarray], designs: float | np.ndarray = 1.0) -> Interval:
    """The mean over tasks of what each start follows, -1 to 1, with its 95 % interval.

    As harness.stats.paired_difference, with the square of a half counted as a half: that is never
    too small, also where all but a few starts follow in both plays (tests/faults/instruction.py).
    """
    losses = np.array([-np.minimum(each, 0).sum() for each in followed]) / designs
    wins = np.array([np.maximum(each, 0).sum() for each in followed]) / designs
    pairs = np.array([float(len(each)) for each in followed]) / designs
    low, high = paired_bounds(losses, wins, losses + wins, pairs)
    return Interval(float(((wins - losses) / pairs).mean()), float(low), float(high))


def margins(followed: np.ndarray, done: np.ndarray) -> np.ndarray:
    """Above 0 on average where more than LISTENS of what is done follows the words; in [-1, 1]."""
    found: np.ndarray = (followed - LISTENS * done) / (1 + LISTENS)
    return found
