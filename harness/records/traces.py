"""The executed actions of every episode, in `traces/part-NNNN.msgpack`.

A part is a stream of msgpack maps, one for each episode. Whenever a run directory is opened for
writing, a new part begins: a torn record, left by a crash, is then always the last one of its part,
where the reader can skip it. A case that was played twice has two records; the last one counts.

Actions of one episode are packed together: texts as a list, UI actions as JSON, and numbers as one
zlib-compressed array of shape (steps, *action shape) in the dtype of the action spec; choices in
the smallest integer type that holds them.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from harness.core import UIAction, UserError

__all__ = [
    "Trace", "TraceWriter", "action_bytes", "encode_actions", "locate_traces", "read_part",
    "read_trace", "read_traces", "trace_parts",
]  # fmt: skip

MAX_RECORD = 256 * 1024 * 1024
"""In bytes, packed and unpacked: a hostile file must not fill the memory."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What was sent to the simulator in one episode."""

    case: str
    task: str
    seed: int
    instruction: str
    """The instruction at the start."""
    actions: dict[str, Any]
    """The result of encode_actions."""
    digest: str
    pixels: str = ""
    """A digest of the images that the agent saw after the reset; empty where it reads none.

    A different one proves nothing: machines and drivers draw differently."""

    @property
    def length(self) -> int:
        """The number of actions. Raises UserError when they are damaged."""
        try:
            texts = self.actions.get("texts", self.actions.get("ui"))
            return len(texts) if texts is not None else int(self.actions["shape"][0])
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as fault:
            raise UserError(
                f"the trace of {self.case} is damaged: {type(fault).__name__}: {fault}"
            ) from None

    def decoded(self) -> list[Any]:
        """The actions in order: int, str, UIAction, or an array of the spec's shape and dtype.

        Raises UserError when they are damaged.
        """
        try:
            return self._decoded()
        except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as fault:
            raise UserError(
                f"the trace of {self.case} is damaged: {type(fault).__name__}: {fault}"
            ) from None

    def _decoded(self) -> list[Any]:
        if "texts" in self.actions:
            return list(self.actions["texts"])
        if "ui" in self.actions:
            return [UIAction.decode(text) for text in self.actions["ui"]]
        shape = tuple(self.actions["shape"])
        dtype = np.dtype(self.actions["dtype"])
        if dtype.kind not in "fiub":
            raise UserError(f"the trace of {self.case} has the dtype {dtype}, which no action has")
        data = zlib.decompressobj().decompress(self.actions["data"], MAX_RECORD)
        array = np.frombuffer(data, dtype).reshape(shape)
        return array.tolist() if self.actions["plain"] else [np.asarray(row) for row in array]


def encode_actions(actions: Sequence[Any]) -> dict[str, Any]:
    """Actions of one spec as a record holds them; see the text of this module."""
    if actions and isinstance(actions[0], str):
        return {"texts": list(actions)}
    if actions and isinstance(actions[0], UIAction):
        return {"ui": [action.encode() for action in actions]}
    array = np.asarray(actions)
    plain = not actions or isinstance(actions[0], int)
    if not actions:
        array = np.zeros(0, np.uint8)
    elif plain:
        array = array.astype(np.min_scalar_type(int(array.max())))
    return {
        "plain": plain,
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "data": zlib.compress(array.tobytes(), 1),
    }


def action_bytes(actions: Sequence[Any]) -> bytes:
    """Actions of one spec as bytes, for a digest."""
    if actions and isinstance(actions[0], str):
        return "\0".join(actions).encode(errors="surrogatepass")
    if actions and isinstance(actions[0], UIAction):
        return "\0".join(action.encode() for action in actions).encode(errors="surrogatepass")
    return np.asarray(actions).tobytes()


class TraceWriter:
    """Appends records to a new part, which is made at the first record."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None

    def append(self, trace: Trace) -> None:
        """Write one record. Raises OSError when the disk is full; then no part of it remains."""
        if self._file is None:
            parts = self._folder.glob("part-*.msgpack")
            number = 1 + max((int(part.stem.partition("-")[2]) for part in parts), default=-1)
            path = self._folder / f"part-{number:04d}.msgpack"
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - open as long as the run
        record = msgpack.packb(vars(trace))
        before = self._file.tell()
        try:
            if self._file.write(record) != len(record):
                raise OSError(28, "No space left on device")
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            self._file.seek(before)
            raise

    def close(self) -> None:
        """Sync and close the part."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()


def read_traces(run: str | os.PathLike[str]) -> Iterator[Trace]:
    """All traces of a run directory, oldest first, without torn records.

    Raises UserError on a record that is no trace.
    """
    return (trace for trace, _, _ in locate_traces(run))


def locate_traces(run: str | os.PathLike[str]) -> Iterator[tuple[Trace, Path, int]]:
    """As read_traces; each trace with its part and the byte where it begins."""
    for part in trace_parts(run):
        for trace, place in read_part(part):
            yield trace, part, place


def trace_parts(run: str | os.PathLike[str]) -> list[Path]:
    """The parts of a run directory, oldest first."""
    return sorted((Path(run) / "traces").glob("part-*.msgpack"))


def read_part(part: Path) -> Iterator[tuple[Trace, int]]:
    """The traces of one part, each with the byte where it begins; a torn record is left out.

    Raises UserError on a record that is no trace.
    """
    with part.open("rb") as file:
        unpacker = msgpack.Unpacker(file, max_buffer_size=MAX_RECORD)
        while True:
            place = unpacker.tell()
            try:
                record = unpacker.unpack()
            except msgpack.OutOfData:
                return
            except Exception as fault:  # msgpack raises many kinds on garbage
                raise UserError(f"{part} is damaged: {fault}") from None
            yield _trace(part, record), place


def read_trace(part: Path, place: int) -> Trace:
    """The trace that begins at byte `place` of a part, as read_part gave it.

    Raises UserError if there is none any more.
    """
    with part.open("rb") as file:
        file.seek(place)
        try:
            record = msgpack.Unpacker(file, max_buffer_size=MAX_RECORD).unpack()
        except Exception as fault:
            raise UserError(f"{part} is damaged: {fault}") from None
    return _trace(part, record)


def _trace(part: Path, record: Any) -> Trace:
    try:
        trace = Trace(**record)
    except TypeError:
        raise UserError(f"{part} holds a record that is no trace") from None
    texts = (trace.case, trace.task, trace.instruction, trace.digest, trace.pixels)
    if not all(isinstance(text, str) for text in texts) or type(trace.seed) is not int:
        raise UserError(f"{part} holds a record that is no trace")
    return trace
