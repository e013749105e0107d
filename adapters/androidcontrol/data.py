"""The user's copy of the data set, prepared once: its test episodes, uncompressed, with an index.

Each of the twenty files of the download is compressed as a whole, so an episode cannot be read
without decompressing all those before it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from zlib import error as ZlibError

from adapters.androidcontrol.records import (
    BadRecord,
    Episode,
    episode_of,
    framed,
    read_record,
    read_records,
)
from adapters.androidcontrol.rules import recorded
from harness.core import BadAction, UserError

__all__ = ["SPLITS", "Steps", "folder_of", "missing_data", "prepare"]

VARIABLE = "ANDROIDCONTROL_DATA"
RECORDS, INDEX = "bench-test.tfrecord", "bench-test.json"
SPLITS: Mapping[str, str] = {
    "test": "test",
    "idd": "IDD",
    "app-unseen": "app_unseen",
    "task-unseen": "task_unseen",
    "category-unseen": "category_unseen",
}
"""Our name -> the key in splits.json (`test`) or test_subsplits.json."""
FORM = 1


def folder_of(params: Mapping[str, Any]) -> Path:
    """The folder of the prepared data: `params["data"]`, $ANDROIDCONTROL_DATA or
    ~/.cache/androidcontrol."""
    return Path(
        params.get("data") or os.environ.get(VARIABLE) or Path.home() / ".cache" / "androidcontrol"
    ).expanduser()


def missing_data(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """(what is missing of the data, the remedy), or None when the split can be played."""
    folder, split = folder_of(params), params.get("split", "test")
    prepare_it = f"python -m adapters.androidcontrol {folder}"
    if not (folder / INDEX).is_file():
        if next(folder.glob("android_control-*"), None) is None:
            return (
                f"there is no AndroidControl in {folder}",
                "download android_control-*-of-00020, splits.json and test_subsplits.json of "
                "gs://gresearch/android_control into a folder, run "
                "python -m adapters.androidcontrol FOLDER once, "
                f"and set {VARIABLE} to the folder",
            )
        return f"AndroidControl in {folder} is not prepared yet", f"run {prepare_it}"
    try:
        data = Steps.of(folder)
    except UserError as fault:
        return str(fault), f"run {prepare_it}"
    if split in SPLITS and not data.orders.get(split):
        return (
            f"the split {split} is not among the data in {folder}",
            f"put test_subsplits.json there and run {prepare_it} again",
        )
    return None


def prepare(source: Path, to: Path) -> str:
    """Write the test episodes of the records in `source`, and an index of them, to the folder `to`.

    Returns a summary for people. Raises UserError where the files are absent or damaged.
    """
    splits = _splits(source)
    wanted = {number for numbers in splits.values() for number in numbers}
    files = sorted(source.glob("android_control-*"))
    if not files:
        raise UserError(f"{source} has no files android_control-*")
    to.mkdir(parents=True, exist_ok=True)
    kept: dict[int, dict[str, Any]] = {}
    left_out = 0
    new = to / f"{RECORDS}.new"
    with new.open("wb") as out:
        for file in files:
            for episode, data in _episodes(file):
                if episode.id not in wanted or episode.id in kept:
                    continue
                steps = [k for k in range(len(episode.actions)) if _answerable(episode, k)]
                left_out += len(episode.actions) - len(steps)
                kept[episode.id] = {"at": out.tell(), "steps": steps}
                out.write(framed(data))
    new.replace(to / RECORDS)
    index = {"form": FORM, "splits": splits, "episodes": kept, "left_out": left_out}
    (to / f"{INDEX}.new").write_text(json.dumps(index))
    (to / f"{INDEX}.new").replace(to / INDEX)
    absent = len(wanted - kept.keys())
    total = sum(len(entry["steps"]) for entry in kept.values())
    summary = f"{len(kept)} test episodes, {total} steps in {to}"
    if left_out:
        summary += f"; {left_out} recorded steps that no action stands for were left out"
    if absent:
        summary += f"; {absent} test episodes are in none of the {len(files)} files"
    return summary


def _splits(source: Path) -> dict[str, list[int]]:
    found: dict[str, Any] = {}
    try:
        found.update(json.loads((source / "splits.json").read_text()))
        if (source / "test_subsplits.json").is_file():
            found.update(json.loads((source / "test_subsplits.json").read_text()))
        return {
            ours: [int(number) for number in found[theirs]]
            for ours, theirs in SPLITS.items()
            if theirs in found
        }
    except (OSError, ValueError, TypeError) as fault:
        raise UserError(
            f"the splits of AndroidControl in {source} cannot be read: {fault}"
        ) from None


def _episodes(file: Path) -> Iterator[tuple[Episode, bytes]]:
    try:
        with gzip.open(file, "rb") as records:
            for data in read_records(cast("BinaryIO", records)):
                yield episode_of(data), data
    except (BadRecord, OSError, EOFError, ZlibError) as fault:
        raise UserError(f"{file} is damaged: {fault}; download it again") from None


def _answerable(episode: Episode, step: int) -> bool:
    """Whether a UIAction can express the recorded action: it cannot, for example, type an empty
    text."""
    try:
        recorded(episode, step)
    except BadAction:
        return False
    return True


@dataclass(frozen=True)
class Steps:
    """The prepared data: the steps of each split, and where their episodes lie."""

    folder: Path
    at: Mapping[int, int]
    """Episode -> its offset in the file, bytes."""
    orders: Mapping[str, tuple[tuple[int, int], ...]]
    """Split -> (episode, step), shuffled by a hash: the first n are a fixed, representative sample,
    whatever the order of the files."""

    @classmethod
    def of(cls, folder: Path) -> Steps:
        """Read the index. Raises UserError if it is absent or of another format version."""
        file = folder / INDEX
        try:
            stamp = file.stat().st_mtime_ns
            known = _KNOWN.get(file)
            if known is None or known[0] != stamp:
                known = _KNOWN[file] = (stamp, cls._read(folder, json.loads(file.read_text())))
            return known[1]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise UserError(f"{file} cannot be read: {fault!r}") from None

    @classmethod
    def _read(cls, folder: Path, index: Mapping[str, Any]) -> Steps:
        if index["form"] != FORM:
            raise ValueError(f"it has the form {index['form']}, not {FORM}")
        episodes = {int(number): entry for number, entry in index["episodes"].items()}
        orders = {}
        for split, numbers in index["splits"].items():
            known = (number for number in numbers if number in episodes)
            steps = ((number, step) for number in known for step in episodes[number]["steps"])
            orders[split] = tuple(sorted(steps, key=_shuffled))
        return cls(folder, {number: int(entry["at"]) for number, entry in episodes.items()}, orders)

    def episode(self, number: int) -> Episode:
        """Read one episode. Raises BadRecord where the file does not hold it."""
        with (self.folder / RECORDS).open("rb") as file:
            file.seek(self.at[number])
            data = read_record(file)
        if data is None:
            raise BadRecord(f"{self.folder / RECORDS} is shorter than its index says")
        episode = episode_of(data)
        if episode.id != number:
            raise BadRecord(f"{self.folder / RECORDS} does not fit its index")
        return episode


_KNOWN: dict[Path, tuple[int, Steps]] = {}


def _shuffled(step: tuple[int, int]) -> bytes:
    return hashlib.blake2b(f"{step[0]} {step[1]}".encode(), digest_size=8).digest()
