"""Environments that are kept from one episode to the next.

A lane keeps its environment until its next case has another environment key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.core import Adapter, BatchedAdapter, Brief, Case, Missing, Spec, Task
from harness.core.agent import ALL_VIEWS, NO_VIEWS
from harness.core.lane import Lane, build_adapter
from harness.core.reads import is_optional, is_shown, view_of
from harness.core.text import printable, shorten
from harness.core.values import as_text
from harness.host.loading import backend_entry, load_adapter
from harness.play.closing import close
from harness.play.inference import Watch, watched
from harness.records.registry import load

__all__ = [
    "EnvSlot", "Environments", "Unfit", "ViewNotOffered", "environment_key", "narrow",
]  # fmt: skip


MOST_RENDERER = 200
"""Characters of what an adapter says of its renderer: it stands in every line of a run."""


_newest: tuple[Task | None, str, str] = (None, "", "")
"""The task that was asked for last, its backend, and its key."""


def environment_key(task: Task, backend: str = "") -> str:
    """The environment key of a task: tasks with equal keys can be played in one environment.

    Raises UserError where its adapter has no such backend.
    """
    global _newest
    known, by, key = _newest
    if known is not task or by != backend:  # most cases have the task of the one before them
        entry = backend_entry(task, backend)
        key = f"{entry} {load(entry).env_key(task)}"
        _newest = task, backend, key
    return key


class Unfit(Exception):
    """The agent cannot play what the adapter offers: the task cannot run."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.reason)
        self.missing = missing


class ViewNotOffered(Unfit):
    """The agent reads a view that the adapter does not offer."""


def narrow(brief: Brief, reads: Sequence[str]) -> Brief:
    """The brief with only the views that an agent reads.

    Raises ViewNotOffered if one of them is not on offer; views whose name ends in `?` are optional.
    """
    views: dict[str, Spec] = {}
    for entry in reads:
        name = view_of(entry)
        if name in NO_VIEWS or not is_shown(entry, reads, brief.observation):
            continue
        if name == ALL_VIEWS:
            views.update(brief.observation)
            continue
        if name in brief.observation:
            views[name] = brief.observation[name]
        elif not is_optional(entry):
            offered = ", ".join(brief.observation)
            raise ViewNotOffered(
                Missing(
                    f"the agent reads {name!r}, which this task does not offer",
                    f"it offers: {offered}; write {name + '?'!r} to do without",
                )
            )
    return Brief(views, brief.action, brief.embodiment, brief.simulator, brief.control_hz)


class EnvSlot(Lane):
    """Where one episode can be played: an adapter, or one lane of a batched adapter."""

    __slots__ = ("_briefs", "_renderer", "fit", "key", "patience")

    def __init__(self, key: str, adapter: Adapter | BatchedAdapter, lane: int = 0) -> None:
        super().__init__(adapter, lane)
        self.key = key
        self.patience = adapter.patience_s
        self._briefs: tuple[Brief, Sequence[str], Brief] | None = None
        self._renderer: str | None = None
        self.fit: tuple[Brief, Missing | None] | None = None
        """What the agent said of this brief when it was asked whether it fits."""

    def narrowed(self, reads: Sequence[str]) -> Brief:
        """The adapter's brief with the agent's views only, kept until the adapter's changes."""
        known = self._briefs
        if known is None or known[0] is not self.adapter.brief or known[1] != reads:
            known = self._briefs = (self.adapter.brief, reads, narrow(self.adapter.brief, reads))
        return known[2]

    def renderer_info(self) -> str:
        """What the adapter says that draws its views, in one line; it is asked once.

        Raises BadValue if that is no text, and what the adapter raises.
        """
        if self._renderer is None:
            said = as_text(self.adapter.renderer_info(), "what renderer_info() returns")
            self._renderer = shorten(printable(" ".join(said.split())), MOST_RENDERER)
        return self._renderer


class Environments:
    """The environments of one group of lanes. At most `lanes` idle slots are kept."""

    def __init__(
        self, lanes: int, watch: Watch, made: Callable[[EnvSlot, Case], None] | None = None
    ) -> None:
        """`made` is called with the first slot of every new environment, and its case."""
        self._made = made
        self._lanes = lanes
        self._watch = watch
        self._idle: list[EnvSlot] = []

    def keys(self, slot: EnvSlot | None) -> list[str]:
        """The keys of environments that the lane in `slot` could use at once, its own first."""
        return ([slot.key] if slot is not None else []) + [idle.key for idle in self._idle]

    def slot(self, case: Case, current: EnvSlot | None) -> EnvSlot:
        """A slot for the case: the current one, an idle one, or a new one.

        A task with the param `fresh` gets a new environment for every episode.

        Raises whatever building the environment raises; the current slot is idle then.
        """
        # Whatever fails below, the current slot's environment is kept.
        if current is not None:
            self._idle.append(current)
        key = environment_key(case.task, case.backend)
        for number in reversed(range(len(self._idle))):
            idle = self._idle[number]
            if idle.key == key:
                if idle.batch is None and case.task.params.get("fresh") is True:
                    self.drop(idle)
                    continue
                return self._idle.pop(number)
        for idle in self._idle[: max(0, len(self._idle) - self._lanes)]:
            if self._unused(idle):
                self.drop(idle)
        kind = load_adapter(backend_entry(case.task, case.backend))
        with watched(self._watch, kind.patience_s):
            adapter = build_adapter(kind, case.task, self._lanes)
        lanes = self._lanes if isinstance(adapter, BatchedAdapter) else 1
        first, *others = [EnvSlot(key, adapter, lane) for lane in range(lanes)]
        # The last one is taken first: lanes in their order are one memory for a whole batch.
        self._idle.extend(reversed(others))
        if self._made is not None:
            self._made(first, case)
        return first

    def drop(self, slot: EnvSlot) -> None:
        """Close the slot's environment and forget its idle slots. Slots in use are the caller's."""
        self._idle = [idle for idle in self._idle if idle.adapter is not slot.adapter]
        close(slot.adapter, self._watch)

    def _unused(self, slot: EnvSlot) -> bool:
        """Whether all slots of this idle slot's environment are idle."""
        idle = sum(each.adapter is slot.adapter for each in self._idle)
        return slot.batch is None or idle == self._lanes

    def adopt(self, slots: Sequence[EnvSlot]) -> None:
        """Keep these, which nobody uses. What an agent said of them is forgotten."""
        for slot in slots:
            slot.fit = None
        self._idle.extend(slots)

    def release(self, used: Sequence[EnvSlot]) -> list[EnvSlot]:
        """The idle slots and those in use: they are the caller's from now on."""
        slots, self._idle = [*self._idle, *used], []
        return slots

    def close(self, used: Sequence[EnvSlot]) -> None:
        """Close all environments: the idle ones and those of the slots in use."""
        for adapter in {id(slot.adapter): slot for slot in (*self._idle, *used)}.values():
            self.drop(adapter)
