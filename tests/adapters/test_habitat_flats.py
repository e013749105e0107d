"""The flats of Habitat's episodes: furnished, walkable, and built alike everywhere."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from adapters.habitat import flat
from adapters.habitat.furniture import CATEGORIES, PIECES, SIZES
from adapters.habitat.glb import box

FLATS = [flat.build(number) for number in range(flat.FLATS)]
CELL = 0.05

each_flat = pytest.mark.parametrize("home", FLATS, ids=lambda home: f"flat {home.number}")


def test_a_box_shows_its_faces_outward() -> None:
    faces = box((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))
    area = 0.0
    for _, corners in faces:
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        assert normal @ (corners.mean(0) - [0.5, 1.0, 1.5]) > 0
        area += float(np.linalg.norm(normal))
    assert area == pytest.approx(2 * (1 * 2 + 2 * 3 + 1 * 3))


def test_the_scene_loads_back(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    stage = flat.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "flats.glb",
        "flats.stage_config.json",
    ]
    told = json.loads(stage.read_text())
    assert (told["up"], told["front"], told["units_to_meters"]) == ([0, 1, 0], [0, 0, -1], 1.0)
    found = trimesh.load(tmp_path / told["render_asset"])
    # Not by the graph's nodes: trimesh draws their names, and two may be given the same.
    meshes = list(found.geometry.values())
    assert sum(len(mesh.faces) for mesh in meshes) == sum(
        2 * len(flat.quads(home)) for home in FLATS
    )
    for home in FLATS:
        mine = [
            mesh
            for mesh in meshes
            if flat.corner(home)[2] - 1 < mesh.bounds[0][2] < flat.corner(home)[2] + 15
        ]
        assert len(mine) == len({colour for colour, _ in flat.quads(home)})
        low, high = (
            np.min([mesh.bounds[0] for mesh in mine], axis=0),
            np.max([mesh.bounds[1] for mesh in mine], axis=0),
        )
        assert low - flat.corner(home) == pytest.approx([-flat.WALL, 0.0, -flat.WALL], abs=1e-4)
        assert high - flat.corner(home) == pytest.approx(
            [home.width + flat.WALL, flat.HEIGHT, home.depth + flat.WALL], abs=1e-4
        )
    for mesh in meshes[::7]:
        outward = np.cross(
            mesh.triangles[:, 1] - mesh.triangles[:, 0], mesh.triangles[:, 2] - mesh.triangles[:, 0]
        )
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        assert (np.einsum("ij,ij->i", outward, mesh.vertex_normals[mesh.faces[:, 0]]) > 0.99).all()


def test_floors_face_upward() -> None:
    ups = [
        corners
        for _, corners in flat.quads(FLATS[0])
        if np.cross(corners[1] - corners[0], corners[2] - corners[0])[1] > 0
    ]
    assert max(float(corners[:, 1].max()) for corners in ups) == flat.HEIGHT, (
        "the walls' tops; the ceiling looks down"
    )
    floor = [corners for corners in ups if (corners[:, 1] == 0).all()]
    area = sum(float(np.prod(np.ptp(corners[:, [0, 2]], axis=0))) for corners in floor)
    assert area == pytest.approx(FLATS[0].width * FLATS[0].depth)


def test_the_scenes_are_pinned() -> None:
    """Other scenes give other scores: raise the version of the flat tasks if you change them."""
    found = hashlib.blake2b(flat.scene(), digest_size=8).hexdigest()
    assert found == DIGEST


DIGEST = "48df63b93e8a5528"


@each_flat
def test_a_flat_is_furnished(home: flat.Flat) -> None:
    assert home.categories == CATEGORIES
    for index, piece in enumerate(home.pieces):
        room = home.rooms[piece.room].floor
        assert room.grown(-flat.WALL / 2).contains(piece.floor)
        wide, _, deep = SIZES[piece.name]
        assert (piece.floor.x1 - piece.floor.x0, piece.floor.z1 - piece.floor.z0) == pytest.approx(
            (wide, deep) if piece.turn % 2 == 0 else (deep, wide), abs=0.011
        )
        assert not any(piece.floor.meets(other.floor) for other in home.pieces[index + 1 :])


@each_flat
def test_every_room_and_object_can_be_reached(home: flat.Flat) -> None:
    """A disc of 0.2 m, wider than the body of the tasks, gets there from the corridor's middle."""
    free = walkable(home, 0.2)
    start = cell(home.width / 2, (home.corridor.z0 + home.corridor.z1) / 2)
    reached = flood(free, start)
    for room in home.rooms:
        x0, z0 = cell(room.floor.x0, room.floor.z0)
        x1, z1 = cell(room.floor.x1, room.floor.z1)
        assert reached[x0:x1, z0:z1].sum() * CELL**2 > 1.0, f"the {room.kind} of flat {home.number}"
    for category in home.categories:
        for piece in home.of(category):
            alone = flat.Flat(
                home.number, home.width, home.depth, home.corridor, home.rooms, (piece,)
            )
            points = flat.view_points(alone, category)
            assert any(reached[cell(x, z)] for x, _, z in points), (
                f"{category} of flat {home.number}"
            )


