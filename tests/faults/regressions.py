"""30 planted regressions in BabyAI, each explained: is the step exact, is the cause right?

    python tests/faults/regressions.py [--episodes 10]

BASE is the oracle. NEW is the oracle with one fault: it stays from one step on for just as long as
it takes to be too late; or it stays where its instruction has one word; or for ever once its answer
came late. Prints a row for each kind, and those that were not named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Agent, Answer, Turn
from harness.play.episode import episode_name
from harness.play.planning import make_plan
from harness.play.progress import progress_for
from harness.play.runner import RunOptions, play
from harness.probes.explain import STEP, Explanation, explain_case
from harness.probes.flips import flips_of, recorded
from harness.probes.fork import Brancher
from harness.records.catalogue import select_tasks
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec
from suites import babyai

TASK = "babyai/GoToObj"
HORIZON = 64
DONE = 6
"""Changes nothing."""
LATE = ControlClock(10.0, (0.15,))


class Oracle(Agent):
    """Does what the expert says."""

    reads = ("expert",)

    def act(self, turns: Any) -> list[Any]:
        return [DONE if turn.expert is None else turn.expert for turn in turns]


class Late(Oracle):
    """Stays from `step` on until it is too late, by what BASE needed in the run `base`."""

    def __init__(self, step: int, base: str) -> None:
        self.step = step
        self.needed = {
            episode_name(result.case): result.steps
            for _, result in read_scored_run(Path(base)).stored.cases()
        }

    def act(self, turns: Any) -> list[Any]:
        return [self._one(turn, good) for turn, good in zip(turns, super().act(turns))]

    def _one(self, turn: Turn, good: Any) -> Any:
        wasted = HORIZON - self.needed[turn.episode] + 1
        return DONE if self.step <= turn.step < self.step + wasted else good


class Deaf(Oracle):
    """Stays where it is told this word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def act(self, turns: Any) -> list[Any]:
        return [
            DONE if self.word in turn.instruction.split() else good
            for turn, good in zip(turns, super().act(turns))
        ]


class Hasty(Oracle):
    """Stays for ever once more than a step has passed since it was asked last."""

    def act(self, turns: Any) -> list[Any]:
        return [self._one(turn, good) for turn, good in zip(turns, super().act(turns))]

    def _one(self, turn: Turn, good: Any) -> Any:
        last, hurt = turn.memory or (turn.step - 1, False)
        hurt = hurt or turn.step - last > 1
        return Answer([DONE if hurt else good], memory=(turn.step, hurt))


def planted() -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """(kind, class, arguments, the cause to name)."""
    for step in range(10):
        yield "at a step", "Late", {"step": step}, STEP
    for word in ("ball", "box", "key", "red", "green", "blue", "purple", "grey", "yellow", "to"):
        yield "on a word", "Deaf", {"word": word}, f"without the word {word!r}"
    yield "after a delay", "Hasty", {}, "with answers that act at once"


def run(folder: Path, kind: str, args: dict[str, Any], late: bool, episodes: int) -> ScoredRun:
    (chosen,) = select_tasks(list(babyai.SUITES), TASK)
    spec = AgentSpec(kind, f"regressions:{kind}", args)
    clock = LATE if late else None
    plan = make_plan([chosen], spec, episodes=episodes, seed=0, clock=clock)
    play(spec, ["babyai"], plan, folder, RunOptions(), progress_for())
    return read_scored_run(folder)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=30)
    episodes = parser.parse_args().episodes
    sys.modules.setdefault("regressions", sys.modules["__main__"])
    counts: dict[str, list[int]] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()):
        bases = {late: run(Path(scratch) / f"base-{late}", "Oracle", {}, late, episodes)
                 for late in (False, True)}  # fmt: skip
        for number, (name, kind, args, cause) in enumerate(planted()):
            late = kind == "Hasty"
            given = {**args, "base": str(bases[late].path)} if kind == "Late" else args
            new = run(Path(scratch) / str(number), kind, given, late, episodes)
            spec = AgentSpec(kind, f"regressions:{kind}", given)
            keys = flips_of(bases[late], new).worse[: 10 if late else 1]
            if not keys:
                missed.append(f"{name} {args}: no case flipped")
            both = [recorded(each, keys) for each in (bases[late], new)]
            with Brancher(spec.build(), LATE if late else None, 60.0) as brancher:
                for key in keys:
                    found = explain_case(brancher, both[0][key], both[1][key], clock=late)
                    tally(counts.setdefault(name, [0, 0, 0, 0]), found, args, cause, missed)
    rows = [[name, *counted] for name, counted in counts.items()]
    heads = ["fault", "explained", "step exact", "cause named first", "episodes played"]
    print(tabulate(rows, heads, tablefmt="github"))
    print("\n".join(missed))


def tally(
    counted: list[int], found: Explanation, args: dict[str, Any], cause: str, missed: list[str]
) -> None:
    """Count one explanation."""
    exact = found.switches == (args["step"],) if "step" in args else bool(found.switches)
    counted[0] += 1
    counted[1] += exact
    counted[2] += found.cause == cause
    counted[3] += found.played
    if not exact or found.cause != cause:
        said = found.unexplained or found.cause
        missed.append(f"{found.task} seed {found.seed}, {args}: step {found.switches}, {said}")


if __name__ == "__main__":
    main()
