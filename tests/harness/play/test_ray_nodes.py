"""Machines that join a cluster during a run, and machines that leave it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

PLAY = """
import json, sys
from pathlib import Path
from conftest import Notes, plan_of
from harness.play.runner import RunOptions, play
from toys import toy_task

spec, plan = plan_of("toyreplicas:Sleepy", [toy_task()], 100)
said = Notes()
options = RunOptions(workers=None, ray_address=sys.argv[2]) if len(sys.argv) > 2 else RunOptions()
summary = play(spec, ["toys"], plan, Path(sys.argv[1]), options, said)
print(json.dumps({"said": said.said, "missing": summary.missing}))
"""
MACHINES = """
import os, secrets, subprocess, sys, time
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
from pathlib import Path
from ray.cluster_utils import Cluster

run, play = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
driver = subprocess.Popen([sys.executable, "-c", play, run, cluster.address])

def wait(count):
    lines = Path(run, "episodes.jsonl")
    while driver.poll() is None and (
        not lines.exists() or len(lines.read_text().splitlines()) < count
    ):
        time.sleep(0.05)

wait(2)
node = cluster.add_node(num_cpus=1)
wait(30)
cluster.remove_node(node, allow_graceful=False)
code = driver.wait()
cluster.shutdown()
sys.exit(code)
"""


@pytest.mark.heavy
def test_a_machine_joins_and_leaves_during_a_run(tmp_path: Path) -> None:
    """Heavy for its minutes: Ray takes long to see that a machine is gone."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}

    def said(program: str, *words: object) -> dict[str, Any]:
        command = [sys.executable, "-c", program, *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr[-3000:]
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    assert said(PLAY, tmp_path / "alone")["missing"] == 0
    told = said(MACHINES, tmp_path / "run", PLAY)
    assert told["missing"] == 0, told
    assert any("a machine has joined" in text for text in told["said"]), told

    def results(name: str) -> dict[str, object]:
        lines = (tmp_path / name / "episodes.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return {line["case"]: (line["status"], line["digest"]) for line in found}

    assert results("run") == results("alone")
    workers = (tmp_path / "run" / "episodes.jsonl").read_text()
    assert '"worker-1"' in workers, "the machine that joined has played"
