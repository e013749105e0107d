"""Memory that two processes of one machine share without a name, so that none can be left behind.

The writer makes a block and sends its file descriptor through a socket; the kernel frees the block
when neither process holds it any more, however they end. What the reader hands out are views of
the block. The reader says when nobody holds one of them, and then the writer uses the block again.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Sequence

import numpy as np

__all__ = ["ReadBlocks", "WriteBlocks", "offsets"]

ALIGNED = 64
SMALLEST = 1 << 16
MOST_HELD = 64
"""Blocks that a reader looks after; an older one it gives up, and its holders own it."""


def offsets(sizes: Sequence[int]) -> tuple[list[int], int]:
    """(where each of several arrays begins in a block, the bytes of all)."""
    found, at = [], 0
    for size in sizes:
        found.append(at)
        at += -(-size // ALIGNED) * ALIGNED
    return found, at


class WriteBlocks:
    """The writer's blocks. Not thread-safe."""

    def __init__(self) -> None:
        self._blocks: dict[int, np.ndarray] = {}
        self._free: list[int] = []
        self._made = 0

    def take(self, size: int) -> tuple[int, np.ndarray, int | None]:
        """(number, its bytes, the descriptor if it is new and is to be sent and closed)."""
        fitting = [number for number in self._free if self._blocks[number].size >= size]
        if fitting:
            number = min(fitting, key=lambda each: self._blocks[each].size)
            self._free.remove(number)
            return number, self._blocks[number], None
        length = 1 << (max(size, SMALLEST) - 1).bit_length()
        descriptor = os.memfd_create("bench-views")
        os.ftruncate(descriptor, length)
        self._made += 1
        block = np.frombuffer(mmap.mmap(descriptor, length), np.uint8)
        self._blocks[self._made] = block
        return self._made, block, descriptor

    def release(self, freed: Sequence[int], given_up: Sequence[int]) -> None:
        """Take note of what the reader says of its blocks."""
        self._free += [number for number in freed if number in self._blocks]
        for number in given_up:
            self._blocks.pop(number, None)


class ReadBlocks:
    """The reader's side of the blocks of one writer. Not thread-safe."""

    def __init__(self) -> None:
        self._blocks: dict[int, np.ndarray] = {}
        self._held: list[int] = []

    def add(self, number: int, descriptor: int) -> None:
        """A new block. Closes the descriptor."""
        try:
            length = os.fstat(descriptor).st_size
            mapped = mmap.mmap(descriptor, length, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._blocks[number] = np.frombuffer(mapped, np.uint8)

    def read(
        self, number: int, at: int, count: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> np.ndarray:
        """The array of shape (count, *shape) that begins at byte `at` of the block."""
        size = count * int(np.prod(shape)) * dtype.itemsize
        rows = self._blocks[number][at : at + size].view(dtype)
        return rows.reshape((count, *shape))

    def hold(self, number: int) -> None:
        """Views of it are handed out."""
        self._held.append(number)

    def freed(self) -> tuple[list[int], list[int]]:
        """(blocks of which nobody holds a view any more, blocks that are given up)."""
        freed = []
        for number in self._held:
            # numpy makes the block's array the base of each view of it, also of a view of a view.
            # So nobody holds one if the array is known here alone: to the dict and to this call.
            if sys.getrefcount(self._blocks[number]) <= 2:
                freed.append(number)
        self._held = [number for number in self._held if number not in freed]
        given_up, self._held = self._held[:-MOST_HELD], self._held[-MOST_HELD:]
        for number in given_up:
            del self._blocks[number]
        return freed, given_up
