"""`bench probe sft-diversity` on a trainer whose gains are planted: does it find them?

    python tests/faults/diversity.py OUT

What is trained succeeds with a chance that depends on what it learned from, and a little on the
training seed. Prints what was planted, then what the probe says: the table of
docs/reproductions/sft-diversity.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import toys
from planted import Planted

import baselines
from harness.core import Answer, Suite, Turn, stream
from harness.demos import Demos
from harness.demos.record import RecordingOptions, record
from harness.demos.trainer import Trainer, TrainingRequest
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions

WORDS = ("red", "green", "blue")
SUITE = Suite(
    "colours",
    "a point in a square, by three words",
    tuple(toys.toy_task(word, marker=word, size=5, max_steps=20) for word in WORDS),
    4,
)
STEPS, SEEDS, EPISODES = 90, 5, 40
CHANCES = {"all": 0.7, "own": 0.5, "own, equal examples": 0.4, "all but own": 0.25}
SPREAD = 0.05
"""Standard deviation of the chance between training seeds."""


class Sometimes(Planted):
    """Decides at its first step whether it will succeed, by the last word of the instruction."""

    def __init__(self, weights: str) -> None:
        self.chances = json.loads((Path(weights) / "chances.json").read_text())

    def one(self, turn: Turn, good: Any) -> Any:
        stays = turn.memory
        if stays is None:
            stays = turn.rng.random() >= self.chances[turn.instruction.split()[-1]]
        return Answer([turn.brief.action.noop() if stays else good], memory=bool(stays))


def _train(request: TrainingRequest, say: Callable[[str], None]) -> Path:
    learned = {row.instruction.split()[-1] for each in request.data for row in Demos(each).rows}
    chances = {}
    for word in WORDS:
        kind = "all but own"
        if word in learned:
            whole = "own" if request.steps == STEPS else "own, equal examples"
            kind = "all" if len(learned) > 1 else whole
        rng = stream(request.seed, "chance", word, kind)
        chances[word] = float(CHANCES[kind] + SPREAD * rng.standard_normal())
    request.out.mkdir(parents=True, exist_ok=True)
    (request.out / "chances.json").write_text(json.dumps(chances))
    return request.out


TRAINER = Trainer(
    train=_train, stages=("sft",), imitates="sft", agent="diversity:Sometimes", alike={}
)


def main(out: Path) -> None:
    """Record, and run the command."""
    import bench

    for task in SUITE.tasks:
        record(
            [(SUITE, task)], out / "demos" / task.params["marker"],
            RecordingOptions(("state",)), RunOptions(), PlainProgress(), episodes=2,
        )  # fmt: skip
    baselines.TRAINERS["planted"] = "diversity:TRAINER"
    base = CHANCES["all"]
    print(
        "planted: gain",
        *(f"{100 * (base - CHANCES[k]):+.0f}" for k in list(CHANCES)[1:3]),
        f"points at equal updates and examples, transfer {100 * CHANCES['all but own']:+.0f}",
    )
    data = [word for name in WORDS for word in ("--data", str(out / "demos" / name))]
    sys.argv = [
        "bench", "probe", "sft-diversity", "--trainer", "planted", "--suite", "diversity:SUITE",
        "--steps", str(STEPS), "--seeds", str(SEEDS), "--episodes", str(EPISODES), *data,
        "--floor", "noop", "--workers", "0", "--lanes", "20", "--out", str(out / "probe"),
    ]  # fmt: skip
    bench.main(supervise=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
