"""Run directories whose numbers are as large, or as small, as may be."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from hostile import Place, Spoil

NUMBERS = (1e60, -1e60, 1e45, 1e-320, 1e-30, 2**53, -(2**53), 0, -1, -0.0, 3.5)


def numbers(seed: int, count: int = 50) -> Iterator[tuple[str, Spoil]]:
    """Runs whose scores, metrics, times, normalisers and references are as large as may be."""
    for trial in range(count):
        yield f"numbers {trial}", _numbers(random.Random(seed + trial), raw=trial % 2 == 0)


def _numbers(rng: random.Random, raw: bool) -> Spoil:
    def spoil(place: Place) -> None:
        for item in place.run["plan"]["items"] if raw else ():
            low, high = rng.sample(NUMBERS, 2)
            item["task"] |= {
                "success": None,
                "score": "return",
                "normaliser": {"low": low, "high": high} if abs(high - low) >= 1e-30 else None,
                "references": [
                    {"label": "gea", "value": rng.choice(NUMBERS), "metric": "score", "source": ""}
                ],
            }
        lines = list(map(json.loads, place.lines))
        for line in lines:
            line["score"] = line["score"] and rng.choice(NUMBERS)
            line["success"] = None if raw else line["success"]
            line["steps"] = rng.choice((0, 1, 2**31 - 1))
            line["metrics"] = {name: rng.choice(NUMBERS) for name in ("a", "burst_steps", "")}
            line["timing"] = {"simulator_s": rng.choice(NUMBERS), "agent_s": rng.choice(NUMBERS)}
        place.lines = list(map(json.dumps, lines))
        place.save()

    return spoil
