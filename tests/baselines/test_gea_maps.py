"""Maps from above: where an agent stands, how large a cell is, and what a picture can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.gea.frames import Frames, place_in
from baselines.gea.reader import DRAWN, SIDES, cell_of, glimpse, on_grid, side_of
from baselines.gea.seeing_loss import shown, turned

SIDE, TILE = 8, 12
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


def _map(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(colours by [x, y], a picture of them), each cell in one colour."""
    colours = rng.integers(30, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    return colours, np.kron(colours.swapaxes(0, 1), np.ones((TILE, TILE, 1), np.uint8))


def _ahead(colours: np.ndarray, x: int, y: int, direction: int) -> np.ndarray:
    """uint8 (7, 7, 3), by [x, y]: the cells that an agent sees; black outside of the map."""
    found = np.zeros((7, 7, 3), np.uint8)
    (fx, fy), (rx, ry) = AHEAD[direction], AHEAD[(direction + 1) % 4]
    for i in range(7):
        for j in range(7):
            cx, cy = x + (6 - j) * fx + (i - 3) * rx, y + (6 - j) * fy + (i - 3) * ry
            if 0 <= cx < SIDE and 0 <= cy < SIDE:
                found[i, j] = colours[cx, cy]
    return found


@pytest.mark.parametrize("direction", range(4))
def test_what_the_agent_sees_is_found_in_the_map_and_cut_out(direction: int) -> None:
    rng = np.random.default_rng(direction)
    colours, picture = _map(rng)
    x, y = rng.integers(1, SIDE - 1, 2).tolist()
    cells = _ahead(colours, x, y, direction)
    partial = np.kron(cells.swapaxes(0, 1), np.ones((8, 8, 1), np.uint8))
    pose, side, error = place_in(picture, partial, cells.any(-1), direction, range(3, 12))
    np.testing.assert_allclose(pose, [(x + 0.5) / SIDE, (y + 0.5) / SIDE, 1 / SIDE], atol=1e-6)
    assert side == SIDE
    assert error < 1e-6
    seen = torch.from_numpy(picture).movedim(-1, 0)[None] / 127.5 - 1
    cut = glimpse(seen, torch.from_numpy(pose)[None], torch.tensor([direction]))
    middles = ((cut[0, :, 4::8, 4::8] + 1) * 127.5).permute(2, 1, 0)
    np.testing.assert_allclose(middles, cells, atol=0.01)
    # Turned with the map, the agent sees the same.
    looks = np.float32([[2 * direction / 3 - 1]])
    nowhere = np.full((1, 3, 2), np.nan)
    frames = Frames("t", picture[None], cells[None], looks, pose[None], nowhere)
    after, pictures = turned(frames, seen, 3)
    now = int(np.rint((after.numbers[0, 0] + 1) * 1.5))
    again = glimpse(pictures, torch.from_numpy(after.pose), torch.tensor([now]))
    torch.testing.assert_close(again[..., 4::8, 4::8], cut[..., 4::8, 4::8], atol=1e-3, rtol=0)


def test_beyond_a_map_are_walls_to_who_sees_through_them() -> None:
    colours, picture = _map(np.random.default_rng(0))
    x, y, direction = 1, 6, 1  # it looks down, and five of seven rows lie outside of the map
    cells = _ahead(colours, x, y, direction)
    cells[~cells.any(-1)] = 146  # a wall in sight
    partial = np.kron(cells.swapaxes(0, 1), np.ones((8, 8, 1), np.uint8))
    pose, side, error = place_in(picture, partial, np.ones((7, 7), bool), direction, range(3, 12))
    np.testing.assert_allclose(pose, [(x + 0.5) / SIDE, (y + 0.5) / SIDE, 1 / SIDE], atol=1e-6)
    assert side == SIDE
    assert error < 1e-6


def test_a_cell_is_as_large_as_it_is_drawn() -> None:
    sides = torch.arange(3, SIDES)
    cells = cell_of(sides)
    torch.testing.assert_close(cells * DRAWN, (cells * DRAWN).round())
    assert ((cells * sides <= 1) & (cells * sides > 0.95)).all()
    torch.testing.assert_close(cell_of(side_of(cells)), cells)


def test_where_cells_are_small_an_agent_stands_in_the_middle_of_one() -> None:
    side = torch.tensor([[25], [22], [8]])
    cell = cell_of(side)
    begin = torch.tensor([[5.0], [3.0], [0.0]]) / DRAWN  # black pixels around the map
    points = begin + torch.tensor([[3.5, 7.5]]) * cell
    found = on_grid(points + 0.3 * cell, side)
    torch.testing.assert_close(found[:2], points[:2])
    torch.testing.assert_close(found[2], points[2] + 0.3 * cell[2])
    # Half a cell beside: a map that is not square.
    torch.testing.assert_close(on_grid(points + 0.45 * cell, side)[:2], (points + 0.5 * cell)[:2])


def test_no_picture_shows_what_an_agent_carries() -> None:
    cells = np.full((2, 7, 7, 3), 5, np.uint8)
    told = shown(cells)
    assert (told[:, 3, 6] == (1, 0, 0)).all()
    told[:, 3, 6] = 5
    assert (told == cells).all()
