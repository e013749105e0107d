"""A video of both branches of a forked episode, side by side from the fork on."""

from __future__ import annotations

import numpy as np

from harness.core import Case
from harness.play.video import VideoWriter
from harness.probes.fork import Branch

__all__ = ["both_branches"]

GAP = 8
"""Pixels between the two pictures."""


def both_branches(
    case: Case, base: Branch, new: Branch, first: int, hz: float | None
) -> bytes | None:
    """The mp4: BASE's branch on the left, NEW's on the right, both from the step `first` on.

    The shorter branch rests at its last picture. None: there are no pictures.
    """
    if not base.frames or not new.frames:
        return None
    writer = VideoWriter(case, hz)
    for number in range(max(len(base.frames), len(new.frames))):
        if writer.wants(number):
            pair = [each.frames[min(number, len(each.frames) - 1)] for each in (base, new)]
            writer.add(_beside(*pair), first + number, "left: BASE, right: NEW")
    ends = [_end(each) for each in (base, new)]
    clip = writer.finish(f"BASE {ends[0]}, NEW {ends[1]}", new.result.success)
    return None if clip is None else clip.mp4


def _end(branch: Branch) -> str:
    how = "succeeds" if branch.result.success else "fails"
    return f"{how} after {branch.result.steps} steps"


def _beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    height = max(left.shape[0], right.shape[0])
    parts = [np.pad(each, ((0, height - each.shape[0]), (0, 0), (0, 0))) for each in (left, right)]
    return np.concatenate([parts[0], np.zeros((height, GAP, 3), np.uint8), parts[1]], axis=1)
