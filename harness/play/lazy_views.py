"""The views of one step, each drawn when it is first read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["LazyViews"]


class LazyViews(Mapping[str, Any]):
    """An observation for an agent that did not declare which views it reads.

    A simulator draws views of its current state only. So a view that was not read before the next
    step is lost, and reading it then raises KeyError.
    """

    __slots__ = ("_drawn", "_names", "_open", "_read", "_touched", "fault")

    def __init__(
        self, names: Sequence[str], read: Callable[[str], Any], touched: set[str] | None = None
    ) -> None:
        """`read(name)` draws the view and checks it; `touched` takes the names that are read."""
        self._names = names
        self._read = read
        self._touched = set() if touched is None else touched
        self._drawn: dict[str, Any] = {}
        self._open = True
        self.fault: BaseException | None = None
        """Why a view could not be read: this fault is the simulator's, not the agent's."""

    def __getitem__(self, name: str) -> Any:
        self._touched.add(name)
        if name in self._drawn:
            return self._drawn[name]
        if name not in self._names:
            raise KeyError(f"there is no view {name!r}; on offer: {', '.join(self._names)}")
        if not self._open:
            raise KeyError(f"the view {name!r} was not read before the next step")
        try:
            value = self._read(name)
        except BaseException as fault:
            self.fault = fault
            raise
        self._drawn[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def close(self) -> None:
        """Called before the next step: views that have not been drawn are lost from now on."""
        self._open = False

    def for_another_process(self) -> dict[str, Any]:
        """All views, drawn: another process cannot draw them.

        Of an earlier step only what was drawn then is left.
        """
        return dict(self) if self._open else self._drawn

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (self.for_another_process(),)
