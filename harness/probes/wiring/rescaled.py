"""Are an agent's answers the expert's actions on another scale, with another zero?

So they are where an un-normalisation by a mean and a spread is missing, or done twice. No change
undoes that, as only the policy knows these numbers. But where the expert acts and the agent is
asked beside it, each element of an answer is then a straight line of the expert's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.core import Box, Case, Spec
from harness.probes.wiring.episodes import Stage
from harness.probes.wiring.passive import Finding

__all__ = ["WHAT", "of_lines", "rescaled"]

WHAT = (
    "answers are the expert's actions on another scale and with another zero: an un-normalisation "
    "may be missing, or done twice"
)
CASES = 6
"""Cases in which the expert acts, at most."""
ENOUGH = 60
"""Answers after which no further case is played."""
FEWEST = 20
"""Answers from which on a finding is made."""
LINE = 0.8
"""The least share of an answer's variance that the expert's action must explain, by element."""
STILL = 0.01
"""An element whose spread is less than this share of its half range tells nothing."""
SCALE = 1.4
"""Slopes beyond this, or below its inverse, are another scale."""
ZERO = 0.2
"""What the expert's zero becomes, as a share of the half range, beyond which it is another zero."""


def rescaled(stage: Stage, cases: Sequence[Case]) -> list[Finding]:
    """Ask beside the expert, as far as episodes are left. Raises UserError where the simulator
    fails."""
    answers: list[np.ndarray] = []
    experts: list[np.ndarray] = []
    specs: list[Spec] = []
    for case in cases[:CASES]:
        if stage.episodes >= stage.most or len(answers) >= ENOUGH:
            break
        spec, pairs = stage.beside_expert(case)
        if not isinstance(spec, Box) or len(spec.shape) != 1 or spec not in (specs or [spec]):
            return []
        specs.append(spec)
        for answer, expert in pairs:
            answers.append(answer)
            experts.append(expert)
    if len(answers) < FEWEST or not isinstance(specs[0], Box):
        return []
    if of_lines(np.array(answers), np.array(experts), specs[0]):
        return [Finding(code="rescaled", what=WHAT, count=len(answers))]
    return []


def of_lines(answers: np.ndarray, experts: np.ndarray, spec: Box) -> bool:
    """Whether every element that moves is a rising line of the expert's, two at least of another
    scale, and one of another zero.

    Both arrays are float64 (asked, elements). An element that alone is another line, such as a
    gripper's, has causes of its own.
    """
    low, high = (each.astype(np.float64) for each in spec.limits)
    half = (high - low) / 2
    if not (np.isfinite(half).all() and (half > 0).all() and np.isfinite(answers).all()):
        return False
    lines = list(_lines(answers / half, experts / half))
    if not all(explained >= LINE and slope > 0 for slope, _, explained in lines):
        return False
    scaled = sum(not 1 / SCALE <= slope <= SCALE for slope, _, _ in lines)
    moved = sum(abs(zero) > ZERO for _, zero, _ in lines)
    return scaled >= 2 and moved >= 1


def _lines(answers: np.ndarray, experts: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """(slope, answer where the expert's is 0, R^2) by least squares, of each element that moves."""
    for answer, expert in zip(answers.T, experts.T):
        if expert.std() < STILL:
            continue
        shared = float(np.mean((answer - answer.mean()) * (expert - expert.mean())))
        slope = shared / float(expert.var())
        explained = shared * slope / max(float(answer.var()), 1e-12)
        yield slope, float(answer.mean() - slope * expert.mean()), explained
