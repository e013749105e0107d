"""Demonstrations: recording with `bench demos`, reading, and export.

Example:

    for demo in Demos("demos/babyai"):
        print(demo.row.task, demo.brief.embodiment, [frame.action for frame in demo.frames])
"""

from harness.demos.dataset import Demo, Demos, EpisodeRow, Frame

__all__ = ["Demo", "Demos", "EpisodeRow", "Frame"]
