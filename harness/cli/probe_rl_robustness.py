"""`bench probe rl-robustness`: does reinforcement learning make a policy withstand more?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import EpisodesOption, Seed, SuiteNames, TaskGlobs, arguments
from harness.cli.output import WITH_ERRORS
from harness.cli.probe_runs import PlayOptions, Telling, Wanted, play_runs, with_play_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.identity import AgentSpec
    from harness.records.plan import Plan
    from leaderboards.rl_robustness_render import Candidate

__all__ = ["rl_robustness"]

MATCHED = "matched"
LARGEST_SEED = 1000


@with_play_options(without=("replicas", "out", "agent_arg", "ray_address"))
def rl_robustness(
    *,
    arm: Annotated[
        list[str],
        typer.Option(
            help="NAME=AGENT,k=v,...: an agent with its arguments; the first one is the base, "
            "before RL. Repeated."
        ),
    ],
    suite: SuiteNames,
    out: Annotated[
        Path, typer.Option(help="The folder of the run directories. The same command continues.")
    ],
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            help="AGENT,k=v,...: a checkpoint from before RL. Of these, the one whose undisturbed "
            f"success is nearest to that of the arm --match becomes the arm {MATCHED}. Repeated."
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(help="The arm that candidates are matched to; default: the second."),
    ] = None,
    perturb: Annotated[
        str, typer.Option(help="What they are disturbed with; see `bench run`.")
    ] = "closed-loop",
    played: Annotated[
        str | None,
        typer.Option(
            help="Globs of the tasks that RL trained on, separated by commas: the others are "
            "compared apart, by domain."
        ),
    ] = None,
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
    seed: Seed = 0,
    play: PlayOptions,
    figure: Annotated[
        Path | None, typer.Option(help="Draw success over severity to this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Disturb several trainings of an agent alike, and compare what they lose.

    Exit 4: some cases have no result.
    """
    from harness.core import UserError
    from leaderboards.rl_robustness_render import RlFinding

    arms = _arms(arm, several=not candidate)
    if match is not None and (not candidate or match not in arms):
        raise UserError(f"--match {match}: name an arm, and checkpoints with --candidate")
    telling = Telling(
        probe="rl-robustness",
        title=f"{', '.join(arms)} on {suite}: what is lost under perturbations",
        folder=out,
        figure=figure,
        format=format,
    )
    to = match or list(arms)[min(1, len(arms) - 1)]
    globs = [each.strip() for each in (played or "").split(",") if each.strip()]
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )

    def work() -> tuple[str, str, int]:
        from harness.cli.names import perturbations_named
        from leaderboards.rl_robustness import compare_arms

        specs = {name: _spec(text, play.profile_check) for name, text in arms.items()}
        agents = dict(arms)
        tried: list[Candidate] = []
        conditions = perturbations_named(perturb)
        said: list[str] = []
        if candidate:
            found = _matching(candidate, specs[to], wanted, out / "matching", play.profile_check)
            if isinstance(found, str):
                return "", found, WITH_ERRORS
            tried, best = found
            agents[MATCHED] = candidate[best]
            specs[MATCHED] = _spec(candidate[best], play.profile_check)
        folders = {MATCHED: f"{MATCHED}-{_folder(agents[MATCHED])}"} if candidate else {}
        runs = play_runs(
            [(folders.get(name, name), spec) for name, spec in specs.items()],
            out / "runs",
            dataclasses.replace(wanted, perturb=tuple(conditions)),
            _check,
        )
        said += runs.said
        if runs.stopped:
            return "", "\n".join([*said, runs.stopped]), WITH_ERRORS
        played_by = dict(zip(specs, runs.runs, strict=True))
        told = compare_arms(
            [(name, agents[name], run) for name, run in played_by.items()],
            globs,
            runs.agent_errors,
        )
        beside = None
        if tried:
            pair = [(name, agents[name], played_by[name]) for name in (MATCHED, to)]
            beside = compare_arms(pair, globs).arms[1]
        finding = RlFinding(found=told, candidates=tuple(tried), beside=beside)
        names = [f"runs/{each.name}" for each in runs.runs]
        return telling.tell(finding, names), "\n".join(said), runs.code

    return play.relay(work)


def _matching(
    candidates: Sequence[str], arm: AgentSpec, wanted: Wanted, folder: Path, profile_check: str
) -> tuple[list[Candidate], int] | str:
    """(the candidates beside the arm, the number of the nearest); a text where a run stopped.

    They play other cases than those of the comparison: whoever is nearest on these by chance would
    seem nearer there than it is.
    """
    from leaderboards.rl_robustness import clean_change
    from leaderboards.rl_robustness_render import Candidate, matched

    other = wanted.seed + 1 if wanted.seed < LARGEST_SEED else 0
    stages = [("arm", arm)]
    stages += [(_folder(each), _spec(each, profile_check)) for each in candidates]
    runs = play_runs(stages, folder, dataclasses.replace(wanted, seed=other), _check)
    if runs.stopped:
        return runs.stopped
    base, *rest = runs.runs
    found = [
        Candidate(agent=text, change=clean_change(base, run))
        for text, run in zip(candidates, rest, strict=True)
    ]
    return found, found.index(matched(found))


def _check(plan: Plan) -> None:
    """Raises UserError where no task has a success."""
    from harness.core import UserError

    if not any(item.task.success is not None for item in plan.items):
        raise UserError("none of these tasks has a success, so there is no rate that could fall")


def _arms(texts: Sequence[str], *, several: bool) -> dict[str, str]:
    """Name -> agent and arguments. Raises UserError."""
    from harness.core import UserError

    found: dict[str, str] = {}
    for text in texts:
        name, equals, agent = text.partition("=")
        safe = name and all(each.isalnum() or each in "-_+." for each in name) and name[0] != "."
        if not equals or not agent or not safe:
            raise UserError(
                f"--arm {text!r}: write NAME=AGENT or NAME=AGENT,k=v, NAME of letters, digits, "
                "-, _, + and ."
            )
        if name in found or name == MATCHED:
            raise UserError(f"--arm {name}: that name is taken; choose another one")
        found[name] = agent
    if several and len(found) < 2:
        raise UserError("name two arms at least, each with --arm NAME=AGENT")
    return found


def _folder(agent: str) -> str:
    """A name for the runs of a candidate."""
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in agent).strip(".-")


def _spec(text: str, profile_check: str) -> AgentSpec:
    """The agent of AGENT,k=v,... Raises UserError."""
    from harness.cli.names import agent_named

    name, *given = text.split(",")
    return agent_named(name, arguments(given), profile_check)
