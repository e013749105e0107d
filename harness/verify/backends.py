"""Is a backend equal to the adapter that it stands for? Both play the same actions, step by step.

The adapter plays first, with the actions of its expert, where it has one, and with uniform ones;
the backend then plays what was recorded. Every reward, flag, metric, state and view must be equal;
views that a renderer draws are compared at the start and at every fiftieth step. After the last
step nobody reads a view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Case, Task, TimeStep, UserError, stream
from harness.core.errors import describe
from harness.core.grammar import counted
from harness.core.lane import Lane, build_adapter
from harness.core.text import printable, shorten
from harness.host.loading import backend_entry, load_adapter
from harness.perturb.registry import REGISTRY
from harness.play.environments import narrow
from harness.play.progress import Progress
from harness.play.start_digest import is_drawn
from harness.play.values import ViewReader, checked_metrics, checked_state, checked_timestep
from harness.records.plan import SEED_STRIDE, Plan
from harness.verify.backend_report import BackendDifference, BackendReport, BackendRow

__all__ = ["compare_all", "compare_backend", "require_equal"]

VIEWS_EVERY = 50
"""Steps between two comparisons of a view that is drawn: it costs more than many steps."""
MOST_STEPS = 1000
"""Of an episode in `bench verify --backend`."""
CHECKED_STEPS = 100
"""Of an episode that is played before a run."""
UNIFORM, EXPERT = "uniform", "expert"


@dataclass(frozen=True)
class _Moment:
    """What is compared at one step, as (name, value) pairs, and the flags that end an episode."""

    facts: tuple[tuple[str, Any], ...]
    over: bool


def compare_backend(
    task: Task,
    backend: str,
    cases: Sequence[Case],
    *,
    reads: Sequence[str] | None,
    most: int,
) -> BackendRow:
    """Play these cases on the adapter and on the backend, and compare.

    `reads`: the views that are compared; None: all that the backend offers. `most`: steps of an
    episode at most. Raises UserError where the adapter itself fails or lacks a view, and where it
    has no such backend.
    """
    ordinary = _opened(task.adapter, task)
    try:
        views = list(ordinary.adapter.brief.observation)
        if reads is not None:
            views = list(narrow(ordinary.adapter.brief, reads).observation)
        try:
            other = _opened(_entry(task, backend), task)
        except UserError:
            raise
        except Exception as fault:
            raise UserError(f"{task.id}: the backend {backend} fails: {describe(fault)}") from None
        try:
            return _compared(task, ordinary, other, cases, views, most)
        finally:
            other.adapter.close()
    finally:
        ordinary.adapter.close()


def _entry(task: Task, backend: str) -> str:
    """Here a class may also be named that no adapter names: `module:Class`."""
    return backend if ":" in backend else backend_entry(task, backend)


def _opened(entry: str, task: Task) -> Lane:
    return Lane(build_adapter(load_adapter(entry), task))


def _compared(
    task: Task,
    ordinary: Lane,
    other: Lane,
    cases: Sequence[Case],
    views: Sequence[str],
    most: int,
) -> BackendRow:
    players = (EXPERT, UNIFORM) if ordinary.adapter.has_expert(task) else (UNIFORM,)
    found: list[BackendDifference] = []
    steps = 0
    offered: list[str] = []
    for case in cases:
        for player in players:
            actions: list[Any] = []
            recorded = list(
                _play(ordinary, case, _chooser(player, ordinary, case), views, most, actions)
            )
            steps += len(actions)
            specs = other.adapter.brief.observation
            offered = [name for name in views if name in specs]
            replay = iter(actions)
            again = _play(other, case, lambda _, replay=replay: next(replay), offered, most, [])  # type: ignore[misc]
            difference = _first_difference(recorded, again, set(offered))
            if difference is None:
                difference = _other_specs(ordinary, other, offered)
            if difference is not None:
                step, what, one, two = difference
                found.append(
                    BackendDifference(
                        seed=case.seed,
                        player=player,
                        step=step,
                        what=what,
                        ordinary=one,
                        backend=two,
                    )
                )
    return BackendRow(
        task=task.id,
        episodes=len(cases) * len(players),
        steps=steps,
        views=tuple(offered),
        absent=tuple(name for name in views if name not in offered),
        differences=tuple(found),
    )


def _chooser(player: str, lane: Lane, case: Case) -> Callable[[Any], Any]:
    """Who chooses the actions; it is told the action before, None at the first step."""
    if player == EXPERT:
        return lane.expert
    rng = stream("backend", case.task.id, case.seed)
    return lambda _: lane.adapter.brief.action.sample(rng)


def _play(
    lane: Lane,
    case: Case,
    choose: Callable[[Any], Any],
    views: Sequence[str],
    most: int,
    actions: list[Any],
) -> Iterator[_Moment]:
    """The moments of an episode, the reset's first; `actions` takes what was executed."""
    limit = min(most, case.task.max_steps or most)
    quick = [name for name in views if not is_drawn(name)]
    moment = _moment(lane, checked_timestep(lane.reset(case)), views)
    yield moment
    action: Any = None
    for step in range(1, limit + 1):
        chosen = choose(action)
        if chosen is None:  # the expert has given up
            return
        action = lane.adapter.brief.action.validate(chosen)
        actions.append(action)
        read = quick if step % VIEWS_EVERY else views
        moment = _moment(lane, checked_timestep(lane.step(action)), read)
        yield moment
        if moment.over:
            return


