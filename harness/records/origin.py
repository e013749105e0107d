"""Is a run directory where bench wrote it, or a copy, which anybody may have written?

Whoever makes a file can give it any content and any time of modification. But the time of its last
change (`st_ctime`) is the file system's: it is that of the download, of the unpacking, of the edit.
Only where bench itself wrote the last line it is also the time that this line tells.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from harness.core import UserError
from harness.records.results import open_lines
from harness.records.safe_json import parse

__all__ = ["is_copy"]

SLACK_S = 120.0
"""Seconds between the end of an episode and the write of its line, and between two clocks."""
TAIL = 1 << 16
"""Bytes at the end of a file in which its last line begins."""


def is_copy(run: Path) -> bool:
    """Whether the results in this directory were written by anything but a run of this user.

    False for a directory without results. A file system whose clock is off, or a later `chmod`,
    makes an own run look like a copy; a copy never looks like an own run.
    """
    try:
        with open_lines(run) as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return False
            found = os.fstat(file.fileno())
            file.seek(max(0, size - TAIL))
            last = file.read(TAIL).rstrip(b"\n").rpartition(b"\n")[2]
        told = datetime.datetime.fromisoformat(parse(last)["timing"]["ended_at"])
        late = found.st_ctime - told.timestamp()
    except (OSError, UserError, ValueError, TypeError, KeyError, OverflowError):
        return True
    return found.st_uid != os.getuid() or abs(late) > SLACK_S
