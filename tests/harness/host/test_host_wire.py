"""What passes between the harness and a simulator of another interpreter: the nouns of harness.core
unchanged, and nothing else."""

from __future__ import annotations

import math
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np
import pytest
from toys import toy_task

from harness.core import Box, Brief, Case, Discrete, Element, Field, Normaliser, UIAction
from harness.host.wire import LAZY, LONGEST, Garbage, Memory, Wire


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, int]]:
    """Two ends of a socket, and a file."""
    left, right = socket.socketpair()
    memory = os.memfd_create("test")
    with left, right:
        yield left, right, memory
    os.close(memory)


@pytest.fixture
def wires(ends: tuple[socket.socket, socket.socket, int]) -> tuple[Wire, Wire]:
    """The child's end and the worker's."""
    return Wire(ends[0], Memory(ends[2]), writes=True), Wire(ends[1], Memory(ends[2]), writes=False)


def test_everything_passes_unchanged(wires: tuple[Wire, Wire]) -> None:
    child, worker = wires
    task = toy_task(size=4, normaliser=Normaliser(0.0, 1.0))
    brief = Brief(
        {"state": Box((2,), low=(0.0, -math.inf), high=1.0)},
        Discrete(2, ("a", "b")),
        "body",
        "toy",
        None,
    )
    element = Element(1, 0, "p", "text", "", "", ("a", "b"), 0.0, 1.0, 2.0, 3.0)
    for value in (
        None,
        True,
        3,
        -1.5,
        math.inf,
        "words \ud800",
        b"\x00\xff",
        [1, [2]],
        (1, ("a",)),
        {"a": (1.0,), 3: None},
        LAZY,
        task,
        Case(task, 5),
        brief,
        (element,),
        UIAction("click", x=1.0, y=2.5),
    ):
        child.send(["ok", value])
        assert worker.receive() == ["ok", value]
        worker.send(value)
        assert child.receive() == value
    hand = Field("eef_position", 3, "delta", "world", "m", scale=(0.05, 0.05, 0.1))
    child.send(Box((3,), layout=(hand,)))
    assert worker.receive().layout == (hand,)  # boxes are equal whatever their layouts
    for array in (
        np.float32(1.5),
        np.int64(3),
        np.bool_(True),
        np.str_("a"),
        np.zeros((0, 3)),
        np.array(2.0),
        np.arange(6, dtype=">i2").reshape(2, 3).T,
        np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8),
        np.arange(10_000.0)[::2],
    ):
        child.send([array, array])
        for came in worker.receive():
            assert (type(came), came.dtype, came.shape) == (type(array), array.dtype, array.shape)
            assert np.array_equal(came, array)
        assert not isinstance(came, np.ndarray) or came.flags.writeable


def test_large_arrays_do_not_pass_the_socket(wires: tuple[Wire, Wire]) -> None:
    child, worker = wires
    image = np.random.default_rng(1).integers(0, 255, (2000, 2000), np.uint8)
    child.send(image)  # nobody reads: a socket would fill up
    assert np.array_equal(worker.receive(), image)


def test_what_is_none_of_ours_does_not_pass(wires: tuple[Wire, Wire]) -> None:
    child, _ = wires
    for value in (
        object(),
        np.array([object()]),
        np.zeros(2, "datetime64[s]"),
        1 << 70,
        {1, 2},
        lambda: 0,
    ):
        with pytest.raises((TypeError, OverflowError)):
            child.send(value)


def ext(code: int, value: Any) -> bytes:
    return msgpack.packb(msgpack.ExtType(code, msgpack.packb(value)))


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        ext(99, 1),
        ext(1, ["|O", [1], b"12345678"]),
        ext(1, ["<f8", [7], b"1"]),
        ext(2, ["<f4", [4, 4], 0]),
        ext(2, ["<f4", [4], -8]),
        ext(5, ["Path", {"a": 1}]),
        ext(5, ["Task", {"id": "x"}]),
        ext(3, 7),
    ],
)
def test_garbage_is_said_to_be_garbage(
    ends: tuple[socket.socket, socket.socket, int], body: bytes
) -> None:
    ends[0].sendall(struct.pack("<I", len(body)) + body)
    with pytest.raises(Garbage):
        Wire(ends[1], Memory(ends[2]), writes=False).receive()


def test_what_is_too_long_or_too_short(ends: tuple[socket.socket, socket.socket, int]) -> None:
    wire = Wire(ends[1], Memory(ends[2]), writes=False)
    ends[0].sendall(struct.pack("<I", LONGEST + 1))
    with pytest.raises(Garbage):
        wire.receive()
    ends[0].sendall(b"\x05\x00\x00\x00a")
    ends[0].close()
    with pytest.raises(EOFError):
        wire.receive()
