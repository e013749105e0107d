"""Classes that stand in this process for an adapter in another interpreter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.core import (
    Adapter,
    BatchedAdapter,
    Brief,
    Case,
    Missing,
    SimulatorPerturbation,
    Skill,
    SkillCall,
    Task,
    TimeStep,
    UserError,
)
from harness.host.client import Client, HostFault
from harness.host.wire import LAZY

__all__ = ["Hosted", "end_probes", "hosted"]

_probes: dict[tuple[str, str], Client] = {}
_forms: dict[tuple[type[Any], str], type[Any]] = {}


def hosted(kind: type[Any], entry: str, python: str) -> type[Any]:
    """The class that stands for the adapter class `kind` in the interpreter `python`.

    `entry` is its `module:Class`. Always returns the same class.
    """
    if (kind, python) not in _forms:
        _forms[kind, python] = _form(kind, entry, python)
    return _forms[kind, python]


def end_probes() -> None:
    """End the children that answered questions about tasks; later questions start new ones."""
    while _probes:
        _probes.popitem()[1].kill()


def _form(kind: type[Any], entry: str, python: str) -> type[Any]:
    form = _HostedBatched if issubclass(kind, BatchedAdapter) else _HostedAdapter
    names = [name for base in Adapter.__mro__ for name in vars(base).get("__annotations__", {})]
    said = {name: getattr(kind, name) for name in names if hasattr(kind, name)}
    fields = {
        **said,
        "kind": kind,
        "entry": entry,
        "python": python,
        "__doc__": kind.__doc__,
        "__module__": kind.__module__,
    }
    return type(kind.__name__, (form,), fields)


class Hosted:
    """The class methods of an adapter, answered by the other interpreter."""

    kind: ClassVar[type[Any]]
    entry: ClassVar[str]
    python: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    guide: ClassVar[str]
    patience_s: ClassVar[float]

    @classmethod
    def _probe(cls) -> Client:
        key = cls.python, cls.entry
        if key not in _probes:
            _probes[key] = Client(cls.python, cls.entry, cls.patience_s)
        return _probes[key]

    @classmethod
    def _ask(cls, operation: str, *arguments: Any) -> Any:
        try:
            return cls._probe().call(operation, *arguments)
        except HostFault:
            probe = _probes.pop((cls.python, cls.entry), None)
            if probe is not None:
                probe.kill()
            raise

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """What the other interpreter lacks."""
        try:
            absent = [name for name, version in cls.versions().items() if version == "-"]
            if absent:
                install = f"{cls.python} -m pip install {' '.join(absent)}"
                return Missing(
                    f"the package {absent[0]} is not installed in {cls.python}",
                    cls.guide or install,
                )
            found: Missing | None = cls._ask("ask", cls.entry, "missing", [task])
        except HostFault as fault:
            return Missing(
                str(fault), fault.remedy or "correct the path: bench.toml, or --interpreter"
            )
        return found

    @classmethod
    def limited(cls) -> Missing | None:
        """What works only partly there."""
        try:
            found: Missing | None = cls._ask("ask", cls.entry, "limited", [])
        except HostFault as fault:
            return Missing(str(fault), fault.remedy)
        return found

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Whether the task has an expert there."""
        try:
            return bool(cls._ask("ask", cls.entry, "has_expert", [task]))
        except HostFault as fault:
            raise ValueError(str(fault)) from None

    @classmethod
    def env_key(cls, task: Task) -> str:
        """Answered by the class in this interpreter: it must not depend on what is installed."""
        return str(cls.kind.env_key(task))

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """Answered by the class in this interpreter, too."""
        found: tuple[SimulatorPerturbation, ...] = cls.kind.simulator_perturbations(task)
        return found

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        """Answered by the class in this interpreter, too."""
        found: tuple[Skill, ...] = cls.kind.skills(task)
        return found

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        """Answered by the class in this interpreter, too."""
        found: tuple[str, ...] = cls.kind.stages(task)
        return found

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        """Answered by the class in this interpreter, too."""
        found: tuple[str, ...] = cls.kind.failure_modes(task)
        return found

    @classmethod
    def versions(cls) -> dict[str, str]:
        """What the adapter says of its versions in the other interpreter."""
        found: dict[str, str] = cls._ask("ask", cls.entry, "versions", [])
        return found

    @classmethod
    def code(cls, task: Task) -> dict[str, str]:
        """The other code that decides the task's results, as it is in the other interpreter."""
        found: dict[str, str] = cls._ask("code", cls.entry, task)
        return found

    @classmethod
    def result_of(cls, function: str, *arguments: Any) -> Any:
        """What a function of the adapter's package, `module:name`, returns there.

        Raises UserError as the function does, and where the interpreter fails.
        """
        try:
            return cls._ask("ask", function, "__call__", arguments)
        except HostFault as fault:
            remedy = fault.remedy or "correct the path: bench.toml, or --interpreter"
            raise UserError(f"{fault}; {remedy}") from None

    @classmethod
    def interpreter(cls) -> str:
        """The other interpreter, described for people."""
        there = cls._probe().versions
        return f"Python {there['python']} with numpy {there['numpy']} ({cls.python})"


