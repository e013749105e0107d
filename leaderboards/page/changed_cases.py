"""The cases that flipped between runs: what each run did there, side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.compare.case_values import value_difference
from harness.compare.pairs import Key, ScoredRun
from harness.core import Result
from harness.core.text import printable, shorten
from harness.verify.descriptions import outcome_text
from leaderboards.compare import Compared
from leaderboards.page.gallery import answer_notes, show_command
from leaderboards.page.media import Clip, Media, RunVideos
from leaderboards.page.recorded import Recordings
from leaderboards.page.step_rows import Steps, steps_of
from leaderboards.perturbed_results import CaseArrays

__all__ = ["Candidate", "ChangedCase", "KeptRun", "changed_cases", "chosen", "flipped"]

MOST_CASES = 40
OF_A_SCORE = 3
"""Cases of a task without a success that are candidates, lost and won each."""
LONGEST_TEXT = 400


class Candidate(NamedTuple):
    """A case that may be shown."""

    key: Key
    became: str
    """`lost` or `won` in the second run; `apart`: some of several runs solved it."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one run did in the case."""

    run: str
    agent: str
    what: str
    """How it ended."""
    good: bool | None
    """Whether it succeeded; None where its task has no success."""
    steps: int
    notes: str
    """What its answers took; empty where nothing tells."""
    clip: Clip
    command: str
    """Plays it again; empty where there is no run directory on this machine."""


@dataclass(frozen=True, kw_only=True)
class ChangedCase:
    """One case in all runs."""

    task: str
    seed: int
    condition: str
    became: str
    sides: tuple[Side, ...]
    steps: Steps

    @property
    def longest(self) -> int:
        """Steps of the longest episode."""
        return max(side.steps for side in self.sides)


class KeptRun:
    """A run of a comparison, with what it kept of a few cases."""

    def __init__(self, side: ScoredRun, beside: str = "") -> None:
        """`beside`: the run directory as the page links to it; empty: from the current folder.

        Raises UserError if its videos are no folder of its own.
        """
        self.side = side
        self.videos = RunVideos(side.path, beside or os.path.relpath(side.path))
        self.results: dict[Key, Result] = {}
        self.arrays = CaseArrays(side.plan) if side.plan.perturbations else None

    def read(self, keys: Iterable[Key]) -> None:
        """Read all results once: those of these cases are kept, and what robustness needs.

        Raises UserError on a line that does not fit the plan.
        """
        wanted = set(keys)
        for index, result in self.side.stored.cases():
            key = result.task, result.seed, result.perturbations
            if key in wanted:
                self.results[key] = result
            if self.arrays is not None:
                self.arrays.add(index, result)

    def has_video(self, key: Key) -> bool:
        """Whether it kept a video of a case."""
        index = self.side.plan.locate(*key)
        return index is not None and self.side.plan.case(index).id in self.videos


def flipped(compared: Compared) -> list[Candidate]:
    """The flips of a comparison; of tasks without a success the largest changes of the score."""
    became = {"worse": "lost", "better": "won"}
    found = [
        Candidate((flip.task, flip.seed, flip.perturbations), became[flip.became])
        for flip in compared.comparison.flips
    ]
    for each in compared.pairs:
        if each.measure == "success":
            continue
        by_change = sorted(
            (value_difference(pair.base, pair.new, each.measure), pair.seed, pair.perturbations)
            for pair in each.pairs
        )
        for change, seed, perturbations in (*by_change[:OF_A_SCORE], *by_change[::-1][:OF_A_SCORE]):
            if change:
                name = "lost" if change < 0 else "won"
                found.append(Candidate((each.task.id, seed, perturbations), name))
    return list(dict.fromkeys(found))


def chosen(candidates: Iterable[Candidate], runs: Sequence[KeptRun]) -> list[Candidate]:
    """At most MOST_CASES: those with all videos first, and some of each task before more of one."""
    counts: dict[tuple[str, str], int] = {}
    order = []
    for number, each in enumerate(candidates):
        place = each.key[0], each.became
        counts[place] = counts.get(place, 0) + 1
        unseen = not all(run.has_video(each.key) for run in runs)
        order.append(((unseen, counts[place], each.became != "lost", number), each))
    return [each for _, each in sorted(order, key=lambda row: row[0])[:MOST_CASES]]


def changed_cases(
    candidates: Sequence[Candidate], runs: Sequence[KeptRun]
) -> tuple[ChangedCase, ...]:
    """The cases, of which the runs have read the results, with what there is to see of them.

    Raises UserError if a file that is needed is damaged or a link.
    """
    media = Media()
    recordings = [
        Recordings(run.side.path, {each.case: each.digest for each in run.results.values()})
        for run in runs
    ]
    made = []
    for key, became in candidates:
        told = [run.results[key] for run in runs]
        clips = media.together([(run.videos, each.case) for run, each in zip(runs, told)])
        made.append(
            ChangedCase(
                task=_shown(key[0]),
                seed=key[1],
                condition=_shown(" + ".join(key[2])),
                became=became,
                sides=tuple(_side(run.side, *pair) for run, pair in zip(runs, zip(told, clips))),
                steps=steps_of([each.of(one.case) for each, one in zip(recordings, told)]),
            )
        )
    return tuple(made)


def _side(side: ScoredRun, result: Result, clip: Clip) -> Side:
    agent: Mapping[str, object] = side.run["agent"]
    return Side(
        run=_shown(side.name),
        agent=_shown(str(agent.get("name", agent["entry"]))),
        what=_shown(outcome_text(result)),
        good=result.success if result.status == "finished" else False,
        steps=result.steps,
        notes=answer_notes(result.timing),
        clip=clip,
        command="" if side.fetched else show_command(side.path, result.case),
    )


def _shown(text: str) -> str:
    return printable(shorten(text, LONGEST_TEXT))
