"""The gate on real simulators, with few episodes.

The oracle with 15 % random actions regresses, the same oracle passes. Figures: docs/statistics.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from conftest import Said

Bench = Callable[..., Said]


@pytest.mark.slow
def test_a_noisy_oracle_regresses_and_the_oracle_passes(bench_here: Bench) -> None:
    tasks = "babyai/UnblockPickup,metaworld/assembly-v3"
    common = ("--workers", 0, "--format", "json")
    base = bench_here(
        "run",
        "--agent",
        "oracle",
        "--suite",
        "babyai-planning,metaworld",
        "--tasks",
        tasks,
        "--episodes",
        12,
        "--workers",
        0,
        "--out",
        "base",
    )
    assert base.code == 0, base.err
    noisy = bench_here("gate", "--agent", "noisy-oracle", "--base", "base", *common)
    found = json.loads(noisy.out)
    assert (noisy.code, found["verdict"]) == (1, "regress"), noisy.err
    assert found["overall"]["difference"] < -0.2
    same = bench_here(
        "gate", "--agent", "oracle", "--base", "base", "--sequential", "--margin", 0.3, *common
    )
    found = json.loads(same.out)
    assert (same.code, found["verdict"]) == (0, "pass"), same.err
    assert (found["flips"], found["overall"]["difference"]) == ([], 0.0)
