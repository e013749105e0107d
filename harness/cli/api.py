"""The Python API: what `import bench` offers.

`evaluate` does what `bench run` does, with the same defaults, run directory and errors; the
command calls the same `play_suites`.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.names import agent_named, know_families, perturbations_named, suites_named
from harness.cli.options import at_least_one, replica_count
from harness.cli.output import say
from harness.cli.uploads import uploading
from harness.core import Agent, Result, Suite, UserError
from harness.core.agent import ALL_VIEWS
from harness.host.interpreters import configured
from harness.play.clock_options import control_clock
from harness.play.planning import make_plan
from harness.play.progress import Progress, SilentProgress, progress_for
from harness.play.runner import RunOptions, RunSummary, play, working_directory
from harness.records.catalogue import select_tasks
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec
from harness.records.live_agent import LiveAgentSpec, live
from harness.records.stored_run import load_run
from harness.verify.backends import require_equal
from leaderboards.trackers.destination import destinations
from leaderboards.trackers.reporters import reporting

if TYPE_CHECKING:
    import pandas

    from harness.stats import Estimate
    from leaderboards.compare import Compared
    from leaderboards.schema import Report, TaskRow

__all__ = [
    "Comparison", "Evaluation", "compare", "evaluate", "load_run", "load_suite", "play_suites",
]  # fmt: skip

UNTIL_WIDTH_EPISODES = 1000
"""Episodes of a task at most, where a run goes on until an interval is narrow."""


def play_suites(
    spec: AgentSpec,
    suites: Sequence[Suite],
    *,
    tasks: str | None,
    episodes: int | None,
    seed: int,
    perturb: str | None,
    until_width: float | None,
    clock: ControlClock | None,
    backend: str = "",
    out: Path | None,
    options: RunOptions,
    progress: Progress,
) -> RunSummary:
    """Plan and play. Raises UserError on wrong use."""
    if until_width is not None and episodes is None:
        episodes = UNTIL_WIDTH_EPISODES
    conditions = perturbations_named(perturb)
    chosen = select_tasks(suites, tasks)
    plan = make_plan(
        chosen,
        spec,
        episodes=episodes,
        seed=seed,
        perturb=conditions,
        clock=clock,
        backend=backend,
    )
    if backend:
        require_equal(plan, spec.declared()[0], progress)
    stopping = None
    if until_width is not None:
        from harness.compare.early_stopping import WidthRounds

        stopping = WidthRounds(plan, until_width)
        if stopping.raw:
            progress.say(
                "raw scores only, so no interval of known width, all episodes are played: "
                + ", ".join(stopping.raw)
            )
    return play(spec, [each.name for each in suites], plan, out, options, progress, stopping)


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What came of `evaluate`.

    `str(evaluation)` is the table that `bench run` prints, `repr(evaluation)` the result in a few
    lines.
    """

    summary: RunSummary
    """What was planned and played, and what has no score."""
    report: Report
    """All figures, as in `bench report --format json`."""

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.summary.path

    @property
    def success_rate(self) -> float | None:
        """The mean over tasks of their success rates, 0 to 1; None without a task that has one."""
        return self.report.overall.success_rate

    @property
    def interval(self) -> Estimate | None:
        """`success_rate` with its 95 % interval."""
        return self.report.overall.interval

    def __getitem__(self, task: str) -> TaskRow:
        """The row of a task, by its id or its name without the version. Raises UserError."""
        rows = {row.task: row for row in self.report.tasks}
        names = {name.rpartition("@")[0]: row for name, row in rows.items()}
        row = rows.get(task) or names.get(task)
        if row is None:
            absent = [
                each
                for each in self.report.not_run
                if task in (each.task, each.task.rpartition("@")[0])
            ]
            why = (
                f"it did not run: {absent[0].reason}" if absent else f"there are {', '.join(names)}"
            )
            raise UserError(f"no result of a task {task!r}; {why}")
        return row

    def __iter__(self) -> Iterator[TaskRow]:
        """The rows of the tasks, in the order of the plan."""
        return iter(self.report.tasks)

    def results(self) -> Iterator[Result]:
        """The result of every case that has one."""
        return load_run(self.path).results()

    def to_frame(self) -> pandas.DataFrame:
        """A row for each task, with the columns of `bench report --format csv`.

        Raises UserError where pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("to_frame() needs the package pandas: pip install pandas") from None
        from leaderboards.render import task_records

        return pandas.DataFrame.from_records(task_records(self.report))

    def __repr__(self) -> str:
        from leaderboards.report import summary

        return summary(self.report)

    def __str__(self) -> str:
        from leaderboards.render import render

        return render(self.report, "text")


def evaluate(
    policy: Any,
    suite: str | Suite | Sequence[Suite],
    *,
    tasks: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    perturb: str | None = None,
    agent_args: Mapping[str, Any] | None = None,
    reads: Sequence[str] = (ALL_VIEWS,),
    history: int = 1,
    name: str = "",
    workers: int | str | None = None,
    lanes: int | None = None,
    replicas: int | str = 1,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    video: str = "none",
    video_limit: int = 1000,
    training_data: str | os.PathLike[str] | None = None,
    agent_timeout: float = 600.0,
    ray_address: str | None = None,
    until_width: float | None = None,
    control_rate: float | str | None = None,
    latency: str | os.PathLike[str] | None = None,
    backend: str = "",
    interpreters: Mapping[str, str] | None = None,
    progress: bool = False,
    log: str | Sequence[str] = (),
) -> Evaluation:
    """Play a policy on suites, as `bench run` does, and return its figures.

    policy: an `Agent` object, a subclass of `Agent`, a function that takes a list of turns and
        returns an action for each, or a name as `--agent` takes it. An object or a function
        plays in this process as it is (or in Ray workers as a copy, made when the run begins); it
        has no name to be built from again, so its run never resumes, each call has a directory
        of its own, and an `out` that exists is refused.
    suite: as `--suite` takes it, or `Suite` objects.
    agent_args: arguments of the constructor, where `policy` is a class or a name.
    reads, history: of a function: the views that it reads (all on offer, each drawn when it is
        first touched), and how many observations it is shown.
    workers: 0 plays in this process; "auto" is one Ray worker for each core. The default is 0
        for an object or a function, else "auto".
    replicas: instances of a served agent, or "auto" for as many as there are GPUs for.
    log: trackers to log the run to, as `--log` takes them, for example "mlflow".
    video_limit: in megabytes. progress: whether to report on stderr, as the command line does.
    The other parameters are the options of `bench run`.

    Raises UserError on wrong use, KeyboardInterrupt when interrupted.
    """
    know_families()
    folder = working_directory()
    trackers = destinations([log] if isinstance(log, str) else log)
    with (
        configured(f"{family}={path}" for family, path in (interpreters or {}).items()),
        uploading(out, folder, say) as upload,
        reporting(trackers, say) as reporters,
    ):
        spec = _spec_of(policy, dict(agent_args or {}), reads, history, name)
        found = suites_named(suite) if isinstance(suite, str) else _suites(suite)
        count = _worker_count(workers, alive=isinstance(spec, LiveAgentSpec))
        options = RunOptions(
            workers=count,
            lanes=at_least_one("lanes", lanes),
            replicas=replica_count(str(replicas)),
            training_data=None if training_data is None else Path(training_data),
            agent_timeout=agent_timeout,
            ray_address=ray_address,
            resume=resume,
            video=video,
            video_limit=1_000_000 * (at_least_one("video_limit", video_limit) or 1),
            command="bench.evaluate(...)",
            folder=folder,
            opened=lambda path: reporters.opened(folder / path),
        )
        summary = play_suites(
            spec,
            found,
            tasks=tasks,
            episodes=episodes,
            seed=seed,
            perturb=perturb,
            until_width=until_width,
            clock=control_clock(
                None if control_rate is None else str(control_rate),
                None if latency is None else os.fspath(latency),
            ),
            backend=backend,
            out=upload.place,
            options=options,
            progress=progress_for() if progress else SilentProgress(),
        )
    if summary.stopped and not (summary.path / "run.json").exists():
        raise UserError(summary.stopped)
    from leaderboards.report import load_report

    return Evaluation(summary, load_report(summary.path))


def _spec_of(
    policy: Any, args: dict[str, Any], reads: Sequence[str], history: int, name: str
) -> AgentSpec:
    """What plays: a class that can be imported goes by its name, anything else as it is."""
    if isinstance(policy, str):
        spec = agent_named(policy, args)
        return dataclasses.replace(spec, name=name or spec.name)
    if isinstance(policy, type) and issubclass(policy, Agent):
        entry = f"{policy.__module__}:{policy.__qualname__}"
        importable = (
            getattr(sys.modules.get(policy.__module__), policy.__qualname__, None) is policy
        )
        if importable and policy.__module__ != "__main__":
            spec = AgentSpec(name or entry, entry, args)
            spec.kind()
            return spec
        return live(AgentSpec.of_class(policy, entry, args), reads, history, name)
    if args:
        raise UserError("agent_args belong to a class or a name: an object has its own already")
    return live(policy, reads, history, name)


def _suites(given: Suite | Sequence[Suite]) -> list[Suite]:
    suites = [given] if isinstance(given, Suite) else list(given)
    if not suites or not all(isinstance(each, Suite) for each in suites):
        raise UserError("suite is a name as --suite takes it, a Suite, or a list of them")
    return suites


def _worker_count(workers: int | str | None, *, alive: bool) -> int | None:
    """None is as many workers as there are cores."""
    if workers is None:
        return 0 if alive else None
    if workers == "auto":
        return None
    if type(workers) is not int or workers < 0:
        raise UserError(f"workers is a number from 0 on, or 'auto'; got {workers!r}")
    return workers


@dataclass(frozen=True)
class Comparison:
    """What came of `compare`. `str(comparison)` is the text that `bench compare` prints."""

    compared: Compared
    """All figures, as in `bench compare --format json`."""

    @property
    def verdict(self) -> str:
        """`pass`, `regress` or `inconclusive`."""
        return self.compared.comparison.verdict

    @property
    def why(self) -> str:
        """The reason, in a sentence."""
        return self.compared.comparison.why

    def __str__(self) -> str:
        from leaderboards.compare_render import render_compared

        return render_compared(self.compared, "text")


def compare(
    base: str | os.PathLike[str],
    new: str | os.PathLike[str],
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    correction: str = "holm",
) -> Comparison:
    """Compare two runs case by case, as `bench compare` does; the options mean the same.

    base, new: run directories, zip archives or URLs of them, or names of `bench baseline list`.
    Raises UserError on wrong use and on runs of different protocols.
    """
    from harness.compare.saved_runs import open_run
    from leaderboards.compare import compare_runs

    with open_run(os.fspath(base)) as first, open_run(os.fspath(new)) as second:
        return Comparison(compare_runs(first, second, margin, alpha, correction))


def load_suite(name: str) -> Suite:
    """One suite, by a name as `--suite` takes it. Raises UserError."""
    know_families()
    suites = suites_named(name)
    if len(suites) != 1:
        raise UserError(f"{name!r} names {len(suites)} suites; name one")
    return suites[0]
