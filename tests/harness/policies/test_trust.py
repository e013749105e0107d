"""A checkpoint that a run names is never loaded: no command builds the agent of a run.json."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import bench

pytest.importorskip("stable_baselines3")


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.file, "w")


COMMANDS = ("report {run}", "verify {run}", "show {run} --failures", "compare {run} {run}",
            "gate --agent uniform --base {run} --workers 0")  # fmt: skip


@pytest.mark.slow
def test_no_command_loads_the_agent_of_a_run(tmp_path: Path) -> None:
    run = bench.evaluate(
        "uniform", "gym:CartPole-v1", episodes=2, workers=0, out=tmp_path / "run"
    ).path
    marker = tmp_path / "unpickled"
    (tmp_path / "model_vecnormalize.pkl").write_bytes(pickle.dumps(Trap(str(marker))))
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {}, "clip_range": 1}))
        archive.writestr("policy.pth", pickle.dumps(Trap(str(marker))))
    said = json.loads((run / "run.json").read_text())
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    codes: list[tuple[str, int]] = []
    for entry, args in (
        (
            "harness.policies.sb3:SB3",
            {"path": "model.zip", "vecnormalize": "model_vecnormalize.pkl"},
        ),
        ("trap:Agent", {}),
    ):
        said["agent"].update(name="sb3:model.zip", entry=entry, args=args, interpreter={})
        (run / "run.json").write_text(json.dumps(said))
        for command in COMMANDS:
            words = command.format(run=run).split()
            done = subprocess.run(
                [str(Path(sys.executable).with_name("bench")), *words],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert "Traceback" not in done.stderr, done.stderr
            codes.append((words[0], done.returncode))
    assert not marker.exists()
    assert not (tmp_path / "imported").exists()
    assert ("report", 0) in codes
    assert ("verify", 0) in codes
