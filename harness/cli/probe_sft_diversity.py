"""`bench probe sft-diversity`: what do the demonstrations of other domains give?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import (
    AgentTimeout,
    LanesOption,
    TaskGlobs,
    Workers,
    arguments,
    at_least_one,
)
from harness.cli.output import DONE, WITH_ERRORS, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.compare.pairs import ScoredRun
    from harness.core import Suite, Task
    from harness.probes.diversity.arms import Training, Variant

__all__ = ["sft_diversity"]


def sft_diversity(
    data: Annotated[
        list[Path],
        typer.Option(
            help="A folder of `bench demos`, one for each set that is learned or left out; its "
            "name is that of the set. Repeated."
        ),
    ],
    steps: Annotated[int, typer.Option(help="Updates of each training.")],
    out: Annotated[
        Path, typer.Option(help="The folder of weights and runs. The same command continues there.")
    ],
    trainer: Annotated[str, typer.Option(help="What is trained; see `bench train`.")] = "gea",
    config: Annotated[
        str | None, typer.Option(help="The configuration of all trainings; see `bench train`.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE of the configuration. Can be repeated."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="The weights that all trainings start from, with their tokenizer; see "
            "`bench train`."
        ),
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            help="FIELD=VALUE,VALUE,...: a second factor. All is trained with each value, and "
            "compared with the first: initialise=all,vision,language,none."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Training seeds, 2 at least.")] = 5,
    suite: Annotated[
        str | None,
        typer.Option(help="Where the tasks are; default: the suites that were recorded."),
    ] = None,
    tasks: TaskGlobs = None,
    episodes: Annotated[
        int,
        typer.Option(
            help="Episodes of each task that a checkpoint plays. Each training seed has other ones."
        ),
    ] = 20,
    seed: Annotated[
        int, typer.Option(help="Which set of episodes the first training seed plays.")
    ] = 0,
    floor: Annotated[
        str, typer.Option(help="The agent above which a checkpoint counts as better than nothing.")
    ] = "uniform",
    threads: Annotated[int, typer.Option(help="Threads of torch while it trains.")] = 1,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    agent_timeout: AgentTimeout = 600.0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw gains and transfer to this file.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Train on one set of demonstrations, on all, and on all but one, and compare.

    Every checkpoint plays the tasks of every set. Exit 4: some cases have no result, or the
    agent failed in some.
    """
    from harness.cli.probe_runs import PlayOptions, Telling
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.probes.diversity.arms import design_of, variants_of

    telling = Telling(
        probe="sft-diversity",
        title=f"{trainer}: what the demonstrations of other sets give",
        folder=out,
        figure=figure,
        format=format,
    )
    if seeds < 2:
        raise UserError(f"--seeds {seeds}: an interval over training seeds needs two at least")
    names = [folder.resolve().name for folder in data]
    design, variants = design_of(names, at_least_one("--steps", steps) or 0), variants_of(vary)
    changes = arguments(set_)
    play = PlayOptions(workers=workers, lanes=lanes, agent_timeout=agent_timeout)
    options = play.run_options()

    def work() -> tuple[str, str, int]:
        from harness.cli.names import agent_named, trainer_named
        from harness.probes.diversity.evaluations import Evaluations
        from harness.probes.diversity.summary import Runs, summarise
        from harness.probes.diversity.trainings import Recipe, Trainings

        found = trainer_named(trainer)
        folders = dict(zip(names, data, strict=True))
        chosen = _sets(folders, suite, tasks)
        evaluations = Evaluations(chosen, out / "runs", options, episodes=episodes, seed=seed)
        recipe = Recipe(config=config, init=init, changes=changes, threads=threads)
        trainings = Trainings(found, folders, out, recipe, say)
        floors = []
        trained: dict[tuple[Variant, Training], list[ScoredRun]] = {}
        for k in range(seeds):
            floors.append(evaluations.run(f"floor-{floor}", agent_named(floor, {}), k))
            for variant in variants:
                for training in design.trainings():
                    weights = trainings.weights(training, variant, k)
                    spec = agent_named(found.agent, {found.argument: str(weights)})
                    name = "/".join(filter(None, [str(variant), training.name]))
                    played = evaluations.run(name, spec, k)
                    trained.setdefault((variant, training), []).append(played)
        told = summarise(
            design,
            variants,
            {name: frozenset(task.id for _, task in pairs) for name, pairs in chosen.items()},
            Runs(trained={key: tuple(runs) for key, runs in trained.items()}, floor=tuple(floors)),
            floor,
            evaluations.missing,
            evaluations.agent_errors,
        )
        said = [*evaluations.lacking, f"weights and run directories: {out}"]
        code = WITH_ERRORS if told.missing or told.agent_errors else DONE
        every = [*floors, *(run for runs in trained.values() for run in runs)]
        paths = [str(run.stored.path.resolve().relative_to(out.resolve())) for run in every]
        return telling.tell(told, paths), "\n".join(said), code

    return relay(work)


def _sets(
    folders: Mapping[str, Path], suite: str | None, tasks: str | None
) -> dict[str, list[tuple[Suite, Task]]]:
    """The tasks of each set that its folder has demonstrations of. Raises UserError."""
    from harness.cli.names import suites_named
    from harness.core import UserError
    from harness.demos import Demos
    from harness.records.catalogue import select_tasks

    recorded = {name: Demos(folder).rows for name, folder in folders.items()}
    named = dict.fromkeys(row.suite for rows in recorded.values() for row in rows)
    suites = suites_named(",".join(named) if suite is None else suite)
    known = {task.id: (each, task) for each in suites for task in each.tasks}
    kept = {task.id for _, task in select_tasks(suites, tasks)}
    found = {}
    for name, rows in recorded.items():
        ids = dict.fromkeys(row.task for row in rows)
        lost = [each for each in ids if each not in known]
        if lost:
            raise UserError(
                f"{folders[name]} has demonstrations of {lost[0]}, which is in none of the suites "
                f"{', '.join(each.name for each in suites)}: name its suite with --suite"
            )
        found[name] = [known[each] for each in ids if each in kept]
        if not found[name]:
            raise UserError(f"--tasks {tasks!r} leaves no task of {folders[name]}")
    return found
