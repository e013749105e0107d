"""The wire protocol between a worker and a child interpreter.

A message is its length (4 bytes, little endian) and that many bytes of msgpack, over a local
socket. The worker sends a request and waits for the answer: there is never more than one message
under way. Large arrays do not pass through the socket but through a memory-mapped file, where the
next message overwrites them. Views are large, and an agent may not read them, so a timestep names
them (LAZY) and each is fetched by a request when it is read.

Only the types below can pass: unlike pickle, no message can run code, and the two interpreters may
have different versions of Python and numpy. Uses the standard library, numpy and msgpack only, and
runs on Python 3.9.
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
    Field,
    Goal,
    Missing,
    MultiDiscrete,
    Normaliser,
    Perturbation,
    Reference,
    Skill,
    SkillCall,
    SkillEnd,
    SkillsNow,
    Task,
    Text,
    Texts,
    UIAction,
)

__all__ = ["LAZY", "LONGEST", "MAGIC", "PROTOCOL", "Garbage", "Memory", "Wire"]

MAGIC = "bench-host"
PROTOCOL = 1
"""Raised when a message changes its meaning."""
LARGE = 4096
"""Arrays of at least this many bytes pass through the memory-mapped file."""
LONGEST = 1 << 28
"""The longest message in bytes; a longer one is garbage."""
_SPECS = (UI, Box, Discrete, Elements, MultiDiscrete, Text, Texts)
_OTHERS = (
    Brief,
    Case,
    Element,
    Field,
    Goal,
    Missing,
    Normaliser,
    Perturbation,
    Reference,
    Skill,
    SkillCall,
    SkillEnd,
    SkillsNow,
    Task,
    UIAction,
)
NOUNS: dict[str, type[Any]] = {kind.__name__: kind for kind in (*_SPECS, *_OTHERS)}
# Codes of msgpack's extension types: part of the protocol.
_INLINE, _MAPPED, _SCALAR, _TUPLE, _NOUN, _LAZY = range(1, 7)
_KINDS = "biufcSU"  # numpy's kinds of dtypes that may pass: no objects, which could run code
_LENGTH = struct.Struct("<I")


class Garbage(Exception):
    """What arrived is not a message of this protocol."""


class _Lazy:
    """Stands for a view that is fetched only when it is read."""


LAZY = _Lazy()


class Memory:
    """The file through which large arrays pass: the child writes, the worker reads.

    It is known by its descriptor and has no name, so that nothing is left on disk.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._end = 0

    def rewind(self) -> None:
        """Begin the next message: the arrays of the last one have been read."""
        self._end = 0

    def write(self, array: np.ndarray) -> int:
        """Append a contiguous array; returns its offset in bytes."""
        begin, end = self._end, self._end + array.nbytes
        if self._map is None or end > len(self._map):
            os.ftruncate(self._descriptor, end)
            self._map = mmap.mmap(self._descriptor, end)
        np.frombuffer(self._map, array.dtype, array.size, begin)[:] = array.reshape(-1)
        self._end = -(-end // 64) * 64  # the next array is aligned to a cache line
        return begin

    def read(self, dtype: np.dtype[Any], shape: tuple[int, ...], begin: int) -> np.ndarray:
        """A copy of the array at the offset `begin`. Raises Garbage if the file ends before it."""
        count = int(np.prod(shape, dtype=np.int64))
        end = begin + count * dtype.itemsize
        if self._map is None or end > len(self._map):
            if begin < 0 or count < 0 or end > os.fstat(self._descriptor).st_size:
                raise Garbage(f"an array of {dtype} {shape} at {begin} that was never written")
            self._map = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._map, dtype, count, begin).reshape(shape).copy()


class Wire:
    """One end of the socket."""

    def __init__(self, connection: socket.socket, memory: Memory, *, writes: bool) -> None:
        """`writes`: this end sends large arrays through `memory`, and the other end reads them."""
        self._connection = connection
        self._memory = memory
        self._packer = msgpack.Packer(
            default=self._encode, strict_types=True, unicode_errors="surrogatepass"
        )
        self._writes = writes

    def send(self, message: Any) -> None:
        """Send one message.

        Raises TypeError or OverflowError on a value that cannot pass (then nothing was sent), and
        OSError.
        """
        self._memory.rewind()
        packed = self._packer.pack(message)
        if len(packed) > LONGEST:
            raise TypeError(f"a message of {len(packed)} bytes is too long")
        self._connection.sendall(_LENGTH.pack(len(packed)) + packed)

    def receive(self) -> Any:
        """The next message.

        Raises EOFError if the other end is gone, Garbage if this is no message, and OSError.
        """
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
        except Exception as wrong:
            # msgpack raises many kinds of errors, and so do the constructors of the nouns.
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
        for plain in (str, int, float, bytes, list):  # their subclasses, for example enums
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
