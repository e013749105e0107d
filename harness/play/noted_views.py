"""An observation that notes which of its views are read."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Mapping, ValuesView
from typing import Any

__all__ = ["NotedViews"]


class NotedViews(dict[str, Any]):
    """A dict of views; names that are read leave `unread`.

    `dict(views)`, `{**views}` and `update` read through `__getitem__`, because `__iter__` is not
    dict's own.
    """

    __slots__ = ("_unread",)

    def __init__(self, views: Mapping[str, Any], unread: set[str]) -> None:
        super().__init__(views)
        self._unread = unread

    def __getitem__(self, name: str) -> Any:
        self._unread.discard(name)
        return super().__getitem__(name)

    def __iter__(self) -> Any:
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        self._unread.discard(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self._unread.discard(name)
        return super().pop(name, *default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._unread.clear()
        return super().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._unread.clear()
        return super().values()

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (dict(self),)

    def unnoted(self, name: str) -> Any:
        """The view, read by somebody else than the agent."""
        return super().__getitem__(name)
