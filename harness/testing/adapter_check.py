"""check_adapter: what the harness relies on in an adapter, tried on a real one."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Adapter, BatchedAdapter, Brief, Case, Perturbation, Task
from harness.core.specs import (
    UI,
    ActionSpec,
    BadAction,
    Box,
    Discrete,
    Elements,
    MultiDiscrete,
    Text,
    Texts,
)
from harness.host.interpreters import carried
from harness.host.loading import load_adapter
from harness.records.registry import load
from harness.testing.checked_lane import (
    USE_CHECK,
    CheckedLane,
    ContractError,
    ScriptedPlayer,
    StepRecord,
    call,
    demand,
    difference,
    prefix,
    same,
)

__all__ = ["check_adapter"]

VIEWS = (Box, Discrete, MultiDiscrete, Text, Texts, Elements)
ACTIONS = (Box, Discrete, MultiDiscrete, Text, UI)
ELSEWHERE = """
import json, sys
told = json.loads(sys.argv[1])
sys.path[:] = told["path"]
from harness.testing import adapter_check
adapter_check.here(told)
"""
VIEW_NAME = r"[A-Za-z0-9_./-]+"


def check_adapter(
    task: Task,
    *,
    seeds: Sequence[int] | None = None,
    steps: int = 60,
    views: Sequence[str] | None = None,
    others: Sequence[Task] = (),
    perturbations: Sequence[Perturbation] = (),
    lanes: int | None = None,
    deterministic_starts: bool = False,
    another_process: bool = True,
) -> None:
    """Play `task` some fifteen times, at most `steps` steps each, and compare what must be equal; raises ContractError.

    The same case is played in a fresh and in a kept adapter, with other seeds, abandoned episodes, `others` (tasks of the same env_key)
    and perturbed cases in between; beside another lane; read and unread, drawn and not drawn; with actions that must be refused; with the
    expert and without it; and in another Python process. Every TimeStep is held against the brief.

    `seeds` (two or more) are `task.first_seed` and the three after it unless given. `views` names the views to read where some cost too
    much. `lanes` is for a BatchedAdapter whose task fixes their number: no other number is tried then. `deterministic_starts=True` admits
    a task whose every seed is the same episode. `another_process=False` saves the time of one import of the simulator.
    """
    with prefix(f"{task.adapter}, task {task.id}"):
        check = _AdapterCheck(
            task, list(seeds or range(task.first_seed, task.first_seed + 4)), steps, views, lanes
        )
        once = check.run(others, perturbations, deterministic_starts)
        if another_process:
            check.check_elsewhere(once)


class _AdapterCheck:
    def __init__(
        self,
        task: Task,
        seeds: list[int],
        steps: int,
        views: Sequence[str] | None,
        lanes: int | None,
    ) -> None:
        demand(len(seeds) >= 2, "give two seeds or more")
        self.task, self.seeds, self.lanes = task, seeds, lanes
        self.first, self.second = (Case(task, seed) for seed in seeds[:2])
        self.player = ScriptedPlayer(
            task, min(steps, task.max_steps or steps), None if views is None else list(views)
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
        """Everything that this process can tell; returns the first case's trajectory."""
        self.check_class(others)
        lane = self.build(self.lanes or 2)
        once = self.play(lane, self.first, read=True)
        brief: Any = lane.brief
        self.check_brief(brief)
        states = {record.state for record in once}
        alive = states == {""} or len(states) > 1 or len({record.views for record in once}) == 1
        demand(
            alive,
            "state() stays the same while the views change: it must tell the simulator's states apart",
        )

        kept = self.play(lane, self.second)
        self.play(lane, self.second, limit=max(1, self.player.steps // 3))
        again = self.play(lane, self.first, read=True)
        same(
            again,
            once,
            "a kept adapter plays another episode than a fresh one: reset must restore everything",
        )
        same(
            self.play(lane, self.first),
            once,
            "an episode whose views are not read goes another way: reading must change nothing",
        )
        demand(
            repr(lane.brief) == repr(brief),
            "the brief of one case differs from one reset to the next",
        )
        perturbed = [
            Case(self.task, self.first.seed, (perturbation,)) for perturbation in perturbations
        ]
        for other in [*(Case(other, other.first_seed) for other in others), *perturbed]:
            ScriptedPlayer(other.task, self.player.steps, None).play(lane, other)
            named = " ".join([other.task.id, *map(str, other.perturbations)])
            same(
                self.play(lane, self.first),
                once,
                f"after a case of {named} another episode is played: reset must restore everything",
            )
        self.check_frames(lane, once)
        self.check_refusals(lane, once)
        if not same_start:
            self.check_starts(lane, once, kept)
        expert = self.check_expert(lane) if self.form.has_expert(self.task) else None

        fresh = lane if self.batched and self.lanes else self.build(1)
        why = "a fresh adapter, or one of fewer lanes, plays another episode: all must follow from the case"
        same(self.play(fresh, self.second), kept, why)
        if expert is not None:
            alike = self.play(fresh, expert[0], actions=self.ask_expert(fresh))
            same(
                alike,
                expert[1],
                "the expert of a fresh adapter acts differently: what it does must follow from the case",
            )
        if not self.batched or self.lanes != 1:
            self.check_lanes(
                lane, CheckedLane(lane.adapter, 1) if self.batched else fresh, once, kept
            )
        call("close", lane.adapter.close)
        if fresh is not lane:
            same(
                self.play(fresh, self.second),
                kept,
                "closing one adapter changes another: share nothing between adapters",
            )
            call("close", fresh.adapter.close)
        return once

    def build(self, lanes: int) -> CheckedLane:
        return CheckedLane(
            call("the constructor", self.form, self.task, *([lanes] if self.batched else []))
        )

    def check_class(self, others: Sequence[Task]) -> None:
        if (missing := call("missing", self.form.missing, self.task)) is not None:
            raise ContractError(
                f"cannot be checked on this machine: {missing.reason}; {missing.remedy}"
            )
        key = call("env_key", self.form.env_key, self.task)
        demand(
            isinstance(key, str) and key != "", f"env_key must return a nonempty str, got {key!r}"
        )
        has = call("has_expert", self.form.has_expert, self.task)
        demand(isinstance(has, bool), f"has_expert must return a bool, got {has!r}")
        for other in others:
            why = (
                f"others: {other.id} has another env_key than {self.task.id}, so no kept adapter "
                "plays both"
            )
            demand(self.form.env_key(other) == key, why)

    def check_brief(self, brief: Any) -> None:
        demand(isinstance(brief, Brief), f"brief must be a Brief, got {type(brief).__name__}")
        demand(len(brief.observation) > 0, "brief.observation offers no view")
        for name, spec in brief.observation.items():
            named = isinstance(name, str) and re.fullmatch(VIEW_NAME, name) is not None
            demand(named, f"the name of the view {name!r} must match {VIEW_NAME}")
            demand(
                isinstance(spec, VIEWS),
                f"the view {name} needs one of {_named(VIEWS)}, got {spec!r}",
            )
        demand(
            isinstance(brief.action, ACTIONS),
            f"brief.action must be one of {_named(ACTIONS)}, got {brief.action!r}",
        )
        demand(
            brief.embodiment.strip() != "", "brief.embodiment is empty: describe the body in words"
        )
        demand(
            brief.simulator.strip() != "",
            "brief.simulator is empty: describe the platform in words",
        )
        for secret in (self.task.id, self.task.name):
            demand(
                secret.lower() not in repr(brief).lower(),
                f"the brief names the task ({secret}): an agent must not know it",
            )
        demand(
            brief.control_hz == self.task.control_hz,
            f"brief.control_hz is {brief.control_hz}, the task's is {self.task.control_hz}",
        )

    def check_frames(self, lane: CheckedLane, once: Sequence[StepRecord]) -> None:
        flat: set[bool] = set()

        def draw() -> None:
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
                f"render must return (H, W, 3) uint8, got {getattr(frame, 'shape', type(frame))} {getattr(frame, 'dtype', '')}",
            )
            flat.add(bool((frame == frame[0, 0]).all()))

        drawn = self.play(lane, self.first, before=draw)
        same(drawn, once, "an episode that is drawn goes another way: render must change nothing")
        demand(flat != {True}, "render returns frames of one colour: nothing is drawn")

    def check_refusals(self, lane: CheckedLane, once: Sequence[StepRecord]) -> None:
        """All bad actions before the first step, then one before every step."""
        bad = _bad_actions(lane.brief.action)
        rounds = itertools.chain([bad], ([action] for action in itertools.cycle(bad)))

        def refuse() -> None:
            for action in next(rounds):
                before = lane.state()
                lane.refuse(action)
                demand(
                    lane.state() == before,
                    f"the refused action {action!r} changed the state: {USE_CHECK}",
                )

        same(
            self.play(lane, self.first, before=refuse),
            once,
            f"a refused action changes what comes after: {USE_CHECK}",
        )

    def check_starts(
        self, lane: CheckedLane, once: Sequence[StepRecord], kept: Sequence[StepRecord]
    ) -> None:
        """All seeds play the same actions, so that only the seed can make a difference."""
        if difference(kept, once) is not None:
            return
        for seed in self.seeds[1:]:
            if difference(self.play(lane, Case(self.task, seed), read=True), once) is not None:
                return
        raise ContractError(
            f"the seeds {self.seeds} are all the same episode: derive the start from case.rng(...) or case.simulator_seed, "
            "or check with deterministic_starts=True where the benchmark has one start only"
        )

    def check_expert(self, lane: CheckedLane) -> tuple[Case, list[StepRecord]]:
        """The first case for which the expert answers, and how it goes."""
        for seed in self.seeds:
            case, executed = Case(self.task, seed), list[Any]()
            once = self.play(lane, case, actions=self.ask_expert(lane, executed))
            if executed:
                again = self.play(lane, case, actions=self.ask_expert(lane))
                same(again, once, "the expert acts differently when the case is played again")
                replayed = self.play(lane, case, actions=executed)
                same(
                    replayed,
                    once,
                    "the same actions without the expert go another way: asking must change nothing",
                )
                self.play(lane, case, actions=self.ask_expert(lane, astray=True))
                return case, once
        raise ContractError(
            f"has_expert is True, but the expert gives up at once for the seeds {self.seeds}"
        )

    def ask_expert(
        self, lane: CheckedLane, record: list[Any] | None = None, astray: bool = False
    ) -> Iterator[Any]:
        """The expert's actions until it gives up; `astray` executes a random action instead of every third, as a perturbation may."""
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
        beside: CheckedLane,
        once: Sequence[StepRecord],
        kept: Sequence[StepRecord],
    ) -> None:
        """Two lanes step by step in turn, the second starting later; where one call steps both, together as well."""
        plays = self.player.records(lane, self.first), self.player.records(beside, self.second)
        ahead = list(itertools.islice(plays[0], 4))
        pairs = list(itertools.zip_longest(*plays))
        why = "two lanes influence each other: keep nothing global (no numpy.random.seed, no class attribute that changes)"
        same([*ahead, *(one for one, _ in pairs if one is not None)], once, why)
        same([two for _, two in pairs if two is not None], kept, why)
        if self.batched:
            together = self.player.together(lane.adapter, [self.first, self.second])
            same(together[0], once, why)
            same(together[1], kept, why)

    def check_elsewhere(self, once: Sequence[StepRecord]) -> None:
        """The first case in a Python process of its own, whose hashes are salted differently."""
        task = {
            f.name: getattr(self.task, f.name)
            for f in dataclasses.fields(Task)
            if f.name not in ("normaliser", "references")
        }
        told = {
            "path": sys.path,
            "task": {**task, "params": dict(self.task.params)},
            "seeds": self.seeds,
            "steps": self.player.steps,
        }
        told |= {"views": self.player.views, "lanes": self.lanes}
        environment = {
            **os.environ,
            **carried(),
            "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
        }
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "moments.json")
            command = [sys.executable, "-c", ELSEWHERE, json.dumps({**told, "out": str(out)})]
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=environment,
            )
            demand(
                done.returncode == 0,
                f"in another Python process it ends with {done.returncode}:\n{done.stderr[-3000:]}",
            )
            rows = json.loads(out.read_text())
        same(
            [StepRecord.of(row) for row in rows],
            once,
            "another Python process plays another episode: no hash(), id() or order of a set may decide anything",
        )


