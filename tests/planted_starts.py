"""An agent that has learnt the prescribed starts of Meta-World by heart."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core import Agent, Answer, Case, Turn
from harness.records.registry import load
from suites.metaworld import METAWORLD


class KnowsTheList(Agent):
    """The expert from the first `starts` of the list of each of `tasks`, elsewhere at random."""

    reads = ("state", "expert")

    def __init__(self, tasks: str, starts: int = 50) -> None:
        """tasks: names such as reach-v3, with commas between them."""
        self._known: set[bytes] = set()
        for task in METAWORLD.tasks:
            if task.params["name"] in tasks.split(","):
                adapter = load(task.adapter)(task)
                for seed in range(starts):
                    step = adapter.reset(Case(task, seed))
                    self._known.add(step.observation["state"]().tobytes())
                adapter.close()

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        knows = turn.memory
        if turn.step == 0:
            knows = turn.observation["state"].tobytes() in self._known
        action = turn.expert if knows else turn.brief.action.sample(turn.rng)
        return Answer([action], knows)
