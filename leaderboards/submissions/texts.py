"""What a submitter may write into an entry: one line of plain text, an address, a licence.

An entry is a stranger's. What it says ends up on pages, in tables and on terminals, all of which
escape it; still, a name that is a script or moves the cursor is no name, and is refused here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from harness.core.text import printable
from harness.records.safe_json import shown
from harness.records.typed import Check, json_table

__all__ = ["address", "digest", "licence", "line", "name", "plain_table", "slug"]

MOST_NAME = 80
MOST_ADDRESS = 500
_NAME = re.compile(r"[\w(][\w .,:;+()/&'#*=@-]*")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[!#-;=?-\[\]_a-z~]*)?")
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def _wrong(place: str, value: object, wanted: str) -> ValueError:
    # A wrong value is shown in a message, which must not move the cursor either.
    return ValueError(f"{place} is {printable(shown(value))}, not {wanted}")


def line(most: int) -> Check:
    """One line of at most `most` characters, none of which moves the cursor, hides or reorders."""

    def check(value: Any, place: str) -> str:
        if type(value) is not str or not value.strip() or len(value) > most:
            raise _wrong(place, value, f"a text of 1 to {most} characters")
        if printable(value) != value:
            raise _wrong(place, value, "plain text: it holds characters that control a terminal")
        return value

    return check


def plain_table(value: Any, place: str) -> Mapping[str, Any]:
    """A table of JSON values whose texts move no cursor; they may have several lines."""
    table = json_table(value, place)
    left: list[Any] = [table]
    while left:
        each = left.pop()
        if isinstance(each, Mapping):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, (list, tuple)):
            left += each
        elif isinstance(each, str) and printable(each, lines=True) != each:
            raise _wrong(place, each, "plain text: it holds characters that control a terminal")
    return table


def name(value: Any, place: str) -> str:
    """The name of an agent on the board: letters, digits, spaces and a few signs.

    No angle bracket or quote, so that it is no markup anywhere.
    """
    line(MOST_NAME)(value, place)
    if not _NAME.fullmatch(value):
        raise _wrong(place, value, "a name of letters, digits, spaces and .,:;+()/&'#*=@-")
    return str(value)


def address(value: Any, place: str) -> str:
    """An address that begins with https:// or http://, without quotes or angle brackets."""
    if type(value) is not str or len(value) > MOST_ADDRESS or not _ADDRESS.fullmatch(value):
        raise _wrong(place, value, "an address such as https://example.org/agent")
    return value


def licence(value: Any, place: str) -> str:
    """An SPDX licence expression, such as `Apache-2.0 OR MIT`. SPDX is not asked."""
    if type(value) is not str or not _LICENCE.fullmatch(value):
        raise _wrong(place, value, "an SPDX licence such as Apache-2.0")
    return value


def digest(value: Any, place: str) -> str:
    """A SHA-256 as 64 hexadecimal digits."""
    if type(value) is not str or not _DIGEST.fullmatch(value):
        raise _wrong(place, value, "a SHA-256 of 64 hexadecimal digits")
    return value


def slug(text: str) -> str:
    """A name of a folder: lower-case ASCII letters, digits and dashes; empty if none is left.

    Example: `slug("GEA 8B (final)") == "gea-8b-final"`.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
