"""The text below the pictures of a video, broken and cut so that it fits their width."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core.text import printable

__all__ = ["LINE", "fitted", "written"]

LINE, FONT = 18, 13
"""The height of a line and the size of its letters, in px."""
MARGIN = 4
"""Left and right of a line, in px."""
CUT = "..."


def fitted(text: str, width: int, most: int) -> list[str]:
    """The text in at most `most` lines of `width` px, broken between words where that is possible.

    What does not fit is cut, and the last line then ends with dots. At least one line, which may be
    empty.
    """
    room = width - 2 * MARGIN
    lines = [""]
    for word in printable(text).split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _length(joined) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        # A word that is wider than a line: as many letters on each line as fit.
        while _length(word) > room:
            count = _letters(word, room)
            lines[-1] = word[:count]
            lines.append("")
            word = word[count:]
            if len(lines) > most:
                break
        lines[-1] = word
        if len(lines) > most:
            break
    if len(lines) > most:
        last = lines[most - 1]
        return [*lines[: most - 1], last[: _letters(last, room - _length(CUT))].rstrip() + CUT]
    return lines


def _letters(word: str, room: float) -> int:
    """How many of the first letters fit, at least one."""
    count = len(word)
    while count > 1 and _length(word[:count]) > room:
        count -= 1
    return count


def _length(text: str) -> float:
    found: float = _font().getlength(text)
    return found


def written(width: int, lines: Sequence[str], colour: tuple[int, int, int]) -> np.ndarray:
    """Lines of text on black, uint8 (LINE * len(lines), width, 3)."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, LINE * len(lines)))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((MARGIN, LINE * number + 1), line, colour, font=_font())
    return np.asarray(image)


@functools.lru_cache(maxsize=1)
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(FONT)
