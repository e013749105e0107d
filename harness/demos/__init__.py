"""Demonstrations: what `bench demos` records, and how it is read.

Example: `for demo in Demos("demos/babyai"): print(demo.row.task, demo.brief.embodiment, [frame.action for frame in demo.frames])`.
"""

from harness.demos.dataset import Demo, Demos, EpisodeRow, Frame

__all__ = ["Demo", "Demos", "EpisodeRow", "Frame"]
