"""Views that are drawn when they are touched, and not after the next step."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from harness.play.lazy_views import LazyViews


def fail() -> Any:
    raise RuntimeError("no canvas")


def reader(**views: Any) -> Callable[[str], Any]:
    """Draws the views, which are not checked here."""
    return lambda name: views[name]() if callable(views[name]) else views[name]


def test_a_view_is_drawn_once_and_only_when_touched() -> None:
    drawn: list[str] = []

    def draw() -> str:
        drawn.append("image")
        return "picture"

    views = LazyViews(("image", "state"), reader(image=draw, state=5, hidden=6))
    assert (len(views), list(views), {"state": views["state"]}) == (
        2,
        ["image", "state"],
        {"state": 5},
    )
    assert drawn == []
    assert views["image"] is views["image"]
    assert drawn == ["image"]
    with pytest.raises(KeyError, match="no view 'hidden'; on offer: image, state"):
        views["hidden"]


def test_after_it_is_closed_only_what_was_drawn_is_there() -> None:
    views = LazyViews(("image", "state"), reader(image=lambda: "picture", state=5))
    assert views["image"] == "picture"
    views.close()
    assert views["image"] == "picture"
    with pytest.raises(KeyError, match="not read before the next step"):
        views["state"]


def test_to_another_process_it_goes_with_all_its_views() -> None:
    views = LazyViews(("image", "state"), reader(image=lambda: "picture", state=5))
    assert pickle.loads(pickle.dumps(views)) == {"image": "picture", "state": 5}


def test_of_an_earlier_step_only_what_was_drawn_goes_to_another_process() -> None:
    views = LazyViews(("image", "state"), reader(image="picture", state=5))
    assert views["state"] == 5
    views.close()
    assert pickle.loads(pickle.dumps(views)) == {"state": 5}


def test_it_keeps_what_the_simulator_raised() -> None:
    views = LazyViews(("image",), reader(image=fail))
    assert views.fault is None
    with pytest.raises(RuntimeError, match="no canvas"):
        views["image"]
    assert isinstance(views.fault, RuntimeError)
