"""The views of one step, each drawn when it is first touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["LazyViews"]


class LazyViews(Mapping[str, Any]):
    """An observation for an agent that did not say which views it reads.

    A simulator draws its views as they are now, so a view that was not touched before the next
    step cannot be had any more: it raises KeyError.
    """

    __slots__ = ("_drawn", "_names", "_offered", "_open", "fault")

    def __init__(self, names: Sequence[str], offered: Mapping[str, Any]) -> None:
        """`offered` holds values, and functions of no arguments that draw one."""
        self._names = names
        self._offered = offered
        self._drawn: dict[str, Any] = {}
        self._open = True
        self.fault: BaseException | None = None
        """What the simulator raised while it drew a view: its fault, not the agent's."""

    def __getitem__(self, name: str) -> Any:
        if name in self._drawn:
            return self._drawn[name]
        if name not in self._names:
            raise KeyError(f"there is no view {name!r}; on offer: {', '.join(self._names)}")
        if not self._open:
            raise KeyError(f"the view {name!r} was not read before the next step")
        value = self._offered[name]
        if callable(value):
            try:
                value = value()
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
        """The simulator moves on: what was not drawn by now never will be."""
        self._open = False

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """To another process it goes with all its views."""
        return dict, (dict(self),)
