"""The videos of a run on disk: their names and their limit."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.core import Case
from harness.play.outcome import VideoClip
from harness.records.whole_file import write_whole

__all__ = ["VideoStore", "stem"]


def stem(case: Case) -> str:
    """The name of a case's files, without the extension."""
    task = re.sub(r"[^A-Za-z0-9@._-]+", "_", case.task.id)[:150]
    return f"{task}-{case.seed}-{case.id}"


class VideoStore:
    """The folder `videos/` of a run: NAME.mp4 and its poster NAME.jpg, up to `limit` bytes."""

    def __init__(self, run: str | os.PathLike[str], limit: int) -> None:
        self.folder = Path(run) / "videos"
        self._left = limit - sum(file.stat().st_size for file in self.folder.glob("*"))
        self._full = False

    def keep(self, case: Case, clip: VideoClip) -> str | None:
        """Write the two files. The first time that they do not fit, returns a message."""
        if self._full:
            return None
        size = len(clip.mp4) + len(clip.poster)
        try:
            if size > self._left:
                raise OSError("the limit of --video-limit is reached")
            self.folder.mkdir(exist_ok=True)
            for ending, content in ((".jpg", clip.poster), (".mp4", clip.mp4)):
                write_whole(self.folder / f"{stem(case)}{ending}", content)
        except OSError as fault:
            self._full = True
            why = fault.strerror or fault
            return f"no more videos are kept: {why}. `bench show` makes one of any episode"
        self._left -= size
        return None
