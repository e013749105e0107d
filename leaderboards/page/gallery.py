"""The failures of a run, each with its video or last frame and the command that plays it again."""

from __future__ import annotations

import base64
import heapq
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.records.plan import CaseIndex, Plan, label
from harness.records.safe_files import files_inside, read_inside

__all__ = ["Card", "Gallery", "gallery_of"]

MOST_CARDS = 60
MOST_BYTES = 20_000_000
"""Of videos inside the page; further ones are linked."""
LARGEST_VIDEO = 50_000_000
LARGEST_POSTER = 5_000_000
LONGEST_TEXT = 400


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


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The cards, and what is said above them."""

    cards: tuple[Card, ...]
    lead: str


def gallery_of(path: Path, plan: Plan, cases: Iterable[tuple[CaseIndex, Result]]) -> Gallery:
    """The first MOST_CARDS failures of a run, those with a video first."""
    videos = _by_case(path, r".*\.mp4")
    posters = _by_case(path, r".*\.jpg")
    count = 0

    def failures() -> Iterator[tuple[CaseIndex, Result]]:
        nonlocal count
        for index, result in cases:
            if result.status != "finished" or result.success is False:
                count += 1
                yield index, result

    # Of a million failures only the first are kept.
    shown = heapq.nsmallest(
        MOST_CARDS,
        failures(),
        key=lambda each: (each[1].case not in videos, each[0].condition, each[0]),
    )
    left, cards = MOST_BYTES, []
    for index, result in shown:
        video = ""
        name = videos.get(result.case)
        if name is not None:
            video, taken = _video(path, name, left)
            left -= taken
        poster = ""
        if (name := posters.get(result.case)) is not None:
            poster = _data_url("image/jpeg", read_inside(path, name, LARGEST_POSTER))
        cards.append(
            Card(
                task=_shown(result.task),
                seed=result.seed,
                condition=_shown(label(plan.conditions[index.condition])),
                what=_shown(_what(result)),
                steps=result.steps,
                video=video,
                poster=poster,
                command=f"bench show {shlex.quote(printable(str(path)))} {result.case[:10]}",
            )
        )
    lead = f"{counted(count, 'episode')} did not succeed" if count else ""
    if count > len(cards):
        lead += f"; the first {len(cards)} are shown, those with a video first"
    return Gallery(cards=tuple(cards), lead=lead)


def _what(result: Result) -> str:
    if result.error:
        return f"{result.status.replace('_', ' ')}: {result.error}"
    return f"ended: {result.ended.replace('_', ' ')}"


def _by_case(path: Path, pattern: str) -> Mapping[str, str]:
    """Case id -> file below the run, by the name that harness.play.video gives it."""
    names = files_inside(path, "videos", pattern)
    return {name.rpartition(".")[0].rpartition("-")[2]: f"videos/{name}" for name in names}


def _video(path: Path, name: str, left: int) -> tuple[str, int]:
    """(URL, bytes that it takes inside the page)."""
    content = read_inside(path, name, LARGEST_VIDEO)
    if len(content) > left:
        return quote(name), 0
    return _data_url("video/mp4", content), len(content)


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _shown(text: str) -> str:
    return printable(shorten(text, LONGEST_TEXT))
