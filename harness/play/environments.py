"""Environments that are kept between episodes: a lane sits in one, and gets another only when its next case has another affinity key."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import Adapter, BatchedAdapter, Brief, Case, Missing, Task, TimeStep
from harness.host.loading import load_adapter
from harness.play.inference import FAULTS, Watch, watched
from harness.records.registry import load

__all__ = ["Environments", "EnvSlot", "ViewNotOffered", "environment_key", "narrow"]

log = logging.getLogger("bench")
CLOSING_S = 10.0


def environment_key(task: Task) -> str:
    """Cases of one key can be played in one kept environment."""
    return f"{task.adapter} {load(task.adapter).env_key(task)}"


class ViewNotOffered(Exception):
    """The agent reads a view that the adapter does not offer: the task cannot run."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.reason)
        self.missing = missing


def narrow(brief: Brief, reads: Sequence[str]) -> Brief:
    """The brief with only the views that an agent reads. Raises ViewNotOffered when one of them is not on offer."""
    views = {}
    for entry in reads:
        name = entry.rstrip("?")
        if name == "expert":
            continue
        if name in brief.observation:
            views[name] = brief.observation[name]
        elif not entry.endswith("?"):
            offered = ", ".join(brief.observation)
            raise ViewNotOffered(
                Missing(
                    f"the agent reads {name!r}, which this task does not offer",
                    f"it offers: {offered}; write {name + '?'!r} to do without",
                )
            )
    return Brief(views, brief.action, brief.embodiment, brief.simulator, brief.control_hz)


class EnvSlot:
    """A lane's place: an adapter of its own (`single`), or one lane of a shared batched one."""

    __slots__ = ("_briefs", "adapter", "key", "lane", "patience", "shared", "single")

    def __init__(self, key: str, adapter: Adapter | BatchedAdapter, lane: int = 0) -> None:
        self.key = key
        self.adapter = adapter
        self.single = adapter if isinstance(adapter, Adapter) else None
        self.shared = adapter if isinstance(adapter, BatchedAdapter) else None
        self.lane = lane
        self.patience = adapter.patience_s
        self._briefs: tuple[Brief, Sequence[str], Brief] | None = None

    def narrowed(self, reads: Sequence[str]) -> Brief:
        """The adapter's brief with the agent's views only; made once for as long as the adapter's brief stays the same."""
        known = self._briefs
        if known is None or known[0] is not self.adapter.brief or known[1] != reads:
            known = self._briefs = (self.adapter.brief, reads, narrow(self.adapter.brief, reads))
        return known[2]

    def reset(self, case: Case) -> TimeStep:
        """Start a case here."""
        if self.single is not None:
            return self.single.reset(case)
        assert self.shared is not None
        return self.shared.reset({self.lane: case})[self.lane]

    def step_together(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        """Step lanes of the shared adapter."""
        assert self.shared is not None
        return self.shared.step(actions)

    def expert(self, executed: Any) -> Any:
        """The expert's action for this seat's episode."""
        if self.single is not None:
            return self.single.expert(executed)
        assert self.shared is not None
        return self.shared.expert(self.lane, executed)

    def render(self) -> Any:
        """A frame of this seat's episode, for people."""
        if self.single is not None:
            return self.single.render()
        assert self.shared is not None
        return self.shared.render(self.lane)

    def state(self) -> bytes:
        """The simulator's state for the digest."""
        if self.single is not None:
            return self.single.state()
        assert self.shared is not None
        return self.shared.state(self.lane)


class Environments:
    """The environments of one group of lanes. At most `lanes` idle seats are kept beside those in use."""

    def __init__(self, lanes: int, watch: Watch) -> None:
        self._lanes = lanes
        self._watch = watch
        self._idle: list[EnvSlot] = []

    def keys(self, slot: EnvSlot | None) -> list[str]:
        """The affinity keys that cost nothing to play next on the lane that has this seat: its own first."""
        return ([slot.key] if slot is not None else []) + [idle.key for idle in self._idle]

    def slot(self, case: Case, current: EnvSlot | None) -> EnvSlot:
        """A seat for the case: the current one, an idle one, or a new one. Raises what building the environment raises."""
        key = environment_key(case.task)
        if current is not None:
            if current.key == key:
                return current
            self._idle.append(current)
        for number, idle in enumerate(self._idle):
            if idle.key == key:
                return self._idle.pop(number)
        for idle in self._idle[: max(0, len(self._idle) - self._lanes)]:
            if self._unused(idle):
                self.drop(idle)
        kind = load_adapter(case.task.adapter)
        with watched(self._watch, kind.patience_s):
            if not issubclass(kind, BatchedAdapter):
                return EnvSlot(key, kind(case.task))
            shared = kind(case.task, self._lanes)
        first, *others = [EnvSlot(key, shared, lane) for lane in range(self._lanes)]
        self._idle.extend(others)
        return first

    def drop(self, slot: EnvSlot) -> None:
        """Close the seat's environment; of a shared one, all idle seats go with it. The caller sees to the lanes in use."""
        self._idle = [idle for idle in self._idle if idle.adapter is not slot.adapter]
        with watched(self._watch, CLOSING_S):
            try:
                slot.adapter.close()
            except FAULTS as fault:  # the episode's own fault is recorded already; a broken environment often cannot be closed
                log.warning("%s.close failed: %r", type(slot.adapter).__name__, fault)

    def _unused(self, slot: EnvSlot) -> bool:
        """Whether no lane sits in the idle seat's environment."""
        return (
            slot.single is not None
            or sum(idle.adapter is slot.adapter for idle in self._idle) == self._lanes
        )

    def close(self, used: Sequence[EnvSlot]) -> None:
        """Close all environments: the idle ones and those of the seats in use."""
        for adapter in {id(slot.adapter): slot for slot in (*self._idle, *used)}.values():
            self.drop(adapter)
