"""`bench pool`: workers that stay between runs on this machine."""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import worker_count
from harness.cli.output import DONE, print_out
from harness.core import UserError

if TYPE_CHECKING:
    from harness.play.pool_files import PoolRecord

__all__ = ["pool"]

pool = typer.Typer(
    name="pool",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Keep Ray, its workers and their environments between runs on this machine.",
)
MINUTE_S = 60.0
NONE = "no pool; `bench pool start` starts one"


@pool.command()
def start(
    workers: Annotated[str, typer.Option(help="auto: one worker per core. N: N workers.")] = "auto",
    idle: Annotated[
        float, typer.Option(help="The pool ends when no run used it for so many minutes.")
    ] = 30.0,
) -> int:
    """Start a pool; runs in this folder use it from then on."""
    count = worker_count(workers)
    if count == 0:
        raise UserError("--workers 0 plays without a pool: name a number, or auto")
    if not 0 < idle < 1e6:
        raise UserError(f"--idle must be a number of minutes above 0, got {idle:g}")
    said = _in_the_background(count or os.cpu_count() or 1, idle * MINUTE_S)
    if "refused" in said:
        raise UserError(said["refused"])
    print_out(f"a pool of {said['workers']}; runs in {said['folder']} use it")
    return DONE


@pool.command()
def stop() -> int:
    """End the pool, its workers and its Ray."""
    from harness.play.ray_pool import stop as end

    print_out(NONE if end() is None else "the pool has ended")
    return DONE


@pool.command()
def status() -> int:
    """Say whether there is a pool, and what for."""
    from harness.play import pool_files

    record = pool_files.read()
    print_out(NONE if record is None else _described(record))
    return DONE


def _described(record: PoolRecord) -> str:
    from harness.core.grammar import counted
    from harness.play import pool_files
    from harness.play.pool_files import Surroundings

    began = datetime.datetime.fromtimestamp(record.began).strftime("%Y-%m-%d %H:%M")
    why = record.surroundings.difference(Surroundings.here())
    return "\n".join(
        (
            f"{counted(record.workers, 'worker')} since {began}, process {record.pid}",
            f"{'in use by a run' if pool_files.in_use() else 'free'}; it ends when no run used it "
            f"for {record.idle_s / MINUTE_S:g} minutes",
            f"for runs in {record.surroundings.folder} with {record.surroundings.python}",
            "a run from here uses it" if why is None else f"a run from here does not use it: {why}",
        )
    )


def _in_the_background(workers: int, idle_s: float) -> dict[str, Any]:
    """Start the process of the pool, and return what it says when it is ready or ends.

    It has a session of its own, so that it outlives this command and its terminal.
    """
    hears, says = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        code = 1
        try:
            os.close(hears)
            os.setsid()
            if os.fork() == 0:
                _be_the_pool(workers, idle_s, says)
            code = 0
        finally:
            os._exit(code)
    os.close(says)
    with open(hears) as answer:
        text = answer.read()
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        raise UserError("the pool ended while it started; nothing is known of why") from None
    return found


def _be_the_pool(workers: int, idle_s: float, says: int) -> None:
    """The process of the pool. It never returns."""
    from harness.play.stopped import Stopped

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)

    def tell(**words: Any) -> None:
        nonlocal says
        if says >= 0:
            os.write(says, json.dumps(words).encode())
            os.close(says)
            says = -1

    try:
        from harness.core.grammar import counted
        from harness.play.ray_pool import hold

        hold(
            workers,
            idle_s,
            lambda record: tell(
                workers=counted(record.workers, "worker"), folder=record.surroundings.folder
            ),
            lambda _: None,
        )
    except ImportError as fault:
        tell(refused=f"{fault}: pip install 'generalist-bench[ray]'")
    except (UserError, Stopped) as wrong:
        tell(refused=str(wrong))
    finally:
        os._exit(0)
