"""Plays every checkpoint on the tasks of every set, in run directories that are kept.

All agents of one training seed play the same episodes; another training seed plays others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.compare.case_values import measure_of
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import Suite, Task, UserError
from harness.play.planning import make_plan
from harness.play.progress import progress_for
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec

__all__ = ["Evaluations"]


class Evaluations:
    """Plays agents, or finds what they played."""

    def __init__(
        self,
        sets: Mapping[str, Sequence[tuple[Suite, Task]]],
        folder: Path,
        options: RunOptions,
        *,
        episodes: int | None,
        seed: int,
    ) -> None:
        """`sets`: the tasks of each set. `seed`: which episodes the first training seed plays.

        Raises UserError where a task is in two sets, or has scores that nothing compares.
        """
        owner: dict[str, str] = {}
        for name, chosen in sets.items():
            for _, task in chosen:
                other = owner.setdefault(task.id, name)
                if other != name:
                    raise UserError(f"{task.id} is in {other} and in {name}: leave it out of one")
                if measure_of(task) == "sign":
                    raise UserError(
                        f"{task.id} has raw scores, which have no mean over tasks: leave it out "
                        f"with --tasks not:{task.id.partition('@')[0]}"
                    )
        self._chosen = [pair for chosen in sets.values() for pair in chosen]
        self._folder, self._options = folder, options
        self._episodes, self._seed = episodes, seed
        self.lacking: dict[str, None] = {}
        """Sentences on tasks that cannot run here."""
        self.missing = 0
        """Planned cases without a score."""
        self.agent_errors = 0

    def run(self, name: str, spec: AgentSpec, training_seed: int) -> ScoredRun:
        """What an agent of a training seed plays. Raises UserError, also where a run stops."""
        plan = make_plan(
            self._chosen, spec, episodes=self._episodes, seed=self._seed + training_seed
        )
        for row in plan.not_run:
            self.lacking[f"{row.task} cannot run here: {row.reason}; {row.remedy}"] = None
        if not plan.total:
            raise UserError(f"none of these tasks can run here: {next(iter(self.lacking), '')}")
        path = self._folder / name / f"seed-{training_seed}"
        suites = list(dict.fromkeys(suite.name for suite, _ in self._chosen))
        progress = progress_for()
        progress.say(f"playing {name}, seed {training_seed}:")
        summary = play(spec, suites, plan, path, self._options, progress)
        if summary.stopped:
            raise UserError(summary.stopped)
        self.missing += summary.missing
        self.agent_errors += summary.agent_errors
        return read_scored_run(self._options.folder / summary.path, name)