def test_view_points_lie_near_the_object_and_in_its_room() -> None:
    home = FLATS[3]
    for category in home.categories:
        points = flat.view_points(home, category)
        assert len(points)
        for x, y, z in points:
            gaps = [
                math.hypot(
                    max(piece.floor.x0 - x, x - piece.floor.x1, 0),
                    max(piece.floor.z0 - z, z - piece.floor.z1, 0),
                )
                for piece in home.of(category)
                if home.rooms[piece.room].floor.contains(flat.Rectangle(x, z, x, z))
            ]
            assert any(0 < gap < flat.REACH + 1e-3 for gap in gaps)
            assert y == 0


def test_a_piece_of_furniture_faces_away_from_its_wall() -> None:
    for home in FLATS[:4]:
        for piece in home.pieces:
            room = home.rooms[piece.room].floor
            gap = (
                piece.floor.z0 - room.z0,
                piece.floor.x0 - room.x0,
                room.z1 - piece.floor.z1,
                room.x1 - piece.floor.x1,
            )[piece.turn]
            assert gap < flat.WALL / 2 + flat.INSET + 0.02


def test_pieces_stand_on_the_floor() -> None:
    for name, boxes in PIECES.items():
        assert min(low[1] for low, _, _ in boxes) == 0, name
        assert min(low[2] for low, _, _ in boxes) == 0, name
        assert all(a < b for low, high, _ in boxes for a, b in zip(low, high)), name


def cell(x: float, z: float) -> tuple[int, int]:
    return int(x / CELL), int(z / CELL)


def walkable(home: flat.Flat, radius: float) -> np.ndarray:
    """(n, m) bool: where a disc may stand, from rooms, doors and pieces, not from the mesh."""
    xs, zs = (np.arange(0, size, CELL) + CELL / 2 for size in (home.width, home.depth))
    x, z = np.meshgrid(xs, zs, indexing="ij")
    solids = [piece.floor for piece in home.pieces]
    for room in home.rooms:
        at = room.floor.z1 if room.north else room.floor.z0
        solids += [
            flat.Rectangle(room.floor.x0, at - flat.WALL / 2, room.door, at + flat.WALL / 2),
            flat.Rectangle(
                room.door + flat.DOOR, at - flat.WALL / 2, room.floor.x1, at + flat.WALL / 2
            ),
            flat.Rectangle(
                room.floor.x1 - flat.WALL / 2,
                room.floor.z0,
                room.floor.x1 + flat.WALL / 2,
                room.floor.z1,
            ),
        ]
    free = (x > radius) & (x < home.width - radius) & (z > radius) & (z < home.depth - radius)
    for solid in solids:
        gap = np.hypot(
            np.maximum(np.maximum(solid.x0 - x, x - solid.x1), 0),
            np.maximum(np.maximum(solid.z0 - z, z - solid.z1), 0),
        )
        free &= gap > radius
    return free


def flood(free: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    reached = np.zeros_like(free)
    queue = deque([start])
    while queue:
        i, j = queue.popleft()
        if 0 <= i < free.shape[0] and 0 <= j < free.shape[1] and free[i, j] and not reached[i, j]:
            reached[i, j] = True
            queue += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    return reached
