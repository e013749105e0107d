"""What the author of a policy has to know of a task, and which profiles fit it.

An environment is made and reset once, without perturbation, with the task's first seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import (
    Box,
    Brief,
    Case,
    Discrete,
    Field,
    MultiDiscrete,
    Skill,
    Spec,
    Task,
    UserError,
)
from harness.core.lane import build_adapter
from harness.host.loading import load_adapter
from harness.play.closing import close
from harness.play.environments import EnvSlot, environment_key
from harness.play.inference import Watch, watched
from harness.play.start_digest import is_drawn
from harness.play.starts import start
from harness.policies.profiles import load_profile, profile_names

__all__ = ["Description", "SpecRow", "describe"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class SpecRow:
    """A view, or the action."""

    name: str
    kind: str
    """The class of the spec."""
    dtype: str = ""
    shape: tuple[int, ...] = ()
    low: Any = None
    """The least number of all elements, or one for each; None without a bound."""
    high: Any = None
    unit: str = ""
    meaning: str = ""
    names: tuple[str, ...] = ()
    """Of a Discrete: its choices."""
    layout: tuple[Field, ...] = ()
    drawn: bool = False
    """Whether a renderer draws it."""
    privileged: bool = False
    """Whether no camera, text or sensor of the body gives it."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A task as a policy meets it."""

    task: Task
    suites: tuple[str, ...]
    instruction: str
    embodiment: str
    simulator: str
    control_hz: float | None
    views: tuple[SpecRow, ...]
    action: SpecRow
    profiles: Mapping[str, tuple[str, ...]]
    """Profile -> the codes of what does not fit; none if it fits."""
    skills: tuple[Skill, ...] = ()
    """What a planner can call."""
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the arguments of skills may be, in the episode of the task's first seed."""
    picture: tuple[str, Array] | None = field(default=None, repr=False)
    """(the view, its first picture)."""

    def to_json(self) -> dict[str, Any]:
        """JSON values; `schema` rises when a field changes its meaning."""
        task = self.task
        return {
            "schema": 1,
            "task": task.id,
            "domain": task.domain,
            "suites": list(self.suites),
            "instruction": self.instruction,
            "rule": task.rule,
            "success": task.success,
            "score": task.score,
            "horizon": task.max_steps,
            "control_hz": self.control_hz,
            "embodiment": self.embodiment,
            "simulator": self.simulator,
            "views": [_row_to_json(view) for view in self.views],
            "action": _row_to_json(self.action),
            "profiles": {name: list(codes) for name, codes in self.profiles.items()},
            **self._skills_to_json(),
        }

    def _skills_to_json(self) -> dict[str, Any]:
        """Only where the task has any."""
        if not self.skills:
            return {}
        skills = [
            {"name": each.name, "parameters": dict(each.parameters), "what": each.what}
            for each in self.skills
        ]
        objects = {kind: list(names) for kind, names in self.objects.items()}
        return {"skills": skills, "objects": objects}


def _row_to_json(row: SpecRow) -> dict[str, Any]:
    found = dataclasses.asdict(row)
    found["layout"] = [dataclasses.asdict(each) for each in row.layout]
    return found


def describe(
    task: Task, suites: Sequence[str], watch: Watch, view: str | None, picture: bool
) -> Description:
    """The description of a task that can run here.

    `view`: the view whose picture is wanted; None: the first that is one. `picture`: whether to
    draw it. Raises UserError where the task cannot run here, or the view is no picture.
    """
    kind = load_adapter(task.adapter)
    absent = kind.missing(task)
    if absent is not None:
        raise UserError(f"{task.id} cannot run here: {absent.reason}; {absent.remedy}")
    with watched(watch, kind.patience_s):
        adapter = build_adapter(kind, task)
    try:
        slot = EnvSlot(environment_key(task), adapter)
        with watched(watch, kind.patience_s):
            first, _ = start(slot, Case(task, task.first_seed))
            brief: Brief = adapter.brief
            named = _pictured(brief, view) if view is not None or picture else None
            drawn = (
                _drawn(first.observation[named], brief.observation[named])
                if (named is not None and picture)
                else None
            )
        return Description(
            task=task,
            suites=tuple(suites),
            instruction=first.instruction,
            embodiment=brief.embodiment,
            simulator=brief.simulator,
            control_hz=brief.control_hz,
            views=tuple(
                _row(name, spec, kind.privileged_views) for name, spec in brief.observation.items()
            ),
            action=_row("action", brief.action, ()),
            profiles=_profiles(brief),
            skills=kind.skills(task),
            objects=slot.skill_objects() if kind.skills(task) else {},
            picture=None if drawn is None or named is None else (named, drawn),
        )
    finally:
        close(adapter, watch)


def _pictured(brief: Brief, view: str | None) -> str:
    """The name of the view that is a picture. Raises UserError where there is none."""
    pictures = [name for name, spec in brief.observation.items() if _is_picture(spec)]
    if view is None:
        if not pictures:
            raise UserError("no view of this task is a picture")
        return pictures[0]
    if view not in pictures:
        offered = f"the pictures are {', '.join(pictures)}" if pictures else "there is no picture"
        raise UserError(f"--view {view}: {offered}")
    return view


def _is_picture(spec: Spec) -> bool:
    return isinstance(spec, Box) and spec.dtype == "uint8" and spec.shape[2:] == (3,)


def _drawn(value: Any, spec: Spec) -> Array:
    found: Array = value() if callable(value) else value
    assert isinstance(spec, Box)
    wrong = spec.problem(found)
    if wrong is not None:
        raise UserError(f"the adapter breaks its own spec: {wrong}")
    return found


def _row(name: str, spec: Spec, privileged: Sequence[str]) -> SpecRow:
    fields: dict[str, Any] = {}
    if isinstance(spec, Box):
        fields = {
            "dtype": spec.dtype,
            "shape": tuple(spec.shape),
            "low": _bound(spec.low),
            "high": _bound(spec.high),
            "unit": spec.unit,
            "layout": spec.layout,
        }
    elif isinstance(spec, Discrete):
        fields = {"low": 0, "high": spec.n - 1, "names": spec.names}
    elif isinstance(spec, MultiDiscrete):
        fields = {"shape": (len(spec.nvec),), "low": 0, "high": [n - 1 for n in spec.nvec]}
    return SpecRow(
        name=name,
        kind=type(spec).__name__,
        meaning=getattr(spec, "meaning", ""),
        drawn=is_drawn(name),
        privileged=name in privileged,
        **fields,
    )


def _bound(value: Any) -> Any:
    """A bound as JSON values; None where there is none."""
    if isinstance(value, tuple):
        found = [_bound(each) for each in value]
        return found[0] if all(each == found[0] for each in found) else found
    return float(value) if math.isfinite(value) else None


def _profiles(brief: Brief) -> dict[str, tuple[str, ...]]:
    """Profile -> the codes of its fatal mismatches; the profiles that fit first."""
    found = {
        name: tuple(
            dict.fromkeys(each.code for each in load_profile(name).mismatches(brief) if each.fatal)
        )
        for name in profile_names()
    }
    return dict(sorted(found.items(), key=lambda item: bool(item[1])))
