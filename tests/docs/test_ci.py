"""The commands of the CI files, run as written, in an empty folder, with a user's agent."""

from __future__ import annotations

import inspect
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.cli.compare import gate

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "actions" / "gate"
AGENT = """
import os
from baselines.simple import NoisyOracle

class MyAgent(NoisyOracle):
    def __init__(self):
        super().__init__(epsilon=float(os.environ.get("EPSILON", 0)))
"""


@pytest.fixture
def job(tmp_path: Path) -> Any:
    """Run a command of a CI file; returns (exit code, output)."""
    (tmp_path / "myagent.py").write_text(AGENT)

    def go(command: str, **variables: str) -> tuple[int, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "COLUMNS": "140", **variables}
        if "GITHUB_STEP_SUMMARY" not in variables:
            environment.pop("GITHUB_STEP_SUMMARY", None)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    return go


def variables(content: dict[str, Any], name: str) -> dict[str, str]:
    """The file's variables, with fewer episodes so that the test is quick."""
    return {**content[name], "EPISODES": "20", "RAY_ADDRESS": ""}


def bench_lines(steps: list[Any]) -> list[str]:
    lines = [line if isinstance(line, str) else line.get("run", "") for line in steps]
    return [f"{line} --workers 0" for line in lines if line.startswith("bench ")]


def test_the_action_passes_every_input_to_its_script() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    (step,) = action["runs"]["steps"]
    passed = {
        re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)[1]
        for value in step["env"].values()
        if "inputs." in value
    }
    assert passed == set(action["inputs"])
    assert "${{" not in step["run"], "an input must not become shell"
    script = (ACTION / "gate.sh").read_text()
    read = {name for name in re.findall(r"\$\{?([A-Z_]+)\b", script) if "GITHUB" not in name}
    assert read == set(step["env"]) - {"GATE"}


def test_the_action_has_every_option_of_the_command() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    options = {name.replace("_", "-") for name in inspect.signature(gate).parameters}
    assert options == set(action["inputs"]) - {"inconclusive"}


def test_the_script_passes_every_option(job: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bench").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (folder / "bench").chmod(0o755)
    settings = {
        "AGENT": "a:B", "BASE": "base", "MARGIN": "0.1", "ALPHA": "0.2", "SEQUENTIAL": "true",
        "OUTCOME": "progress",
        "MAX_EPISODES": "7", "TASKS": "x y", "TRUST": "true", "AGENT_ARG": "a=1 2\nb=3\n",
        "AGENT_TIMEOUT": "5", "PROFILE_CHECK": "off", "WORKERS": "0", "LANES": "4",
        "REPLICAS": "1",
        "CONTROL_RATE": "10", "LATENCY": "80ms", "FULL": "true",
        "CLUSTER": "auto", "INTERPRETER": "atari=/p", "OUT": "o", "FORMAT": "json",
        "JUNIT": "j.xml", "SUMMARY": "s.md",
    }  # fmt: skip
    code, said = job(f"PATH={folder}:$PATH bash {ACTION / 'gate.sh'}", **settings)
    assert code == 0, said
    told = said.splitlines()
    assert told[0] == "gate"
    given = list(itertools.pairwise(told))
    for option in inspect.signature(gate).parameters:
        assert f"--{option.replace('_', '-')}" in told, option
    for pair in (("--agent-arg", "a=1 2"), ("--agent-arg", "b=3"), ("--tasks", "x y")):
        assert pair in given
    bare = {"AGENT": "a:B", "BASE": "base"}
    code, said = job(f"PATH={folder}:$PATH bash {ACTION / 'gate.sh'}", **bare)
    assert code == 0, said
    assert "--agent-arg" not in said


@pytest.mark.slow
def test_the_github_workflow_runs(job: Any, tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / "docs" / "ci" / "github.yml").read_text())
    settings = variables(workflow, "env")
    (play,) = bench_lines(workflow["jobs"]["base"]["steps"])
    code, said = job(play, **settings)
    assert code == 0, said
    (step,) = [
        step
        for step in workflow["jobs"]["gate"]["steps"]
        if "actions/gate" in str(step.get("uses"))
    ]
    inputs = {
        name.upper(): value.replace("${{ env.AGENT }}", settings["AGENT"])
        for name, value in step["with"].items()
    }
    files = {
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    command = f"bash {ACTION / 'gate.sh'}"
    known = {**settings, **inputs, **files, "WORKERS": "0"}
    code, said = job(command, **known, MARGIN="0.3")
    assert code == 0, said
    assert (tmp_path / "output").read_text() == "verdict=pass\n"
    assert "pass:" in (tmp_path / "summary.md").read_text()
    assert "pass:" in (tmp_path / "bench-gate.md").read_text()
    shutil.rmtree(tmp_path / "bench-run")
    code, said = job(command, **known, EPSILON="1.0", OUT="worse")
    assert code == 1, said
    assert (tmp_path / "output").read_text().endswith("verdict=regress\n")
    assert int(ElementTree.parse(tmp_path / "bench-junit.xml").getroot().get("failures", 0)) >= 1
    open_ = {**settings, **inputs, "WORKERS": "0", "MARGIN": "0.01"}
    assert job(command, **open_, OUT="open")[0] == 3
    assert job(command, **open_, OUT="open", INCONCLUSIVE="pass")[0] == 0
    code, said = job(command, **{**settings, **inputs, "AGENT": "myagent:Nobody"})
    assert code == 2, said


@pytest.mark.slow
def test_the_gitlab_jobs_run(job: Any, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab.yml").read_text())
    settings = variables(content, "variables")
    (play,), (gate,) = (bench_lines(content[name]["script"]) for name in ("base", "gate"))
    code, said = job(play, **settings)
    assert code == 0, said
    # This is how GitLab keeps the artefact.
    shutil.make_archive(str(tmp_path / "base"), "zip", tmp_path, "base")
    shutil.rmtree(tmp_path / "base")
    code, said = job(gate, **settings)
    assert code == 3, said
    assert code in content["gate"]["allow_failure"]["exit_codes"]
    assert (
        ElementTree.parse(tmp_path / content["gate"]["artifacts"]["reports"]["junit"]).getroot().tag
        == "testsuite"
    )
