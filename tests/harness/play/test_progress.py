"""Messages of a run on stderr."""

from __future__ import annotations

import io
import sys

import pytest

from harness.play.progress import LiveProgress, PlainProgress, Tally

HOSTILE = "[bold]a[/bold] [link=http://x]b[/link] :smile: \x1b[2J\n\u202ec\ud83d"
SHOWN = "[bold]a[/bold] [link=http://x]b[/link] :smile: \\x1b[2J\\n\\u202ec\\ud83d"


def test_a_plain_message_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    PlainProgress().say(HOSTILE)
    assert capsys.readouterr().err == SHOWN + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_live_bar_shows_no_markup_of_a_stranger(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding, write_through=True))
    bar = LiveProgress()
    bar.say(HOSTILE + "é")
    bar.close(Tally(1, 0, 0, 0))
    said = raw.getvalue().decode(encoding)
    assert SHOWN + ("é" if encoding == "utf-8" else "\\xe9") in said
    assert "\x1b[2J" not in said
