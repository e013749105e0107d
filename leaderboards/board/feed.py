"""An Atom feed of the entries, the newest first (RFC 4287)."""

from __future__ import annotations

import datetime
import xml.etree.ElementTree as ET

from leaderboards.board.entries import BoardEntry
from leaderboards.board.lines import agent_link
from leaderboards.board.model import Board

__all__ = ["feed"]

ATOM = "http://www.w3.org/2005/Atom"
NEVER = "1970-01-01T00:00:00+00:00"
"""In place of a date that is none."""
MOST = 100


def feed(board: Board, title: str, url: str) -> str:
    """The feed. url: the address of the site with a slash at the end; empty: links are relative."""
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    newest = sorted(board.entries, key=lambda each: (_date(each), each.id), reverse=True)[:MOST]
    _text(root, "id", url or "urn:generalist-bench:board")
    _text(root, "title", title)
    _text(root, "updated", _date(newest[0]) if newest else NEVER)
    _text(ET.SubElement(root, f"{{{ATOM}}}author"), "name", "generalist-bench")
    ET.SubElement(root, f"{{{ATOM}}}link", rel="self", href=f"{url}feed.xml")
    for entry in newest:
        each = ET.SubElement(root, f"{{{ATOM}}}entry")
        _text(each, "id", f"urn:sha256:{entry.digest}")
        suites = ", ".join(map(str, entry.described["results"]["suites"]))
        _text(each, "title", f"{board.titles[entry.agent_id]} on {suites}: {entry.state}"[:300])
        _text(each, "updated", _date(entry))
        ET.SubElement(each, f"{{{ATOM}}}link", href=f"{url}{agent_link(entry)}")
        _text(each, "summary", entry.verdict.statement or "nobody has checked it yet")
    ET.indent(root, "")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}{name}").text = text


def _date(entry: BoardEntry) -> str:
    """When it was checked, else when it says that it was played."""
    for told in (entry.verdict.date, entry.created):
        try:
            found = datetime.datetime.fromisoformat(told)
        except ValueError:
            continue
        if found.tzinfo is not None:
            utc = found.astimezone(datetime.timezone.utc)
            return utc.isoformat(timespec="seconds")
    return NEVER
