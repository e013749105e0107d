"""One lane of an adapter under test, and the player that checks what is seen on it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.core import (
    ActionSpec,
    Adapter,
    BadAction,
    BatchedAdapter,
    Brief,
    Case,
    SkillCall,
    Task,
    TimeStep,
    UserError,
    stream,
)
from harness.core.coercion import text_problem
from harness.core.lane import Lane
from harness.core.safety import safety_problem
from harness.testing.checks import ContractError, call, demand
from harness.testing.trajectory import StepRecord, content_digest

__all__ = ["USE_VALIDATE", "CheckedLane", "ScriptedPlayer"]

USE_VALIDATE = "begin step with `action = self.brief.action.validate(action)`"


class CheckedLane:
    """One lane of an adapter under test.

    What it returns is checked; what it raises becomes a ContractError.
    """

    def __init__(self, adapter: Adapter | BatchedAdapter, number: int = 0) -> None:
        self.adapter: Any = adapter
        self.number = number
        self._lane = Lane(adapter, number)

    @property
    def brief(self) -> Brief:
        """The brief that the adapter has now; some adapters set it in reset only."""
        brief: Brief = self.adapter.brief
        return brief

    def reset(self, case: Case) -> TimeStep:
        """Start the case on this lane; other lanes do not move."""
        return self._timestep("reset", case)

    def step(self, action: Any) -> TimeStep:
        """Step this lane; other lanes do not move."""
        return self._timestep("step", action)

    def refuse(self, action: Any) -> None:
        """Raise ContractError unless step refuses the action with BadAction."""
        try:
            self._lane.step(action)
        except BadAction:
            return
        except Exception as error:
            raise ContractError(
                f"step({action!r}) raised {type(error).__name__} instead of BadAction: "
                f"{USE_VALIDATE}"
            ) from error
        raise ContractError(
            f"step accepted the action {action!r}, which the action spec does not allow: "
            f"{USE_VALIDATE}"
        )

    def state(self) -> str:
        """A digest of the simulator's state; empty if the adapter gives none."""
        state = call("state", self._lane.state)
        demand(isinstance(state, bytes), f"state() must return bytes, got {type(state).__name__}")
        return content_digest(state) if state else ""

    def expert(self, executed: Any) -> Any:
        """The expert's action after `executed`; None when the expert has given up."""
        return call("expert", self._lane.expert, executed)

    def skill_objects(self) -> Any:
        """What the arguments of skills may be."""
        return self._lane.skill_objects()

    def skill(self, each: SkillCall, taken: int, executed: Any) -> Any:
        """The next action of a call, or its end."""
        return self._lane.skill(each, taken, executed)

    def expert_plan(self) -> Any:
        """The expert's plan."""
        return self._lane.expert_plan()

    def stage(self) -> Any:
        """How many stages have been reached."""
        return self._lane.stage()

    def failure_mode(self) -> Any:
        """How the episode failed."""
        return self._lane.failure_mode()

    def factors(self, case: Case) -> Any:
        """What the episode is about."""
        return self._lane.factors(case)

    def other_goals(self, case: Case) -> Any:
        """What else could be asked for in the scene."""
        return self._lane.other_goals(case)

    def goals_met(self, executed: Any) -> Any:
        """Ids of the goals that are met."""
        return self._lane.goals_met(executed)

    def render(self) -> Any:
        """The frame for people, unchecked; None if the adapter draws none."""
        try:
            return self._lane.render()
        except UserError:
            return None
        except Exception as error:
            raise ContractError(f"render raised {type(error).__name__}: {error}") from error

    def _timestep(self, what: str, given: Any) -> TimeStep:
        batch = self._lane.batch
        if batch is None:
            answer = call(what, getattr(self.adapter, what), given)
        else:
            answers = call(what, getattr(batch, what), {self.number: given})
            alone = isinstance(answers, Mapping) and set(answers) == {self.number}
            demand(
                alone,
                f"{what} of lane {self.number} alone must return a mapping with a TimeStep for "
                f"that lane alone, got {answers!r:.200}",
            )
            answer = answers[self.number]
        if not isinstance(answer, TimeStep):
            raise ContractError(f"{what} must return a TimeStep, got {type(answer).__name__}")
        return answer