class _HostedLanes:
    """The lanes of an adapter in a child process."""

    def __init__(self, kind: type[Any], task: Task, lanes: int) -> None:
        self.client = Client(kind.python, kind.entry, kind.patience_s)
        self._readers: dict[tuple[int, str], Callable[[], Any]] = {}
        self._states: dict[int, bytes] = {}
        try:
            self.brief: Brief | None = self.client.call("make", kind.entry, task, lanes)
        except BaseException:
            self.client.kill()
            raise

    def reset(self, cases: Mapping[int, Case]) -> dict[int, TimeStep]:
        """Start cases on lanes."""
        self.client.reset()
        return self.go("reset", cases)

    def go(self, operation: str, given: Mapping[int, Any]) -> dict[int, TimeStep]:
        """Reset or step lanes."""
        brief, told = self.client.call(operation, given)
        if brief is not None:
            self.brief = brief
        return {lane: self._timestep(lane, *parts) for lane, parts in told.items()}

    def _timestep(self, lane: int, views: dict[str, Any], *parts: Any) -> TimeStep:
        *said, self._states[lane] = parts
        for name, value in views.items():
            if value is LAZY:
                views[name] = self._reader(lane, name)
        return TimeStep(views, *said)

    def _reader(self, lane: int, name: str) -> Callable[[], Any]:
        reader = self._readers.get((lane, name))
        if reader is None:
            reader = self._readers[lane, name] = functools.partial(
                self.client.call, "view", lane, name
            )
        return reader

    def state(self, lane: int) -> bytes:
        """The lane's state, which came with its timestep."""
        return self._states[lane]

    def renderer_info(self) -> str:
        """What draws there; as the adapter says it, which the caller checks."""
        said: str = self.client.call("renderer_info")
        return said


class _HostedAdapter(Hosted, Adapter):
    """An Adapter in another interpreter: lane 0 of the child."""

    def __init__(self, task: Task) -> None:
        self._there = _HostedLanes(type(self), task, 1)
        self._update_brief()

    def _update_brief(self) -> None:
        if self._there.brief is not None:
            self.brief = self._there.brief

    def reset(self, case: Case) -> TimeStep:
        seen = self._there.reset({0: case})[0]
        self._update_brief()
        return seen

    def step(self, action: Any) -> TimeStep:
        return self._there.go("step", {0: self.brief.action.validate(action)})[0]

    def render(self) -> Any:
        return self._there.client.call("render", 0)

    def expert(self, executed: Any) -> Any:
        return self._there.client.call("expert", 0, executed)

    def skill_objects(self) -> Any:
        return self._there.client.call("skill_objects", 0)

    def skill(self, call: SkillCall, taken: int, executed: Any) -> Any:
        return self._there.client.call("skill", 0, call, taken, executed)

    def expert_plan(self) -> Any:
        return self._there.client.call("expert_plan", 0)

    def stage(self) -> Any:
        return self._there.client.call("stage", 0)

    def failure_mode(self) -> Any:
        return self._there.client.call("failure_mode", 0)

    def factors(self, case: Case) -> Any:
        return self._there.client.call("factors", 0, case)

    def other_goals(self, case: Case) -> Any:
        return self._there.client.call("other_goals", 0, case)

    def goals_met(self, executed: Any) -> Any:
        return self._there.client.call("goals_met", 0, executed)

    def renderer_info(self) -> str:
        return self._there.renderer_info()

    def state(self) -> bytes:
        return self._there.state(0)

    def close(self) -> None:
        self._there.client.close()


class _HostedBatched(Hosted, BatchedAdapter):
    """A BatchedAdapter in another interpreter."""

    def __init__(self, task: Task, lanes: int) -> None:
        self._there = _HostedLanes(type(self), task, lanes)
        self._update_brief()

    def _update_brief(self) -> None:
        if self._there.brief is not None:
            self.brief = self._there.brief

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        seen = self._there.reset(cases)
        self._update_brief()
        return seen

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        validate = self.brief.action.validate
        return self._there.go("step", {lane: validate(each) for lane, each in actions.items()})

    def render(self, lane: int) -> Any:
        return self._there.client.call("render", lane)

    def expert(self, lane: int, executed: Any) -> Any:
        return self._there.client.call("expert", lane, executed)

    def skill_objects(self, lane: int) -> Any:
        return self._there.client.call("skill_objects", lane)

    def skill(self, lane: int, call: SkillCall, taken: int, executed: Any) -> Any:
        return self._there.client.call("skill", lane, call, taken, executed)

    def expert_plan(self, lane: int) -> Any:
        return self._there.client.call("expert_plan", lane)

    def stage(self, lane: int) -> Any:
        return self._there.client.call("stage", lane)

    def failure_mode(self, lane: int) -> Any:
        return self._there.client.call("failure_mode", lane)

    def factors(self, lane: int, case: Case) -> Any:
        return self._there.client.call("factors", lane, case)

    def other_goals(self, lane: int, case: Case) -> Any:
        return self._there.client.call("other_goals", lane, case)

    def goals_met(self, lane: int, executed: Any) -> Any:
        return self._there.client.call("goals_met", lane, executed)

    def renderer_info(self) -> str:
        return self._there.renderer_info()

    def state(self, lane: int) -> bytes:
        return self._there.state(lane)

    def close(self) -> None:
        self._there.client.close()
