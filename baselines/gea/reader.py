"""Encoder of pictures for `nano` whose rows a model understands that never saw a picture.

It says of a picture what the model used to be told, and the model's own encoders make rows of it: a
map seen from above becomes the grid that its agent sees and the agent's direction; any other
picture becomes the numbers that a simulator tells. The stage `see` trains it
(baselines/gea/see.py).

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.game_eyes import GameEyes
from baselines.gea.page_eyes import PageEyes
from baselines.learning.views import CODES

__all__ = [
    "CHANNELS",
    "CLOSE",
    "DIRECTIONS",
    "PLACE",
    "SCENE",
    "THINGS",
    "Glance",
    "PictureReader",
    "Scene",
    "cell_of",
    "on_grid",
    "side_of",
    "squares_around",
]

CELLS, CHANNELS = 7, 3
"""Cells per side of what an agent on a map sees, and codes of a cell."""
DIRECTIONS = 4
SIDES = 26
"""The number of cells per side of a map is below this."""
DRAWN = 336
"""Pixels per side at which maps are drawn, with a whole number of them per cell."""
SMALL = 16
"""From this many cells per side, an error of a pixel is too much of a cell."""
BETWEEN = 0.1
"""In cells: an agent that is found this near to the border of two of them stands between them."""
PATCH = 8
"""Pixels per cell of the glimpse."""
THINGS = 3
"""In a scene: the hand, the first object, and the goal."""
DOUBT = 15.0
"""Taken from the logit of a map: a scene that is read as a map is nonsense. After the training of
`gea`, before it was taken, maps had 32 to 123 and scenes -28 to 5."""
SCENE = 384
"""Features of a scene."""
PLACE = 6
"""Pixels per side of a place in a scene."""
CLOSE, DETAILS = 32, 40
"""Pixels per side of the square around a thing that is looked at again, and what is kept of it."""
GROUPS = 8
"""Of the normalisation, which looks at one picture alone: an answer depends on no other one."""


@dataclass(frozen=True)
class Glance:
    """What N pictures show at first sight."""

    is_map: Tensor
    """(N,): the logit of a map seen from above."""
    sides: Tensor
    """(N, SIDES): logits of the cells per side of the map."""
    places: Tensor
    """(N, P * P): logits of the place where the agent is, row by row; a place has 8 pixels."""
    directions: Tensor
    """(N, DIRECTIONS, P * P): logits of where it looks, if it is there: right, down, left, up."""
    offsets: Tensor
    """(N, 2, P * P): x and y of its centre from the middle of that place, in places."""


class PictureReader(nn.Module):
    """Reads pictures of `pixels` x `pixels`: what they show, or rows of `width` channels.

    Of a map it finds the agent first, then looks closely: the square of cells ahead of the agent is
    cut out and turned so that the agent looks up (as spatial transformers do, arXiv 1506.02025),
    and each cell of the glimpse is read. Of other pictures, it finds where the hand, an object and
    the goal are, and other points, by spatial softmax (arXiv 1504.00702); from these, from what is
    seen there and from coarse features, it tells the numbers of the scene.
    """

    def __init__(
        self, pixels: int, width: int, numbers: int, games: bool = False, pages: bool = False
    ) -> None:
        """`numbers`: how many numbers of a step the model can read.

        `games`, `pages`: whether it also reads games and pages, by eyes of their own.
        """
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, 24, 7, stride=4, padding=3), nn.GELU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(48, 48, 3, padding=1), nn.GELU(),
        )  # fmt: skip
        self.find = nn.Conv2d(48, 1 + DIRECTIONS + 2, 1)
        self.coarse = nn.AdaptiveAvgPool2d(6)
        self.what = nn.Linear(48 * 36, 1 + SIDES)
        self.cells = nn.Sequential(
            nn.Conv2d(3, 64, PATCH, stride=PATCH), nn.GELU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.GELU(),
            nn.Conv2d(64, CHANNELS * CODES, 1),
        )  # fmt: skip
        self.scene = Scene(numbers)
        self.game = GameEyes(width) if games else None
        self.page = PageEyes() if pages else None

    @property
    def map_eyes(self) -> tuple[nn.Module, ...]:
        """What tells maps from other pictures, and reads them."""
        return self.look, self.find, self.what, self.cells

    def glance(self, pictures: Tensor) -> Glance:
        """At a first sight, of float (N, 3, pixels, pixels) in [-1, 1]."""
        seen = self.look(pictures.contiguous(memory_format=torch.channels_last))
        found = self.find(seen).flatten(2)
        what = self.what(self.coarse(seen).flatten(1))
        return Glance(
            what[:, 0] - DOUBT, what[:, 1:], found[:, 0], found[:, 1:-2], found[:, -2:]
        )  # fmt: skip

    def read_cells(self, pictures: Tensor, pose: Tensor, directions: Tensor) -> Tensor:
        """(N, CELLS, CELLS, CHANNELS, CODES): logits of the codes by [x, y], as in a view `grid`.

        `pose`: (N, 3), x and y of the agent's centre and the side of a cell, in parts of the
        picture's side; `directions`: int64 (N,).
        """
        logits = self.cells(glimpse(pictures, pose, directions))
        codes: Tensor = logits.unflatten(1, (CHANNELS, CODES)).permute(0, 4, 3, 1, 2)
        return codes

    @staticmethod
    def pose(glance: Glance) -> tuple[Tensor, Tensor]:
        """(pose, directions) as `read_cells` takes them, as they are likeliest."""
        count = int(glance.places.shape[1] ** 0.5)
        place = glance.places.argmax(1)
        one = place[:, None, None]
        directions = glance.directions.gather(2, one.expand(-1, DIRECTIONS, 1))[..., 0].argmax(1)
        offset = glance.offsets.gather(2, one.expand(-1, 2, 1))[..., 0].float()
        middle = torch.stack([place % count, place // count], 1) + 0.5
        side = glance.sides[:, 1:].argmax(1, keepdim=True) + 1
        return torch.cat([on_grid((middle + offset) / count, side), cell_of(side)], 1), directions


def cell_of(side: Tensor) -> Tensor:
    """The side of a cell, in parts of the picture's, of maps with int64 `side` cells per side."""
    return (DRAWN // side) / DRAWN


def on_grid(points: Tensor, side: Tensor) -> Tensor:
    """(N, 2): where cells are small, the middle of the one around x and y; else these themselves.

    The map is in the middle of the picture. One that is not square may lie half a cell beside the
    grid of a square one, and so does a point that is found almost between two cells of that.
    `side`: int64 (N, 1), as in `cell_of`.
    """
    cell = cell_of(side)
    begin = (DRAWN - DRAWN // side * side).div(2, rounding_mode="floor") / DRAWN
    found = (points - begin) / cell - 0.5
    whole = found.round()
    between = (found - whole).abs() > 0.5 - BETWEEN
    at = torch.where(between, found.floor() + 0.5, whole)
    return torch.where(side < SMALL, points, begin + (at + 0.5) * cell)


def side_of(cell: Tensor) -> Tensor:
    """int64: how many cells there can be per side of a map; `cell_of` gives `cell` back."""
    return (1 / cell + 1e-3).long()


def glimpse(pictures: Tensor, pose: Tensor, directions: Tensor) -> Tensor:
    """(N, 3, CELLS * PATCH, CELLS * PATCH): the cells ahead of the agent, which looks up.

    The agent is in the middle of the last row. What lies outside the picture is black.
    """
    steps = (torch.arange(CELLS * PATCH, device=pictures.device) + 0.5) / PATCH - 0.5
    ahead = (CELLS - 1 - steps)[:, None].expand(-1, len(steps))
    right = (steps - CELLS // 2)[None].expand(len(steps), -1)
    angle = directions * (torch.pi / 2)
    cos, sin = (part[:, None, None].round() for part in (angle.cos(), angle.sin()))
    cell = pose[:, 2, None, None]
    x = pose[:, 0, None, None] + cell * (ahead * cos - right * sin)
    y = pose[:, 1, None, None] + cell * (ahead * sin + right * cos)
    where = torch.stack([x, y], -1) * 2 - 1
    # Black is -1: it is added after sampling, which takes zeros for what lies outside.
    return F.grid_sample(pictures + 1, where.to(pictures.dtype), align_corners=False) - 1


class Scene(nn.Module):
    """The numbers of a picture, told by where the things are that matter, and by what is there.

    Places have 6 pixels. Where a thing is, is the mean of all places, each as likely as it is to be
    there; so it is known to less than a place. What is there is read by the same weights, and once
    more from the square of pixels around it: how large a thing is tells how far away it is.
    """

    def __init__(self, numbers: int, points: int = 32, coarse: int = 6) -> None:
        """`numbers`: how many there can be; `present` marks those that were learned."""
        super().__init__()
        self.fine = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=3, padding=1), nn.GELU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, 64), nn.GELU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(GROUPS, 64), nn.GELU(),
        )  # fmt: skip
        self.deep = nn.Sequential(
            nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, 128), nn.GELU(),
            nn.Conv2d(128, 128, 3, padding=1), nn.GroupNorm(GROUPS, 128), nn.GELU(),
        )  # fmt: skip
        self.join = nn.Sequential(nn.Conv2d(64 + 128, 64, 1), nn.GELU())
        self.find = nn.Conv2d(64, THINGS, 1)
        self.other_points = nn.Conv2d(64, points, 1)
        self.squeeze = nn.Sequential(
            nn.Conv2d(128, 16, 1), nn.GELU(), nn.AdaptiveAvgPool2d(coarse)
        )  # fmt: skip
        self.close = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(),
            nn.Linear(32 * (CLOSE // 4) ** 2, DETAILS), nn.GELU(),
        )  # fmt: skip
        found = THINGS * (2 + 64) + 2 * points + 16 * coarse**2
        self.mix = nn.Sequential(
            nn.Linear(found + THINGS * DETAILS, SCENE), nn.GELU(),
            nn.Linear(SCENE, SCENE), nn.GELU(),
        )  # fmt: skip
        self.numbers = nn.Linear(SCENE, numbers)
        self.present = nn.Parameter(torch.zeros(numbers))

    def parts(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """((N, P), (N, THINGS, H, W)), from (N, 3, pixels, pixels).

        The first is where the things are, what is there, where other points are, and the whole
        picture coarsely. The second are the logits of the places where the things are.
        """
        fine = self.fine(pictures.contiguous(memory_format=torch.channels_last))
        deep = self.deep(fine)
        wide = F.interpolate(deep, size=fine.shape[2:])
        joined = self.join(torch.cat([fine, wide], 1))
        places = self.find(joined)
        weights = places.float().flatten(2).softmax(-1)
        there = weights @ joined.float().flatten(2).mT
        seen = [
            _points(places),
            there.flatten(1),
            _points(self.other_points(joined)),
            self.squeeze(deep).flatten(1),
        ]
        return torch.cat(seen, 1), places

    def features(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """((N, SCENE), (N, THINGS, H, W)): what is made of the parts, and the second as there."""
        parts, places = self.parts(pictures)
        details = self.details(squares_around(pictures, parts[:, : 2 * THINGS]))
        return self.mix(torch.cat([parts, details], 1)), places

    def details(self, squares: Tensor) -> Tensor:
        """(N, THINGS * DETAILS): what (N, THINGS, 3, CLOSE, CLOSE) show."""
        details: Tensor = self.close(squares.flatten(0, 1))
        return details.view(len(squares), -1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, n): the numbers, as the model reads them where it is told them."""
        numbers: Tensor = self.numbers(self.features(pictures)[0])[:, self.present > 0]
        return numbers


def squares_around(pictures: Tensor, points: Tensor) -> Tensor:
    """(N, C, 3, CLOSE, CLOSE): the pixels around each of C points, black outside of the picture.

    `points`: (N, 2 C), as `_points` makes them. Nothing is learned of where to cut.
    """
    side = pictures.shape[-1]
    # The middles of the outermost places are at -1 and 1; for `grid_sample`, the picture's edges.
    middles = points.detach().float().reshape(len(points), 2, -1).mT * (1 - PLACE / side)
    steps = (torch.arange(CLOSE, device=pictures.device) + 0.5 - CLOSE / 2) * (2 / side)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    where = middles[:, :, None, None] + torch.stack([x, y], -1)
    squares = F.grid_sample(pictures.float() + 1, where.flatten(1, 2), align_corners=False) - 1
    return squares.reshape(len(points), 3, -1, CLOSE, CLOSE).movedim(2, 1)


def _points(maps: Tensor) -> Tensor:
    """(N, 2 C): x and y in [-1, 1] of where each of C maps (N, C, H, W) is high on average."""
    weights = maps.float().flatten(2).softmax(-1).view_as(maps)
    x, y = (
        torch.linspace(-1, 1, size, device=maps.device) for size in (maps.shape[3], maps.shape[2])
    )
    return torch.cat([(weights.sum(2) * x).sum(-1), (weights.sum(3) * y).sum(-1)], 1)
