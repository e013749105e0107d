"""Pairs of episodes whose agents both read drawn views: one renderer must have drawn them.

Two renderers may draw the same scene with other pixels, which can cost an agent more than what the
comparison is to find. What draws does not move the simulation, so it is no part of the protocol,
and agents that read nothing drawn are compared whatever drew for other eyes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Drawn", "refusal", "renderer_sentences"]


class Drawn(NamedTuple):
    """What drew the views that the agents of a case read in the base and in the new run.

    Empty: they read none, or the simulator's packages alone draw. None: the run does not say it,
    and its agent may have read one.
    """

    base: str | None
    new: str | None

    @property
    def differs(self) -> bool:
        """Whether both agents saw what was drawn, by different renderers."""
        return bool(self.base and self.new) and self.base != self.new

    @property
    def unknown(self) -> bool:
        """Whether one run names a renderer, and the other one does not say which it had."""
        return (self.base is None and bool(self.new)) or (self.new is None and bool(self.base))


def refusal(task: str, base: str, new: str, drawn: Drawn) -> str:
    """Why two runs of these names are not compared, in one line with the remedy."""
    return (
        f"both agents read drawn views, and different renderers drew them: in {task} "
        f"{drawn.base!r} in {base}, {drawn.new!r} in {new}. Play both with one renderer: on "
        "machines with the same GPU (or none) and driver"
    )


def renderer_sentences(cases: int, apart: int, unknown: int, drawn: Drawn | None) -> Iterator[str]:
    """What renderers have to do with the pairs.

    cases: that have a score in both runs; apart: those of them that are no pairs because different
    renderers drew, and `drawn`: those that drew the first; unknown: pairs of which one run does not
    say its renderer.
    """
    if drawn:
        yield (
            f"{apart} of {cases} cases were drawn by different renderers in the two runs "
            f"({drawn.base!r} and {drawn.new!r}), and make no pairs"
        )
    if unknown:
        yield (
            f"which renderer drew what the agent read is not recorded in one of the runs for "
            f"{unknown} of {cases} cases: they are taken for pairs"
        )
