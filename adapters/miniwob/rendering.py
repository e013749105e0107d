"""Which browser and which fonts draw the pages: they decide where a word stands, and so what lies
at a point. They are part of the family's protocol."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess

__all__ = ["arial", "browser_version", "fonts"]

UNKNOWN = "unknown"
PATIENCE_S = 20.0
FAMILIES = ("Arial", "Helvetica", "sans-serif", "serif", "monospace", "cursive", "system-ui")
"""What the pages ask for, and what a browser takes where they ask for nothing."""


@functools.lru_cache(maxsize=4)
def browser_version(binary: str) -> str:
    """Such as `Chromium 131.0.6778.139`, by what the browser at this path says of itself."""
    said = _printed(binary, "--version")
    version = re.search(r"[A-Z][A-Za-z ]*\d+(\.\d+)+", said)
    return version[0] if version else UNKNOWN


@functools.lru_cache(maxsize=1)
def arial() -> str:
    """The family that stands in for Arial; empty where fontconfig's tools are not installed."""
    return _printed("fc-match", "--format=%{family}", "Arial")


@functools.lru_cache(maxsize=1)
def fonts() -> str:
    """Such as `Liberation Sans for Arial, 37 faces, 5d1c0f3a`.

    The last word is a hash of every installed face with its version, and of the families that stand
    in for those that pages name: a browser takes a glyph that one font lacks from any other.
    """
    listed = _printed("fc-list", "--format=%{family}|%{style}|%{fontversion}\n")
    faces = sorted(set(listed.split("\n")))
    if not listed:
        return UNKNOWN
    chosen = [_printed("fc-match", "--format=%{family}|%{style}", name) for name in FAMILIES]
    text = "\n".join([*faces, *chosen])
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{arial()} for Arial, {len(faces)} faces, {digest}"


def _printed(program: str, *arguments: str) -> str:
    """What the program prints; nothing where it is not installed or does not work."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
