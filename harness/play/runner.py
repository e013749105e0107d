"""Plays a plan into a run directory: what `bench run` does."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import itertools
import math
import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.core import UserError
from harness.core.grammar import counted
from harness.play.coordinator import Coordinator
from harness.play.endings import ObserverMaker
from harness.play.placement import check_replicas
from harness.play.progress import Progress
from harness.play.sinks import Stopping
from harness.play.stopped import Stopped
from harness.play.summary import RunSummary, count_run
from harness.records.identity import UNNAMED, AgentSpec, machine, source_commit
from harness.records.plan import Plan
from harness.records.results import case_results
from harness.records.run_directory import RunDirectory, StorageFull
from harness.records.run_file import read_run
from harness.records.training_data import read_training_data, write_training_data

__all__ = ["RunOptions", "RunSummary", "play", "play_cases", "working_directory"]

MOST_OUTPUTS = 4
"""Arguments of an agent that may name what did not exist when a run in the default place began."""


class StoppingRule(Stopping, Protocol):
    """A stopping rule with a name and a decision: see harness/compare/early_stopping.py."""

    rule: str
    """The rule as text; a directory that was begun under another rule is refused."""

    def ends(self) -> Mapping[str, int]:
        """How many episodes of each task count, by task id."""
        ...


def working_directory() -> Path:
    """The working directory, absolute; empty if it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to play a plan. No option changes a result."""

    workers: int | None = 0
    """Ray workers. 0: play in this process; None: one worker for each core."""
    lanes: int | None = None
    """Episodes side by side in each worker. None: 1; for a served agent 16, in two groups."""
    replicas: int | None = 1
    """Instances of a served agent. None: as many as there are GPUs for."""
    agent_timeout: float = 600.0
    """How long a call of the agent may take, in seconds."""
    ray_address: str | None = None
    """A running cluster; None: start Ray on this machine."""
    resume: bool = False
    """Refuse to start a new run: the directory must hold this one."""
    video: str = "none"
    """Which episodes videos are kept of: `none`, `failures` or `all`."""
    video_limit: int = 1_000_000_000
    """The most bytes that the videos may take."""
    observed: ObserverMaker | None = None
    """Is told of every step, rewards included; `video` takes its place."""
    training_data: Path | None = None
    """Says what the agent was trained on, in place of what it says itself (Agent.trained_on)."""
    shuffle: int | None = None
    """Seeds another order of the queue, for tests of invariance."""
    command: str = ""
    """The command line, for run.json."""
    folder: Path = dataclasses.field(default_factory=working_directory)
    """Where a relative run directory begins: the working directory when the command began. Foreign
    code may change it from then on."""
    opened: Callable[[Path], None] | None = None
    """Called with the run directory when it is open and before anything plays."""


def default_directory(
    spec: AgentSpec, suites: Sequence[str], plan: Plan, rule: str = "", folder: Path = Path()
) -> Path:
    """runs/AGENT-SUITE-HASH below `folder`, so that the same command finds its directory again.

    An agent without a fingerprint cannot resume a run, so each call gets a new directory.
    """
    name = re.sub(r"[^A-Za-z0-9.,_-]+", "_", f"{spec.name}-{','.join(suites)}")[:80]

    def place(fingerprint: str) -> Path:
        if fingerprint == UNNAMED:
            fingerprint = uuid.uuid4().hex
        digest = hashlib.blake2b(
            f"{fingerprint} {plan.hash}{rule and ' ' + rule}".encode(), digest_size=4
        ).hexdigest()
        return Path("runs") / f"{name}-{digest}"

    path = place(spec.fingerprint())
    if not (folder / path / "run.json").exists():
        # The run may have begun before there was anything where it writes to.
        named = list(spec.named())[:MOST_OUTPUTS]
        for count in range(1, len(named) + 1):
            for later in itertools.combinations(named, count):
                before = place(spec.fingerprint(later))
                if (folder / before / "run.json").exists():
                    return before
    return path


def describe_run(
    spec: AgentSpec, suites: Sequence[str], command: str, place: Path
) -> dict[str, Any]:
    """The contents of run.json except the plan. `place`: the run directory, if there is one."""
    import importlib.metadata

    begun = None
    if os.path.exists(place / "run.json"):
        with contextlib.suppress(UserError):  # RunDirectory says what is wrong with it
            begun = read_run(place)["agent"]

    return {
        "bench": importlib.metadata.version("generalist-bench"),
        "commit": source_commit(Path(__file__).parent),
        "command": command,
        "agent": spec.to_json(begun),
        "suites": list(suites),
        "machine": machine(),
    }


def play(
    spec: AgentSpec,
    suites: Sequence[str],
    plan: Plan,
    out: Path | None,
    options: RunOptions,
    progress: Progress,
    stopping: StoppingRule | None = None,
) -> RunSummary:
    """Play the cases of the plan that the directory `out` lacks; None: the default directory.

    With `stopping`, play until that rule has decided. If interrupted, the same call continues.
    Raises UserError on wrong use, and KeyboardInterrupt.

    Example: `play(spec, ["smoke"], plan, Path("runs/mine"), RunOptions(), PlainProgress())`.
    """
    if not options.agent_timeout > 0 or not math.isfinite(options.agent_timeout):
        raise UserError(
            f"--agent-timeout must be a number of seconds above 0, got {options.agent_timeout}"
        )
    if options.video != "none":
        from harness.play.video import check_video

        check_video()
    trained_on = options.training_data or spec.trained_on()
    trained = read_training_data(trained_on) if trained_on else None
    rule = stopping.rule if stopping else ""
    path = out or default_directory(spec, suites, plan, rule, options.folder)
    place = Path(options.folder, path)
    if options.resume and not os.path.exists(place / "run.json"):
        raise UserError(f"--resume: there is no run at {path}; leave --resume out to start one")
    try:
        run = describe_run(spec, suites, options.command, place) | (
            {"stopping": stopping.rule} if stopping else {}
        )
        if trained is not None:
            run["agent"]["training_data"] = trained.description
        directory = RunDirectory(path, run, plan, options.folder)
    except StorageFull as full:
        raise UserError(f"{full}. Free some space, or name another folder with --out") from None
    place = directory.path
    if options.opened is not None:
        options.opened(path)
    videos = _videos(place, plan, options, progress)
    if stopping is not None:
        for index, result in case_results(place, plan):
            stopping.scored(index, result)
    coordinator = Coordinator(
        plan,
        directory,
        progress,
        options.shuffle,
        videos,
        stopping,
        longest_first=options.workers != 0,
    )
    stopped: str | None = None
    complete = unused = False
    try:
        left = directory.missing()
        if plan.total and not left:
            all_cases = counted(plan.total, "case")
            progress.say(
                f"nothing is played: {path} has the results of all {all_cases}, of "
                f"{directory.dated}; name another --out to play again"
            )
        if left and not (stopping and stopping.enough):
            try:
                play_cases(coordinator, spec, options, progress, place / "log")
            finally:
                coordinator.errors.close()
        if coordinator.not_run or coordinator.not_applicable:
            directory.not_run((*coordinator.not_run.values(), *coordinator.not_applicable.values()))
        if (
            stopping is not None
            and stopping.enough
            and any(stopping.ends()[item.task.id] < item.episodes for item in plan.items)
        ):
            directory.stop(stopping.ends())
        complete = True
    except StorageFull as full:
        stopped = f"{full}. {full.remedy}"
    except Stopped as end:
        stopped = f"{end}; the same command continues"
    except UserError:
        unused = True
        raise
    finally:
        progress.close(coordinator.tally)
        try:
            directory.close(finished=complete)
        except StorageFull as full:
            stopped = stopped or f"{full}. {full.remedy}"
        if unused:
            directory.discard_if_unused()
        with contextlib.suppress(OSError):
            # An agent or a simulator may have gone elsewhere; what follows reads relative paths.
            os.chdir(options.folder)
    if not directory.in_place():
        # Nobody knows what has become of its results: none of them is reported.
        return RunSummary(
            path=path,
            planned=plan.total,
            missing=plan.total,
            agent_errors=0,
            not_run=(),
            stopped=stopped,
        )
    if trained is not None:
        with contextlib.suppress(OSError):  # a full disk: the same command writes it
            write_training_data(place, trained.description, trained.axes)
    summary = count_run(place, None if stopping is None else stopping.ends())
    return dataclasses.replace(summary, path=path, stopped=stopped)


def _videos(path: Path, plan: Plan, options: RunOptions, progress: Progress) -> Any:
    """The store for videos, or None if none are wanted. Tells the user which tasks have none."""
    if options.video == "none":
        return None
    from harness.play.video import draws_frames
    from harness.play.video_store import VideoStore

    blind = sorted(
        {item.task.id.partition("/")[0] for item in plan.items if not draws_frames(item.task)}
    )
    if blind:
        progress.say(
            f"no videos of {', '.join(blind)}, unless the agent reads images there; "
            "`bench show` prints their episodes as text"
        )
    return VideoStore(path, options.video_limit)


def play_cases(
    coordinator: Coordinator,
    spec: AgentSpec,
    options: RunOptions,
    progress: Progress,
    log: Path | None = None,
) -> None:
    """Play what the coordinator hands out, in this process or in workers.

    `log`: a folder for what is printed in workers. Raises as `play` does, and Stopped.
    """
    check_replicas(spec, options.replicas)  # before Ray starts
    kind = spec.kind()
    served = kind.served or kind.gpus > 0
    workers = options.workers
    observed = options.observed
    if options.video != "none":
        from harness.play.video import VideoSelection

        observed = VideoSelection(failures_only=options.video == "failures")
    if importlib.util.find_spec("ray") is None and workers != 0:
        remedy = (
            "the package ray is not installed: pip install 'generalist-bench[ray]', "
            "or --workers 0 to play in this process"
        )
        if workers is not None or options.ray_address is not None:
            raise UserError(remedy)
        progress.say(remedy)
        workers = 0
    if workers == 0 and options.ray_address is None:
        if options.replicas != 1:
            raise UserError("--replicas are for workers: leave out --replicas, or --workers 0")
        from harness.play.local import play_locally

        progress.say(
            "playing in this process: a simulator that crashes takes the run with it "
            "(--workers 1 protects)"
        )
        play_locally(
            coordinator,
            spec,
            lanes=options.lanes or 1,
            agent_timeout=options.agent_timeout,
            observed=observed,
        )
        return
    from harness.play.ray_workers import play_on_ray

    clock = coordinator.plan.clock
    # Where latency is measured, an answer must not wait for those of other episodes.
    several = served and not (clock is not None and clock.measured)
    play_on_ray(
        coordinator,
        spec,
        workers=workers or None,
        lanes=options.lanes or (None if several else 1),
        groups=2 if several else 1,
        replicas=options.replicas,
        agent_timeout=options.agent_timeout,
        address=options.ray_address,
        observed=observed,
        log=log,
        say=progress.say,
    )
