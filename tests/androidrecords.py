"""Small AndroidControl files in the real format, with invented screens and texts.

The messages are built by protobuf's own runtime from their field numbers, so that the reader is
checked against another implementation.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (60, 120)
EPISODES: dict[int, tuple[str, list[dict[str, Any]]]] = {
    7: (
        "open the clock and set an alarm",
        [
            {"action_type": "open_app", "app_name": "Clock"},
            {"action_type": "click", "x": 25, "y": 35},
            {"action_type": "input_text", "text": "6 AM"},
            {"action_type": "scroll", "direction": "down"},
        ],
    ),
    9: (
        "go back",
        [
            {"action_type": "wait"},
            {"action_type": "navigate_back"},
            {"action_type": "input_text", "text": ""},
            {"action_type": "long_press", "x": 5, "y": 115},
            {"action_type": "navigate_home"},
        ],
    ),
    4: ("train on this", [{"action_type": "wait"}]),
}
BUTTON = (20, 30, 40, 50)
NODES = [
    {"id": 1, "box": (0, 0, 60, 120), "class": "Frame", "children": [2, 5]},
    {"id": 2, "box": (10, 20, 50, 60), "class": "Panel", "children": [3, 4], "hidden": True},
    {"id": 3, "box": BUTTON, "class": "Button", "text": "Add", "clickable": True},
    {"id": 4, "box": (-5, 100, 60, 130), "class": "Field", "text": "6 AM", "editable": True},
    {"id": 5, "box": (0, 0, 10, 10), "class": "Icon", "disabled": True},
]


def messages() -> dict[str, Any]:
    """Classes of tf.train.Example and android_env's AndroidAccessibilityForest.

    They have only the fields that the adapter reads.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="small.proto", package="small", syntax="proto3")
    kinds = {"bytes": 12, "int64": 3, "int32": 5, "string": 9, "bool": 8}

    def add(name: str, *fields: tuple[str, int, str, bool]) -> None:
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            entry = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in kinds:
                entry.type = kinds[kind]
            else:
                entry.type, entry.type_name = 11, f".small.{kind}"

    add("BytesList", ("value", 1, "bytes", True))
    add("Int64List", ("value", 1, "int64", True))
    add("Feature", ("bytes_list", 1, "BytesList", False), ("int64_list", 3, "Int64List", False))
    # On the wire, a map is a list of entries.
    add("Entry", ("key", 1, "string", False), ("value", 2, "Feature", False))
    add("Features", ("feature", 1, "Entry", True))
    add("Example", ("features", 1, "Features", False))
    add(
        "Rect",
        *(
            (side, number, "int32", False)
            for number, side in enumerate(("left", "top", "right", "bottom"), 1)
        ),
    )
    add(
        "Node",
        ("unique_id", 1, "int32", False),
        ("bounds", 2, "Rect", False),
        ("class_name", 3, "string", False),
        ("text", 7, "string", False),
        ("clickable", 14, "bool", False),
        ("editable", 15, "bool", False),
        ("enabled", 16, "bool", False),
        ("visible", 23, "bool", False),
        ("child_ids", 25, "int32", True),
    )
    add("Tree", ("nodes", 1, "Node", True))
    add("Window", ("layer", 4, "int32", False), ("tree", 11, "Tree", False))
    add("Forest", ("windows", 1, "Window", True))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"small.{name}"))
        for name in ("Example", "Forest")
    }


def forest(made: dict[str, Any]) -> bytes:
    """A serialised forest: a window with NODES, which covers another one."""
    message = made["Forest"]()
    below = message.windows.add(layer=0)
    node = below.tree.nodes.add(unique_id=1, class_name="Wallpaper", enabled=True, visible=True)
    node.bounds.right, node.bounds.bottom = SIZE
    window = message.windows.add(layer=2)
    for entry in NODES:
        node = window.tree.nodes.add(
            unique_id=entry["id"],
            class_name=entry["class"],
            text=entry.get("text", ""),
            clickable=entry.get("clickable", False),
            editable=entry.get("editable", False),
            enabled=not entry.get("disabled"),
            visible=not entry.get("hidden"),
        )
        node.bounds.left, node.bounds.top, node.bounds.right, node.bounds.bottom = entry["box"]
        node.child_ids.extend(entry.get("children", []))
    return message.SerializeToString()


def screenshot(number: int, step: int) -> np.ndarray:
    """The screen of a step, (height, width, 3) uint8, different for every step."""
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    picture[:, :, 0], picture[:, :, 1] = number * 20, step * 20
    picture[BUTTON[1] : BUTTON[3], BUTTON[0] : BUTTON[2], 2] = 255
    return picture


def example(made: dict[str, Any], number: int) -> bytes:
    """An episode as a serialised tf.train.Example."""
    from PIL import Image

    goal, actions = EPISODES[number]
    screens = []
    for step in range(len(actions) + 1):
        png = io.BytesIO()
        Image.fromarray(screenshot(number, step)).save(png, "PNG")
        screens.append(png.getvalue())
    strings = {
        "goal": [goal.encode()],
        "screenshots": screens,
        "accessibility_trees": [forest(made)] * len(screens),
        "actions": [json.dumps(action).encode() for action in actions],
        "step_instructions": [f"step {k} of {number}".encode() for k in range(len(actions))],
    }
    integers = {
        "episode_id": [number],
        "screenshot_widths": [SIZE[0]] * len(screens),
        "screenshot_heights": [SIZE[1]] * len(screens),
    }
    message = made["Example"]()
    for key, values in strings.items():
        message.features.feature.add(key=key).value.bytes_list.value.extend(values)
    for key, values in integers.items():
        message.features.feature.add(key=key).value.int64_list.value.extend(values)
    return message.SerializeToString()


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, as RFC 3720 (appendix B.4) defines it; independent of the library."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """The data framed as a TFRecord: length, its checksum, data, its checksum."""

    def masked(part: bytes) -> bytes:
        crc = crc32c(part)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def write(folder: Path) -> None:
    """Write the dataset as it is downloaded: compressed shards and the two files of splits."""
    made = messages()
    folder.mkdir(parents=True, exist_ok=True)
    for shard, numbers in enumerate(([4, 9], [7])):
        name = folder / f"android_control-{shard:05d}-of-00002"
        name.write_bytes(
            gzip.compress(b"".join(record(example(made, number)) for number in numbers))
        )
    (folder / "splits.json").write_text(
        json.dumps({"train": [4], "validation": [], "test": [7, 9]})
    )
    (folder / "test_subsplits.json").write_text(
        json.dumps({"IDD": [7], "app_unseen": [9], "task_unseen": [7, 9], "category_unseen": []}),
    )