def here(told: Mapping[str, Any]) -> None:
    """The other end of `check_elsewhere`."""
    before = set(sys.modules)
    check = _AdapterCheck(
        Task(**told["task"]), told["seeds"], told["steps"], told["views"], told["lanes"]
    )
    check.check_class(())
    _demand_no_simulator(check.form, {name.partition(".")[0] for name in set(sys.modules) - before})
    lane = check.build(check.lanes or 2)
    records = check.play(lane, check.first, read=True)
    lane.adapter.close()
    Path(told["out"]).write_text(json.dumps([dataclasses.asdict(record) for record in records]))


def _demand_no_simulator(form: type[Adapter | BatchedAdapter], imported: set[str]) -> None:
    for name, distributions in importlib.metadata.packages_distributions().items():
        light = name in imported and not set(distributions).isdisjoint(form.packages)
        demand(
            not light,
            f"importing {form.__module__}, or missing, env_key or has_expert, imports {name}: import it in the constructor",
        )


def _named(kinds: Sequence[type]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)


def _bad_actions(spec: ActionSpec) -> list[Any]:
    """Actions that `spec.validate` refuses: wrong type, shape, value."""
    tried: list[Any] = [None, "no action", 7, 0.5, -1, math.nan, [], np.zeros((2, 3, 2)), object()]
    if isinstance(spec, Box):
        low, high = spec.bounds()
        beyond = [
            high + 1 + abs(high),
            low - 1 - abs(low),
            np.full(spec.shape, math.nan),
            np.full(spec.shape, "x"),
            np.zeros((*spec.shape, 1)),
        ]
        tried += beyond
    elif isinstance(spec, Discrete):
        tried += [spec.n, np.int64(spec.n)]
    elif isinstance(spec, MultiDiscrete):
        tried += [
            np.asarray(spec.nvec),
            np.zeros(len(spec.nvec)),
            np.zeros(len(spec.nvec) + 1, np.int64),
        ]
    elif isinstance(spec, UI):
        tried += [
            {"kind": "no kind"},
            {"kind": "wait", "text": "x"},
            {"kind": "wait", "no field": 1},
        ]
        tried += [
            {"kind": kind, "x": x, "y": 0}
            for kind in spec.kinds
            for x in (math.nan, float(spec.width))
        ]
    elif spec.max_length < 1_000_000:
        tried.append("x" * (spec.max_length + 1))
    return [action for action in tried if _refused(spec, action)]


def _refused(spec: ActionSpec, action: Any) -> bool:
    try:
        spec.validate(action)
    except BadAction:
        return True
    return False
