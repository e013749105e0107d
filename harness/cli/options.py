"""The options that commands share, and how their values are read.

Nothing heavy is imported here: `bench --help` reads this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness.cli.locations import run_figures, run_folder

__all__ = [
    "AgentArgs", "AgentName", "AgentTimeout", "Alpha", "Backend", "Base", "ControlRate",
    "EpisodesOption", "Full", "Interpreters", "JUnit", "LanesOption", "Latency", "Margin",
    "Methods", "Out", "ProfileCheck", "RayAddress", "ReplicasOption", "Run", "RunFigures",
    "Seed", "SuiteNames", "TaskGlobs", "TrainingDataOption", "TrustMaker", "Workers",
    "argument", "arguments", "at_least_one", "replica_count", "worker_count",
]  # fmt: skip

AgentName = Annotated[
    str, typer.Option(help="A name from `bench list agents`, or your own package.module:Class.")
]
SuiteNames = Annotated[
    str,
    typer.Option(
        help="Names from `bench list suites`, all, gym:ID, or your own module or FILE.toml; "
        "separated by commas."
    ),
]
TaskGlobs = Annotated[
    str | None,
    typer.Option(
        help="Only tasks that match: globs over ids, or tag:NAME; not:GLOB leaves tasks out; "
        "separated by commas."
    ),
]
EpisodesOption = Annotated[
    int | None,
    typer.Option(help="Episodes per task. Default: what the suite's protocol asks for."),
]
Seed = Annotated[
    int, typer.Option(help="Which set of episodes to play. Different seeds share no episode.")
]
Workers = Annotated[
    str, typer.Option(help="auto: one Ray worker per core. N: N workers. 0: in this process.")
]
LanesOption = Annotated[
    int | None, typer.Option(help="Episodes that a worker plays at the same time.")
]
ReplicasOption = Annotated[
    str,
    typer.Option(
        "--replicas",
        help="Instances of a served agent, a number; auto: as many as there are GPUs for.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="The run directory, or a URL such as s3://BUCKET/RUN; default: runs/AGENT-SUITE-HASH."
    ),
]
AgentArgs = Annotated[
    list[str] | None,
    typer.Option(help="k=v for the agent's constructor; v is JSON or text. Can be repeated."),
]
AgentTimeout = Annotated[
    float, typer.Option(help="Seconds after which an agent that has not answered counts as failed.")
]
RayAddress = Annotated[
    str | None, typer.Option(help="A running Ray cluster, for example auto or ray://host:10001.")
]
Interpreters = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=PATH: the Python interpreter in which this family's simulator runs; see "
        "docs/interpreters.md."
    ),
]
ControlRate = Annotated[
    str | None,
    typer.Option(
        help="real, or a number of Hz: simulated time does not wait for the agent. An answer that "
        "took longer than the period acts as many steps later; see docs/latency.md."
    ),
]
Latency = Annotated[
    str | None,
    typer.Option(
        help="How long each answer takes, in place of the measured time: 80ms, a file with "
        "milliseconds in its lines, or a run with measured latencies."
    ),
]
Backend = Annotated[
    str,
    typer.Option(
        help="Other code that plays the same tasks, such as lean; it must be equal to the ordinary "
        "simulator here, which is tried first. See docs/backends.md."
    ),
]
ProfileCheck = Annotated[
    Literal["on", "off"],
    typer.Option(
        help="off: play an agent although its profile does not fit the task; the report says so. "
        "See docs/policies/profiles.md."
    ),
]
TrainingDataOption = Annotated[
    Path | None,
    typer.Option(
        "--training-data",
        help="What the agent was trained on: a folder of `bench demos`, or a file; see "
        "docs/seen.md.",
    ),
]
Run = Annotated[Path, typer.Argument(help="A run directory, or its URL.", parser=run_folder)]
RunFigures = Annotated[
    Path, typer.Argument(help="A run directory, or its URL.", parser=run_figures)
]
Base = Annotated[
    str,
    typer.Option(
        help="A run directory, a zip archive or URL of one, or a name of `bench baseline list`."
    ),
]
TrustMaker = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Also import the adapters, and use the parameters, of tasks that are not of bench's "
        "suites. They run as you: only for a run whose maker you trust.",
    ),
]
Margin = Annotated[
    float, typer.Option(help="How much lower the mean over tasks may be. 0.05 is five points.")
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="NAME=RUN,RUN,...: a method by a run of each of its trainings. Repeated for each.",
    ),
]
Alpha = Annotated[float, typer.Option(help="The largest acceptable chance of a false verdict.")]
Full = Annotated[
    bool,
    typer.Option("--full", help="Print all rows, columns and texts, also where they do not fit."),
]
JUnit = Annotated[Path | None, typer.Option(help="Also write JUnit XML to this file.")]


def argument(text: str) -> tuple[str, Any]:
    """(name, value) of NAME=VALUE. The value is read as JSON, or else is the text itself."""
    from harness.core import UserError

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UserError(f"--agent-arg {text!r}: write NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def arguments(texts: list[str] | None) -> dict[str, Any]:
    """The arguments by name."""
    return dict(argument(text) for text in texts or [])


def worker_count(text: str) -> int | None:
    """The number of workers, or None for one per core. Raises UserError."""
    from harness.core import UserError

    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"--workers {text!r}: write auto, or a number; 0 plays in this process")
    return int(text)


def replica_count(text: str) -> int | None:
    """The number of replicas, or None for as many as fit. Raises UserError."""
    from harness.core import UserError

    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UserError(f"--replicas {text!r}: write auto, or a number from 1 on")
    return int(text)


def at_least_one(option: str, number: int | None) -> int | None:
    """`number` as it is. Raises UserError, naming `option`, where it is below 1."""
    from harness.core import UserError

    if number is not None and number < 1:
        raise UserError(f"{option} must be at least 1, got {number}")
    return number
