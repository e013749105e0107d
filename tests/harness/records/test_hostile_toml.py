"""Suites and perturbations in TOML files that somebody made who means harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core import UserError
from harness.perturb import parse_conditions
from harness.records.catalogue import suite_from_toml
from harness.records.toml_files import read_toml

GOOD = """name = "mine"
episodes = 3
[[task]]
id = "my/pole@1"
domain = "games"
adapter = "adapters.gym:GymAdapter"
params = {id = "CartPole-v1"}
"""
VALUES = (
    "5", "-1", "true", "1.5", "nan", "inf", "1e400", "[]", "[1]", '["x"]', '""', "{}", "{x = 1}",
    "2020-01-01", "12:00:00", "1" + "0" * 30, '"\\u001b[2J"', "[[[[[[1]]]]]]",
)  # fmt: skip
FIELDS = (
    "name", "episodes", "title", "task", "id", "domain", "adapter", "params", "max_steps",
    "success", "rule", "score", "normaliser", "control_hz", "first_seed", "tags", "references",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_suite_of_wrong_types_is_refused_in_one_line(tmp_path: Path, field: str) -> None:
    file = tmp_path / "suite.toml"
    for value in VALUES:
        lines = [line for line in GOOD.splitlines() if not line.startswith(f"{field} =")]
        at = 0 if field in ("name", "episodes", "title", "task") else len(lines)
        if field == "task":
            lines = lines[: lines.index("[[task]]")]
        lines.insert(at, f"{field} = {value}")
        file.write_text("\n".join(lines) + "\n")
        try:
            suite = suite_from_toml(file)
        except UserError as refused:
            said = str(refused)
        else:
            said = ""
            assert suite.tasks
        assert "\n" not in said
        assert len(said) < 600


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: path.write_bytes(b"x = " + b"[" * 100_000),
        lambda path: path.write_bytes(b"x = 1" + b"0" * 5000),
        lambda path: path.write_bytes(b"x = '" + b"x" * 9_000_000 + b"'"),
        lambda path: path.write_bytes(b"a." * 50_000 + b"a = 1"),
    ],
    ids=["pipe", "folder", "device", "bytes", "deep", "number", "large", "dotted"],
)
def test_a_file_that_is_no_suite(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    make(tmp_path / "x.toml")
    for read in (
        lambda: suite_from_toml(tmp_path / "x.toml"),
        lambda: parse_conditions(str(tmp_path / "x.toml"), ()),
    ):
        with pytest.raises(UserError) as refused:
            read()
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "perturb = 5",
        "perturb = [5]",
        'perturb = ["x:1"]',
        'perturb = ["action_noise:1-99999999999"]',
        'perturb = ["action_noise:²"]',
        'perturb = ["action_noise:1+action_noise:²"]',
        f'perturb = ["action_noise:{"9" * 5000}"]',
        'perturb = ["action_noise"]\nlevels = 5',
        'perturb = ["action_noise"]\n[levels]\naction_noise = 5',
        'perturb = ["action_noise"]\n[levels.action_noise]\nsigma = 5',
        'perturb = ["action_noise"]\n[levels.action_noise]\nsigma = []',
        'perturb = ["action_noise"]\n[levels.action_noise]\nbeta = [1]',
        'perturb = ["action_noise"]\n[levels.nothing]\nbeta = [1]',
        'perturb = ["x.toml"]',
        "perturb = []\ncode = 1",
        "perturb = []",
    ],
)
def test_perturbations_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(UserError) as refused:
        parse_conditions(str(tmp_path / "x.toml"), ())
    assert "\n" not in str(refused.value)


def test_an_optional_file_may_be_absent_but_not_a_pipe(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "none.toml", optional=True) == {}
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(UserError, match="a pipe"):
        read_toml(tmp_path / "pipe.toml", optional=True)
