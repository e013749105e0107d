"""What passes between a worker and a child interpreter: msgpack over a local socket, large arrays through a memory-mapped file.

A message is its length (4 bytes, little endian) and that many bytes of msgpack. Only the types below exist: nothing that arrives can run code.
Standard library, numpy and msgpack only; runs on Python 3.9.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from harness.core import (
    UI,
    Box,
    Brief,
    Case,
    Discrete,
    Element,
    Elements,
    Missing,
    MultiDiscrete,
    Normaliser,
    Perturbation,
    Reference,
    Task,
    Text,
    Texts,
    UIAction,
)

__all__ = ["LAZY", "LONGEST", "MAGIC", "PROTOCOL", "Garbage", "Memory", "Wire"]

MAGIC = "bench-host"
PROTOCOL = 1
"""Rises when a message changes its meaning."""
LARGE = 4096
"""Arrays from so many bytes on go through the memory-mapped file, and are fetched only when they are read."""
LONGEST = 1 << 28
"""Bytes of the longest message: a longer one is garbage."""
_SPECS = (UI, Box, Discrete, Elements, MultiDiscrete, Text, Texts)
_OTHERS = (Brief, Case, Element, Missing, Normaliser, Perturbation, Reference, Task, UIAction)
NOUNS: dict[str, type[Any]] = {kind.__name__: kind for kind in (*_SPECS, *_OTHERS)}
_INLINE, _MAPPED, _SCALAR, _TUPLE, _NOUN, _LAZY = range(1, 7)
_KINDS = "biufcSU"
_LENGTH = struct.Struct("<I")


class Garbage(Exception):
    """What arrived is no message of ours."""


class _Lazy:
    """Stands for a view that is fetched when it is read."""


LAZY = _Lazy()


class Memory:
    """The file that large arrays pass through, by its descriptor: the child writes, the worker reads. It has no name, so nothing can stay behind."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._end = 0

    def rewind(self) -> None:
        """The next message begins: what the last one wrote has been read."""
        self._end = 0

    def write(self, array: np.ndarray) -> int:
        """Append a contiguous array; returns where it begins, in bytes."""
        begin, end = self._end, self._end + array.nbytes
        if self._map is None or end > len(self._map):
            os.ftruncate(self._descriptor, end)
            self._map = mmap.mmap(self._descriptor, end)
        np.frombuffer(self._map, array.dtype, array.size, begin)[:] = array.reshape(-1)
        self._end = -(-end // 64) * 64
        return begin

    def read(self, dtype: np.dtype[Any], shape: tuple[int, ...], begin: int) -> np.ndarray:
        """A copy of the array that lies there. Raises Garbage when the file ends before it."""
        count = int(np.prod(shape, dtype=np.int64))
        end = begin + count * dtype.itemsize
        if self._map is None or end > len(self._map):
            if begin < 0 or count < 0 or end > os.fstat(self._descriptor).st_size:
                raise Garbage(f"an array of {dtype} {shape} at {begin} that was never written")
            self._map = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._map, dtype, count, begin).reshape(shape).copy()


