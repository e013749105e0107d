"""Partial observability: what is seen is hidden, lost, late or dark, whatever form it has.

    pictures, depth maps   images, and views called `depth...`
    codes                  arrays of integers, such as `grid`, the cells around an agent
    pages                  Elements, such as `dom`
    texts                  Text, such as `text` and `pddl`

Real numbers, such as `state` and `proprio`, have perturbations of their own (state.py). Lists of
possible commands (Texts, such as `admissible`) and single choices stay: they say what can be done,
not what is there.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Box, Element, Elements, Spec, Text
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams, is_camera

__all__ = ["Blackout", "DroppedFrames", "FrozenFrames", "Occlusion", "is_codes", "is_sight"]

DRAWS = 4096
"""Lines and elements of an episode whose draws are kept; a forgotten one is drawn alike again."""


def is_codes(name: str, spec: Spec) -> bool:
    """Whether a view is an array of integers and no image, such as a grid of cells."""
    return (
        isinstance(spec, Box)
        and np.dtype(spec.dtype).kind in "iu"
        and len(spec.shape) >= 1
        and not is_camera(name, spec)
    )


def is_sight(name: str, spec: Spec) -> bool:
    """Whether a view is something to look at, rather than to measure or to choose from."""
    return is_camera(name, spec) or is_codes(name, spec) or isinstance(spec, (Elements, Text))


class _Sights(Effect):
    """Base of effects on whatever can be looked at."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self._specs = {
            name: spec for name, spec in body.brief.observation.items() if is_sight(name, spec)
        }
        if not self._specs:
            raise NotApplicable("there is no picture, grid, page or text here")

    def views(self) -> Sequence[str]:
        return list(self._specs)

    def nothing(self, view: str, value: Any) -> Any:
        """What is left of a view that is lost: zeros, no element, no text."""
        spec = self._specs[view]
        if isinstance(spec, Elements):
            return ()
        if isinstance(spec, Text):
            return ""
        return np.full_like(value, _zero(spec))


def _zero(spec: Spec) -> Any:
    """0, or the bounds nearest to 0, in a shape that broadcasts to the view's."""
    assert isinstance(spec, Box)
    low, high = spec.bounds()
    return np.clip(0, low, high).astype(spec.dtype)


class Occlusion(_Sights):
    """Hides `area`, a fraction of what is seen, and the same places throughout the episode.

    In an image it is a grey rectangle with the image's aspect ratio, in a depth map one of zeros:
    no hit. Of an array of codes it is the cells nearest to one point, which are 0. Each element of
    a page and each line of a text is missing with this probability: the element's children stay, a
    missing line is empty. An element is the same one as long as its tag, name and text are, a line
    as long as it reads the same.

    The place is drawn for each view; what is hidden at one severity is hidden at a higher one too.
    """

    def __init__(self, streams: RandomStreams, body: Body, area: float) -> None:
        super().__init__(streams, body)
        self._area = area
        self._draws: dict[tuple[str, ...], float] = {}
        self._cells: dict[str, np.ndarray] = {}

    def see(self, view: str, value: Any, step: int) -> Any:
        spec = self._specs[view]
        if isinstance(spec, Elements):
            return self._page(view, value)
        if isinstance(spec, Text):
            # Split at "\n" alone, so that nothing but what is hidden changes.
            return "\n".join(
                "" if line.strip() and self._hidden(view, line) else line
                for line in value.split("\n")
            )
        if is_codes(view, spec):
            return self._codes(view, value)
        across, down = self.streams.episode(view).random(2).tolist()
        height, width = value.shape[:2]
        side = math.sqrt(self._area)
        rows, columns = round(height * side), round(width * side)
        top, left = round((height - rows) * down), round((width - columns) * across)
        changed = value.copy()
        changed[top : top + rows, left : left + columns] = 127 if value.dtype == np.uint8 else 0
        return changed

    def _codes(self, view: str, value: np.ndarray) -> np.ndarray:
        if (hidden := self._cells.get(view)) is None:
            hidden = self._cells[view] = self._hidden_cells(view, value.shape)
        return np.where(hidden, _zero(self._specs[view]), value)

    def _hidden_cells(self, view: str, shape: tuple[int, ...]) -> np.ndarray:
        """bool, broadcast to `shape`: the cells nearest to a point, as many as `area` says."""
        cells = shape[:2]
        count = min(math.prod(cells), max(1, round(self._area * math.prod(cells))))
        centre = self.streams.episode(view).random(len(cells)) * cells
        # Chebyshev distances, in cells: what is hidden is a square, as far as it fits.
        places = np.indices(cells) + 0.5
        away = np.abs(places - centre.reshape(-1, *[1] * len(cells))).max(axis=0).ravel()
        hidden = np.zeros(math.prod(cells), bool)
        hidden[np.argsort(away, kind="stable")[:count]] = True
        return hidden.reshape(*cells, *[1] * (len(shape) - len(cells)))

    def _page(self, view: str, elements: tuple[Element, ...]) -> tuple[Element, ...]:
        shown: list[Element] = []
        ancestors = {0: 0}
        alike: Counter[tuple[str, str, str]] = Counter()
        for element in elements:
            key = (element.tag, element.name, element.text)
            alike[key] += 1
            parent = ancestors[element.parent]
            if self._hidden(view, *key, str(alike[key])):
                ancestors[element.ref] = parent
                continue
            ancestors[element.ref] = element.ref
            shown.append(
                element if parent == element.parent else dataclasses.replace(element, parent=parent)
            )
        return tuple(shown)

    def _hidden(self, view: str, *key: str) -> bool:
        """Whether a line or an element is missing: by one draw for the whole episode."""
        place = (view, *key)
        if (draw := self._draws.get(place)) is None:
            if len(self._draws) >= DRAWS:
                self._draws.clear()
            draw = self._draws[place] = float(self.streams.episode(*place).random())
        return draw < self._area


class FrozenFrames(_Sights):
    """At each step but the first, a view repeats its last state with probability `share`."""

    remembers = True

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self._last: dict[str, Any] = {}

    def see(self, view: str, value: Any, step: int) -> Any:
        if view not in self._last or self.streams.step(step, view).random() >= self._share:
            self._last[view] = value
        return self._last[view]


class DroppedFrames(_Sights):
    """At each step, a view is lost with probability `share`: zeros, no element, no text."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def see(self, view: str, value: Any, step: int) -> Any:
        lost = self.streams.step(step, view).random() < self._share
        return self.nothing(view, value) if lost else value


class Blackout(_Sights):
    """Nothing can be seen for `steps` steps, from a step between 0 and 9 on.

    None: from the first step to the last.
    """

    def __init__(self, streams: RandomStreams, body: Body, steps: int | None) -> None:
        super().__init__(streams, body)
        self._first = int(streams.episode().integers(10)) if steps is not None else 0
        self._end = math.inf if steps is None else self._first + steps

    def see(self, view: str, value: Any, step: int) -> Any:
        return self.nothing(view, value) if self._first <= step < self._end else value
