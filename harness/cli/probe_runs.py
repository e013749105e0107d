"""Several runs of one probe: each has an ordinary run directory, and the same command continues."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import (
    AgentArgs,
    AgentTimeout,
    Interpreters,
    LanesOption,
    ProfileCheck,
    RayAddress,
    ReplicasOption,
    Workers,
    arguments,
)
from harness.cli.output import DONE, WITH_ERRORS, command_line, terminal_width

if TYPE_CHECKING:
    from harness.compare.pairs import ScoredRun
    from harness.perturb import Condition
    from harness.play.runner import RunOptions
    from harness.probes.result import Finding
    from harness.records.identity import AgentSpec
    from harness.records.plan import Plan

__all__ = [
    "PlayOptions", "PlayedRuns", "Telling", "Wanted", "default_folder", "play_and_tell",
    "play_runs", "with_play_options",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """How a probe plays: the options that such commands share, in the order of their help."""

    workers: Workers = "auto"
    lanes: LanesOption = None
    replicas: ReplicasOption = "1"
    out: Annotated[Path | None, typer.Option()] = None
    agent_arg: AgentArgs = None
    profile_check: ProfileCheck = "on"
    agent_timeout: AgentTimeout = 600.0
    ray_address: RayAddress = None
    interpreter: Interpreters = None

    def run_options(self) -> RunOptions:
        """The options of each run. Raises UserError."""
        from harness.cli.options import at_least_one, replica_count, worker_count
        from harness.play.runner import RunOptions

        return RunOptions(
            workers=worker_count(self.workers),
            lanes=at_least_one("--lanes", self.lanes),
            replicas=replica_count(self.replicas),
            agent_timeout=self.agent_timeout,
            ray_address=self.ray_address,
            command=command_line(),
        )

    def agent(self, name: str, /, **changes: Any) -> AgentSpec:
        """The agent of this name with `--agent-arg`, and `changes` to it. Raises UserError."""
        from harness.cli.names import agent_named

        return agent_named(name, {**arguments(self.agent_arg), **changes}, self.profile_check)

    def relay(self, work: Callable[[], tuple[str, str, int]]) -> int:
        """Do the work in a child process: harness.cli.supervisor.relay."""
        from harness.cli.supervisor import relay
        from harness.host.interpreters import configured

        with configured(self.interpreter or ()):
            return relay(work)


def with_play_options(
    out: str = "", without: Collection[str] = ()
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """A command whose parameter `play` is replaced by the options of PlayOptions.

    `out`: the help of `--out`. `without`: options that the command does not offer.
    """

    def expand(command: Callable[..., int]) -> Callable[..., int]:
        options = {
            name: each.replace(annotation=Annotated[Path | None, typer.Option(help=out)])
            if name == "out"
            else each
            for name, each in inspect.signature(PlayOptions, eval_str=True).parameters.items()
            if name not in without
        }
        parameters: list[inspect.Parameter] = []
        for name, each in inspect.signature(command, eval_str=True).parameters.items():
            parameters += options.values() if name == "play" else [each]

        def called(**given: Any) -> int:
            play = PlayOptions(**{name: given.pop(name) for name in options})
            return command(**given, play=play)

        # Typer reads the options off the signature.
        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        )
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        return called

    return expand


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What all runs of a probe play."""

    suite: str
    tasks: str | None
    episodes: int | None
    seed: int
    options: RunOptions
    perturb: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlayedRuns:
    """The runs that were played, as far as nothing stopped them."""

    runs: tuple[ScoredRun, ...]
    said: tuple[str, ...]
    """What is to be told on stderr: tasks that cannot run here, and where the runs are."""
    stopped: str
    """Why a run was stopped before its end; empty: none was."""
    code: int
    agent_errors: int = 0
    """Cases that ended with an error of their agent, over all runs."""


def default_folder(probe: str, agent: str) -> Path:
    """runs/PROBE-AGENT, with what no folder should be called left out."""
    safe = "".join(each if each.isalnum() or each in "-_." else "-" for each in agent)
    return Path("runs") / f"{probe}-{safe.strip('.-') or 'agent'}"


