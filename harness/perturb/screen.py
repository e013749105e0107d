"""Perturbed screens: zoom, a larger window, other element ids.

They act between adapter and agent, so the page itself does not change. All coordinates are pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import UI, Box, Brief, Element, Elements, UIAction
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams, is_picture, need

__all__ = ["ElementIds", "WindowSize", "Zoom"]

REFS = 4096
"""Refs from 1 to REFS - 1 are shuffled; larger ones stay."""
POINTS = (("x", "y"), ("to_x", "to_y"))


class _Screen(Effect):
    """Base of effects on environments with mouse and keyboard actions on a screen."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        if not isinstance(body.action, UI):
            raise NotApplicable("there is no screen with a pointer here")
        self.spec: UI = body.action


class ElementIds(_Screen):
    """Elements' refs are shuffled in blocks of `block`, in one way throughout the episode.

    Their `name`s, which often hint at their purpose, become `id` and the new ref.
    """

    def __init__(self, streams: RandomStreams, body: Body, block: int) -> None:
        super().__init__(streams, body)
        self._views = [
            name for name, spec in body.brief.observation.items() if isinstance(spec, Elements)
        ]
        if not self._views and not self.spec.refs:
            raise NotApplicable("elements have no ids here")
        order = np.arange(REFS)
        rng = streams.episode()
        for start in range(1, REFS, block):  # 0 stands for none
            rng.shuffle(order[start : start + block])
        self._out, self._in = order.tolist(), np.argsort(order).tolist()

    def views(self) -> Sequence[str]:
        return self._views

    def see(self, view: str, value: tuple[Element, ...], step: int) -> tuple[Element, ...]:
        return tuple(
            dataclasses.replace(
                element,
                ref=_at(self._out, element.ref),
                parent=_at(self._out, element.parent),
                name=f"id{_at(self._out, element.ref)}" if element.name else "",
            )
            for element in value
        )

    def outward(self, action: Any) -> Any:
        """The simulator's refs -> the agent's."""
        return _with_refs(action, self._out)

    def inward(self, action: Any) -> Any:
        """The agent's refs -> the simulator's."""
        return _with_refs(action, self._in)


def _at(order: Sequence[int], ref: int) -> int:
    return order[ref] if 0 <= ref < len(order) else ref


def _with_refs(action: UIAction, order: Sequence[int]) -> UIAction:
    changed: dict[str, Any] = {
        name: _at(order, ref)
        for name in ("ref", "to_ref")
        if (ref := getattr(action, name)) is not None
    }
    return dataclasses.replace(action, **changed) if changed else action


class _Moved(_Screen):
    """Base of effects that show screen coordinates c as c * factor + margin."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self.factor = 1.0
        self.margin = (0, 0)
        self.size = (self.spec.width, self.spec.height)
        self._pictures = [
            name
            for name, spec in body.brief.observation.items()
            if is_picture(name, spec) and self._whole(spec)
        ]
        self._elements = [
            name for name, spec in body.brief.observation.items() if isinstance(spec, Elements)
        ]

    def _whole(self, spec: Any) -> bool:
        """Whether an image shows the whole screen, pixel by pixel."""
        return bool(spec.shape[:2] == (self.spec.height, self.spec.width))

    def views(self) -> Sequence[str]:
        return [*self._pictures, *self._elements]

    def shown(self, brief: Brief) -> Brief:
        width, height = self.size
        views: dict[str, Any] = dict(brief.observation)
        for name in self._pictures:
            spec = views.get(name)
            if isinstance(spec, Box):
                views[name] = dataclasses.replace(spec, shape=(height, width, *spec.shape[2:]))
        return dataclasses.replace(
            brief,
            observation=views,
            action=dataclasses.replace(self.spec, width=width, height=height),
        )

    def see(self, view: str, value: Any, step: int) -> Any:
        if view in self._pictures:
            return self.drawn(value)
        f, (left, top) = self.factor, self.margin
        return tuple(
            dataclasses.replace(
                e, x=e.x * f + left, y=e.y * f + top, width=e.width * f, height=e.height * f
            )
            for e in value
        )

    def drawn(self, image: np.ndarray) -> np.ndarray:
        """The image, uint8 (H, W, ...), at the new size."""
        raise NotImplementedError

    def outward(self, action: Any) -> Any:
        """The simulator's points -> the agent's."""
        f, (left, top) = self.factor, self.margin
        return _with_points(action, lambda x, y: (x * f + left, y * f + top))

    def inward(self, action: Any) -> Any:
        """The agent's points -> the simulator's; a point outside the page becomes a no-op."""
        f, (left, top) = self.factor, self.margin
        moved = _with_points(action, lambda x, y: ((x - left) / f, (y - top) / f))
        for x_name, y_name in POINTS:
            x, y = getattr(moved, x_name), getattr(moved, y_name)
            if x is not None and not (0 <= x < self.spec.width and 0 <= y < self.spec.height):
                return self.spec.noop()
        return moved


def _with_points(action: UIAction, move: Any) -> UIAction:
    changed: dict[str, Any] = {}
    for x_name, y_name in POINTS:
        x, y = getattr(action, x_name), getattr(action, y_name)
        if x is not None and y is not None:
            changed[x_name], changed[y_name] = move(x, y)
    return dataclasses.replace(action, **changed) if changed else action


class Zoom(_Moved):
    """The screen and everything on it are larger by `factor`; points of actions scale with them."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._cv2 = need()
        self.factor = factor
        self.size = math.ceil(self.spec.width * factor), math.ceil(self.spec.height * factor)

    def drawn(self, image: np.ndarray) -> np.ndarray:
        larger: np.ndarray = self._cv2.resize(
            image, self.size, interpolation=self._cv2.INTER_LINEAR
        )
        return larger


class WindowSize(_Moved):
    """The window is larger by `share` of its height in both directions.

    The page lies somewhere in it on grey; the place is drawn for each episode.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        more = round(share * self.spec.height)
        across, down = streams.episode().random(2).tolist()
        self.margin = round(across * more), round(down * more)
        self.size = self.spec.width + more, self.spec.height + more

    def drawn(self, image: np.ndarray) -> np.ndarray:
        (left, top), (width, height) = self.margin, self.size
        window = np.full((height, width, *image.shape[2:]), 204, np.uint8)
        window[top : top + image.shape[0], left : left + image.shape[1]] = image
        return window
