"""The failures of a run, each with its video or last frame and the command that plays it again."""

from __future__ import annotations

import heapq
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.records.plan import CaseIndex, Plan, label
from leaderboards.page.media import Media, RunVideos
from leaderboards.page.recorded import Recordings, Said, said_lines

__all__ = ["Card", "FailureGallery", "Gallery", "answer_notes", "show_command"]

MOST_CARDS = 60
LONGEST_TEXT = 400
MOST_NOTES = 12
MOST_TOLD = 1e18
"""No figure of an answer is larger."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One episode that did not succeed."""

    task: str
    seed: int
    condition: str
    """The perturbations; empty for the unperturbed episode."""
    what: str
    """How it ended, or the error."""
    steps: int
    video: str
    """A data URL or a relative link; empty without one."""
    poster: str
    """A data URL; empty without one."""
    command: str
    notes: str
    """What the agent's answers took; empty where nothing tells."""
    said: Said
    """Its transcript, of an agent that keeps one."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The cards, and what is said above them."""

    cards: tuple[Card, ...]
    lead: str


class FailureGallery:
    """Takes the results of a run, and keeps the first MOST_CARDS failures, those with videos first.

    Of a million failures only these are in memory.
    """

    def __init__(self, path: Path, plan: Plan, beside: str = "") -> None:
        """`beside`: as RunVideos takes it.

        Raises UserError if the run's videos are no folder of its own.
        """
        self._path, self._plan = path, plan
        self._videos = RunVideos(path, beside)
        self._count = 0
        self._kept: list[tuple[_Worst, Result]] = []

    def add(self, index: CaseIndex, result: Result) -> None:
        """Take the result that counts of one case."""
        if result.status == "finished" and result.success is not False:
            return
        self._count += 1
        order = _Worst((result.case not in self._videos, index.condition, index))
        if len(self._kept) < MOST_CARDS:
            heapq.heappush(self._kept, (order, result))
        elif self._kept[0][0] < order:
            heapq.heapreplace(self._kept, (order, result))

    def gallery(self) -> Gallery:
        """The cards. Raises UserError if a file that they need is damaged or a link."""
        kept = sorted(self._kept, key=lambda each: each[0].key)
        recordings = Recordings(self._path, {result.case: result.digest for _, result in kept})
        media = Media()
        cards = []
        for order, result in kept:
            (clip,) = media.together([(self._videos, result.case)])
            trace = recordings.of(result.case)
            condition = self._plan.conditions[order.key[2].condition]
            cards.append(
                Card(
                    task=_shown(result.task),
                    seed=result.seed,
                    condition=_shown(label(condition)),
                    what=_shown(_what(result)),
                    steps=result.steps,
                    video=clip.video,
                    poster=clip.poster,
                    command=show_command(self._path, result.case),
                    notes=answer_notes(result.timing),
                    said=said_lines(trace.said) if trace is not None else Said(),
                )
            )
        lead = f"{counted(self._count, 'episode')} did not succeed" if self._count else ""
        if self._count > len(cards):
            lead += f"; the first {len(cards)} are shown, those with a video first"
        return Gallery(cards=tuple(cards), lead=lead)


class _Worst:
    """An order in which the last one to be shown is the smallest: it leaves a heap first.

    Two of one case never meet: each case has one result that counts.
    """

    __slots__ = ("key",)

    def __init__(self, key: tuple[bool, int, CaseIndex]) -> None:
        self.key = key

    def __lt__(self, other: _Worst) -> bool:
        return other.key < self.key


def show_command(path: Path, case: str) -> str:
    """The command that plays an episode of a run again."""
    return f"bench show {shlex.quote(printable(str(path)))} {case[:10]}"


def answer_notes(timing: Mapping[str, object]) -> str:
    """What the answers of an episode took, as far as its line tells: `12 answers in 3.1 s; ...`."""
    asked, seconds, told = (timing.get(name) for name in ("asked", "agent_s", "agent"))
    parts = []
    if type(asked) is int and 0 < asked <= MOST_TOLD and type(seconds) in (int, float):
        parts.append(f"{counted(asked, 'answer')} in {seconds:.3f} s")
    if isinstance(told, Mapping):
        parts += [
            f"{name.replace('_', ' ')} {value:,.6g}"
            for name, value in list(told.items())[:MOST_NOTES]
            if isinstance(name, str)
            and name != "answers"
            and type(value) in (int, float)
            and 0 < abs(value) <= MOST_TOLD
        ]
    return _shown("; ".join(parts))


def _what(result: Result) -> str:
    if result.error:
        return f"{result.status.replace('_', ' ')}: {result.error}"
    return f"ended: {result.ended.replace('_', ' ')}"


def _shown(text: str) -> str:
    return printable(shorten(text, LONGEST_TEXT))
