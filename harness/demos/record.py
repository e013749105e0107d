"""Records episodes: of the tasks' experts or of a teacher in their place, or those of any agent."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.core import Result, Suite, Task, UserError
from harness.core.factors import AXES
from harness.core.grammar import counted
from harness.core.text import printable
from harness.demos.card import Counts, card
from harness.demos.columns import FORMATS, brief_from_json, modules
from harness.demos.dataset import REWARDED, Demos, EpisodeRow, open_parquet
from harness.demos.imitated import imitated
from harness.demos.manifest import FILE, check_manifest, write_manifest
from harness.demos.observer import RecordedViews
from harness.demos.training import DEMO_SETS, for_training, training_task
from harness.play.episode import episode_name
from harness.play.factors import factors_of_run
from harness.play.planning import make_plan
from harness.play.progress import Progress
from harness.play.runner import RunOptions, RunSummary, play
from harness.records.factor_file import EpisodeFactors
from harness.records.identity import AgentSpec
from harness.records.plan import PlanItem
from harness.records.safe_files import check_writable, path_inside
from harness.records.stored_run import load_run
from harness.records.training_data import start_key, write_training_data

__all__ = [
    "DEFAULT_VIEWS", "KeptEpisode", "RecordingOptions", "RecordingSummary", "assemble", "record",
]  # fmt: skip

DEFAULT_VIEWS = ("image?", "proprio?", "text?", "admissible?", "dom?")
"""The views that the GEA paper's agent reads, and their substitutes in tasks without images."""
MOST_PIXELS = 4096
"""The largest side of a stored picture."""
KEPT = ("successes", "all")


@dataclass(frozen=True)
class RecordingOptions:
    """Which views are recorded, and how."""

    views: Sequence[str] = DEFAULT_VIEWS
    images: str = "png"
    noise: float = 0.0
    """The share of executed actions that are drawn at random."""
    pixels: int | None = None
    """The side to which pictures are shrunk before they are stored; None leaves them as shown."""
    keep: str = "successes"
    """`successes`, or `all` finished episodes."""

    def __post_init__(self) -> None:
        if self.images not in FORMATS:
            raise UserError(f"--images {self.images!r}: write {', '.join(FORMATS)}")
        if self.pixels is not None and not 1 <= self.pixels <= MOST_PIXELS:
            raise UserError(
                f"--pixels is the side of the stored pictures, 1 to {MOST_PIXELS}; "
                f"got {self.pixels}"
            )
        if not 0 <= self.noise < 1:
            raise UserError(f"--noise is a share of actions, from 0 to below 1; got {self.noise}")
        if self.keep not in KEPT:
            raise UserError(f"--keep {self.keep!r}: write {' or '.join(KEPT)}")
        if "expert" in self.views:
            raise UserError(
                "--views names what a learner may see; the expert's action is recorded in any case"
            )


class KeptEpisode(NamedTuple):
    """An episode to keep."""

    item: PlanItem
    result: Result


@dataclass(frozen=True)
class RecordingSummary:
    """How the recording ended."""

    folder: Path
    summary: RunSummary
    demos: int
    counts: Sequence[Counts]
    rewarded: bool = False
    """Whether rewards were recorded, of an agent."""

    def as_text(self) -> str:
        """What came of the recording, and what to do next; a few lines."""
        lines = [printable(self.summary.stopped)] if self.summary.stopped else []
        if self.summary.missing:
            lines.append(
                f"{self.summary.missing} of {counted(self.summary.planned, 'episode')} "
                + ("has no result; " if self.summary.missing == 1 else "have no result; ")
                + "the same command plays what is missing"
            )
        if not self.summary.planned:
            lines.append(self.summary.nothing())
        tasks = sum(each.kept > 0 for each in self.counts)
        noun = "episode" if self.rewarded else "demonstration"
        lines.append(
            f"{counted(self.demos, noun)} of {counted(tasks, 'task')} in {self.folder}; "
            "see its README.md"
        )
        if self.demos:
            learner = "decision-transformer" if self.rewarded else "gea --stage tokenizer"
            place = f"models/{learner.partition(' ')[0]}"
            lines.append(f"next: bench train {learner} --data {self.folder} --out {place}")
        return "\n".join(lines)


