"""Videos and last frames of episodes, inside a page as far as they fit."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.records.safe_files import files_inside, open_inside

__all__ = ["Clip", "Media", "RunVideos"]

MOST_BYTES = 20_000_000
"""Of videos and pictures inside one page; further videos are linked."""
LARGEST_VIDEO = 80_000_000
LARGEST_POSTER = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What there is to see of an episode. Both are empty where its run kept nothing."""

    video: str = ""
    """A data URL or a relative link to an mp4."""
    poster: str = ""
    """A data URL of a JPEG: the last frame."""


class RunVideos:
    """The videos that a run directory holds, by case. No link is followed."""

    def __init__(self, path: Path, beside: str = "") -> None:
        """`beside`: the run directory as a page links to it; empty: the page lies inside of it.

        Raises UserError if `videos` is a link or no folder.
        """
        self.path = path
        self._beside = beside
        self._names = {ending: _by_case(path, ending) for ending in ("mp4", "jpg")}

    def __contains__(self, case: object) -> bool:
        return case in self._names["mp4"]

    def name(self, case: str, ending: str) -> str | None:
        """The file below the run directory, if there is one."""
        return self._names[ending].get(case)

    def link(self, name: str) -> str:
        """A file of the run directory, from where the page is."""
        return quote(os.path.join(self._beside, name))


class Media:
    """Counts the bytes of the videos and pictures that a page holds."""

    def __init__(self, most_bytes: int | None = None) -> None:
        """`most_bytes`: None: MOST_BYTES."""
        self._left = MOST_BYTES if most_bytes is None else most_bytes

    def together(self, episodes: Sequence[tuple[RunVideos, str]]) -> list[Clip]:
        """What there is to see of these (run, case), all of them inside the page or all linked.

        Raises UserError if a file is a link, or larger than any that bench writes.
        """
        videos = [_read(run, case, "mp4", LARGEST_VIDEO, self._left) for run, case in episodes]
        inside = [each for each in videos if isinstance(each, bytes)]
        fits = len(inside) == sum(each is not None for each in videos)
        fits &= sum(map(len, inside)) <= self._left
        self._left -= sum(map(len, inside)) if fits else 0
        clips = []
        for (run, case), content in zip(episodes, videos):
            video = ""
            if fits and isinstance(content, bytes):
                video = _data_url("video/mp4", content)
            elif (name := run.name(case, "mp4")) is not None:
                video = run.link(name)
            clips.append(Clip(video=video, poster=self._poster(run, case)))
        return clips

    def _poster(self, run: RunVideos, case: str) -> str:
        content = _read(run, case, "jpg", LARGEST_POSTER, self._left)
        if not isinstance(content, bytes):
            return ""
        self._left -= len(content)
        return _data_url("image/jpeg", content)


def _read(run: RunVideos, case: str, ending: str, most: int, left: int) -> bytes | int | None:
    """The content; its size, where that does not fit into what is left; None without a file."""
    name = run.name(case, ending)
    if name is None:
        return None
    with open_inside(run.path, name, most) as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(size) if size <= left else size


def _by_case(path: Path, ending: str) -> dict[str, str]:
    """Case id -> file below the run, by the name that harness.play.video gives it."""
    names = files_inside(path, "videos", rf".*\.{ending}")
    return {name.rpartition(".")[0].rpartition("-")[2]: f"videos/{name}" for name in names}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
