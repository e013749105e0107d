"""check_adapter: what the harness relies on in an adapter, tried on a real one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.core import Adapter, BatchedAdapter, Brief, Case, Perturbation, Task
from harness.core.specs import BadAction
from harness.host.loading import load_adapter
from harness.records.registry import load
from harness.testing.another_process import build_lane, play_in_another_process
from harness.testing.bad_actions import bad_actions
from harness.testing.checked_lane import USE_VALIDATE, CheckedLane, ScriptedPlayer
from harness.testing.checks import ContractError, call, demand, naming
from harness.testing.declarations import check_brief, check_class
from harness.testing.factor_check import check_factors
from harness.testing.goal_check import check_goals
from harness.testing.skill_check import check_skills
from harness.testing.stage_check import check_stages
from harness.testing.trajectory import StepRecord, demand_equal, first_difference

__all__ = ["check_adapter"]

LONGEST = 5_000
"""Steps of an episode that is played to its end."""
SOME = 20
"""Steps of an episode that is abandoned, at most."""
NOT_DETERMINISTIC = (
    "two fresh adapters play the same case differently: the simulator is not deterministic, or it "
    "takes its randomness from elsewhere than the case (a generator that is not seeded, the clock, "
    "threads, id() of an object)"
)


def check_adapter(
    task: Task,
    *,
    seeds: Sequence[int] | None = None,
    steps: int | None = None,
    views: Sequence[str] | None = None,
    others: Sequence[Task] = (),
    perturbations: Sequence[Perturbation] = (),
    lanes: int | None = None,
    deterministic_starts: bool = False,
    another_process: bool = True,
) -> None:
    """Play `task` some fifteen times, each to the end, and compare what must be equal.

    The same case is played in a fresh and in a kept adapter; after other seeds, abandoned
    episodes, `others` (tasks with the same environment key) and perturbed cases; next to another
    lane; with its views read and not read, drawn and not drawn; with actions that must be refused;
    with the expert and without it; with its skills; asked for its stages and goals; and
    in another Python process. Every TimeStep is checked against the brief.

    `seeds`: two or more; by default `task.first_seed` and the three after it.
    `steps`: where an episode stops, for simulators that are slow; by default whole episodes are
    played, up to 5,000 steps. What is left of an episode may only show after its end.
    `views`: the views to read, where some cost too much; by default all.
    `lanes`: for a BatchedAdapter whose task fixes their number; no other number is tried then.
    `deterministic_starts`: allows a task in which all seeds are the same episode.
    `another_process`: False saves the time of one import of the simulator.

    Raises ContractError, whose message says what is wrong and how to fix it.
    """
    with naming(f"{task.adapter}, task {task.id}"):
        check = _AdapterCheck(
            task, list(seeds or range(task.first_seed, task.first_seed + 4)), steps, views, lanes
        )
        once = check.run(others, perturbations, deterministic_starts)
        if another_process:
            check.check_another_process(once)


class _AdapterCheck:
    def __init__(
        self,
        task: Task,
        seeds: list[int],
        steps: int | None,
        views: Sequence[str] | None,
        lanes: int | None,
    ) -> None:
        limits = [each for each in (steps, task.max_steps) if each is not None]
        demand(len(seeds) >= 2, "give two seeds or more")
        self.task, self.seeds, self.lanes = task, seeds, lanes
        self.first, self.second = (Case(task, seed) for seed in seeds[:2])
        self.player = ScriptedPlayer(
            task, min([*limits, LONGEST]), None if views is None else list(views)
        )
        self.play = self.player.play
        form = load(task.adapter)
        fits = isinstance(form, type) and issubclass(form, (Adapter, BatchedAdapter))
        demand(fits, "the entry must name a subclass of harness.core.Adapter or BatchedAdapter")
        self.form: Any = load_adapter(task.adapter)
        self.batched = issubclass(self.form, BatchedAdapter)

    def run(
        self, others: Sequence[Task], perturbations: Sequence[Perturbation], same_start: bool
    ) -> list[StepRecord]:
        """Everything that can be told in this process; returns the first case's trajectory."""
        check_class(self.form, self.task, others)
        lane = self.build(self.lanes or 2)
        once = self.play(lane, self.first, read=True)
        check_brief(lane.brief, self.task)
        self.check_state(once)
        kept = self.check_reset(lane, once, lane.brief)
        self.check_cases_between(lane, once, others, perturbations)
        self.check_frames(lane, once)
        self.check_refusals(lane, once)
        if not same_start:
            self.check_starts(lane, once, kept)
        expert = self.check_expert(lane) if self.form.has_expert(self.task) else None
        check_skills(lane, self.player, self.first)
        check_stages(lane, self.player, self.first, once)
        check_goals(lane, self.player, self.first, once)
        check_factors(lane, self.player, self.first, once)

        fresh = lane if self.batched and self.lanes else self.build(1)
        demand_equal(
            self.play(fresh, self.second),
            kept,
            "a fresh adapter, or one of fewer lanes, plays another episode: all must follow from "
            "the case",
        )
        if expert is not None:
            case, expected = expert
            demand_equal(
                self.play(fresh, case, actions=self.ask_expert(fresh)),
                expected,
                "the expert of a fresh adapter acts differently: what it does must follow from "
                "the case",
            )
        if not self.batched or self.lanes != 1:
            other = CheckedLane(lane.adapter, 1) if self.batched else fresh
            self.check_lanes(lane, other, once, kept)
        call("close", lane.adapter.close)
        if fresh is not lane:
            demand_equal(
                self.play(fresh, self.second),
                kept,
                "closing one adapter changes another: share nothing between adapters",
            )
            call("close", fresh.adapter.close)
        return once

    def build(self, lanes: int) -> CheckedLane:
        return build_lane(self.form, self.task, lanes)

    def check_state(self, once: Sequence[StepRecord]) -> None:
        """A state that stays the same is fine where nothing is seen to change either."""
        states = {record.state for record in once}
        distinct = states == {""} or len(states) > 1 or len({each.views for each in once}) == 1
        demand(
            distinct,
            "state() stays the same while the views change: it must tell the simulator's states "
            "apart",
        )

    def check_reset(
        self, lane: CheckedLane, once: Sequence[StepRecord], brief: Brief
    ) -> list[StepRecord]:
        """Replay the first case in the kept adapter; returns the second case's trajectory."""
        kept = self.play(lane, self.second)
        for abandon in (False, True):
            # A reset in the middle of an episode must restore as much as one at its end.
            if abandon:
                self.play(lane, self.second, limit=max(1, min(SOME, self.player.steps // 3)))
            self.demand_restored(
                self.play(lane, self.first, read=True),
                once,
                "a kept adapter plays another episode than a fresh one, and fresh ones play the "
                "same: reset must restore everything",
            )
        demand_equal(
            self.play(lane, self.first),
            once,
            "an episode whose views are not read goes another way: reading must change nothing",
        )
        demand(
            repr(lane.brief) == repr(brief),
            "the brief of one case differs from one reset to the next",
        )
        return kept

    def demand_restored(
        self, found: Sequence[StepRecord], once: Sequence[StepRecord], leftovers: str
    ) -> None:
        """Raise ContractError unless a kept adapter played the first case as a fresh one did.

        Fresh adapters play it again to tell what an episode left behind from a simulator that is
        never the same twice.
        """
        if first_difference(found, once) is None:
            return
        if self.lanes is None:
            for _ in range(2):
                fresh = self.build(2)
                demand_equal(self.play(fresh, self.first, read=True), once, NOT_DETERMINISTIC)
                call("close", fresh.adapter.close)
        demand_equal(found, once, leftovers)

    def check_cases_between(
        self,
        lane: CheckedLane,
        once: Sequence[StepRecord],
        others: Sequence[Task],
        perturbations: Sequence[Perturbation],
    ) -> None:
        """The first case again after each of the cases that the kept environment may play."""
        perturbed = [Case(self.task, self.first.seed, (each,)) for each in perturbations]
        for case in [*(Case(task, task.first_seed) for task in others), *perturbed]:
            ScriptedPlayer(case.task, self.player.steps, None).play(lane, case)
            named = " ".join([case.task.id, *map(str, case.perturbations)])
            self.demand_restored(
                self.play(lane, self.first),
                once,
                f"after a case of {named} another episode is played: reset must restore everything",
            )

    def check_frames(self, lane: CheckedLane, once: Sequence[StepRecord]) -> None:
        flat: set[bool] = set()

        def draw() -> None:
            said: Any = call("renderer_info", lane.adapter.renderer_info)
            demand(isinstance(said, str), f"renderer_info must return a text, got {said!r}")
            frame: Any = lane.render()
            if frame is None:
                return
            good = (
                isinstance(frame, np.ndarray)
                and frame.ndim == 3
                and frame.shape[2] == 3
                and frame.dtype == np.uint8
                and frame.size > 0
            )
            demand(
                good,
                "render must return (H, W, 3) uint8, got "
                f"{getattr(frame, 'shape', type(frame))} {getattr(frame, 'dtype', '')}",
            )
            flat.add(bool((frame == frame[0, 0]).all()))

        drawn = self.play(lane, self.first, before=draw)
        demand_equal(
            drawn, once, "an episode that is drawn goes another way: render must change nothing"
        )
        demand(flat != {True}, "render returns frames of one colour: nothing is drawn")

    def check_refusals(self, lane: CheckedLane, once: Sequence[StepRecord]) -> None:
        """All bad actions before the first step, then one before every step."""
        bad = bad_actions(lane.brief.action)
        rounds = itertools.chain([bad], ([action] for action in itertools.cycle(bad)))

        def refuse() -> None:
            for action in next(rounds):
                before = lane.state()
                lane.refuse(action)
                demand(
                    lane.state() == before,
                    f"the refused action {action!r} changed the state: {USE_VALIDATE}",
                )

        demand_equal(
            self.play(lane, self.first, before=refuse),
            once,
            f"a refused action changes what comes after: {USE_VALIDATE}",
        )

    def check_starts(
        self, lane: CheckedLane, once: Sequence[StepRecord], kept: Sequence[StepRecord]
    ) -> None:
        """Some seed plays another episode than the first; the actions are the same for all."""
        if first_difference(kept, once) is not None:
            return
        for seed in self.seeds[1:]:
            other = self.play(lane, Case(self.task, seed), read=True)
            if first_difference(other, once) is not None:
                return
        raise ContractError(
            f"the seeds {self.seeds} are all the same episode: derive the start from case.rng(...) "
            "or case.simulator_seed, or check with deterministic_starts=True where the benchmark "
            "has one start only"
        )

    def check_expert(self, lane: CheckedLane) -> tuple[Case, list[StepRecord]]:
        """The first case for which the expert answers, and its trajectory."""
        for seed in self.seeds:
            case, executed = Case(self.task, seed), list[Any]()
            once = self.play(lane, case, actions=self.ask_expert(lane, executed))
            if executed:
                again = self.play(lane, case, actions=self.ask_expert(lane))
                demand_equal(
                    again, once, "the expert acts differently when the case is played again"
                )
                replayed = self.play(lane, case, actions=executed)
                demand_equal(
                    replayed,
                    once,
                    "the same actions without the expert go another way: asking must change "
                    "nothing",
                )
                self.play(lane, case, actions=self.ask_expert(lane, astray=True))
                return case, once
        raise ContractError(
            f"has_expert is True, but the expert gives up at once for the seeds {self.seeds}"
        )

    def ask_expert(
        self, lane: CheckedLane, record: list[Any] | None = None, astray: bool = False
    ) -> Iterator[Any]:
        """The expert's actions until it gives up; executed actions are appended to `record`.

        `astray` executes a random action instead of every third one, as a perturbation may.
        """
        executed: Any = None
        for count, other in enumerate(self.player.drawn(lane.brief.action)):
            if (wanted := lane.expert(executed)) is None:
                return
            try:
                executed, _ = lane.brief.action.coerce(wanted)
            except BadAction as error:
                raise ContractError(
                    f"the expert's action does not conform to the action spec: {error}"
                ) from error
            if astray and count % 3 == 2:
                executed = other
            if record is not None:
                record.append(executed)
            yield executed

    def check_lanes(
        self,
        lane: CheckedLane,
        other: CheckedLane,
        once: Sequence[StepRecord],
        kept: Sequence[StepRecord],
    ) -> None:
        """Two lanes are stepped by turns, of which the second starts later.

        Lanes of one adapter are also stepped together, in one call.
        """
        plays = self.player.records(lane, self.first), self.player.records(other, self.second)
        ahead = list(itertools.islice(plays[0], 4))
        pairs = list(itertools.zip_longest(*plays))
        why = (
            "two lanes influence each other: keep nothing global (no numpy.random.seed, no class "
            "attribute that changes)"
        )
        demand_equal([*ahead, *(one for one, _ in pairs if one is not None)], once, why)
        demand_equal([two for _, two in pairs if two is not None], kept, why)
        if self.batched:
            together = self.player.together(lane.adapter, [self.first, self.second])
            demand_equal(together[0], once, why)
            demand_equal(together[1], kept, why)

    def check_another_process(self, once: Sequence[StepRecord]) -> None:
        demand_equal(
            play_in_another_process(
                self.first,
                steps=self.player.steps,
                views=self.player.views,
                lanes=self.lanes or 2,
            ),
            once,
            "another Python process plays another episode: no hash(), id() or order of a set may "
            "decide anything",
        )
