"""What a command prints against what a page shows: everything must be equal but times.

A page may leave out lines and write `...`; widths of columns and rulers do not count. Masked are
durations and rates, columns of seconds (by their heading), dates, and hashes, which follow the
source code of the agents.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIME_HEADINGS = ("sim s", "agent s", "steps/s", "first reset s", "saved")
"""Columns whose cells differ from run to run."""
MASKS = (
    (re.compile(r"\d+:\d\d:\d\d"), "TIME"),
    (re.compile(r"\d+(\.\d+)?/s\b"), "RATE"),
    (re.compile(r"\b\d+(\.\d+)? (s|seconds|minutes|min)\b"), "DURATION"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?\S*)?"), "DATE"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "HASH"),
    (re.compile(r"-{2,}"), "-"),
    (re.compile(r"(?<=\d)~"), ""),  # a floor of another browser than the one that is installed
)


def commands(lines: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    """(command, exit code, lines that are shown) of a console block."""
    command, code, shown = None, 0, list[str]()
    for line in lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, code, shown
            command, _, expected = line[2:].partition("  # exit ")
            code, shown = int(expected or 0), []
        else:
            shown.append(line)
    if command is not None:
        yield command, code, shown


def run(command: str, folder: Path) -> tuple[int, list[str]]:
    """The exit code, and what was printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "140"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def masked(line: str, times: tuple[tuple[int, int], ...] = ()) -> str:
    """A line without what differs from run to run; `times` are the columns of its seconds."""
    for start, end in times:
        if start < len(line):
            line = f"{line[:start]} {'TIME' if line[start:end].strip() else ''} {line[end:]}"
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    return " ".join(line.split())


def masked_output(printed: list[str]) -> list[str]:
    """Every line masked, with the columns of seconds found by the headings of its table."""
    found: list[str] = []
    times: tuple[tuple[int, int], ...] = ()
    for number, line in enumerate(printed):
        ruler = printed[number + 1] if number + 1 < len(printed) else ""
        if _is_ruler(ruler):
            times = tuple(_time_columns(line, ruler))
        elif not line.strip():
            times = ()
        found.append(masked(line, () if _is_ruler(line) or _is_ruler(ruler) else times))
    return found


def _is_ruler(line: str) -> bool:
    text = line.strip()
    return "--" in text and not text.strip("-:| ") and not text.startswith(("- ", ": "))


def _time_columns(head: str, ruler: str) -> Iterator[tuple[int, int]]:
    """From right to left, so that masking one does not move the next."""
    for column in reversed(list(re.finditer(r"[-:]{2,}", ruler))):
        title = head[column.start() : column.end()].strip(" |")
        if title in TIME_HEADINGS:
            yield column.start(), column.end()


def place(shown: str, printed: list[str], outputs: list[str], start: int) -> int | None:
    """The first line from `start` on that the page's line stands for; None: there is none.

    `outputs` are the masked lines of `printed`. A shown line is masked like the printed one that
    it is compared with: by tokens, since a page may narrow the columns.
    """
    tokens = masked(shown).split()
    for number in range(start, len(outputs)):
        wanted = outputs[number].split()
        if len(tokens) == len(wanted) and all(
            mine == theirs or (theirs == "TIME" and re.fullmatch(r"[\d.]+|DATE|TIME", mine))
            for mine, theirs in zip(tokens, wanted)
        ):
            return number
    return None


def loosely(line: str) -> str:
    """A line without its numbers: by this a page is brought up to date, never tested."""
    return " ".join(re.sub(r"-{2,}", "-", re.sub(r"[+-]?\d+(\.\d+)*", "0", line)).split())