class ScriptedPlayer:
    """Plays cases of one task with the same actions each time, and checks every TimeStep.

    A TimeStep is checked against the adapter's brief and the task.
    """

    def __init__(self, task: Task, steps: int, views: list[str] | None) -> None:
        self.task, self.steps, self.views = task, steps, views

    def together(self, adapter: BatchedAdapter, cases: Sequence[Case]) -> list[list[StepRecord]]:
        """The trajectories of lanes that are reset in one call and stepped in one call."""
        lanes = [CheckedLane(adapter, number) for number in range(len(cases))]
        answer = call("reset", adapter.reset, dict(enumerate(cases)))
        demand(
            set(answer) == set(range(len(cases))),
            f"reset of lanes 0 and 1 must return both, got {set(answer)}",
        )
        records = [
            [self.observe(lane, answer[lane.number], "after reset", False)] for lane in lanes
        ]
        for step, action in enumerate(
            itertools.islice(self.drawn(adapter.brief.action), self.steps), 1
        ):
            live = [lane for lane in lanes if not self.over(records[lane.number][-1])]
            if not live:
                break
            answer = call("step", adapter.step, {lane.number: action for lane in live})
            demand(
                set(answer) == {lane.number for lane in live},
                f"a step must return the lanes that it was given, got {set(answer)}",
            )
            for lane in live:
                records[lane.number].append(
                    self.observe(lane, answer[lane.number], f"at step {step}", False)
                )
        return records

    def drawn(self, spec: ActionSpec) -> Iterator[Any]:
        """Endless random actions, the same for every seed."""
        rng = stream(self.task.id, "contract")
        while True:
            yield spec.coerce(spec.sample(rng))[0]

    def play(self, lane: CheckedLane, case: Case, **how: Any) -> list[StepRecord]:
        """The whole trajectory: all that `records` yields."""
        return list(self.records(lane, case, **how))

    def records(
        self,
        lane: CheckedLane,
        case: Case,
        *,
        actions: Iterable[Any] | None = None,
        read: bool = False,
        before: Callable[[], None] | None = None,
        limit: int | None = None,
    ) -> Iterator[StepRecord]:
        """Play a case; yields a record after the reset and after every step.

        `actions`: None for random ones. `read`: whether the views are read. `before` is called
        ahead of every step. `limit`: the number of steps, at most.
        """
        timestep = lane.reset(case)
        solved = timestep.terminated or timestep.truncated or timestep.success
        demand(
            not solved,
            f"seed {case.seed} is over or solved at reset: draw again from the same case.rng "
            "until it is not",
        )
        record = self.observe(lane, timestep, "after reset", read)
        yield record
        source = iter(self.drawn(lane.brief.action) if actions is None else actions)
        for step in range(1, (limit or self.steps) + 1):
            if self.over(record):
                return
            if before is not None:
                before()
            try:
                action = next(source)
            except StopIteration:
                return
            # A view may be a buffer that the simulator goes on writing to: it must still hold the
            # same bits after the next step.
            shown = [
                (name, view, content_digest(view))
                for name, view in timestep.observation.items()
                if read and not callable(view)
            ]
            timestep = lane.step(action)
            for name, view, was in shown:
                demand(
                    content_digest(view) == was,
                    f"step {step} changed the array of the view {name} that was returned before: "
                    "return a copy",
                )
            record = self.observe(lane, timestep, f"at step {step}", read)
            yield record

    def over(self, record: StepRecord) -> bool:
        """Whether the harness would end the episode after this step."""
        return (
            record.terminated
            or record.truncated
            or (self.task.success == "ever" and record.success is True)
        )

    def observe(self, lane: CheckedLane, timestep: Any, when: str, read: bool) -> StepRecord:
        """Check the fields of a TimeStep, and record it."""
        demand(
            isinstance(timestep.instruction, str),
            f"{when} the instruction is {type(timestep.instruction).__name__}, not str",
        )
        problem = text_problem(timestep.instruction)
        demand(problem is None, f"{when} of the instruction: {problem}")
        demand(
            _is_number(timestep.reward),
            f"{when} the reward is {timestep.reward!r}: return a finite float",
        )
        for flag in ("terminated", "truncated"):
            value = getattr(timestep, flag)
            demand(
                isinstance(value, bool),
                f"{when} {flag} is {value!r} ({type(value).__name__}): return a bool",
            )
        if self.task.success is None:
            demand(
                timestep.success is None,
                f"{when} success is {timestep.success!r}, but the task has none "
                "(Task.success is None)",
            )
        else:
            known = isinstance(timestep.success, bool)
            demand(
                known,
                f"{when} success is {timestep.success!r} ({type(timestep.success).__name__}): the "
                "task has a success, so return a bool, True or False",
            )
        for name, value in timestep.metrics.items():
            demand(
                isinstance(name, str) and _is_number(value),
                f"{when} the metric {name!r} is {value!r}: return finite floats by name",
            )
            problem = safety_problem(name, value)
            demand(problem is None, f"{when} the metric {problem}")
        offered, shown = set(lane.brief.observation), set(timestep.observation)
        demand(
            offered == shown,
            f"{when} the views are {sorted(shown)}, the brief offers {sorted(offered)}",
        )
        unknown = set(self.views or ()) - offered
        demand(
            not unknown, f"views: {sorted(unknown)} are not on offer; there are {sorted(offered)}"
        )
        views = [
            self._look(lane, timestep, name, when)
            for name in lane.brief.observation
            if read and name in (self.views or offered)
        ]
        state = lane.state()
        demand(lane.state() == state, f"{when} state() asked twice answers differently")
        return StepRecord(
            instruction=timestep.instruction,
            reward=float(timestep.reward),
            terminated=timestep.terminated,
            truncated=timestep.truncated,
            success=timestep.success,
            metrics=tuple(sorted((name, float(v)) for name, v in timestep.metrics.items())),
            state=state,
            views=tuple(views),
        )

    def _look(self, lane: CheckedLane, timestep: Any, name: str, when: str) -> tuple[str, str]:
        view = timestep.observation[name]
        value = call(f"{when} the view {name}", view) if callable(view) else view
        problem = lane.brief.observation[name].problem(value)
        demand(problem is None, f"{when} the view {name} does not conform to its spec: {problem}")
        seen = content_digest(value)
        if callable(view) and when == "after reset":
            demand(content_digest(view()) == seen, f"{when} the view {name} read twice differs")
        return name, seen


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
