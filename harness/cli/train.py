"""`bench demos` and `bench train`: demonstrations, and agents that learn from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import (
    AgentArgs,
    LanesOption,
    TaskGlobs,
    Workers,
    arguments,
    at_least_one,
    worker_count,
)
from harness.cli.output import DONE, WITH_ERRORS, command_line, say

if TYPE_CHECKING:
    from harness.demos.trainer import TrainingRequest

__all__ = ["demos", "train"]


def demos(
    suite: Annotated[
        str,
        typer.Option(
            help="See `bench run`. Without --agent or --teacher, tasks without an expert are named "
            "and left out."
        ),
    ],
    episodes: Annotated[
        int,
        typer.Option(help="Episodes to play of each task."),
    ],
    out: Annotated[
        Path,
        typer.Option(help="The folder of the demonstrations. The same command continues there."),
    ],
    tasks: TaskGlobs = None,
    agent: Annotated[
        str | None,
        typer.Option(
            help="Who plays, as in `bench run`; then rewards are recorded too. Default: the tasks' "
            "experts."
        ),
    ] = None,
    agent_arg: AgentArgs = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="An agent without arguments that takes the experts' place, also in tasks that "
            "have none: its actions are the ones to be imitated."
        ),
    ] = None,
    keep: Annotated[
        Literal["successes", "all"],
        typer.Option(
            help="Which finished episodes to keep; all of them needs --agent or --teacher."
        ),
    ] = "successes",
    views: Annotated[
        str,
        typer.Option(
            help="The views to record, separated by commas. A trailing ? marks a view that a task "
            "may lack."
        ),
    ] = "image?,proprio?,text?,admissible?,dom?",
    images: Annotated[
        Literal["png", "jpeg", "webp"],
        typer.Option(help="How pictures are stored: png and webp are lossless, jpeg is small."),
    ] = "png",
    pixels: Annotated[
        int | None,
        typer.Option(
            help="Shrink pictures to this many pixels a side before they are stored, by the mean "
            "of areas. Default: as the task shows them."
        ),
    ] = None,
    noise: Annotated[
        float,
        typer.Option(
            help="Without --agent: the share of executed actions that are drawn at random. The "
            "expert's actions are recorded."
        ),
    ] = 0.0,
    roll_in: Annotated[
        str | None,
        typer.Option(
            help="Without --agent: an agent that acts in the experts' place on half of the "
            "stretches of 25 steps, so that experts show what to do where it comes to (DAgger). "
            "The expert's actions are recorded."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Which set of training seeds, 0 to 99. Evaluations never play them."),
    ] = 0,
    workers: Workers = "auto",
    lanes: LanesOption = None,
    lerobot: Annotated[
        Path | None,
        typer.Option(help="Also write them to this folder, in LeRobotDataset's layout (v3.0)."),
    ] = None,
    lerobot_names: Annotated[
        str | None,
        typer.Option(
            help="With --lerobot: VIEW=FEATURE, separated by commas, for views that LeRobot calls "
            "otherwise, such as proprio=observation.state."
        ),
    ] = None,
) -> int:
    """Record episodes, by default the experts' successes, as Parquet files with a data card.

    Exit 4: some cases have no result, or nothing was kept.
    """
    from harness.cli.supervisor import relay
    from harness.core import UserError
    from harness.demos.record import RecordingOptions
    from harness.play.runner import RunOptions

    names = _names_of_features(lerobot, lerobot_names)
    read = tuple(name for name in views.split(",") if name)
    recording = RecordingOptions(read, images, noise, at_least_one("--pixels", pixels), keep)
    if agent is None and roll_in is None and agent_arg:
        raise UserError("--agent-arg belongs to --agent or --roll-in")
    options = RunOptions(
        workers=worker_count(workers),
        lanes=at_least_one("--lanes", lanes),
        command=command_line(),
    )

    def work() -> tuple[str, str, int]:
        from harness.cli.names import agent_named, suites_named
        from harness.demos.dataset import Demos
        from harness.demos.lerobot import export
        from harness.demos.record import record
        from harness.play.progress import progress_for
        from harness.records.catalogue import select_tasks

        chosen = select_tasks(suites_named(suite), tasks)
        recorded = record(
            chosen,
            out,
            recording,
            options,
            progress_for(),
            episodes=episodes,
            seed=seed,
            agent=None if agent is None else agent_named(agent, arguments(agent_arg)),
            teacher=None if teacher is None else agent_named(teacher, {}),
            roll_in=None if roll_in is None else agent_named(roll_in, arguments(agent_arg)),
        )
        if lerobot is not None and recorded.demos:
            for folder in export(Demos(out), lerobot, names):
                say(f"as a LeRobotDataset: {folder}")
        lacking = recorded.summary.missing or recorded.summary.stopped or not recorded.demos
        card = str(recorded.folder / "README.md")
        return card, recorded.as_text(), WITH_ERRORS if lacking else DONE

    return relay(work)


def _names_of_features(folder: Path | None, said: str | None) -> dict[str, str]:
    from harness.core import UserError

    if said is None:
        return {}
    if folder is None:
        raise UserError("--lerobot-names belongs to --lerobot")
    pairs = [part.partition("=") for part in said.split(",")]
    if not all(view and feature for view, _, feature in pairs):
        raise UserError(f"--lerobot-names {said}: write VIEW=FEATURE, separated by commas")
    return {view: feature for view, _, feature in pairs}


def train(
    agent: Annotated[
        str, typer.Argument(help="What to train: gea, transformer-bc or decision-transformer.")
    ],
    out: Annotated[
        Path, typer.Option(help="The folder of the weights. The same command continues there.")
    ],
    stage: Annotated[
        str | None,
        typer.Option(
            help="What to learn; gea: tokenizer, then sft, then rl or offline; or frames, see. "
            "Can be left out where there is only one."
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of `bench demos`; see: of frames. Can be repeated."),
    ] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            help="sft: demonstrations of other seeds, to keep the weights that do best on them; "
            "see validate_every in the configuration. Can be repeated."
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="nano, nano-vision, paper, or a JSON file. Default: that of --out, or else nano."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE of the configuration. Can be repeated."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Updates; for rl, steps in the environments; for frames, those of a task."
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="gea: the weights that sft, rl or see start from, or whose views frames record "
            "and which then play where a task has no expert; sft keeps the part of them that "
            "`initialise` in the configuration says."
        ),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="rl, frames: the suites to play; see `bench run`.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(help="rl, frames: see `bench run`.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of the training.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of torch on a CPU. 0: one per core.")] = 0,
) -> int:
    """Train one of the agents that come with bench. Prints the folder of the weights."""
    from harness.cli.supervisor import relay

    def work() -> tuple[str, str, int]:
        from harness.cli.names import suites_named, trainer_named
        from harness.core import UserError
        from harness.demos.trainer import TrainingRequest
        from harness.records.catalogue import select_tasks

        trainer = trainer_named(agent)
        named = stage or (trainer.stages[0] if len(trainer.stages) == 1 else None)
        if named not in trainer.stages:
            raise UserError(f"--stage: `bench train {agent}` has {', '.join(trainer.stages)}")
        request = TrainingRequest(
            stage=named,
            out=out,
            data=tuple(data or ()),
            validation=tuple(validation or ()),
            config=config,
            changes=arguments(set_),
            steps=at_least_one("--steps", steps),
            init=init,
            tasks=select_tasks(suites_named(suite), tasks) if suite is not None else (),
            seed=seed,
            threads=threads,
        )
        trainer.train(request, say)
        _say_what_on(request)
        if named in trainer.records:
            *others, last = trainer.records[named]
            learning = f"{', '.join(others)} or {last}" if others else last
            return str(out), f"next: --stage {learning} --data {out}", DONE
        later = trainer.stages[trainer.stages.index(named) + 1 :]
        following = (
            f"next: --stage {later[0]}"
            if named in trainer.prepares
            else f"next: bench run --agent {trainer.agent} --agent-arg {trainer.argument}={out} "
            "--suite S"
        )
        return str(out), following, DONE

    return relay(work)


def _say_what_on(request: TrainingRequest) -> None:
    """Write beside the weights what they were trained on, where all that is learned from says it.

    Agents that play these weights can name it (Agent.trained_on).
    """
    from harness.records.training_data import (
        FILE,
        TrainingData,
        joined,
        read_training_data,
        write_training_data,
    )

    folders = [*request.data, *([] if request.init is None else [request.init])]
    if not folders or not all((folder / FILE).is_file() for folder in folders):
        (request.out / FILE).unlink(missing_ok=True)
        return
    parts = [read_training_data(folder) for folder in folders]
    if request.tasks:
        played = frozenset(task.id for _, task in request.tasks)
        parts.append(TrainingData(description="played episodes", axes={"task": played}))
    found = joined(parts)
    write_training_data(request.out, found.description, found.axes)
