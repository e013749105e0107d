"""From a run directory to the figures of its report.

One pass over the results, then tasks, suites, domains and the whole run.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.compare.saved_runs import open_run
from harness.core import DOMAINS, Result
from harness.core.grammar import counted
from harness.core.nouns import LONGEST_EPISODE
from harness.core.text import printable
from harness.probes.wiring.passive import Passive
from harness.records.error_kinds import ErrorKinds
from harness.records.imported import imported_as, imported_line
from harness.records.origin import is_copy
from harness.records.plan import CaseIndex, Plan, PlanItem
from harness.records.privilege import PrivilegedViews
from harness.records.renderer import Renderers
from harness.records.stored_run import StoredRun, load_run
from harness.stats import value_of
from leaderboards.answers import AnswersTally
from leaderboards.asked import asked_of
from leaderboards.confidence import ConfidenceTally
from leaderboards.floors import Floor, shipped_floors
from leaderboards.footprint import FootprintTally
from leaderboards.groups import Grouping
from leaderboards.late_answers import ClockTally
from leaderboards.perturbed_results import CaseArrays, read_case_arrays
from leaderboards.planning import optimality_of
from leaderboards.privilege import is_privileged
from leaderboards.probe_report import probe_lines
from leaderboards.renderers import other_renderer
from leaderboards.robustness import robustness
from leaderboards.safety_tables import safety_sentence
from leaderboards.schema import Group, Report, TaskRow
from leaderboards.server_timing import ServerTimingTally
from leaderboards.tables import percent, range_of
from leaderboards.tally import TaskTally
from leaderboards.view_remarks import ViewRemarks

__all__ = [
    "build", "load_report", "missing_cases", "package_versions", "report_of", "summary",
]  # fmt: skip

_Floors = Mapping[str, Sequence[tuple[PlanItem, Floor]]]
"""Task id -> the floors of runs, with what was played there."""
_NO_FLOORS: _Floors = {}


def load_report(
    path: str | os.PathLike[str],
    baseline: str | None = None,
    floors: Sequence[str | os.PathLike[str]] = (),
    expert: str | os.PathLike[str] | None = None,
    ask_cost: float | None = None,
) -> Report:
    """The report of a run directory.

    `floors` are run directories of agents that look at nothing, `expert` is one of the expert, to
    count steps beside; `ask_cost` is what a step of the expert costs (leaderboards.asked); else as
    report_of. Raises UserError when a directory is no run, or when its
    lines do not fit its plan.
    """
    run = load_run(path)
    report = report_of(run, baseline, floors)
    if ask_cost is not None:
        report = dataclasses.replace(report, asked=asked_of(run, ask_cost))
    if expert is None:
        return report
    return dataclasses.replace(report, optimality=optimality_of(run, load_run(expert)))


def report_of(
    run: StoredRun,
    baseline: str | None = None,
    floors: Sequence[str | os.PathLike[str]] = (),
    seen: Callable[[CaseIndex, Result], None] | None = None,
) -> Report:
    """The report of a run. Its results are read once, and each is shown to `seen`.

    `baseline` names the perturbed run that its corruption errors relate to, as
    harness.compare.saved_runs.open_run takes it. Raises as load_report does.
    """
    own, cases = _floors_of_runs(floors), _shown_to(seen, run.cases())
    if baseline is None:
        report = build(run.description, run.plan, cases, floors=own)
    else:
        with open_run(baseline) as base:
            report = build(run.description, run.plan, cases, read_case_arrays(base), floors=own)
    # What was imported is marked itself: nothing of it can be replayed.
    copied = is_copy(run.path) and imported_as(run.description) is None
    return dataclasses.replace(report, copied=copied, probes=tuple(probe_lines(run.path)))


def _shown_to(
    seen: Callable[[CaseIndex, Result], None] | None, cases: Iterable[tuple[CaseIndex, Result]]
) -> Iterator[tuple[CaseIndex, Result]]:
    for index, result in cases:
        if seen is not None:
            seen(index, result)
        yield index, result


def build(
    run: Mapping[str, Any],
    plan: Plan,
    cases: Iterable[tuple[CaseIndex, Result]],
    baseline: CaseArrays | None = None,
    *,
    floors: _Floors = _NO_FLOORS,
) -> Report:
    """The report from run.json, the plan that counts, and the result of each case, in any order.

    floors: further ones than those that come with bench.
    """
    imported = imported_as(run) is not None
    # A run that could stop for what it saw needs intervals that allow for it.
    anytime = bool(run.get("stopped")) or str(run.get("stopping", "")).startswith("until")
    tallies = [TaskTally(item, anytime=anytime) for item in plan.items]
    # Conditions with starts of their own have no controls to be compared with.
    arrays = CaseArrays(plan) if plan.perturbations and not plan.offsets else None
    views, errors, redrawn, endless = ViewRemarks(), ErrorKinds(), 0, 0
    privileged, clock, size = PrivilegedViews(), ClockTally(plan.clock), FootprintTally()
    renderers, answers, served = Renderers(), AnswersTally(), ServerTimingTally()
    wiring, chances = Passive(), ConfidenceTally()
    for index, result in cases:
        errors.add(index, result)
        views.add(result)
        size.add(result)
        answers.add(result)
        served.add(result)
        wiring.add(result)
        privileged.add(result)
        renderers.add(result)
        if arrays is not None:
            arrays.add(index, result)
        if index.condition == 0:
            clock.add(plan.items[index.item].task.domain, result)
            chances.add(plan.items[index.item].task.domain, result)
            tallies[index.item].add(index.episode, result)
            redrawn += "redrawn_starts" in result.metrics and result.steps > 0
            limit = plan.items[index.item].task.max_steps
            endless += result.ended == "horizon" and limit in (None, LONGEST_EPISODE)
    # A task that could not run at first may have been played later, on another machine.
    absent = {row.task for row in plan.not_run if row.perturbation is None}
    repeated = {
        item for item, tally in enumerate(tallies) if tally.episodes.distinct()[0] < tally.n
    }
    tallies = [tally for tally in tallies if tally.n or tally.item.task.id not in absent]
    scored = {tally.item.task.id for tally in tallies}
    told, drew = privileged.by_task(), renderers.by_task()
    rows = []
    for tally in tallies:
        task = tally.item.task.id
        row = tally.row(told.get(task, ()))
        row = dataclasses.replace(row, renderers=drew.get(task, ()))
        if imported:
            row = dataclasses.replace(row, steps_mean=None)  # nobody has told it
        rows.append((tally, _with_floors(row, tally.item, floors)))
    suites = dict.fromkeys(
        [tally.item.suite for tally in tallies] + [row.suite for row in plan.not_run]
    )
    grouping = Grouping(rows)
    return Report(
        run=_head(run, plan, tuple(suites)),
        overall=grouping.group(),
        domains=tuple(grouping.group(domain=domain) for domain in DOMAINS),
        suites=tuple(grouping.group(suite=suite) for suite in suites),
        tasks=tuple(row for _, row in rows),
        not_run=tuple(
            row for row in plan.not_run if row.task not in scored and row.perturbation is None
        ),
        perturbations=()
        if arrays is None
        else robustness(arrays, baseline, stopped=anytime, repeated=repeated),
        views=views.sentences(),
        errors=errors.rows(),
        redrawn_starts=redrawn,
        endless=endless,
        latency=clock.rows(),
        answers=answers.rows(),
        confidence=chances.rows(),
        server_timing=served.found(),
        footprint=size.found(),
        wiring=wiring.rows(),
        clock=plan.clock,
        run_schema=int(run.get("schema", 1)),
        not_applicable=tuple(row for row in plan.not_run if row.perturbation is not None),
    )


def _with_floors(row: TaskRow, item: PlanItem, floors: _Floors) -> TaskRow:
    found = [*shipped_floors(item.task.id, item.protocol)]
    for played, floor in floors.get(item.task.id, ()):
        # Other versions of packages, a browser or fonts leave the task what it is.
        if played.task.content == item.task.content:
            other = played.protocol != item.protocol
            found.append(dataclasses.replace(floor, other_versions=other))
    marked = (
        dataclasses.replace(floor, other_renderer=other_renderer(row.renderers, floor.renderers))
        for floor in found
    )
    return dataclasses.replace(row, floors=tuple(marked)) if found else row


def _floors_of_runs(paths: Sequence[str | os.PathLike[str]]) -> _Floors:
    found: dict[str, list[tuple[PlanItem, Floor]]] = {}
    for path in paths:
        report = load_report(path)
        played = {item.task.id: item for item in load_run(path).plan.items}
        for row in report.tasks:
            if row.n:
                floor = Floor(
                    agent=printable(str(report.run["agent"]["name"])),
                    n=row.n,
                    success_rate=row.success_rate,
                    score=value_of(row.score) if row.successes is None else None,
                    privileged=is_privileged(report.run, row),
                    renderers=row.renderers,
                )
                found.setdefault(row.task, []).append((played[row.task], floor))
    return found


def summary(report: Report) -> str:
    """The report in a few lines."""
    total, interval = report.overall, report.overall.interval
    name = printable(str(report.run["agent"]["name"]))
    imported = imported_line(report.run)
    lines = [imported] if imported else []
    lines += [
        f"{name}: {total.n} of {counted(total.planned, 'episode')} scored, "
        f"{total.tasks_with_result} of {counted(total.tasks, 'task')}"
    ]
    if total.successes is not None and interval is not None:
        rated = [row for row in report.tasks if row.successes is not None and row.n]
        bounds = range_of(interval, percent).replace(" to ", ", ")
        lines.append(
            f"{total.successes} of {sum(row.n for row in rated)} succeeded; "
            + ("mean of task rates" if len(rated) == total.tasks else _rates_of(len(rated)))
            + f" {percent(interval.value)} %"
            + (f" [{bounds}]" if bounds else f"; {total.no_interval}")
        )
    if safety := safety_sentence(report):
        lines.append(safety)
    if total.normalised is not None and any(row.successes is None for row in report.tasks):
        some = total.tasks_in_normalised
        of = f" of {counted(some, 'task')}" if some is not None else ""
        lines.append(f"mean of task rates and normalised scores{of} {total.normalised:.3f}")
    if total.ended.get("horizon"):
        lines.append(f"{total.ended['horizon']} of {total.n} hit the horizon")
    if total.agent_errors:
        counts = "it counts as a failure" if total.agent_errors == 1 else "they count as failures"
        lines.append(f"{total.agent_errors} ended in an error of the agent: {counts}")
    if total.partial:
        lines.append(f"partial: {missing_cases(total)}")
    if report.not_run:
        lines.append(
            f"{counted(len(report.not_run), 'task')} cannot run here: the report names the remedies"
        )
    return "\n".join(lines)


def _rates_of(tasks: int) -> str:
    return "the rate of 1 task" if tasks == 1 else f"mean of the rates of {tasks} tasks"


def missing_cases(row: TaskRow | Group) -> str:
    """Which results a partial row lacks: `1 error, 3 not played`."""
    unplayed = row.planned - row.n - row.errors
    parts = [
        counted(row.errors, "error") if row.errors else "",
        f"{unplayed} not played" if unplayed else "",
    ]
    return ", ".join(part for part in parts if part)


def _head(run: Mapping[str, Any], plan: Plan, suites: tuple[str, ...]) -> dict[str, Any]:
    head = {name: value for name, value in run.items() if name not in ("schema", "plan")}
    return head | {
        "plan": {"hash": run["plan"]["hash"], "seed": plan.seed},
        **({} if plan.clock is None else {"clock": plan.clock.to_json()}),
        "suites": list(suites),
        "packages": package_versions(plan),
    }


def package_versions(plan: Plan) -> dict[str, str]:
    """Package -> its version, or all of them where tasks had different ones."""
    packages: dict[str, set[str]] = {}
    for item in plan.items:
        for name, version in item.packages.items():
            packages.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(packages.items())}
