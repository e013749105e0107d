"""The sentences that are compared: the instructions of tasks, or the lines of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.core import UserError
from harness.core.errors import describe
from harness.play.environments import Environments, EnvSlot
from harness.play.inference import Hung, Watch, watched
from harness.play.starts import start
from harness.records.plan import CaseIndex, Plan

__all__ = ["FEWEST", "MOST", "Sentences", "instructions_of", "lines_of"]

FEWEST = 20
"""Sentences below which nothing is compared: four would be held out at a time."""
MOST = 2000
"""Sentences at most: every permutation goes through all pairs of them."""
LONGEST = 10_000
"""Characters of a sentence."""
LARGEST_FILE = 10_000_000
TEXTS = "texts"
"""The group of the lines of a file."""


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """Distinct sentences."""

    texts: tuple[str, ...]
    groups: tuple[str, ...]
    """For each the task that it was first met in."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Task id -> why it gave none."""


def instructions_of(plan: Plan, most: int, watch: Watch) -> Sentences:
    """The distinct instructions of the plan's cases, at most `most`, of each task an equal part.

    Cases are reset in the plan's order, and not played. A sentence that several tasks have counts
    for the first of them. Raises UserError where there are too few.
    """
    found: dict[str, str] = {}
    left_out: dict[str, str] = {}
    share = -(-most // max(1, len(plan.items)))
    environments = Environments(1, watch)
    slot: EnvSlot | None = None
    try:
        for number, item in enumerate(plan.items):
            mine = 0
            for episode in range(item.episodes):
                if mine == share or len(found) == most:
                    break
                case = plan.case(CaseIndex(number, 0, episode))
                try:
                    slot = environments.slot(case, slot)
                    with watched(watch, slot.patience):
                        text = start(slot, case)[0].instruction[:LONGEST].strip()
                except (Exception, Hung) as fault:
                    left_out[item.task.id] = f"its reset failed: {describe(fault)}"
                    if slot is not None:
                        environments.drop(slot)
                        slot = None
                    break
                if text and text not in found:
                    found[text] = item.task.id
                    mine += 1
            if not mine:
                left_out.setdefault(item.task.id, "it has no instruction that is new")
    finally:
        environments.close([] if slot is None else [slot])
    return _enough(found, left_out)


def lines_of(file: Path) -> Sentences:
    """The distinct lines of a text file in UTF-8. Raises UserError where there are too few."""
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UserError(f"--texts {file}: the file is too large; {MOST} lines are read at most")
        text = file.read_text(encoding="utf-8")
    except OSError as fault:
        raise UserError(f"--texts {file} cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--texts {file}: write one sentence on each line, in UTF-8") from None
    lines = (line.strip()[:LONGEST] for line in text.splitlines())
    found = dict.fromkeys((line for line in lines if line), TEXTS)
    if len(found) > MOST:
        raise UserError(f"--texts {file} has {len(found)} sentences: {MOST} are compared at most")
    return _enough(found, {})


def _enough(found: Mapping[str, str], left_out: Mapping[str, str]) -> Sentences:
    if len(found) < FEWEST:
        why = "".join(f"; {task}: {reason}" for task, reason in list(left_out.items())[:3])
        raise UserError(
            f"there are {len(found)} distinct sentences, and {FEWEST} are the least that can be "
            f"compared: choose more tasks with --tasks, raise --resets, or give --texts{why}"
        )
    return Sentences(texts=tuple(found), groups=tuple(found.values()), left_out=left_out)
