"""Reads the screenshot of a page: the elements that a model was told which reads pages.

A small convolutional detector finds where lines of text and buttons begin (a heat map of key
points, as in arXiv 1904.07850), and tells the kind of their element, how large they are, and where
the middle of their element is: lines of one element point at the same middle. A second network
reads the characters of a strip of pixels around each line, column by column.

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.residual import GROUPS, Residual

__all__ = [
    "CELL", "CHARACTERS", "HIGH", "SHAPE", "TAGS", "Line", "PageEyes", "as_pixels",
    "strip",
]  # fmt: skip

SHAPE = (210, 160, 3)
"""Of the pictures that are read, as a task's space of observations names it."""
CELL = 4
"""Pixels per side of a place where a line may begin."""
TAGS = (
    "div", "a", "b", "button", "em", "h2", "h3", "h4", "i", "input_button", "input_date",
    "input_number", "input_password", "input_submit", "input_text", "input_time", "label", "li",
    "option", "p", "select", "span", "strong", "td", "text", "textarea", "th", "tspan", "u",
)  # fmt: skip
"""Kinds of elements; the first stands for all others."""
CHARACTERS = "".join(map(chr, range(32, 127)))
"""What is read; the class behind them is a column in which no character has its middle."""
HIGH = 20
"""Pixels of a strip."""
WIDE = 1.5
"""Heights of a line between the middles of two letters that are of two words."""
TALL, SMALL, LARGER = 18.0, 9.0, 1.5
"""A line of larger letters is shrunk to the first height before it is read; one that is below the
second is enlarged so many times."""
BEFORE, BEHIND = 8, 40
"""Pixels of the picture that a strip shows on the left and on the right of a line: its last word is
read to its end, wherever the line was thought to end."""
PRESENT = 0.3
"""A character is read where one is at least as likely, and likelier than in the columns beside."""
SURE = 0.4
"""A line begins where that is at least as likely."""
SAME = 5.0
"""Lines whose elements' middles are as near as this, in pixels, are of one element."""
MOST = 24
"""Elements of a page that are read; a prompt has room for a dozen."""
NUMBERS = 7
"""Of a line: x and y of its left end in its place, height, width, x and y from there to the middle
of its element, and how many elements come before that one in the document."""
SCALE = (CELL, CELL, 16.0, 32.0, 32.0, 32.0, 4.0)
"""What stands for 1 in these: pixels, and elements."""
LAST = 12
"""Elements that come later count like this one: no prompt has room for them."""


@dataclass(frozen=True)
class Line:
    """A line of text, or a button without any, in pixels."""

    tag: str
    x: float
    """Of its left end."""
    y: float
    """Of its middle."""
    width: float
    height: float
    centre: tuple[float, float]
    """Of its element."""
    rank: float
    """About how many elements come before its element."""


