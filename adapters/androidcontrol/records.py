"""A reader, without TensorFlow, of TFRecord files, tf.train.Example and accessibility forests.

A record is its length (uint64, little endian), the masked CRC-32C of that, the data, and the masked
CRC-32C of the data; see TensorFlow's tfrecord_writer.py. Messages are read by their field numbers
(protobuf.dev, "Encoding"), those of TensorFlow's example.proto and feature.proto and of
android_env's proto/a11y.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Union

from harness.core import Element

__all__ = [
    "BadRecord",
    "Episode",
    "elements",
    "episode_of",
    "framed",
    "read_record",
    "read_records",
]

MASK_DELTA = 0xA282EAD8
LONGEST = 1 << 31
"""Maximum size of a record in bytes; a greater length is damaged."""
Value = Union[int, bytes]
Fields = Mapping[int, list[Value]]


class BadRecord(Exception):
    """A file is not a TFRecord file, is truncated, or has unexpected content."""


def _masked(data: bytes) -> int:
    """The masked CRC-32C of `data`."""
    import google_crc32c

    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def framed(data: bytes) -> bytes:
    """The record that holds `data`."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", _masked(length)), data, struct.pack("<I", _masked(data)))
    )


def read_record(file: BinaryIO) -> bytes | None:
    """The data of the next record, or None at the end of the file. Raises BadRecord."""
    head = file.read(12)
    if not head:
        return None
    if len(head) < 12 or struct.unpack("<I", head[8:])[0] != _masked(head[:8]):
        raise BadRecord("the length of a record is damaged")
    (length,) = struct.unpack("<Q", head[:8])
    if length > LONGEST:
        raise BadRecord(f"a record of {length} bytes")
    data = file.read(length)
    tail = file.read(4)
    if len(data) < length or len(tail) < 4:
        raise BadRecord("the file ends within a record")
    if struct.unpack("<I", tail)[0] != _masked(data):
        raise BadRecord("a record has another checksum than it was written with")
    return data


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """The data of all remaining records. Raises BadRecord."""
    while (data := read_record(file)) is not None:
        yield data


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise BadRecord("a message is cut short")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields_of(data: Value) -> Fields:
    """Parse a message: field number -> its values in order, integers as written, strings and nested
    messages as bytes. Raises BadRecord."""
    if isinstance(data, int):
        raise BadRecord("an integer stands where a message belongs")
    found: dict[int, list[Value]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire_type = key & 7
        if wire_type == 0:  # a varint
            value: Value
            value, at = _varint(data, at)
        else:
            if wire_type == 2:  # bytes, preceded by their length
                size, at = _varint(data, at)
            elif wire_type in (1, 5):  # 64 or 32 bits
                size = 8 if wire_type == 1 else 4
            else:
                raise BadRecord(f"a field of the unknown wire type {wire_type}")
            if at + size > len(data):
                raise BadRecord("a message is cut short")
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def _integers(values: list[Value]) -> list[int]:
    """Repeated int64, packed or not."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(number)
    return [number - (1 << 64) if number >> 63 else number for number in found]


def _bytes(values: list[Value]) -> list[bytes]:
    if any(isinstance(value, int) for value in values):
        raise BadRecord("integers stand where byte strings belong")
    return [value for value in values if not isinstance(value, int)]


def _first(fields: Fields, number: int, default: Value = b"") -> Value:
    return fields[number][-1] if number in fields else default


def _text(fields: Fields, number: int) -> str:
    value = _first(fields, number)
    return "" if isinstance(value, int) else value.decode(errors="replace")


def features_of(example: bytes) -> dict[str, list[bytes] | list[int]]:
    """The bytes_list and int64_list features of a tf.train.Example, by name. Raises BadRecord."""
    found: dict[str, list[bytes] | list[int]] = {}
    for features in fields_of(example).get(1, []):
        for entry in fields_of(features).get(1, []):
            item = fields_of(entry)
            feature = fields_of(_first(item, 2))
            if 1 in feature:
                found[_text(item, 1)] = _bytes(fields_of(feature[1][-1]).get(1, []))
            elif 3 in feature:
                found[_text(item, 1)] = _integers(fields_of(feature[3][-1]).get(1, []))
    return found


@dataclass(frozen=True)
class Episode:
    """A recorded episode: n actions between n + 1 screens, with an instruction per action."""

    id: int
    goal: str
    screenshots: tuple[bytes, ...]
    """PNG files."""
    forests: tuple[bytes, ...]
    sizes: tuple[tuple[int, int], ...]
    """(width, height) of each screenshot, px."""
    actions: tuple[str, ...]
    """JSON."""
    instructions: tuple[str, ...]


def episode_of(example: bytes) -> Episode:
    """The episode of a record. Raises BadRecord if a field is missing or the lengths disagree."""
    features = features_of(example)

    def integers(name: str) -> list[int]:
        return [value for value in features.get(name, []) if isinstance(value, int)]

    def strings(name: str) -> tuple[bytes, ...]:
        return tuple(value for value in features.get(name, []) if isinstance(value, bytes))

    ids, goals = integers("episode_id"), strings("goal")
    actions, instructions = strings("actions"), strings("step_instructions")
    screens, forests = strings("screenshots"), strings("accessibility_trees")
    sizes = tuple(zip(integers("screenshot_widths"), integers("screenshot_heights")))
    counts = {len(screens), len(forests), len(sizes)}
    if (
        len(ids) != 1
        or len(goals) != 1
        or counts != {len(actions) + 1}
        or len(instructions) != len(actions)
    ):
        raise BadRecord(
            "an episode of AndroidControl has an episode_id, a goal, n actions, "
            "n step_instructions, and n + 1 screenshots, sizes and accessibility_trees; "
            f"this one has {len(ids)}, {len(goals)}, {len(actions)}, {len(instructions)} "
            f"and {sorted(counts)}"
        )
    texts = [
        tuple(value.decode(errors="replace") for value in values)
        for values in (actions, instructions)
    ]
    return Episode(ids[0], goals[0].decode(errors="replace"), screens, forests, sizes, *texts)


def elements(forest: bytes) -> tuple[Element, ...]:
    """The visible nodes, topmost window first, numbered from 1; a node follows its parent.

    Raises BadRecord.
    """
    windows = sorted(
        (fields_of(window) for window in fields_of(forest).get(1, [])),
        key=lambda w: -_integers([_first(w, 4, 0)])[0],
    )
    found: list[Element] = []
    for window in windows:
        nodes = [
            fields_of(node) for tree in window.get(11, []) for node in fields_of(tree).get(1, [])
        ]
        known = {_integers([_first(node, 1, 0)])[0]: node for node in nodes}
        children = {number: _integers(node.get(25, [])) for number, node in known.items()}
        inner = {child for several in children.values() for child in several}
        # Depth first, from the roots, with a stack: (node, its nearest visible ancestor). A hidden
        # node passes its ancestor on to its children; `seen` ends cycles of damaged trees.
        waiting = [(number, 0) for number in reversed([*known]) if number not in inner]
        seen: set[int] = set()
        while waiting:
            number, parent = waiting.pop()
            if number in seen or number not in known:
                continue
            seen.add(number)
            if _first(known[number], 23, 0):
                found.append(_element(known[number], len(found) + 1, parent))
                parent = len(found)
            waiting.extend((child, parent) for child in reversed(children[number]))
    return tuple(found)


def _element(node: Fields, ref: int, parent: int) -> Element:
    bounds = fields_of(_first(node, 2))
    left, top, right, bottom = (_integers([_first(bounds, side, 0)])[0] for side in (1, 2, 3, 4))
    holds = {"focused": 18, "checked": 13, "clickable": 14, "editable": 15, "scrollable": 21}
    flags = [flag for flag, number in holds.items() if _first(node, number, 0)] + (
        [] if _first(node, 16, 0) else ["disabled"]
    )
    return Element(
        ref=ref,
        parent=parent,
        tag=_text(node, 3),
        text=_text(node, 7) or _text(node, 4) or _text(node, 5),
        value=_text(node, 7) if _first(node, 15, 0) else "",
        name=_text(node, 10),
        classes=(),
        x=float(left),
        y=float(top),
        width=float(max(0, right - left)),
        height=float(max(0, bottom - top)),
        flags=tuple(flags),
    )
