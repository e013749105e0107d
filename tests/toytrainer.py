"""A trainer of toys: what it trains knows the words of the instructions that it learned from.

The field `fails` of the configuration is a training seed that learns nothing; `keeps` says whether
what the first weights knew is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import toys
from planted import Planted

from harness.core import Suite, Turn
from harness.demos import Demos
from harness.demos.trainer import Trainer, TrainingRequest

TASKS = tuple(toys.toy_task(name, marker=name, size=5, max_steps=20) for name in ("red", "green"))
SUITE = Suite("colours", "a point in a square, by two words", TASKS, 4)
TRAINED: list[str] = []
"""What was trained in this process."""


class Knows(Planted):
    """Stays where the last word of the instruction is none that it learned."""

    def __init__(self, weights: str) -> None:
        self.known = json.loads((Path(weights) / "known.json").read_text())["words"]

    def errs(self, turn: Turn) -> bool:
        return turn.instruction.split()[-1] not in self.known


def _train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    TRAINED.append(f"{request.stage} {'+'.join(each.name for each in request.data)}")
    say("learning")
    learns = request.stage == "sft" and request.seed != request.changes.get("fails")
    words = {row.instruction.split()[-1] for each in request.data for row in Demos(each).rows}
    if request.init is not None and request.changes.get("keeps", True):
        words |= set(json.loads((request.init / "known.json").read_text())["words"])
    request.out.mkdir(parents=True, exist_ok=True)
    known = {"words": sorted(words) if learns else [], "steps": request.steps}
    (request.out / "known.json").write_text(json.dumps(known))
    return request.out


TRAINER = Trainer(
    train=_train,
    stages=("words", "sft"),
    starts=True,
    prepares=("words",),
    imitates="sft",
    agent="toytrainer:Knows",
    alike={},
)
