"""What a step and an episode cost in bench's own code, held to 5 % of what they cost before.

If one costs more for a good reason, change its numbers here; if one costs less, lower them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

COUNTS = {
    # situation: bytecodes per step, per episode, of Python 3.11
    "nothing read": (527, 3226),
    "an image and a state read": (666, 3733),
    "the same on four lanes": (818, 4961),
    "chunks of ten actions": (463, 3320),
    "actions that stick": (1281, 3498),
}
LEEWAY = 1.05


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other Pythons have other bytecodes")
def test_a_step_costs_no_more_than_before(tmp_path: Path) -> None:
    none = str(ROOT / "tests/data/no_interpreters.toml")
    # Nothing else: what other tests leave in the environment would be looked at as well, and so
    # would the interpreters that a bench.toml here names.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BENCH_TOML": none}
    command = [sys.executable, str(ROOT / "tests/performance/bytecodes.py"), "--json"]
    said = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    counted = json.loads(said.stdout)
    assert counted.keys() == COUNTS.keys()
    for situation, most in COUNTS.items():
        for what, now, before in zip(("a step", "an episode"), counted[situation], most):
            assert now <= before * LEEWAY, f"{situation}: {what} costs {now}, it cost {before}"
            assert now >= before / LEEWAY, f"{situation}: {what} costs {now}: lower {before} here"