class Wire:
    """One end of the socket. `memory` is None until there is one to use."""

    def __init__(self, connection: socket.socket, memory: Memory, *, writes: bool) -> None:
        """`writes`: whether large arrays that are sent go through `memory`; the other end then reads them there."""
        self._connection = connection
        self._memory = memory
        self._packer = msgpack.Packer(
            default=self._encode, strict_types=True, unicode_errors="surrogatepass"
        )
        self._writes = writes

    def send(self, message: Any) -> None:
        """Send one message. Raises OSError, and TypeError or OverflowError on a value that cannot pass (then nothing was sent)."""
        self._memory.rewind()
        packed = self._packer.pack(message)
        if len(packed) > LONGEST:
            raise TypeError(f"a message of {len(packed)} bytes is too long")
        self._connection.sendall(_LENGTH.pack(len(packed)) + packed)

    def receive(self) -> Any:
        """The next message. Raises EOFError when the other end is gone, Garbage when it says something else, OSError."""
        chunk = self._connection.recv(1 << 16)
        while len(chunk) < _LENGTH.size:
            more = self._connection.recv(1 << 16)
            if not chunk + more or not more:
                raise EOFError
            chunk += more
        length = _LENGTH.unpack_from(chunk)[0]
        if length > LONGEST:
            raise Garbage(f"it says {chunk[:40]!r}")
        missing = length + _LENGTH.size - len(chunk)
        if missing > 0:
            rest = bytearray(missing)
            view = memoryview(rest)
            while missing:
                count = self._connection.recv_into(view[-missing:])
                if not count:
                    raise EOFError
                missing -= count
            chunk += rest
        try:
            return msgpack.unpackb(
                memoryview(chunk)[_LENGTH.size :],
                ext_hook=self._decode,
                strict_map_key=False,
                unicode_errors="surrogatepass",
            )
        except Garbage:
            raise
        except (
            Exception
        ) as wrong:  # msgpack raises many kinds, and a noun refuses wrong fields in its own way
            raise Garbage(f"it says {chunk[:40]!r}: {wrong}") from wrong

    def _pack(self, value: Any) -> bytes:
        packed: bytes = msgpack.packb(
            value, default=self._encode, strict_types=True, unicode_errors="surrogatepass"
        )
        return packed

    def _encode(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in _KINDS:
                raise TypeError(f"an array of {value.dtype} cannot pass to another interpreter")
            array = np.ascontiguousarray(value)
            if self._writes and array.nbytes >= LARGE:
                return msgpack.ExtType(
                    _MAPPED,
                    msgpack.packb([array.dtype.str, value.shape, self._memory.write(array)]),
                )
            return msgpack.ExtType(
                _INLINE, msgpack.packb([array.dtype.str, value.shape, array.tobytes()])
            )
        if isinstance(value, np.generic):
            if value.dtype.kind not in _KINDS:
                raise TypeError(f"a {value.dtype} cannot pass to another interpreter")
            return msgpack.ExtType(_SCALAR, msgpack.packb([value.dtype.str, value.tobytes()]))
        if type(value) is tuple:
            return msgpack.ExtType(_TUPLE, self._pack(list(value)))
        if value is LAZY:
            return msgpack.ExtType(_LAZY, b"")
        name = type(value).__name__
        if NOUNS.get(name) is type(value):
            fields = {field: getattr(value, field) for field in type(value).__dataclass_fields__}
            return msgpack.ExtType(_NOUN, self._pack([name, fields]))
        plain: Any
        for plain in (str, int, float, bytes, list):  # subclasses, an enum say
            if isinstance(value, plain):
                return plain(value)
        if isinstance(value, Mapping):
            return dict(value)
        raise TypeError(f"a {type(value).__module__}.{name} cannot pass to another interpreter")

    def _decode(self, code: int, data: bytes) -> Any:
        if code == _LAZY:
            return LAZY
        parts = msgpack.unpackb(
            data, ext_hook=self._decode, strict_map_key=False, unicode_errors="surrogatepass"
        )
        if code == _TUPLE:
            return tuple(parts)
        if code == _NOUN:
            return NOUNS[parts[0]](**parts[1])
        if code not in (_INLINE, _MAPPED, _SCALAR):
            raise Garbage(f"a value of the unknown kind {code}")
        dtype = np.dtype(parts[0])
        if dtype.kind not in _KINDS:
            raise Garbage(f"an array of {dtype}")
        if code == _SCALAR:
            return np.frombuffer(parts[1], dtype)[0]
        if code == _MAPPED:
            return self._memory.read(dtype, tuple(parts[1]), parts[2])
        return np.frombuffer(parts[2], dtype).reshape(parts[1]).copy()
