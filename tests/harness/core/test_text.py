"""Text of strangers, made harmless where it is printed."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.core.text import (
    encodable,
    escape_csv,
    escape_latex,
    escape_markdown,
    for_terminal,
    printable,
    shorten,
)

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


@given(
    st.text(
        st.characters(
            categories=("L", "M", "N", "P", "S"),
            exclude_characters=FILLERS,
            max_codepoint=0xDFFFF,  # beyond lie selectors of variants, which nobody sees
        )
    )
)
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::no", "\\u003a:error::no"),
        ("a\n  ::set-output name=x::y", "a\n  \\u003a:set-output name=x::y"),
        ("x ##[error]no", "x #\\u0023[error]no"),
        ("a::b", "a::b"),
        ("\x1b[0m::stop", "\\x1b[0m::stop"),
    ],
)
def test_no_line_is_a_command_of_a_ci_runner(text, shown):
    assert for_terminal(text, lines=True) == shown


def test_a_message_is_bounded():
    assert len(for_terminal("x" * 10**6)) == 10_000
    assert len(for_terminal("x\n" * 10**5, lines=True)) == 2 * 10**5


def test_a_terminal_gets_what_it_can_encode():
    assert for_terminal("\x1b…\n", "ascii") == "\\x1b\\u2026\\n"


MARKDOWN = MarkdownIt("js-default", {"html": True})
MARKUP = st.text(
    st.sampled_from("ab1 _*`[]()!<>&#|~-+=.:@/\\$^{}%\n\t\"'") | st.characters(), max_size=30
)


def shown_text(tokens: list[Token]) -> str:
    """The text of paragraphs, cells and headings, which must hold nothing but text."""
    found = []
    for token in tokens:
        if token.type == "inline":
            assert {each.type for each in token.children or []} <= {
                "text",
                "text_special",
                "code_inline",
            }
            found += [each.content for each in token.children or []]
    return "".join(found)


@given(MARKUP)
def test_markdown_shows_exactly_the_text(text):
    page = f"- {escape_markdown(text, block=True)}\n\n{escape_markdown(text, block=True)}\n"
    tokens = MARKDOWN.parse(page)
    kinds = {token.type for token in tokens}
    assert kinds <= {
        "bullet_list_open",
        "bullet_list_close",
        "list_item_open",
        "list_item_close",
        "paragraph_open",
        "paragraph_close",
        "inline",
    }
    assert sum(token.type == "list_item_open" for token in tokens) == 1
    assert shown_text(tokens) == 2 * printable(text).strip()


@given(MARKUP, MARKUP)
def test_a_markdown_cell_stays_one_cell(text, other):
    cells = [escape_markdown(each) for each in (text, other)]
    tokens = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {cells[0]} | {cells[1]} |\n\nend\n")
    assert [token.type for token in tokens].count("td_open") == 2
    shown = "".join(printable(each).strip() for each in (text, other))
    assert shown_text(tokens) == f"ab{shown}end"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a",
        "see HTTP://example.org",
        "www.example.org",
        "(WWW.example.org)",
        "mailto:someone@example.org",
        "someone@example.org",
        "thanks @someone",
    ],
)
def test_a_bare_address_is_no_link_on_github(text):
    escaped = escape_markdown(text)
    assert not re.search(r"(?<!\\):(//|(?<=mailto:))|www\.|(?<!`)@", escaped, re.IGNORECASE)
    assert shown_text(MARKDOWN.parse(escaped)) == text


@pytest.mark.parametrize(
    "text", ["toy/reach@1", "95 %", "-3.0 to +4.1", "a_b", "adapters.gym:Gym", "(1) return > 0"]
)
def test_usual_texts_need_no_escape_in_markdown(text):
    assert escape_markdown(text).replace("&gt;", ">") == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("- a", r"\- a"),
        ("+ a", r"\+ a"),
        ("===", r"\==="),
        ("12. a", r"12\. a"),
        ("3)", r"3\)"),
        ("0.5 m", "0.5 m"),
        ("bench 0.1.0", "bench 0.1.0"),
        ("2026-11-28", "2026-11-28"),
        ("a - b", "a - b"),
    ],
)
def test_the_beginning_of_a_line_begins_no_list(text, escaped):
    assert escape_markdown(text, block=True) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("50 % & $x_1^2$ ~ #1", r"50 \% \& \$x\_1\^{}2\$ \textasciitilde{} \#1"),
        ("^^5cinput", r"\^{}\^{}5cinput"),
        ("[2em]", "{[}2em]"),
        ("*", "{*}"),
        ("a\n\nb", r"a\textbackslash{}n\textbackslash{}nb"),
    ],
)
def test_latex_shows_the_text(text, escaped):
    assert escape_latex(text) == escaped


@given(MARKUP)
def test_latex_holds_no_command_of_the_text(text):
    escaped = escape_latex(text)
    ours = (
        r"\\(?:[&%$#_{}]|\^\{\}|textasciitilde\{\}|textbackslash\{\}|ensuremath\{[<>]\})|\{[\[*]\}"
    )
    assert not re.search(r"[\\{}%$&#_^~\n]", re.sub(ours, "", escaped))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =cmd|' /C calc'!A0", "\uff1d1"])
def test_no_text_is_a_formula(text):
    assert escape_csv(text) == f"'{text}"


@given(MARKUP)
def test_no_cell_begins_a_formula(text):
    assert not re.match(r"\s*[=+\-@\t\r\n]", escape_csv(text))
    assert escape_csv(text).removeprefix("'").endswith(printable(text).removeprefix("'"))
