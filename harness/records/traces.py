"""The executed actions of every episode, in `traces/part-NNNN.msgpack`.

A part is a stream of msgpack maps, one for each episode. Whenever a run directory is opened for
writing, a new part begins: a torn record, left by a crash, is then always the last one of its part,
where the reader can skip it. A case that was played twice has two records; the last one counts.

Actions of one episode are packed together: texts as a list, UI actions as JSON, and numbers as one
zlib-compressed array of shape (steps, *action shape) in the dtype of the action spec; choices in
the smallest integer type that holds them.
"""

from __future__ import annotations

import math
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np

from harness.core import UIAction, UserError
from harness.records.held_file import HeldFile
from harness.records.safe_files import files_inside, open_inside

__all__ = [
    "Trace", "TraceWriter", "action_bytes", "action_table", "as_record", "encode_actions",
    "locate_traces", "read_part", "read_trace", "read_traces", "trace_parts",
]  # fmt: skip

MOST_RECORD = 64 << 20
"""Bytes of a record in the file."""
MOST_UNPACKED = 128 << 20
"""Bytes of the actions of one episode."""
MOST_ACTIONS = 1_000_000
"""Of one episode: each takes about a hundred bytes in memory, however small it is in the file."""
MOST_AXES = 8
FOLDER = "traces"
PART = r"part-\d{1,9}\.msgpack"
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
_NUMERIC = {"plain", "dtype", "shape", "data"}


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
    said: str = ""
    """The transcript of an agent that keeps one (`Answer.said`): a line for each answer."""

    @property
    def length(self) -> int:
        """The number of actions. Raises UserError when they are damaged."""
        try:
            return self._length()
        except ValueError as fault:
            raise self._damaged(fault) from None

    def decoded(self) -> list[Any]:
        """The actions in order: int, str, UIAction, or an array of the spec's shape and dtype.

        Raises UserError when they are damaged.
        """
        try:
            return self._decoded()
        except (zlib.error, ValueError, RecursionError) as fault:
            raise self._damaged(fault) from None

    def _damaged(self, fault: Exception) -> UserError:
        return UserError(
            f"the trace of {self.case} is damaged: {type(fault).__name__}: {str(fault)[:200]}"
        )

    def _length(self) -> int:
        """The number of actions, all parts of the record checked but `data`."""
        actions = self.actions
        if type(actions) is not dict:
            raise ValueError("its actions are no table")
        dtype = actions.get("dtype", "|u1")
        if type(dtype) is not str or not _DTYPE.fullmatch(dtype):
            raise ValueError(f"it has the dtype {dtype!s:.20}, which no action has")
        if actions.keys() in ({"texts"}, {"ui"}):
            (texts,) = actions.values()
            if type(texts) is not list or not all(type(text) is str for text in texts):
                raise ValueError("its texts are not a list of texts")
            count = len(texts)
        elif actions.keys() == _NUMERIC:
            shape = actions["shape"]
            if type(shape) is not list or not 1 <= len(shape) <= MOST_AXES:
                raise ValueError("its shape is not a list of one to eight sizes")
            if not all(type(size) is int and size >= 0 for size in shape):
                raise ValueError("its shape is not a list of sizes")
            if type(actions["data"]) is not bytes or type(actions["plain"]) is not bool:
                raise ValueError("its data are not bytes")
            count = shape[0]
        else:
            raise ValueError("it has other fields than actions have")
        if count > MOST_ACTIONS:
            raise ValueError(f"it has {count} actions; {MOST_ACTIONS} are read at most")
        return count

    def _decoded(self) -> list[Any]:
        self._length()
        if "texts" in self.actions:
            return list(self.actions["texts"])
        if "ui" in self.actions:
            return [UIAction.decode(text) for text in self.actions["ui"]]
        shape, dtype = tuple(self.actions["shape"]), np.dtype(self.actions["dtype"])
        size = math.prod(shape) * dtype.itemsize
        if size > MOST_UNPACKED:
            raise ValueError(f"its actions take {size} bytes; {MOST_UNPACKED} are read at most")
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(self.actions["data"], size + 1)
        if len(data) != size:
            raise ValueError(f"its data are not the {size} bytes that its shape asks for")
        array = np.frombuffer(data, dtype).reshape(shape)
        if self.actions["plain"]:
            if array.ndim != 1 or dtype.kind not in "iu":
                raise ValueError("its choices are not a row of whole numbers")
            choices: list[Any] = array.tolist()
            return choices
        return [np.asarray(row) for row in array]


def action_table(actions: Sequence[Any]) -> np.ndarray | None:
    """Actions of one spec as one array, as np.asarray makes it; None of texts and UI actions."""
    if not actions or isinstance(actions[0], (str, UIAction)):
        return None
    first = actions[0]
    if type(first) is np.ndarray and first.ndim:
        dtype, shape = first.dtype, first.shape
        # For many small arrays np.asarray takes three times as long.
        if all(type(each) is np.ndarray and each.dtype == dtype for each in actions) and all(
            each.shape == shape for each in actions
        ):
            joined = b"".join([each.tobytes() for each in actions])
            return np.frombuffer(joined, dtype).reshape(len(actions), *shape)
    return np.asarray(actions)


