"""The distribution as a stranger installs it: a built wheel, in a fresh environment, elsewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "harness" / "cli" / "bench.pyi"


def run(*command: object, cwd: Path, code: int = 0) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == code, f"{words}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a virtual environment `venv` that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("elsewhere")
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    wheel = next(folder.glob("generalist_bench-*.whl"))
    constraints = ROOT / "constraints.txt"
    python = folder / "venv" / "bin" / "python"
    run(python, *pip, "install", "--constraint", constraints, wheel, cwd=folder)
    return folder


@pytest.mark.slow
def test_the_core_plays_without_any_extra(elsewhere: Path) -> None:
    command = elsewhere / "venv" / "bin" / "bench"
    assert "bench run" in run(command, "--help", cwd=elsewhere)
    played = run(
        command, "run", "--agent", "oracle", "--suite", "pddl", "--tasks", "*ferry*", "--episodes",
        1, "--workers", 0, "--out", "runs/pddl", cwd=elsewhere,
    )  # fmt: skip
    assert "100.0" in played
    assert "all as recorded" in run(command, "verify", "runs/pddl", cwd=elsewhere)


@pytest.mark.slow
def test_the_remedy_of_a_missing_family_works(elsewhere: Path) -> None:
    command = elsewhere / "venv" / "bin" / "bench"
    asked = ["run", "--agent", "uniform", "--suite", "babyai", "--tasks", "GoToRedBall"]
    asked += ["--episodes", "1", "--workers", "0", "--out", "runs/babyai"]
    refused = run(command, *asked, cwd=elsewhere, code=2)
    remedy = re.search(r"pip install '(generalist-bench\[minigrid\])'", refused)
    assert remedy is not None, refused
    python = elsewhere / "venv" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", constraints, remedy[1], cwd=elsewhere)
    run(command, *asked, cwd=elsewhere)


@pytest.mark.slow
def test_the_python_api_is_typed_where_it_is_installed(elsewhere: Path) -> None:
    script = elsewhere / "typed.py"
    script.write_text(
        "import bench\n"
        "evaluation = bench.evaluate('oracle', 'pddl', tasks='*ferry*', episodes=1, workers=0)\n"
        "reveal_type(evaluation.success_rate)\n"
        "assert evaluation.success_rate == 1.0\n"
    )
    python = elsewhere / "venv" / "bin" / "python"
    found = run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, script,
        cwd=elsewhere,
    )  # fmt: skip
    assert re.search(r"Revealed type is .*float.*None", found), found
    script.write_text(script.read_text().replace("reveal_type", "print"))
    run(python, script, cwd=elsewhere)


def test_the_stub_names_what_bench_offers() -> None:
    tree = ast.parse(STUB.read_text())
    named = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    named |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert named == set(bench.__all__)
    assert [name for name in bench.__all__ if getattr(bench, name) is None] == []
