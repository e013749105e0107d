"""`bench run`: a plan, a run directory, and somebody to play it."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.asking import describe
from harness.coordinator import Coordinator
from harness.core import Adapter, BatchedAdapter, Missing, Suite, Task, UserError
from harness.environments import affinity_key
from harness.identity import AgentSpec, machine, source_commit
from harness.load import load
from harness.plan import NotRun, Plan, PlanItem, package_versions, protocol_hash
from harness.progress import Progress
from harness.store import RunDirectory, StorageFull

__all__ = ["RunOptions", "RunSummary", "make_plan", "play"]

SERVED_LANES = 16


@dataclass(frozen=True)
class RunOptions:
    """How to play a plan; none of it changes a result."""

    workers: int | None = 0
    """0: in this process. None: one Ray worker a core."""
    lanes: int | None = None
    """Episodes side by side in a worker; None: 1, or 16 in two groups for a served agent."""
    agent_timeout: float = 600.0
    ray_address: str | None = None
    resume: bool = False
    """Insist that the directory holds this run already."""
    shuffle: int | None = None
    """Seed of another order of the queue, for tests of invariance."""
    command: str = ""


@dataclass(frozen=True)
class RunSummary:
    """What came of a run."""

    path: Path
    planned: int
    missing: int
    """Cases without a score."""
    agent_errors: int
    not_run: tuple[NotRun, ...]
    stopped: str | None = None
    """Why it stopped before its end, if it did."""

    def words(self) -> str:
        """What came of it and what to do next, in a line or two."""
        lines = [self.stopped] if self.stopped else []
        if self.missing:
            lines.append(f"{self.missing} of {self.planned} cases have no score; the same command plays them again")
        if not self.planned:
            lines.append("nothing could run: see the reasons above, or `bench doctor`")
        return "\n".join([*lines, f"run directory: {self.path}", f"next: bench report {self.path} --format markdown"])


def make_plan(chosen: Sequence[tuple[Suite, Task]], spec: AgentSpec, *, episodes: int | None, seed: int) -> Plan:
    """The plan of these tasks for this agent; what cannot run here is a row with its reason.

    Raises UserError when a number is out of range, or an adapter does not load.
    """
    if episodes is not None and not 1 <= episodes <= 1_000_000:
        raise UserError(f"--episodes must lie between 1 and 1000000, got {episodes}")
    if not 0 <= seed <= 1000:
        raise UserError(f"--seed must lie between 0 and 1000, got {seed}: it chooses one of a thousand disjoint sets of episodes")
    needs_expert = "expert" in spec.kind().reads
    items: list[PlanItem] = []
    not_run: list[NotRun] = []
    for suite, task in chosen:
        kind = load(task.adapter)
        if not (isinstance(kind, type) and issubclass(kind, (Adapter, BatchedAdapter))):
            raise UserError(f"task {task.id}: {task.adapter} is no adapter: write a class on harness.core.Adapter; see docs/adapters.md")
        try:
            missing = kind.missing(task)
            if missing is None and needs_expert and not kind.has_expert(task):
                missing = Missing("this task has no expert", "play it with another agent, for example --agent uniform")
            affinity = affinity_key(task)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise UserError(f"task {task.id}: its params do not fit {task.adapter}: {describe(fault)}") from None
        if missing is not None:
            not_run.append(NotRun.of(suite.name, task, missing))
        else:
            packages = package_versions(kind.packages)
            items.append(PlanItem(suite.name, task, episodes or suite.episodes, protocol_hash(task, packages), packages, affinity))
    return Plan(tuple(items), seed, (), tuple(not_run))


def default_directory(spec: AgentSpec, suites: Sequence[str], plan: Plan) -> Path:
    """runs/AGENT-SUITE-HASH: the same command finds its own directory again."""
    digest = hashlib.blake2b(f"{spec.fingerprint()} {plan.hash}".encode(), digest_size=4).hexdigest()
    name = re.sub(r"[^A-Za-z0-9.,_-]+", "_", f"{spec.name}-{','.join(suites)}")[:80]
    return Path("runs") / f"{name}-{digest}"


def describe_run(spec: AgentSpec, suites: Sequence[str], command: str) -> dict[str, Any]:
    """run.json but for the plan."""
    import importlib.metadata

    return {
        "bench": importlib.metadata.version("bench"),
        "commit": source_commit(Path(__file__).parent),
        "command": command,
        "agent": spec.to_json(),
        "suites": list(suites),
        "machine": machine(),
    }


def play(spec: AgentSpec, suites: Sequence[str], plan: Plan, out: Path | None, options: RunOptions, progress: Progress) -> RunSummary:
    """Play what the directory lacks. Raises UserError on wrong use, KeyboardInterrupt when interrupted: the same call then goes on.

    Example: `play(spec, ["smoke"], make_plan(...), Path("runs/mine"), RunOptions(), PlainProgress())`.
    """
    if not options.agent_timeout > 0 or not math.isfinite(options.agent_timeout):
        raise UserError(f"--agent-timeout must be a number of seconds above 0, got {options.agent_timeout}")
    path = out or default_directory(spec, suites, plan)
    if options.resume and not (path / "run.json").exists():
        raise UserError(f"--resume: there is no run at {path}; leave --resume out to start one")
    try:
        directory = RunDirectory(path, describe_run(spec, suites, options.command), plan)
    except StorageFull as full:
        raise UserError(f"{full}. Make room, or choose another place with --out") from None
    coordinator = Coordinator(plan, directory, progress, options.shuffle)
    stopped: str | None = None
    complete = unused = False
    try:
        if directory.missing():
            _play(coordinator, spec, options, progress)
        if coordinator.not_run:
            directory.not_run(tuple(coordinator.not_run.values()))
        complete = True
    except StorageFull as full:
        stopped = f"{full}. Make room; the same command goes on"
    except UserError:
        unused = True
        raise
    finally:
        progress.close(coordinator.tally)
        try:
            directory.close(finished=complete)
        except StorageFull as full:
            stopped = stopped or str(full)
        if unused:
            directory.discard_if_unused()
    gone = sum(plan.items[item].episodes * len(plan.arms) for item in coordinator.not_run)
    missing = directory.missing() - gone
    rows = (*plan.not_run, *coordinator.not_run.values())
    return RunSummary(path, plan.total - gone, missing, coordinator.tally.agent_errors, rows, stopped)


def _play(coordinator: Coordinator, spec: AgentSpec, options: RunOptions, progress: Progress) -> None:
    kind = spec.kind()
    served = kind.served or kind.gpus > 0
    workers = options.workers
    if importlib.util.find_spec("ray") is None and workers != 0:
        remedy = "the package ray is not installed: pip install 'bench[ray]', or --workers 0 to play in this process"
        if workers is not None or options.ray_address is not None:
            raise UserError(remedy)
        progress.say(remedy)
        workers = 0
    if workers == 0 and options.ray_address is None:
        from harness.here import play_here

        progress.say("playing in this process: a simulator that crashes takes the run with it (--workers 1 protects)")
        play_here(coordinator, spec, lanes=options.lanes or 1, agent_timeout=options.agent_timeout)
        return
    from harness.cluster import play_on_ray

    play_on_ray(
        coordinator,
        spec,
        workers=workers or None,
        lanes=options.lanes or (SERVED_LANES if served else 1),
        groups=2 if served else 1,
        agent_timeout=options.agent_timeout,
        address=options.ray_address,
    )
