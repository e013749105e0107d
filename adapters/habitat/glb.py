"""A writer of `.glb` files (binary glTF 2.0): unlit coloured quads. Metres, y up, as in glTF."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Colour", "Quad", "box", "glb", "write_atomically"]

Colour = tuple[float, float, float]
"""(red, green, blue), each 0 to 1, linear."""
Quad = tuple[Colour, np.ndarray]
"""(colour, corners (4, 3) in m, counter-clockwise seen from the side that shows)."""

FACES = (
    ("+x", (1, 5, 7, 3), 0.85),
    ("-x", (4, 0, 2, 6), 0.8),
    ("+y", (3, 7, 6, 2), 1.0),
    ("-y", (4, 5, 1, 0), 0.5),
    ("+z", (0, 1, 3, 2), 0.7),
    ("-z", (5, 4, 6, 7), 0.65),
)
"""The faces of a box: normal, corners counter-clockwise from outside, and brightness, without which
the edges of an unlit box would not show."""
FLOAT, UINT = 5126, 5125
ARRAY, ELEMENTS = 34962, 34963
"""glTF's numbers of component types and buffer targets."""


def box(low: Sequence[float], high: Sequence[float], colour: Colour) -> list[Quad]:
    """The six faces of a box, `low` and `high` being opposite corners (3,).

    Corner i has the high x if bit 0 of i is set, the high y if bit 1 is, and the high z if bit 2 is
    not.
    """
    corners = [
        (
            (low, high)[i & 1][0],
            (low, high)[i >> 1 & 1][1],
            (high, low)[i >> 2 & 1][2],
        )
        for i in range(8)
    ]
    red, green, blue = colour
    return [
        (
            (round(red * light, 4), round(green * light, 4), round(blue * light, 4)),
            np.array([corners[i] for i in indices], np.float64),
        )
        for _, indices, light in FACES
    ]


def glb(meshes: Mapping[str, Sequence[Quad]]) -> bytes:
    """The bytes of a scene: mesh name -> quads, with one material per colour.

    The layout is that of the glTF 2.0 specification, section 4 (GLB). Coordinates are rounded to
    0.1 mm, so that equal scenes give equal files.
    """
    blob = bytearray()
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []

    def add(array: np.ndarray, target: int, component: int, kind: str, **more: Any) -> int:
        views.append(
            {"buffer": 0, "byteOffset": len(blob), "byteLength": array.nbytes, "target": target}
        )
        blob.extend(array.tobytes())  # all elements have 4 bytes, so every view is aligned
        accessors.append(
            {
                "bufferView": len(views) - 1,
                "componentType": component,
                "count": len(array),
                "type": kind,
                **more,
            }
        )
        return len(accessors) - 1

    materials: dict[Colour, int] = {}
    shapes = []
    for name, quads in meshes.items():
        groups: dict[Colour, list[np.ndarray]] = {}
        for colour, corners in quads:
            groups.setdefault(colour, []).append(corners)
        primitives = []
        for colour, faces in groups.items():
            rounded = np.round(np.array(faces), 4)  # (n, 4, 3)
            normals = np.cross(rounded[:, 1] - rounded[:, 0], rounded[:, 2] - rounded[:, 0])
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            points = rounded.reshape(-1, 3).astype("<f4")
            triangles = (
                (np.arange(len(faces))[:, None] * 4 + np.array([0, 1, 2, 0, 2, 3]))
                .astype("<u4")
                .reshape(-1)
            )
            position = add(
                points, ARRAY, FLOAT, "VEC3", min=points.min(0).tolist(), max=points.max(0).tolist()
            )
            normal = add(np.repeat(normals, 4, axis=0).astype("<f4"), ARRAY, FLOAT, "VEC3")
            indices = add(triangles, ELEMENTS, UINT, "SCALAR")
            material = materials.setdefault(colour, len(materials))
            primitives.append(
                {
                    "attributes": {"POSITION": position, "NORMAL": normal},
                    "indices": indices,
                    "material": material,
                }
            )
        shapes.append({"name": name, "primitives": primitives})
    document: Mapping[str, Any] = {
        "asset": {"version": "2.0"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": list(range(len(shapes)))}],
        "nodes": [{"mesh": number, "name": name} for number, name in enumerate(meshes)],
        "meshes": shapes,
        "materials": [
            {
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*colour, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 1.0,
                },
                "extensions": {"KHR_materials_unlit": {}},
            }
            for colour in materials
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(blob)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(blob), b"BIN\0")
        + bytes(blob)
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that other processes see either all of it or nothing."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)