def play_runs(
    stages: Sequence[tuple[str, AgentSpec]],
    folder: Path,
    wanted: Wanted,
    check: Callable[[Plan], object],
    *,
    changed: Callable[[Plan, int], Plan] = lambda plan, number: plan,
    enough: Callable[[Sequence[ScoredRun]], bool] = lambda runs: False,
) -> PlayedRuns:
    """Play each (name, agent) into folder/name, one after the other.

    `check` is called with each plan before it is played, and raises UserError where the probe could
    make nothing of it. `changed(plan, number)`: the plan of this stage. `enough`: whether the runs
    so far say all, so that the others are not played.

    Called in the child process of a command. Raises UserError on wrong use, and where no task can
    run here.
    """
    from harness.cli.names import suites_named
    from harness.compare.pairs import read_scored_run
    from harness.core import UserError
    from harness.play.planning import make_plan
    from harness.play.progress import progress_for
    from harness.play.runner import play
    from harness.records.catalogue import select_tasks

    suites = suites_named(wanted.suite)
    chosen = select_tasks(suites, wanted.tasks)
    runs, lacking, code, agent_errors = [], dict[str, None](), DONE, 0
    for number, (name, spec) in enumerate(stages):
        plan = make_plan(
            chosen, spec, episodes=wanted.episodes, seed=wanted.seed, perturb=wanted.perturb
        )
        for row in plan.not_run:
            if row.perturbation is not None:
                continue  # the report of the run directory has them
            lacking[f"{row.task} cannot run here: {row.reason}; {row.remedy}"] = None
        if not plan.total:
            raise UserError(f"none of these tasks can run here: {'; '.join([*lacking][:3])}")
        check(plan)
        progress = progress_for()
        progress.say(f"{name}:")
        names = [each.name for each in suites]
        mine = changed(plan, number)
        summary = play(spec, names, mine, folder / name, wanted.options, progress)
        if summary.stopped:
            return PlayedRuns(
                runs=(), said=tuple(lacking), stopped=summary.stopped, code=WITH_ERRORS
            )
        agent_errors += summary.agent_errors
        if summary.missing or summary.agent_errors:
            code = WITH_ERRORS
        runs.append(read_scored_run(wanted.options.folder / summary.path, name))
        if enough(runs):
            break
    said = (*lacking, f"run directories: {folder}")
    return PlayedRuns(runs=tuple(runs), said=said, stopped="", code=code, agent_errors=agent_errors)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Where and how a probe tells what it found."""

    probe: str
    title: str
    """Whom it asked, and what about."""
    folder: Path | None
    """Keeps it for `bench report`; None: nothing is kept."""
    name: str = "probe.json"
    """The file in that folder."""
    figure: Path | None = None
    format: str = "text"
    width: int = field(default_factory=terminal_width)
    command: str = field(default_factory=command_line)

    def __post_init__(self) -> None:
        """Raises UserError where the figure could not be drawn."""
        if self.figure is not None:
            from harness.probes.figure_file import check_figure

            check_figure(self.figure)

    def tell(self, finding: Finding, runs: Sequence[str] = ()) -> str:
        """Keep and draw it, and return what is printed. `runs`: paths inside of the folder.

        Raises UserError where a file cannot be written, or there is nothing to draw.
        """
        from harness.probes.figure_file import draw
        from harness.probes.result_file import write_probe

        if self.folder is not None:
            write_probe(
                self.folder, finding, probe=self.probe, title=self.title, command=self.command,
                runs=runs, file=self.name,
            )  # fmt: skip
        if self.figure is not None:
            draw(finding.plots(), self.figure, self.title)
        if self.format == "json":
            return json.dumps(finding.to_json(), indent=1)
        return finding.as_text(self.width)


def play_and_tell(
    stages: Sequence[tuple[str, AgentSpec]],
    wanted: Wanted,
    check: Callable[[Plan], object],
    find: Callable[[Sequence[ScoredRun]], Finding],
    telling: Telling,
) -> tuple[str, str, int]:
    """Play the stages into the folder and tell what was found, as `relay` prints it."""
    assert telling.folder is not None
    played = play_runs(stages, telling.folder, wanted, check)
    if played.stopped:
        return "", "\n".join([*played.said, played.stopped]), WITH_ERRORS
    text = telling.tell(find(played.runs), [name for name, _ in stages])
    return text, "\n".join(played.said), played.code
