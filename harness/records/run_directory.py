"""The run directory, open for writing.

`run.json` says who plays what, how, and by which plan; `episodes.jsonl` has a line for each
episode; `traces/` has the executed actions. The rules that make a run survive a kill at any moment:

- One writer at a time: it holds an exclusive lock (flock) on episodes.jsonl, which the system
  releases when the process ends, however it ends. A process that foreign code forks lets go of it.
- A case counts once its whole line is in the file. Its trace is written first, so no line lacks
  its trace; a trace without a line belongs to a case that is played again.
- A write that fails halfway is cut off at once; a torn last line, left by a crash, when the
  directory is opened again.
- run.json is replaced in one step, never changed in place.
- Foreign code in this process may change the working directory or close our files, and somebody may
  move the directory away: its path is made absolute at once, and the files are looked at again.
- A directory holds results of one agent and one plan. Anything else is refused with the difference.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core import Result, UserError
from harness.records.case_states import CaseStates
from harness.records.contents import changed
from harness.records.held_file import Displaced, HeldFile
from harness.records.identity import UNNAMED
from harness.records.plan import CaseIndex, NotRun, Plan
from harness.records.plan_differences import differences as plan_differences
from harness.records.results import case_results
from harness.records.run_file import SCHEMA, read_run
from harness.records.safe_files import check_writable
from harness.records.stored_run import load_run
from harness.records.traces import Trace, TraceWriter

__all__ = ["RunDirectory", "StorageFull"]

SYNC_SECONDS = 1.0
"""The time between two fsyncs: what a power failure (not a kill) can cost at most."""


_LINE = json.JSONEncoder(allow_nan=False)


class StorageFull(Exception):
    """The run directory cannot be written to any more. What was written is intact.

    `remedy` is a sentence without its full stop.
    """

    def __init__(
        self, what: str, remedy: str = "Free some space; the same command then continues"
    ) -> None:
        super().__init__(what)
        self.remedy = remedy


class RunDirectory:
    """A run directory open for writing, and which cases of the plan have a score already."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        run: Mapping[str, Any],
        plan: Plan,
        folder: str | os.PathLike[str] = "",
    ) -> None:
        """Open or make the directory.

        `folder`: where a relative path begins; the working directory unless given.

        Raises UserError when another writer has it open, when it holds a run of another agent or
        plan or other files, or when it cannot be written to.
        """
        self._typed = path
        """For messages."""
        self.plan = plan
        try:
            self.path = Path(os.path.abspath(Path(folder, path)))
            self._refuse_other_files()
            (self.path / "traces").mkdir(parents=True, exist_ok=True)
            self._episodes = HeldFile(self.path / "episodes.jsonl", lock=True)
        except BlockingIOError:
            raise UserError(
                f"{path} is being written by another run. Wait for it, or choose another "
                "place with --out"
            ) from None
        except (OSError, ValueError) as fault:  # ValueError: a zero byte in the path
            why = fault.strerror if isinstance(fault, OSError) else fault
            raise UserError(
                f"cannot write to {path}: {why}. Choose another place with --out"
            ) from None
        # Readers name the path in their messages: as it was typed, if that still leads there.
        self._readable = Path(path) if os.path.abspath(path) == str(self.path) else self.path
        try:
            self._run = self._adopt(dict(run))
            self._done = CaseStates(plan)
            self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
            self._cut_torn_line()
            self._read_done()
            self._traces = TraceWriter(self.path / "traces")
        except BaseException:
            self._episodes.close()
            raise
        self._synced = time.monotonic()

    @property
    def dated(self) -> str:
        """When the run was finished, or begun where it is not."""
        return str(self._run["finished"] or self._run["created"])

    def _refuse_other_files(self) -> None:
        """Raises UserError if the directory holds something else than a run, or links."""
        if self.path.is_dir() and not (self.path / "run.json").exists():
            foreign = sorted(
                {entry.name for entry in self.path.iterdir()}
                - {"traces", "episodes.jsonl", "run.json.new", "log"}
            )
            if foreign:
                raise UserError(
                    f"{self._typed} holds other files ({', '.join(foreign[:3])}) and no run: "
                    "choose another place with --out"
                )
        check_writable(
            self.path, ("run.json", "run.json.new", "episodes.jsonl"), ("traces", "videos", "log")
        )

    def discard_if_unused(self) -> None:
        """Remove the directory if it was made here and nothing was played. Call it after close."""
        if self._made and self.in_place() and (self.path / "episodes.jsonl").stat().st_size == 0:
            for name in ("run.json", "episodes.jsonl"):
                (self.path / name).unlink()
            (self.path / "traces").rmdir()
            with contextlib.suppress(OSError):  # what workers have printed stays
                self.path.rmdir()

    def _adopt(self, run: dict[str, Any]) -> dict[str, Any]:
        """Write a new run.json, or check that the old one describes the same run."""
        file = self.path / "run.json"
        self._made = False
        begun = self._episodes.size() > 0
        old = read_run(self._readable) if file.exists() else None
        # An old plan without tasks is replaced: what they lacked may be installed by now.
        if old is None or not (begun or old["plan"]["items"]):
            self._made = True
            if begun:
                raise UserError(
                    f"{self._typed} has episodes but no run.json: it cannot go on. Choose another "
                    "place with --out"
                )
            run |= {
                "schema": SCHEMA,
                "created": _now(),
                "finished": None,
                "plan": self.plan.to_json(),
            }
            self._write(run)
            return run
        if run["agent"]["fingerprint"] == UNNAMED:
            raise UserError(
                f"{self._typed} holds a run already, and a run of a live object or a function "
                "never goes on: choose another place"
            )
        now, then = (
            each | {"args": each.get("identity", each["args"])}
            for each in (run["agent"], old["agent"])
        )
        differences = [
            f"{what} {now[what]!r} instead of {then[what]!r}"
            for what in ("entry", "args", "fingerprint")
            if now[what] != then[what]
        ]
        if differences and differences[-1].startswith("fingerprint"):
            differences[-1] = _changed_files(run["agent"], old["agent"])
        differences += plan_differences(self.plan, load_run(self._readable).whole)
        rules = run.get("stopping"), old.get("stopping")
        if rules[0] != rules[1]:
            differences.append(
                f"{rules[0] or 'all episodes'} instead of {rules[1] or 'all episodes'}"
            )
        if differences or old["plan"]["hash"] != self.plan.hash:
            what = "; ".join(differences) or "another plan"
            raise UserError(
                f"{self._typed} holds another run: {what}. Results are never blended: choose "
                "another --out, or repeat the old command"
            )
        return old

    def _write(self, run: Mapping[str, Any]) -> None:
        """Replace run.json in one step, so that a reader sees either the old or the new one."""
        temporary = self.path / "run.json.new"
        with self._storage():
            self._check_place()
            with open(temporary, "w") as file:
                json.dump(run, file, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path / "run.json")

    def _cut_torn_line(self) -> None:
        """Cut off a last line without a newline, which a crash left: its case is still missing."""
        end = position = self._episodes.size()
        while position > 0:
            start = max(0, position - 65536)
            newline = self._episodes.read(position - start, start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            self._episodes.truncate(position)

    def _read_done(self) -> None:
        for index, result in case_results(self._readable, self.plan):
            if result.status != "error":
                self._mark(index, result)

    def _mark(self, index: CaseIndex, result: Result) -> None:
        self._done[index] = 1
        self.counts[result.status] += 1
        self.counts["successes"] += bool(result.success)

    def done(self, index: CaseIndex) -> bool:
        """Whether this case has a score."""
        return bool(self._done[index])

    def missing(self) -> int:
        """How many cases of the plan have no score."""
        return sum(
            self._done.of(number, condition).count(0)
            for number in range(len(self.plan.items))
            for condition in self.plan.conditions_of(number)
        )

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Write one episode: its trace, then its line.

        `now`: a monotonic clock in seconds; the disk is synced at most once in SYNC_SECONDS.
        Raises StorageFull; then the line is not in the file.
        """
        # As dataclasses.asdict, which copies what is plain already.
        line = _LINE.encode(vars(result)).encode() + b"\n"
        with self._storage():
            if trace is not None:
                self._traces.append(trace)
            self._episodes.append(line)
            if now - self._synced > SYNC_SECONDS:
                self._check_place()
                self._episodes.sync()
                self._synced = now
        index = self.plan.locate(result.task, result.seed, result.perturbations)
        if index is not None and result.status != "error":
            self._mark(index, result)

    def not_run(self, rows: tuple[NotRun, ...]) -> None:
        """Record tasks of which it turned out during the run that they cannot run here."""
        known = {(row["task"], row.get("perturbation")) for row in self._run["plan"]["not_run"]}
        self._run["plan"]["not_run"] += [
            dataclasses.asdict(row) for row in rows if (row.task, row.perturbation) not in known
        ]
        self._write(self._run)

    def stop(self, ends: Mapping[str, int]) -> None:
        """Record where a stopping rule ended the run: task id -> episodes that count.

        Raises StorageFull.
        """
        if self._run.get("stopped") != dict(ends):
            self._run["stopped"] = dict(ends)
            self._write(self._run)

    def close(self, *, finished: bool) -> None:
        """Sync and release the directory; `finished` stamps run.json. Raises StorageFull."""
        try:
            with self._storage():
                self._traces.close()
                self._check_place()
                self._episodes.sync()
                if finished and not self._run["finished"]:
                    self._run["finished"] = _now()
                    self._write(self._run)
        finally:
            self._episodes.close()

    def in_place(self) -> bool:
        """Whether the path still leads to the directory that was opened."""
        return self._episodes.in_place()

    def _check_place(self) -> None:
        if not self.in_place():
            raise StorageFull(
                f"the run directory {self._typed} was removed or renamed while the run wrote to it",
                "If it was renamed, give it its name back; the same command then continues",
            )

    @contextlib.contextmanager
    def _storage(self) -> Iterator[None]:
        """Turns an OSError into StorageFull, which says what has happened."""
        try:
            yield
        except Displaced as fault:
            raise StorageFull(
                f"cannot write the run directory: {fault.strerror}",
                "The same command continues; with --workers 1 foreign code has its own process",
            ) from fault
        except OSError as fault:
            self._check_place()
            raise StorageFull(
                f"cannot write the run directory: {fault.strerror or fault}"
            ) from fault


def _changed_files(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """In words, why two fingerprints differ."""
    text = "the agent's source or weights changed"
    if not isinstance(old.get("files"), dict):
        return text
    which = changed(old["files"], new["files"])
    # An argument that names a place to write to, and named the same when the run began.
    written = {
        name.partition("=")[0]
        for name, checksum in new["files"].items()
        if "=" in name and old["files"].get(name) != checksum and new["args"] == old["args"]
    }
    remedy = (
        f" (if the agent itself writes there, its class may declare outputs = "
        f"{tuple(sorted(written))!r})"
        if written
        else ""
    )
    return f"{text}: {which}{remedy}" if which else text


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