def record(
    chosen: Sequence[tuple[Suite, Task]],
    out: Path,
    recording: RecordingOptions,
    options: RunOptions,
    progress: Progress,
    *,
    episodes: int,
    seed: int = 0,
    agent: AgentSpec | None = None,
    teacher: AgentSpec | None = None,
    roll_in: AgentSpec | None = None,
) -> RecordingSummary:
    """Record `episodes` training episodes of each task, and keep what `recording` says.

    `agent`: who plays, rewards included in what is stored; None: the tasks' experts, or a `teacher`
    in their place, whose actions are the ones to imitate. `roll_in`: who acts instead of them part
    of the time, in which case what it reads is recorded too. Writes the folder `out`, which
    harness/demos/dataset.py reads. If interrupted, the same call continues. Raises UserError on
    wrong use, and KeyboardInterrupt.
    """
    modules()
    check_writable(out, ("README.md", "episodes.parquet", FILE), ("run", "recorded", "data"))
    folder = str((out / "recorded").resolve())
    if agent is None:
        if recording.keep == "all" and teacher is None:
            raise UserError("--keep all needs --agent or --teacher: that of the experts is oracle")
        spec = imitated(
            folder, recording.views, recording.images, recording.noise, recording.pixels,
            teacher, roll_in,
        )  # fmt: skip
    else:
        spec = agent
        if teacher is not None:
            raise UserError("--teacher takes the experts' place, so it does not go with --agent")
        if roll_in is not None:
            raise UserError("--roll-in belongs to the experts that play without --agent")
        if recording.noise:
            raise UserError(
                "--noise belongs to the experts that play without --agent: `--agent noisy-oracle "
                "--agent-arg epsilon=0.1` plays random actions, and records them"
            )
        observed = RecordedViews(folder, tuple(recording.views), recording.images, recording.pixels)
        options = dataclasses.replace(options, observed=observed)
    manifest = _manifest(spec, recording, agent is None, teacher, roll_in)
    check_manifest(out, manifest)
    options = dataclasses.replace(options, opened=lambda _: write_manifest(out, manifest))
    trained = []
    for suite, task in chosen:
        try:
            trained.append((suite, training_task(task)))
        except UserError as refused:
            progress.say(f"left out: {refused}")
    plan = for_training(make_plan(trained, spec, episodes=episodes, seed=0), DEMO_SETS, seed)
    suites = list(dict.fromkeys(suite.name for suite, _ in chosen))
    summary = play(spec, suites, plan, out / "run", options, progress)
    counts, rows = _counted(out / "run", recording.keep)
    if summary.stopped is None:
        about = _about(out / "run", progress)
        assemble(out, rows, about)
        who = agent or teacher
        _write_training_data(out, rows, about, "experts" if who is None else who.name)
        views = sorted(
            {name for row in Demos(out).rows for name in brief_from_json(row.brief).observation}
        )
        text = card(
            plan,
            summary.not_run,
            counts,
            views,
            recording.images,
            recording.noise,
            options.command,
            recording.pixels,
            agent=None if agent is None else agent.name,
            teacher=None if teacher is None else teacher.name,
            roll_in=None if roll_in is None else roll_in.name,
            everything=recording.keep == "all",
        )
        (out / "README.md").write_text(text, encoding="utf-8")
        if not summary.missing:  # else the same command goes on
            shutil.rmtree(out / "recorded", ignore_errors=True)
    return RecordingSummary(out, summary, sum(map(len, rows)), counts, agent is not None)


def _manifest(
    spec: AgentSpec,
    recording: RecordingOptions,
    experts: bool,
    teacher: AgentSpec | None,
    roll_in: AgentSpec | None,
) -> dict[str, Any]:
    """What recording.json says."""
    agent = _who(spec) | ({"args": {}} if experts else {})
    others = {"teacher": teacher, "roll_in": roll_in}
    told = {name: None if other is None else _who(other) for name, other in others.items()}
    return {"agent": agent, **told, **dataclasses.asdict(recording)}


def _who(agent: AgentSpec) -> dict[str, Any]:
    return {
        "name": agent.name,
        "entry": agent.entry,
        "args": dict(agent.args),
        "fingerprint": agent.fingerprint(),
    }


def _counted(run: Path, keep: str) -> tuple[list[Counts], list[list[KeptEpisode]]]:
    """For each item of the plan, how its episodes ended, and the results to keep, by seed."""
    stored = load_run(run)
    results: list[list[Result]] = [[] for _ in stored.plan.items]
    for index, result in stored.cases():
        results[index.item].append(result)
    counts: list[Counts] = []
    kept: list[list[KeptEpisode]] = []
    for item, mine in zip(stored.plan.items, results):
        # An episode that is solved at its start shows nothing, and has no recording.
        good = [
            each
            for each in mine
            if each.steps and (each.success or (keep == "all" and each.status == "finished"))
        ]
        good.sort(key=lambda each: each.seed)
        counts.append(
            Counts(
                task=item.task,
                suite=item.suite,
                asked=item.episodes,
                finished=sum(each.status == "finished" for each in mine),
                kept=len(good),
                succeeded=sum(each.success is True for each in mine),
                steps=sum(each.steps for each in good),
            )
        )
        kept.append([KeptEpisode(item, each) for each in good])
    return counts, kept


