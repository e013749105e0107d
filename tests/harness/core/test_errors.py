"""An error as one line, whatever class it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UserError, describe


class Unreadable(Exception):
    def __str__(self) -> str:
        raise SystemExit(0)


class NoText(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


@pytest.mark.parametrize("kind", [Unreadable, NoText])
def test_a_message_that_cannot_be_read_is_told_so(kind: type[Exception]) -> None:
    assert describe(kind()) == f"{kind.__name__}: (its message cannot be read)"


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert describe(ValueError("a\n  b\x85c\u2028d")) == "ValueError: a b c d"
    assert len(describe(ValueError("x" * 10**7))) < 600


def _raise_from(file: Path, text: str = "raise ValueError('bad')") -> BaseException:
    """The exception that a function `go` in this file raises."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"def go():\n    {text}\n")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    try:
        names["go"]()
    except ValueError as fault:
        trace = fault.__traceback__
        return fault.with_traceback(trace.tb_next if trace else None)  # without this file
    raise AssertionError


def test_the_place_is_told_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fault = _raise_from(tmp_path / "mine" / "agent.py")
    assert describe(fault) == "ValueError: bad (mine/agent.py:2 in go)"


def test_the_place_is_told_from_where_python_finds_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = _raise_from(tmp_path / "lib" / "mine.py")
    assert f"({tmp_path}/lib/mine.py:2 in go)" in describe(fault)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert describe(fault) == "ValueError: bad (mine.py:2 in go)"


def test_the_users_file_is_told_not_the_package_that_it_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in ("import json; json.loads('{')", "import numpy; numpy.zeros(3).reshape(2)"):
        assert describe(_raise_from(tmp_path / "mine.py", call)).endswith("(mine.py:2 in go)")
    package = tmp_path / "venv" / "site-packages" / "stranger" / "core.py"
    assert describe(_raise_from(package)).endswith("(stranger/core.py:2 in go)")


def test_a_place_is_told_where_the_current_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "mine.py:2 in go" in describe(_raise_from(tmp_path / "mine.py"))


def test_a_users_traceback_shows_no_escape_of_a_stranger() -> None:
    assert str(UserError("no run in a\x1b[2J\u202eb")) == "no run in a\\x1b[2J\\u202eb"


def test_the_cause_is_told_where_a_package_raises_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cause = _raise_from(tmp_path / "mine.py")
    fault = _raise_from(tmp_path / "site-packages" / "stranger" / "core.py")
    fault.__context__ = cause
    assert describe(fault) == "ValueError: bad (mine.py:2 in go)"
    cause.__context__ = fault  # a circle
    assert describe(fault) == "ValueError: bad (mine.py:2 in go)"
