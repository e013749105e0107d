"""Text of strangers, made harmless where it is printed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.text import encodable, printable, shorten

FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
"""Letters and marks that take no room."""
ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Every code point, lone surrogates too."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("café ± … 猫 🙂", "café ± … 猫 🙂"),
        ("C:\\new", "C:\\new"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]8;;http://x\x07y", "\\x1b]8;;http://x\\x07y"),
        ("\x9b31m", "\\x9b31m"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("ze\u200bro\ufeff", "ze\\u200bro\\ufeff"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("\ud83d half", "\\ud83d half"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_what_hides_becomes_visible(text, shown):
    assert printable(text) == shown


def test_lines_keep_newlines_and_tabs_alone():
    assert printable("a\n\tb\r\x1b\x0b\u2028", lines=True) == "a\n\tb\\r\\x1b\\x0b\\u2028"


@given(ANY_TEXT, st.booleans())
def test_nothing_printed_controls_a_terminal(text, lines):
    shown = printable(text, lines=lines)
    shown.encode("utf-8")
    kept = "\n\t" if lines else ""
    hidden = {"Cc", "Cs", "Zl", "Zp"}
    assert not [c for c in shown if unicodedata.category(c) in hidden and c not in kept]
    assert not [c for c in shown if unicodedata.bidirectional(c) in BIDI_CONTROLS]
    assert lines or len(shown.splitlines()) <= 1
    assert printable(shown, lines=lines) == shown


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S"), exclude_characters=FILLERS)))
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


@given(ANY_TEXT, st.integers(1, 20))
def test_shortened_text_has_at_most_that_many_characters(text, most):
    short = shorten(text, most)
    assert len(short) <= most
    assert short == text or (short[-1] == "…" and text.startswith(short[:-1]))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252", None])
@given(text=ANY_TEXT)
def test_encodable_text_is_encoded_without_an_error(encoding, text):
    encodable(text, encoding).encode(encoding or "utf-8")


def test_what_the_encoding_knows_stays():
    assert encodable("café ±", "latin-1") == "café ±"
    assert encodable("café …", "ascii") == "caf\\xe9 \\u2026"
