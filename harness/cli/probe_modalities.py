"""`bench probe modalities`: what does an agent lose without a view, or without its instruction?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AgentName, EpisodesOption, Seed, SuiteNames, TaskGlobs
from harness.cli.probe_runs import (
    PlayOptions,
    Telling,
    Wanted,
    default_folder,
    play_and_tell,
    with_play_options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.pairs import ScoredRun
    from harness.probes.modalities import ModalityProbe

__all__ = ["modalities"]


@with_play_options(out="The folder of the run directories; default: runs/modalities-AGENT.")
def modalities(
    *,
    agent: AgentName,
    suite: SuiteNames,
    tasks: TaskGlobs = None,
    episodes: EpisodesOption = None,
    seed: Seed = 0,
    withhold: Annotated[
        str | None,
        typer.Option(
            help="What is withheld, one after the other: views, and instruction, separated by "
            "commas. Default: every view that the agent reads, and the instruction."
        ),
    ] = None,
    play: PlayOptions,
    format: Annotated[Literal["text", "json"], typer.Option(help="What to print.")] = "text",
) -> int:
    """Play the same cases with one modality after the other withheld.

    A withheld view shows nothing: zeros, no text, no elements. The same command continues.
    """
    wanted = Wanted(
        suite=suite, tasks=tasks, episodes=episodes, seed=seed, options=play.run_options()
    )
    telling = Telling(
        probe="modalities",
        title=f"{agent} on {suite}: what is lost without a view or the instruction",
        folder=play.out or default_folder("modalities", agent),
        format=format,
    )

    def work() -> tuple[str, str, int]:
        from harness.probes.modalities import check_plan, compare_modalities
        from harness.probes.withheld import WithheldSpec, modalities_of

        spec = play.agent(agent)
        names = _chosen(withhold, modalities_of(spec))
        stages = [("whole", spec)]
        stages += [(f"without-{name}", WithheldSpec.of(spec, name)) for name in names]

        def find(runs: Sequence[ScoredRun]) -> ModalityProbe:
            whole, *without = runs
            return compare_modalities(whole, dict(zip(names, without, strict=True)))

        return play_and_tell(stages, wanted, check_plan, find, telling)

    return play.relay(work)


def _chosen(withhold: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """What to withhold of what there is. Raises UserError on a name that is not there."""
    from harness.core import UserError
    from harness.core.errors import suggest

    if withhold is None:
        return known
    names = tuple(dict.fromkeys(each.strip() for each in withhold.split(",") if each.strip()))
    for name in names:
        if name not in known:
            hint = suggest(name, known) or f"it reads {', '.join(known)}"
            raise UserError(f"--withhold: the agent reads nothing called {name!r}; {hint}")
    if not names:
        raise UserError(
            f"--withhold {withhold!r} names nothing; the agent reads {', '.join(known)}"
        )
    return names
