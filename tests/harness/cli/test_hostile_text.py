"""Commands that read a run whose every text is a stranger's: nothing of it controls a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said
from hostiletexts import TEXTS, assert_harmless, assert_obeyed_by_no_runner, write_hostile_run

Bench = Callable[..., Said]
ODD = ("escapes", "surrogate", "lines", "command", "formula", "long")
COMMANDS = (
    *(("report", "base", "--format", each) for each in ("text", "markdown", "latex", "csv")),
    ("report", "base", "--format", "json"),
    ("report", "base", "--against", "odd"),
    ("report", "base", "--against", "odd", "--format", "csv"),
    ("report", "base", "--against", "other"),
    ("report", "base", "--figure", "curves.png"),
    ("report", "base", "--baseline", "new"),
    *(("compare", "base", "new", "--format", each) for each in ("text", "markdown", "json")),
    ("compare", "base", "new", "--junit", "junit.xml"),
    ("compare", "base", "new", "--robustness"),
    ("compare", "base", "base"),
    ("gate", "--agent", "noop", "--base", "base", "--workers", "0"),
    ("verify", "base"),
    ("show", "base", "--failures"),
    ("show", "base", "toy/"),
    ("plan", "--base", "base"),
    ("baseline", "save", "mine", "base"),
    ("baseline", "list"),
)


@pytest.mark.parametrize("name", ODD)
def test_no_command_prints_what_controls_a_terminal(
    bench_here: Bench, tmp_path: Path, name: str
) -> None:
    odd = TEXTS[name]
    write_hostile_run(tmp_path / "base", odd)
    write_hostile_run(tmp_path / "new", odd, created="2026-01-01T00:00:00+00:00")
    for command in COMMANDS:
        said = bench_here(*command)
        assert said.code in (0, 1, 2, 3, 4), (command, said.err)
        assert "Traceback" not in said.err, (command, said.err)
        for text in said.out, said.err:
            assert_harmless(text)
            assert_obeyed_by_no_runner(text)
        if said.code == 2:
            assert said.err.startswith("bench: "), command
            assert said.err.count("\n") == 1, command
            assert said.out == "", command
        if command[-1] == "json" and said.code != 2:
            assert json.loads(said.out)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_terminal_that_knows_few_characters(tmp_path: Path, encoding: str) -> None:
    from conftest import bench_there

    write_hostile_run(tmp_path / "run", "猫 é \ud83d \u202e")
    said = bench_there("report", "run", cwd=tmp_path, first=str(tmp_path), under=(
        "env", "LC_ALL=C", f"PYTHONIOENCODING={encoding}",
    ))  # fmt: skip
    assert said.code == 0, said.err
    assert "Traceback" not in said.err
    assert ("\\u732b" if encoding == "ascii" else "猫") in said.out
