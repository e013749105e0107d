"""The episodes of a run as LeRobotDatasets: what the agent saw at each step, and what it did.

A run holds the executed actions and no views. So each episode is replayed in its simulator, as
`bench show` does, and its views are recorded on the way; an episode whose replay takes another
course than the recording is left out. The layout is that of harness/demos/lerobot.py.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import Brief, UserError
from harness.core.grammar import counted
from harness.core.reads import view_of
from harness.demos.columns import encode, modules
from harness.demos.dataset import Demos
from harness.demos.lerobot import export
from harness.demos.record import DEFAULT_VIEWS, KeptEpisode, assemble
from harness.demos.recorder import EpisodeRecording
from harness.play.environments import ViewNotOffered, narrow
from harness.play.episode import episode_name
from harness.play.progress import Progress, Tally
from harness.records.stored_run import StoredRun
from harness.records.traces import locate_traces, read_trace
from harness.verify.episode_replay import EpisodeReplay, RecordedEpisode, ReplayedStep

__all__ = ["export_lerobot"]

OUTCOMES = {True: "successes", False: "failures", None: "scored"}
"""The folder of the episodes with this success; None: of a task that has a score only."""


def export_lerobot(
    run: StoredRun, out: Path, views: Sequence[str] | None, progress: Progress
) -> tuple[list[Path], list[str]]:
    """Write OUT/successes/FAMILY, OUT/failures/FAMILY and OUT/scored/FAMILY.

    A LeRobotDataset has no column for the success of an episode, hence the folders.
    views: as in Agent.reads; None: those that the agent reads, or else DEFAULT_VIEWS. Plays the
    run's simulators. Returns the folders of the datasets, and remarks on what is left out. Raises
    UserError where nothing is left, and where a package is missing.
    """
    modules()
    reads = [each for each in run.reads if view_of(each) != "expert"]
    wanted = list(views) if views is not None else reads or list(DEFAULT_VIEWS)
    with tempfile.TemporaryDirectory(prefix="bench-export-") as name:
        kept, remarks = _replayed(run, Path(name), wanted, progress)
        folders = []
        for outcome, rows in kept.items():
            if any(rows):
                recorded = Path(name) / outcome
                assemble(recorded, rows)
                try:
                    folders += export(Demos(recorded), out / outcome)
                except UserError as refused:
                    remarks.append(str(refused).replace(f"{recorded}: ", f"{outcome}: "))
                shutil.rmtree(recorded)
    if not folders:
        raise UserError(f"{run.path}: no dataset comes of it: {'; '.join(remarks)}")
    return folders, remarks


_Kept = dict[str, list[list[KeptEpisode]]]


def _replayed(
    run: StoredRun, folder: Path, wanted: Sequence[str], progress: Progress
) -> tuple[_Kept, list[str]]:
    """The episodes that were replayed as recorded, by outcome and item; their steps in `folder`."""
    places = {trace.case: (part, place) for trace, part, place in locate_traces(run.path)}
    kept: _Kept = {name: [[] for _ in run.plan.items] for name in OUTCOMES.values()}
    cases = sorted(run.cases(), key=lambda each: each[0])
    tally = Tally(len(cases), 0, 0, 0)
    without, otherwise = 0, 0
    for index, result in cases:
        where = places.get(result.case)
        if where is None or not result.steps or result.status == "error":
            without += 1
        else:
            item = run.plan.items[index.item]
            outcome = OUTCOMES[result.success]
            trace = read_trace(*where)
            episode = RecordedEpisode.of(run, run.plan, index, result, trace)
            file = folder / outcome / "recorded" / f"{episode_name(result.case)}.parquet"
            if _replay(episode, wanted, file):
                kept[outcome][index.item].append(KeptEpisode(item, result))
            else:
                otherwise += 1
        tally.done += 1
        progress.update(tally)
    progress.close(tally)
    remarks = [
        f"{counted(without, 'episode')} without recorded actions left out" if without else "",
        f"{counted(otherwise, 'episode')} left out: the replay takes another course than the "
        f"recording; see bench verify {run.path}"
        if otherwise
        else "",
    ]
    return kept, [each for each in remarks if each]


def _replay(episode: RecordedEpisode, wanted: Sequence[str], file: Path) -> bool:
    """Write the steps of an episode; returns whether its replay came out as recorded.

    The views are those before each action, as the agent saw them.
    """
    with EpisodeReplay(episode) as replay:
        names = list(_narrow(replay.slot.adapter.brief, wanted).observation)
        seen: list[ReplayedStep] = []
        try:
            seen.extend(replay.steps(names))
        except UserError:  # the simulator refuses a recorded action
            return False
        if not replay.as_recorded:
            return False
        brief = _narrow(replay.slot.adapter.brief, wanted)
    recording = EpisodeRecording(brief)
    for before, after in itertools.pairwise(seen):
        recording.rows[before.step] = _row(brief, before, after.action)
    recording.write(file)
    return True


def _narrow(brief: Brief, wanted: Sequence[str]) -> Brief:
    try:
        return narrow(brief, wanted)
    except ViewNotOffered as absent:
        raise UserError(f"--views: {absent.missing.reason}; {absent.missing.remedy}") from None


def _row(brief: Brief, seen: ReplayedStep, action: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"step": seen.step, "instruction": seen.instruction}
    for name, spec in brief.observation.items():
        row[f"observation.{name}"] = encode(name, spec, seen.observation[name], "png")
    executed = encode("action", brief.action, action)
    return row | {"action": executed, "executed": executed}