def encode_actions(actions: Sequence[Any], table: np.ndarray | None = None) -> dict[str, Any]:
    """Actions of one spec as a record holds them; see the text of this module.

    `table`: their `action_table`, where it is known.
    """
    if actions and isinstance(actions[0], str):
        return {"texts": list(actions)}
    if actions and isinstance(actions[0], UIAction):
        return {"ui": [action.encode() for action in actions]}
    array = np.asarray(actions) if table is None else table
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


def action_bytes(actions: Sequence[Any], table: np.ndarray | None = None) -> bytes:
    """Actions of one spec as bytes, for a digest; `table`: as that of `encode_actions`."""
    if actions and isinstance(actions[0], str):
        return "\0".join(actions).encode(errors="surrogatepass")
    if actions and isinstance(actions[0], UIAction):
        return "\0".join(action.encode() for action in actions).encode(errors="surrogatepass")
    return (np.asarray(actions) if table is None else table).tobytes()


def as_record(trace: Trace) -> bytes:
    """A trace as a part holds it."""
    fields = {name: value for name, value in vars(trace).items() if name != "said" or value}
    packed: bytes = msgpack.packb(fields)
    return packed


class TraceWriter:
    """Appends records to a new part, which is made at the first record."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: HeldFile | None = None

    def append(self, trace: Trace) -> None:
        """Write one record. Raises OSError when the disk is full; then no part of it remains."""
        if self._file is None:
            parts = files_inside(self._folder.parent, self._folder.name, PART)
            number = 1 + max(map(_number, parts), default=-1)
            self._file = HeldFile(self._folder / f"part-{number:04d}.msgpack", new=True)
        self._file.append(as_record(trace))

    def close(self) -> None:
        """Sync and close the part."""
        if self._file is not None:
            try:
                self._file.sync()
            finally:
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
    """The parts of a run directory, oldest first. Raises UserError if `traces` is a link."""
    names = files_inside(run, FOLDER, PART)
    return [Path(run) / FOLDER / name for name in sorted(names, key=_number)]


def _number(name: str) -> int:
    return int(name.partition("-")[2].partition(".")[0])


def read_part(part: Path) -> Iterator[tuple[Trace, int]]:
    """The traces of one part, each with the byte where it begins; a torn record is left out.

    Raises UserError on a record that is no trace.
    """
    with _open_part(part) as file:
        unpacker = _Unpacker(file)
        while True:
            place = unpacker.tell()
            try:
                record = unpacker.record()
            except msgpack.OutOfData:
                return
            except Exception as fault:  # msgpack raises many kinds on garbage
                raise UserError(f"{part} is damaged: {_said(fault)}") from None
            yield _trace(part, record), place


def read_trace(part: Path, place: int) -> Trace:
    """The trace that begins at byte `place` of a part, as read_part gave it.

    Raises UserError if there is none any more.
    """
    with _open_part(part) as file:
        file.seek(place)
        try:
            record = _Unpacker(file).record()
        except Exception as fault:
            raise UserError(f"{part} is damaged: {_said(fault)}") from None
    return _trace(part, record)


def _open_part(part: Path) -> BinaryIO:
    try:
        return open_inside(part.parent.parent, f"{FOLDER}/{part.name}")
    except FileNotFoundError:
        raise UserError(f"{part} is gone: the run directory was changed meanwhile") from None


def _said(fault: Exception) -> str:
    return " ".join(str(fault).split())[:200] or type(fault).__name__


class _Unpacker:
    """Reads records without ever holding more than a record of bench may take.

    An empty list takes a byte in the file and sixty in memory, so the lists and tables of a record
    are counted while they are made: there is one list at most, and two tables.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._made = 0
        self._unpacker = msgpack.Unpacker(
            file,
            max_buffer_size=MOST_RECORD,
            max_str_len=MOST_RECORD,
            max_bin_len=MOST_RECORD,
            max_array_len=MOST_ACTIONS,
            max_map_len=16,
            max_ext_len=0,
            ext_hook=_no_extension,
            list_hook=self._count,
            object_hook=self._count,
        )

    def _count(self, made: Any) -> Any:
        self._made += 1
        if self._made > 3:
            raise ValueError("a record has more lists than a trace has")
        return made

    def record(self) -> Any:
        """The next record. Raises msgpack.OutOfData at the end, and many kinds on garbage."""
        self._made = 0
        return self._unpacker.unpack()

    def tell(self) -> int:
        """The byte where the next record begins."""
        return int(self._unpacker.tell())


def _no_extension(code: int, data: bytes) -> Any:
    raise ValueError("a record has an extension type, which no trace has")


def _trace(part: Path, record: Any) -> Trace:
    try:
        trace = Trace(**record)
    except TypeError:
        raise UserError(f"{part} holds a record that is no trace") from None
    texts = (
        trace.case, trace.task, trace.instruction, trace.digest, trace.pixels, trace.said
    )  # fmt: skip
    if (
        not all(isinstance(text, str) for text in texts)
        or type(trace.seed) is not int
        or type(trace.actions) is not dict
    ):
        raise UserError(f"{part} holds a record that is no trace")
    return trace
