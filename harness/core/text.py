"""Text of strangers made harmless before it is printed. Imports no other module of bench.

A task id, an error message or an instruction may come from a file or a program of somebody else.
Stored, it stays as it is; where it leaves for a terminal or a page, it passes one of these: one
function for each format. XML needs `printable` only, before its own library escapes it.
"""

from __future__ import annotations

import html
import re

__all__ = [
    "encodable", "escape_csv", "escape_latex", "escape_markdown", "for_terminal", "printable",
    "shorten",
]  # fmt: skip

# Control characters (C0, DEL, C1), the soft hyphen, bidirectional marks, embeddings, overrides and
# isolates, zero-width characters and invisible fillers, line and paragraph separators, lone
# surrogates, and the tag characters, which spell text that nobody sees.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ONE_LINE = re.compile(f"[{_HIDDEN}]")
_KEEP_LINES = re.compile(f"(?![\t\n])[{_HIDDEN}]")
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def printable(text: str, *, lines: bool = False) -> str:
    r"""`text` without a character that moves the cursor, reorders its neighbours or hides.

    Control characters (and with them every terminal escape), bidirectional marks and overrides,
    zero-width characters, line separators and lone surrogates become visible escapes: `\x1b`,
    `\u202e`, `\n`. With `lines`, tabs and newlines stay. The result can always be encoded as
    UTF-8, and is its own `printable`. A backslash stays as it is: this is for eyes, not for
    reading back.
    """
    if text.isascii() and text.isprintable():
        return text
    return (_KEEP_LINES if lines else _ONE_LINE).sub(_escape, text)


def shorten(text: str, most: int) -> str:
    """`text` if it has at most `most` (>= 1) characters; else cut to that many, ending in `…`."""
    return text if len(text) <= most else text[: most - 1] + "…"


def encodable(text: str, encoding: str | None) -> str:
    r"""`text` with what `encoding` (None: UTF-8) lacks as escapes such as `\u2026`.

    For a stream whose error handler would raise: a terminal in the C locale must not turn a table
    into a traceback.
    """
    if text.isascii():
        return text
    known = encoding or "utf-8"
    return text.encode(known, "backslashreplace").decode(known)


LONGEST_LINE = 10_000
"""Characters of a message."""
_CI_COMMAND = re.compile(r"^([ \t]*):(?=:)|(?<=#)#(?=\[)", re.MULTILINE)


def for_terminal(text: str, encoding: str | None = None, *, lines: bool = False) -> str:
    """`text` for a stream of this encoding: `printable`, `encodable`, and no command for CI.

    GitHub's runners obey lines such as `::set-output name=x::y` in the log of a job. Without
    `lines`, it is one line of LONGEST_LINE characters at most, escapes counted as one.
    """
    shown = printable(text if lines else shorten(text, LONGEST_LINE), lines=lines)
    if "::" in shown or "##[" in shown:
        shown = _CI_COMMAND.sub(_as_json_escape, shown)
    return encodable(shown, encoding)


def _as_json_escape(found: re.Match[str]) -> str:
    return f"{found.group(1) or ''}\\u{ord(found.group()[-1]):04x}"


# What Markdown of GitHub would read as markup within a line: escapes, code, emphasis, links, cells,
# mathematics; underscores inside a word are none. The last three make a bare address a link.
_MARKUP = re.compile(
    r"([\\`*\[\]|~#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|:(?=//)|(?<=www)\.|(?<=mailto):|(?<=xmpp):)",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"\A\s*(?:([-+=])|([0-9]+)([.)])(?=\s|\Z))")
_ADDRESS = re.compile(r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])|@(?=[A-Za-z0-9_-]+\.[A-Za-z0-9])")


def escape_markdown(text: str, *, block: bool = False) -> str:
    """`text` as Markdown that shows exactly it: no link, image, HTML, mention or other cell.

    `block`: it begins a line, where a dash would begin a list.
    """
    escaped = html.escape(printable(text), quote=False)
    escaped = _MARKUP.sub(r"\\\1", escaped)
    # GitHub looks for addresses and names of users after it has removed the backslashes.
    escaped = _ADDRESS.sub("`@`", escaped)
    return _BLOCK.sub(r"\2\\\1\3", escaped, count=1) if block else escaped


_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "^": r"\^{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "\\": r"\textbackslash{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
}


def escape_latex(text: str) -> str:
    """`text` as LaTeX that shows it: no command, no comment, no other cell."""
    escaped = "".join(_LATEX.get(character, character) for character in printable(text))
    # The end of the row above, or the rule, would take these as its arguments.
    if escaped.lstrip().startswith(("[", "*")):
        rest = escaped.lstrip()
        return f"{{{rest[0]}}}{rest[1:]}"
    return escaped


_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the same signs in full width, which some spreadsheets take too."""


def escape_csv(text: str) -> str:
    """`text` for a cell, so that no spreadsheet computes it: `'=1+1`.

    For texts only: the sign of a number stays.
    """
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
