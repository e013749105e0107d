"""`nano`: a backbone of a few million parameters, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.gea.backbone import Backbone
from baselines.gea.config import Config
from baselines.gea.game_eyes import ROWS, stacked
from baselines.gea.llama import Llama
from baselines.gea.reader import DIRECTIONS, PictureReader
from baselines.gea.vision import PictureEncoder
from baselines.learning.text_tokenizer import TextTokenizer

__all__ = ["Nano"]

CHANNELS = (32, 64, 96, 128)
ENCODERS = (
    "eyes", "eye_out", "eye_place", "vision", "reader", "cell_encoder", "number_encoder",
)  # fmt: skip
"""The modules and parameters that read what is seen."""


class Nano(Backbone):
    """An encoder of images of `pixels` x `pixels`, and a small Llama.

    The vision `plain` is four convolutions, each of which halves an image.
    """

    def __init__(self, config: Config, text_tokenizer: TextTokenizer, codes: int) -> None:
        """`codes`: number of action codes, over all codebooks."""
        super().__init__(config, config.width, codes)
        self.text_tokenizer = text_tokenizer
        self.model = Llama(
            text_tokenizer.size, config.width, config.layers, config.heads, config.mlp
        )
        self.reader: PictureReader | None = None
        self.vision: PictureEncoder | None = None
        if config.vision == "reader":
            self.reader = PictureReader(
                config.pixels, config.width, config.numbers, config.games, config.pages
            )
            return
        if config.vision == "residual":
            self.vision = PictureEncoder(config.pixels, config.width)
            return
        layers: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GELU()]
        side = -(-config.pixels // 2 ** len(CHANNELS))
        self.eyes = nn.Sequential(*layers, nn.Flatten(2))
        self.eye_out = nn.Linear(CHANNELS[-1], config.width)
        self.eye_place = nn.Parameter(0.02 * torch.randn(side * side, config.width))

    @staticmethod
    def part(name: str) -> str:
        """Vision is every encoder of what is seen: of pictures, grids and numbers."""
        first = name.partition(".")[0]
        return "vision" if first in ENCODERS else "language" if first == "model" else ""

    def embed_text(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.model.embed_tokens(ids)
        return embedded

    def text_logits(self, hidden: Tensor) -> Tensor:
        """The output weights are those of the embedding."""
        return hidden @ self.model.embed_tokens.weight.T

    def encode_images(
        self, images: Sequence[np.ndarray], earlier: Sequence[Sequence[np.ndarray]] = ()
    ) -> tuple[list[Tensor], list[Any]]:
        """(pixels / 16)^2 rows per image, rounded up: 16 for 64 x 64, 36 for 84 x 84.

        The vision `residual` adds a summary of four rows; `reader` makes those of what it reads.
        """
        pixels = (
            torch.as_tensor(np.stack(images), device=self.device).movedim(-1, 1).float() / 127.5 - 1
        )
        if self.reader is not None:
            rows = self._read_games(self.reader, pixels, images, earlier)
            others = [number for number, row in enumerate(rows) if not len(row)]
            if others:
                read = self._read(
                    self.reader, pixels if len(others) == len(rows) else pixels[others]
                )
                for number, row in zip(others, read):
                    rows[number] = row
            return rows, [None] * len(images)
        if self.vision is not None:
            made = self.vision(pixels)
        else:
            made = self.eye_out(self.eyes(pixels).movedim(1, 2)) + self.eye_place
        return list(made), [None] * len(images)

    @staticmethod
    def _read_games(
        reader: PictureReader,
        pictures: Tensor,
        images: Sequence[np.ndarray],
        earlier: Sequence[Sequence[np.ndarray]],
    ) -> list[Tensor]:
        """The rows of each picture that is of a game; none of the others."""
        rows: list[Tensor] = [torch.empty(0)] * len(images)
        if reader.game is None:
            return rows
        games = (reader.game.is_game(pictures) > 0).nonzero()[:, 0].tolist()
        if games:
            stacks = [stacked(images[k], earlier[k] if earlier else ()) for k in games]
            for number, made in zip(games, reader.game(torch.stack(stacks).to(pictures.device))):
                rows[number] = made
        return rows

    def _read(self, reader: PictureReader, pictures: Tensor) -> list[Tensor]:
        """The rows of each picture: those of its grid and of a direction, or one of a scene."""
        glance = reader.glance(pictures)
        maps = (glance.is_map > 0).tolist()
        rows: list[Tensor] = [torch.empty(0)] * len(pictures)
        charts = [number for number, is_map in enumerate(maps) if is_map]
        if charts:
            pose, directions = reader.pose(glance)
            cells = reader.read_cells(pictures[charts], pose[charts], directions[charts])
            codes = cells.argmax(-1).to(torch.uint8).cpu().numpy()
            turned = [2 * d / (DIRECTIONS - 1) - 1 for d in directions[charts].tolist()]
            numbers = [np.array([each], np.float32) for each in turned]
            looking = self.number_encoder(numbers, self.device)
            for number, grid, row in zip(
                charts, self.cell_encoder(list(codes), self.device), looking
            ):
                rows[number] = torch.cat([grid, row[None]])
        scenes = [number for number, is_map in enumerate(maps) if not is_map]
        if scenes:
            told = reader.scene(pictures[scenes]).detach().cpu().numpy()
            for number, row in zip(scenes, self.number_encoder(list(told), self.device)):
                rows[number] = row[None]
        return rows

    def shorten(self, rows: Tensor) -> Tensor:
        """Of an earlier picture of a game nothing is left: the current one was read with it."""
        if self.reader is not None and self.config.games and len(rows) == ROWS:
            return rows[:0]
        if self.vision is None or not self.config.past_rows:
            return rows
        return rows[-self.config.past_rows :]

    def run_model(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: Any, last: int = 0
    ) -> tuple[Tensor, Any]:
        return self.model(embeds, mask, positions, cache, last=last), cache

    def last_hidden(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: Any
    ) -> tuple[Tensor, Any]:
        return self.model.last_hidden(embeds, mask, positions, cache), cache

    @property
    def last_block(self) -> nn.Module:
        return self.model.layers[-1]

    def new_cache(self) -> Any:
        return []