def _about(run: Path, progress: Progress) -> Mapping[str, EpisodeFactors]:
    """Case id -> what its episode is about, as far as that can be found out."""
    found, reasons = factors_of_run(load_run(run))
    for reason, count in reasons.items():
        progress.say(f"what {counted(count, 'episode')} is about is not known: {reason}")
    return {result.case: told for result, told in found.values() if told is not None}


def _write_training_data(
    out: Path,
    rows: Sequence[Sequence[KeptEpisode]],
    about: Mapping[str, EpisodeFactors],
    who: str,
) -> None:
    """Say in training_data.json what the kept episodes show, for agents that learn from them."""
    kept = [each.result for episodes in rows for each in episodes]
    axes: dict[str, set[str]] = {}
    if all(each.case in about for each in kept):
        axes["start"] = {start_key(each.start, about[each.case].factors) for each in kept}
        for axis in AXES:
            told = {about[each.case].factors.get(axis, "") for each in kept} - {""}
            if told:
                axes[axis] = told
    axes.setdefault("task", {each.task for each in kept})
    tasks = sorted({task.partition("/")[0] for task in axes["task"]})
    description = f"{counted(len(kept), 'episode')} of {who} in {', '.join(tasks)}"
    write_training_data(out, description[:1000], {name: axes[name] for name in axes if axes[name]})


def assemble(
    out: Path,
    rows: Sequence[Sequence[KeptEpisode]],
    about: Mapping[str, EpisodeFactors] | None = None,
) -> None:
    """Merge the files of the episodes into one for each task, unless that was done before.

    rows: for each task, its episodes, whose steps stand in OUT/recorded/EPISODE.parquet. about:
    case id -> what its episode is about. What comes of it is a folder that harness.demos.dataset
    reads. Raises UserError where a file is missing.
    """
    pa, parquet = modules()
    table = out / "episodes.parquet"
    wanted = [each.result.case for episodes in rows for each in episodes]
    if table.is_file() and _cases(out) == wanted:
        return
    shutil.rmtree(out / "data", ignore_errors=True)
    index: list[dict[str, Any]] = []
    for episodes in rows:
        if not episodes:
            continue
        task = episodes[0].item.task
        name = f"data/{task.name}.parquet"
        path_inside(out, name).parent.mkdir(parents=True, exist_ok=True)
        first = _episode(out, episodes[0].result)
        with parquet.ParquetWriter(out / name, first.schema, compression="zstd") as writer:
            for group, kept in enumerate(episodes):
                taken = first if group == 0 else _episode(out, kept.result)
                writer.write_table(
                    taken.replace_schema_metadata(first.schema.metadata),
                    row_group_size=max(1, taken.num_rows),
                )
                row = _row(len(index), kept, name, group, taken)
                told = (about or {}).get(kept.result.case)
                factors = "" if told is None else json.dumps(dict(told.factors))
                index.append(dataclasses.asdict(dataclasses.replace(row, factors=factors)))
    names = [field.name for field in dataclasses.fields(EpisodeRow)]
    if all(row["returned"] is None for row in index):  # no rewards were recorded
        names = [name for name in names if name not in REWARDED]
    columns = {name: [row[name] for row in index] for name in names}
    temporary = table.with_suffix(".new")
    whole = ("index", "seed", "steps", "row_group")
    types = {
        name: pa.int64()
        if name in whole
        else pa.float64()
        if name in ("score", "normalised", "returned")
        else pa.bool_()
        if name == "success"
        else pa.string()
        for name in columns
    }
    parquet.write_table(pa.table(columns, schema=pa.schema(list(types.items()))), temporary)
    os.replace(temporary, table)


def _cases(out: Path) -> list[str]:
    """The cases whose episodes were merged before."""
    try:
        return [row.case for row in Demos(out).rows]
    except UserError:
        return []


def _episode(out: Path, result: Result) -> Any:
    name = f"recorded/{episode_name(result.case)}.parquet"
    try:
        with open_parquet(out, name) as file:
            return file.read()
    except FileNotFoundError:
        raise UserError(
            f"{out / name} is missing, the recording of {result.task} seed {result.seed}: "
            f"remove {out} and record again"
        ) from None


def _row(index: int, kept: KeptEpisode, file: str, group: int, table: Any) -> EpisodeRow:
    task, result = kept.item.task, kept.result
    rewarded = "reward" in table.column_names
    return EpisodeRow(
        index=index,
        case=result.case,
        task=task.id,
        domain=task.domain,
        suite=kept.item.suite,
        seed=result.seed,
        steps=table.num_rows,
        score=result.score,
        normalised=result.normalised,
        instruction=table.column("instruction")[0].as_py(),
        file=file,
        row_group=group,
        brief=table.schema.metadata[b"brief"].decode(),
        success=result.success if rewarded else None,
        start=result.start,
        returned=sum(table.column("reward").to_pylist()) if rewarded else None,
    )