class PageEyes(nn.Module):
    """Finds the lines of a page, and reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, 4, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, 48), nn.GELU(),
            Residual(48),
        )  # fmt: skip
        self.wider = nn.Sequential(nn.Conv2d(48, 48, 3, stride=2, padding=1), Residual(48))
        self.widest = nn.Sequential(nn.Conv2d(48, 64, 3, stride=2, padding=1), Residual(64))
        self.from_widest, self.from_wider = nn.Conv2d(64, 48, 1), nn.Conv2d(48, 48, 1)
        self.mix_wider, self.mix = Residual(48), Residual(48)
        self.found = nn.Conv2d(48, 1 + NUMBERS + len(TAGS), 1)
        nn.init.constant_(self.found.bias[:1], -4.0)  # type: ignore[index]
        self.letters = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=(2, 1), padding=1), nn.GroupNorm(GROUPS, 32), nn.GELU(),
            nn.Conv2d(32, 40, 3, stride=(2, 1), padding=1), nn.GroupNorm(GROUPS, 40), nn.GELU(),
            nn.Conv2d(40, 64, (HIGH // 4, 3), padding=(0, 1)), nn.GELU(),
            nn.Conv2d(64, 64, (1, 5), padding=(0, 2)), nn.GELU(),
            nn.Conv2d(64, 64, (1, 5), padding=(0, 2)), nn.GELU(),
            nn.Conv2d(64, len(CHARACTERS) + 1, 1),
        )  # fmt: skip

    def look(self, pictures: Tensor) -> Tensor:
        """(N, 1 + NUMBERS + len(TAGS), 53, 40), of float (N, 3, 210, 160) in [-1, 1].

        For each place: the logit of a line that begins there, the numbers, the logits of tags.
        """
        padded = F.pad(pictures, (0, 0, 0, -pictures.shape[2] % CELL))
        near = self.stem(padded.contiguous(memory_format=torch.channels_last))
        wider = self.wider(near)
        widest = F.interpolate(self.widest(wider), size=wider.shape[2:])
        wider = self.mix_wider(wider + self.from_widest(widest))
        mixed = self.mix(near + self.from_wider(F.interpolate(wider, size=near.shape[2:])))
        found: Tensor = self.found(mixed)
        return found

    def read(self, strips: Tensor) -> Tensor:
        """(N, len(CHARACTERS) + 1, W): logits of what has its middle in a column.

        `strips`: float (N, 3, HIGH, W) in [-1, 1].
        """
        logits: Tensor = self.letters(strips.contiguous(memory_format=torch.channels_last))
        return logits[:, :, 0]

    def lines(self, picture: Tensor) -> list[Line]:
        """The lines of one picture, float (3, H, W) in [-1, 1], from the top to the bottom."""
        found = self.look(picture[None])[0].float()
        heat = found[0].sigmoid()
        peaks = (heat >= SURE) & (heat == F.max_pool2d(heat[None], 3, 1, 1)[0])
        lines = []
        scale = torch.tensor(SCALE)
        for row, column in peaks.nonzero().tolist():
            at = found[1:, row, column]
            x, y, high, wide, dx, dy, rank = (at[:NUMBERS] * scale).tolist()
            left, middle = column * CELL + x, row * CELL + y
            tag = TAGS[int(at[NUMBERS:].argmax())]
            size = max(wide, 1.0), max(high, 5.0)
            lines.append(Line(tag, left, middle, *size, (left + dx, middle + dy), rank))
        return sorted(lines, key=lambda line: (line.y, line.x))

    def texts(self, picture: Tensor, lines: Sequence[Line]) -> list[str]:
        """What the lines of a picture say, each read by itself."""
        return [self._text(picture, line) for line in lines]

    def _text(self, picture: Tensor, line: Line) -> str:
        cut, scale, begin = strip(picture, line)
        shares = self.read(cut[None])[0].float().softmax(0)
        present = (1 - shares[-1]).tolist()
        kinds = shares[:-1].argmax(0).tolist()
        left, right = ((x - begin) * scale for x in (line.x, line.x + line.width))
        words: list[tuple[str, list[int]]] = []
        last = -np.inf
        for column, (share, kind) in enumerate(zip(present, kinds)):
            # A letter whose middle is between two columns is as likely in either of them.
            around = max(present[max(0, column - 1) : column], default=0.0)
            beside = max(present[column + 1 : column + 2], default=0.0)
            if share < PRESENT or share <= around or share < beside or column + 0.5 < left - 2:
                continue
            letter = CHARACTERS[kind]
            if letter == " " or column - last > WIDE * line.height * scale or not words:
                words.append(("", []))
            if letter != " ":
                word, columns = words[-1]
                words[-1] = word + letter, [*columns, column]
                last = column
        # Where a line ends is known less well than where its words do.
        inside = (word for word, at in words if word and sum(at) / len(at) + 0.5 <= right + 2)
        return " ".join(inside)

    @torch.inference_mode()
    def elements(self, picture: np.ndarray) -> list[tuple[str, str, float, float]]:
        """(tag, text, x, y of the centre) of the first elements of a page, uint8 (H, W, 3)."""
        pixels = as_pixels(picture)
        groups: list[list[Line]] = []
        for line in self.lines(pixels):
            for group in groups:
                first = group[0]
                away = max(abs(a - b) for a, b in zip(first.centre, line.centre))
                if first.tag == line.tag and away <= SAME:
                    group.append(line)
                    break
            else:
                groups.append([line])
        groups.sort(key=lambda group: sum(line.rank for line in group) / len(group))
        made = []
        for group in groups[:MOST]:
            text = " ".join(filter(None, self.texts(pixels, group)))
            x, y = np.mean([line.centre for line in group], 0).tolist()
            made.append((group[0].tag, text, x, y))
        return made


def as_pixels(picture: np.ndarray) -> Tensor:
    """Float (3, H, W) in [-1, 1], of uint8 (H, W, 3)."""
    return torch.from_numpy(picture.astype(np.float32)).movedim(-1, 0) / 127.5 - 1


def strip(picture: Tensor, line: Line) -> tuple[Tensor, float, float]:
    """(float (3, HIGH, W), pixels of it per pixel of the picture, x where it begins).

    The pixels around a line of (3, H, W), at the size at which it is read. What lies outside of
    the picture repeats its edge.
    """
    scale = LARGER if line.height < SMALL else min(1.0, TALL / line.height)
    begin = max(0, int(line.x) - BEFORE)
    end = min(picture.shape[2], int(line.x + line.width) + 1 + BEHIND)
    high = round(HIGH / scale)
    top = round(line.y - high / 2)
    rows = torch.arange(top, top + high).clamp(0, picture.shape[1] - 1)
    cut = picture[:, rows, begin : max(end, begin + 1)]
    if scale != 1:
        size = (HIGH, max(1, round(cut.shape[2] * scale)))
        cut = F.interpolate(cut[None], size=size, mode="bilinear", antialias=True)[0]
        scale = cut.shape[2] / max(1, end - begin)
    return cut, scale, float(begin)
