"""What leaves on stdout and stderr."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from harness.cli.output import NARROWEST, log_to_stderr, print_out, say, terminal_width

HOSTILE = "a\x1b[2J\x9b\n\tb\u202e\ud83d\x85c\n::error::d"


def test_an_artefact_keeps_its_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    print_out(HOSTILE)
    assert capsys.readouterr().out == (
        "a\\x1b[2J\\x9b\n\tb\\u202e\\ud83d\\x85c\n\\u003a:error::d\n"
    )


def test_a_message_is_one_line_unless_lines_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("bench: a\nfalse: all as recorded\x1b")
    say("one\ntwo\x1b", lines=True)
    assert capsys.readouterr().err == ("bench: a\\nfalse: all as recorded\\x1b\none\ntwo\\x1b\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_no_encoding_of_a_terminal_raises(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding, errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    print_out(f"{HOSTILE} ± … 猫")
    say(f"{HOSTILE} ± … 猫")
    said = raw.getvalue().decode(encoding)
    assert "\x1b" not in said
    assert said.count("…") == (2 if encoding in ("utf-8", "cp1252") else 0)


@pytest.mark.parametrize(
    ("terminal", "columns", "width"),
    [(False, "132", 80), (True, "132", 132), (True, "80", 80), (True, "20", NARROWEST)],
)
def test_a_table_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, columns: str, width: int
) -> None:
    """Where there is none, it is the same everywhere: documents and logs do not depend on it."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert terminal_width() == width


def test_a_table_in_the_c_locale() -> None:
    script = "from harness.cli.output import print_out; print_out('5 \\xb1 1 \\u2026')"
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"5 \\xb1 1 \\u2026\n"


def test_a_warning_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    log_to_stderr()
    logging.getLogger("bench").warning("no video of %s", "a\x1b[2J\nb")
    assert capsys.readouterr().err == "no video of a\\x1b[2J\\nb\n"
