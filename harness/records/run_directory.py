"""The run directory: `run.json` (who, what, how, the plan), `episodes.jsonl` (a line an episode), `traces/` (the executed actions).

One writer at a time. A line is on disk before it counts, a torn last line is cut off when the directory is opened again, and a directory
only ever holds results of one agent and one plan.
"""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core import Result, UserError
from harness.records.identity import UNNAMED
from harness.records.plan import CaseIndex, CaseStates, NotRun, Plan
from harness.records.results import case_results
from harness.records.run_file import SCHEMA, read_run
from harness.records.traces import Trace, TraceWriter

__all__ = ["RunDirectory", "StorageFull"]

SYNC_SECONDS = 1.0


class StorageFull(Exception):
    """The run directory cannot be written to any more; what was written is whole and the run can go on when there is room."""


class RunDirectory:
    """A run directory open for writing. `done(index)` tells which cases of the plan have a score already."""

    def __init__(self, path: str | os.PathLike[str], run: Mapping[str, Any], plan: Plan) -> None:
        """Open or make the directory. Raises UserError when another writer holds it, or when it holds a run of another agent or plan."""
        self.path = Path(path)
        self.plan = plan
        if self.path.is_dir() and not (self.path / "run.json").exists():
            foreign = sorted(
                {entry.name for entry in self.path.iterdir()}
                - {"traces", "episodes.jsonl", "run.json.new"}
            )
            if foreign:
                raise UserError(
                    f"{self.path} holds other things ({', '.join(foreign[:3])}) and no run: choose another place with --out"
                )
        try:
            (self.path / "traces").mkdir(parents=True, exist_ok=True)
            self._episodes = open(self.path / "episodes.jsonl", "ab+", buffering=0)  # noqa: SIM115 - held for the life of the run
        except OSError as fault:
            raise UserError(
                f"cannot write to {self.path}: {fault.strerror}. Choose another place with --out"
            ) from None
        try:
            fcntl.flock(self._episodes, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._episodes.close()
            raise UserError(
                f"{self.path} is being written by another run. Wait for it, or choose another place with --out"
            ) from None
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
        self._synced = 0.0

    def discard_if_unused(self) -> None:
        """Remove a directory that this opening made and in which nothing was played. Call it after close."""
        if self._made and (self.path / "episodes.jsonl").stat().st_size == 0:
            for name in ("run.json", "episodes.jsonl"):
                (self.path / name).unlink()
            (self.path / "traces").rmdir()
            self.path.rmdir()

    def _adopt(self, run: dict[str, Any]) -> dict[str, Any]:
        """Write a new run.json, or check that the old one is of the same run."""
        file = self.path / "run.json"
        # Nothing was planned: what was missing may have been installed since.
        empty = file.exists() and not (self._episodes.tell() or read_run(self.path)["plan"]["items"])
        self._made = not file.exists() or empty
        if self._made:
            if self._episodes.tell():
                raise UserError(
                    f"{self.path} has episodes but no run.json: it cannot go on. Choose another place with --out"
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
                f"{self.path} holds a run already, and a run of a live object or a function never "
                "goes on: choose another place"
            )
        old = read_run(self.path)
        differences = [
            f"{what} {run['agent'][what]!r} instead of {old['agent'][what]!r}"
            for what in ("entry", "args", "fingerprint")
            if run["agent"][what] != old["agent"][what]
        ]
        if differences and differences[-1].startswith("fingerprint"):
            differences[-1] = "the agent's source or weights changed"
        differences += self.plan.differences(Plan.from_json(old["plan"]))
        rules = run.get("stopping"), old.get("stopping")
        if rules[0] != rules[1]:
            differences.append(
                f"{rules[0] or 'all episodes'} instead of {rules[1] or 'all episodes'}"
            )
        if differences or old["plan"]["hash"] != self.plan.hash:
            what = "; ".join(differences) or "another plan"
            raise UserError(
                f"{self.path} holds another run: {what}. Results are never blended: choose another --out, or repeat the old command"
            )
        return old

    def _write(self, run: Mapping[str, Any]) -> None:
        """Replace run.json in one step, so that a reader sees the old or the new one."""
        temporary = self.path / "run.json.new"
        with _room(), open(temporary, "w") as file:
            json.dump(run, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path / "run.json")

    def _cut_torn_line(self) -> None:
        """A crash can leave a last line without its end: cut it, its case is simply still missing."""
        end = self._episodes.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            start = max(0, position - 65536)
            self._episodes.seek(start)
            newline = self._episodes.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            os.ftruncate(self._episodes.fileno(), position)

    def _read_done(self) -> None:
        for index, result in case_results(self.path, self.plan):
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
        """Write one episode: its trace, then its line. `now` is a monotonic clock in seconds; the disk is synced at most once a second.

        Raises StorageFull; then the line is not in the file.
        """
        line = json.dumps(dataclasses.asdict(result), allow_nan=False).encode() + b"\n"
        with _room():
            if trace is not None:
                self._traces.append(trace)
            before = self._episodes.seek(0, os.SEEK_END)
            try:
                written = self._episodes.write(line)
                if written != len(line):
                    raise OSError(28, "No space left on device")
            except OSError:
                os.ftruncate(self._episodes.fileno(), before)
                raise
            if now - self._synced > SYNC_SECONDS:
                os.fsync(self._episodes.fileno())
                self._synced = now
        index = self.plan.locate(result.task, result.seed, result.perturbations)
        if index is not None and result.status != "error":
            self._mark(index, result)

    def not_run(self, rows: tuple[NotRun, ...]) -> None:
        """Record tasks that turned out not to run here."""
        known = {(row["task"], row.get("perturbation")) for row in self._run["plan"]["not_run"]}
        self._run["plan"]["not_run"] += [
            dataclasses.asdict(row) for row in rows if (row.task, row.perturbation) not in known
        ]
        self._write(self._run)

    def stop(self, ends: Mapping[str, int]) -> None:
        """Record where a run that stops by a rule has stopped: the episodes of each task that count. Raises StorageFull."""
        if self._run.get("stopped") != dict(ends):
            self._run["stopped"] = dict(ends)
            self._write(self._run)

    def close(self, *, finished: bool) -> None:
        """Sync and release the directory; `finished` stamps run.json."""
        try:
            self._traces.close()
            with _room():
                os.fsync(self._episodes.fileno())
                if finished and not self._run["finished"]:
                    self._run["finished"] = _now()
                    self._write(self._run)
        finally:
            self._episodes.close()


class _room:
    """Turn a full or failing disk into StorageFull."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: object
    ) -> None:
        if isinstance(fault, OSError):
            raise StorageFull(
                f"cannot write the run directory: {fault.strerror or fault}"
            ) from fault


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
