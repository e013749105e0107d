"""A user's own code is part of a run's identity: nothing is blended where it changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said, bench_there, results_of

from harness.records.code_versions import code_versions, local_files
from harness.records.identity import AgentSpec

ADAPTER = """
import numpy as np
from harness.core import Adapter, Box, Brief, Discrete, TimeStep
import rewards

class Own(Adapter):
    packages = ()

    def __init__(self, task):
        self.brief = Brief({"state": Box((1,))}, Discrete(2), "a counter", "none")

    def reset(self, case):
        self.t = 0
        return self._seen(0.0)

    def step(self, action):
        self.t += 1
        return self._seen(rewards.REWARD)

    def _seen(self, reward):
        return TimeStep({"state": np.zeros(1, np.float32)}, "", reward, False, False, self.t == 3)
"""
SUITE = """
name = "own"
episodes = 4
[[task]]
id = "own/three@1"
domain = "games"
adapter = "own:Own"
score = "return"
"""
WORDS = ("run", "--agent", "uniform", "--suite", "own.toml", "--workers", 0, "--out", "run")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that import one another in every way, on the path."""
    files = {
        "first_of.py": "import json, numpy\nimport second_of\nfrom pack import inner as i\n",
        "second_of.py": "def later():\n    from pack.deep.far import thing\n",
        "unused_of.py": "",
        "pack/__init__.py": "",
        "pack/inner.py": "from . import beside\nfrom .deep import far\n",
        "pack/beside.py": "raise SystemExit('nothing is executed')",
        "pack/unused.py": "",
        "pack/deep/__init__.py": "from ..deep import wrong as\n",
        "pack/deep/far.py": "from .. import inner\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_local_modules_that_are_imported(modules: Path) -> None:
    names = [
        "first_of.py", "pack/__init__.py", "pack/beside.py", "pack/deep/__init__.py",
        "pack/deep/far.py", "pack/inner.py", "second_of.py",
    ]  # fmt: skip
    found = local_files("first_of")
    assert list(found) == names
    assert all(found[name] == (modules / name).resolve() for name in names)
    assert not {"first_of", "pack", "pack.beside"} & set(sys.modules)
    before = code_versions(["first_of"])
    assert list(before) == names
    (modules / "pack" / "deep" / "far.py").write_text("# changed\n")
    after = code_versions(["first_of"])
    assert {name for name in names if before[name] != after[name]} == {"pack/deep/far.py"}


def test_of_an_installed_module_its_version_and_of_ours_nothing() -> None:
    import numpy

    assert code_versions(["numpy.random", "json", "harness.core", "adapters.gym", "nowhere"]) == {
        "numpy": numpy.__version__
    }


def test_a_changed_adapter_is_never_blended(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(ADAPTER)
    (tmp_path / "rewards.py").write_text("REWARD = 1.0\n")
    (tmp_path / "own.toml").write_text(SUITE)
    assert bench_there(*WORDS, "--episodes", 2, cwd=tmp_path).code == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(run["plan"]["items"][0]["packages"]) == {"own.py", "rewards.py"}
    assert bench_there("verify", "run", "--trust", cwd=tmp_path).code == 0
    (tmp_path / "rewards.py").write_text("REWARD = 2.0\n")
    said = bench_there(*WORDS, "--episodes", 2, cwd=tmp_path)
    assert said.code == 2
    assert "another protocol for own/three@1: rewards.py" in said.err
    assert {line["score"] for line in results_of(tmp_path / "run")} == {3.0}
    said = bench_there("verify", "run", "--trust", cwd=tmp_path)
    assert said.code == 1
    assert "rewards.py" in said.out


AGENT = """
from harness.core import Agent
import choice

class Mine(Agent):
    def __init__(self, weights="weights.bin", other=3):
        pass

    def act(self, turns):
        return [choice.CHOICE for turn in turns]
"""


def test_an_agents_imports_and_default_files_are_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent_of_mine.py").write_text(AGENT)
    (tmp_path / "choice.py").write_text("CHOICE = 1\n")
    spec = AgentSpec("mine", "agent_of_mine:Mine", {})
    kind = spec.kind()
    prints = [spec.fingerprint()]
    (tmp_path / "choice.py").write_text("CHOICE = 0\n")
    prints.append(spec.fingerprint())
    (tmp_path / "weights.bin").write_bytes(b"1")
    prints.append(spec.fingerprint())
    (tmp_path / "weights.bin").write_bytes(b"2")
    prints.append(spec.fingerprint())
    assert len(set(prints)) == 4
    files = spec.contents(kind, ()).files
    assert set(files) == {"source/agent_of_mine.py", "source/choice.py", "weights=weights.bin"}
    for name in ("agent_of_mine", "choice"):
        sys.modules.pop(name, None)


def test_a_new_checkpoint_under_a_default_path_is_another_agent(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "default_of.py").write_text(AGENT.replace("import choice", "choice = None"))
    text = (tmp_path / "default_of.py").read_text().replace("choice.CHOICE", "0")
    (tmp_path / "default_of.py").write_text(text)
    (tmp_path / "weights.bin").write_bytes(b"1")
    words = ("run", "--agent", "default_of:Mine", "--suite", "toysuite:SHORT", "--workers", 0)
    assert bench_here(*words, "--out", "run").code == 0
    (tmp_path / "weights.bin").write_bytes(b"2")
    said = bench_here(*words, "--out", "run")
    assert said.code == 2
    assert "weights=weights.bin" in said.err