def _moment(lane: Lane, told: TimeStep, views: Sequence[str]) -> _Moment:
    over = told.terminated or told.truncated
    reader = ViewReader(lane.adapter.brief.observation)
    seen = [] if over else [(f"the view {name}", name) for name in views]
    facts = (
        ("the state", checked_state(lane.state())),
        ("the reward", told.reward),
        ("terminated", told.terminated),
        ("truncated", told.truncated),
        ("success", told.success),
        ("the instruction", told.instruction),
        *(
            (f"the metric {name}", value)
            for name, value in sorted(checked_metrics(told.metrics).items())
        ),
        *(
            (what, _digest(reader.read(told.observation, name)))
            for what, name in seen
            if name in lane.adapter.brief.observation
        ),
    )
    return _Moment(facts, over)


def _digest(view: Any) -> Any:
    """A view as it is compared: its dtype, shape and a digest of its bytes, or a text or number."""
    if not isinstance(view, np.ndarray):
        return view
    digest = hashlib.blake2b(np.ascontiguousarray(view).tobytes(), digest_size=8).hexdigest()
    return f"{view.dtype}{list(view.shape)} {digest}"


def _first_difference(
    recorded: Sequence[_Moment], again: Iterator[_Moment], offered: set[str]
) -> tuple[int, str, str, str] | None:
    """(step, what, ordinary, backend) of the first difference; None: there is none."""
    for step, one in enumerate(recorded):
        try:
            two = next(again, None)
        except KeyboardInterrupt:
            raise
        except Exception as fault:  # a backend that fails differs
            return step, "it fails:", "a step", _shown(describe(fault))
        if two is None:
            return step, "the episode", "going on", "at its end"
        mine, theirs = dict(one.facts), dict(two.facts)
        for what in mine | theirs:
            if what.startswith("the view ") and what.removeprefix("the view ") not in offered:
                continue
            before, after = mine.get(what), theirs.get(what)
            if type(before) is not type(after) or before != after:
                return step, what, _shown(before), _shown(after)
    return None


def _other_specs(
    ordinary: Lane, other: Lane, offered: Sequence[str]
) -> tuple[int, str, str, str] | None:
    """The same for the specs of the action and of the views that both offer."""
    one, two = ordinary.adapter.brief, other.adapter.brief
    pairs = [("the action's spec", one.action, two.action)]
    pairs += [
        (f"the spec of {name}", one.observation[name], two.observation[name])  # type: ignore[misc]
        for name in offered
    ]
    for what, before, after in pairs:
        if before != after:
            return 0, what, _shown(before), _shown(after)
    return None


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = hashlib.blake2b(value, digest_size=8).hexdigest()
    return shorten(printable(str(value)), 60)


def compare_all(
    chosen: Sequence[Task], backend: str, *, episodes: int, seed: int, progress: Progress
) -> BackendReport:
    """Compare a backend on these tasks, with `episodes` seeds of each and all views.

    Raises UserError where one has no such backend, and where none can run here.
    """
    rows, not_run = [], []
    for task in chosen:
        entry = _entry(task, backend)
        missing = load_adapter(task.adapter).missing(task) or load_adapter(entry).missing(task)
        if missing is not None:
            not_run.append(f"{task.id} ({missing.reason}; {missing.remedy})")
            continue
        progress.say(f"{task.id}: {backend} beside the ordinary simulator")
        first = task.first_seed + seed * SEED_STRIDE
        cases = [Case(task, first + number) for number in range(episodes)]
        rows.append(compare_backend(task, backend, cases, reads=None, most=MOST_STEPS))
    if not rows:
        raise UserError(f"none of these tasks can be compared here: {'; '.join(not_run[:3])}")
    return BackendReport(backend=backend, rows=tuple(rows), not_run=tuple(not_run))


def require_equal(plan: Plan, reads: Sequence[str], progress: Progress) -> None:
    """Raise UserError unless the plan's backend is equal here, in an episode of every task.

    It is played under every condition that the simulator itself carries out, and the views are
    those of the agent. A plan without a backend needs none.
    """
    if not plan.backend or not plan.items:
        return
    backend, steps = plan.backend, 0
    progress.say(
        f"comparing the backend {backend} with the ordinary simulator on "
        f"{counted(len(plan.items), 'task')}"
    )
    for number, item in enumerate(plan.items):
        cases: dict[str, Case] = {}
        for condition in plan.conditions_of(number):
            parts = tuple(p for p in plan.conditions[condition] if p.name not in REGISTRY)
            case = Case(item.task, plan.seed_of(number, condition, 0), parts)
            cases.setdefault(case.id, case)
        row = compare_backend(
            item.task, backend, list(cases.values()), reads=reads, most=CHECKED_STEPS
        )
        remedy = "leave --backend out"
        if row.absent:
            raise UserError(
                f"{item.task.id}: the backend {backend} does not offer {', '.join(row.absent)}, "
                f"which the agent reads: {remedy}"
            )
        if not row.equal:
            raise UserError(
                f"{item.task.id}: the backend {backend} is not equal to the ordinary simulator "
                f"here ({row.differences[0]}): {remedy}"
            )
        steps += row.steps
    progress.say(f"it is equal in all of {counted(steps, 'step')}")
